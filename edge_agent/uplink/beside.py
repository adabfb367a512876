"""What leaves the home beside the numbered messages: how often since the start, when last, and what the newest says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

RENEWAL, ROOT, BROKER = "renewal", "root", "broker"
"""Asked of the hub over HTTPS; the other kinds are those of topics."""


@dataclass(frozen=True, slots=True)
class SentBeside:
    """One kind. `newest`: the bytes that were sent last; empty where a request had no content."""

    times: int
    last_at: int
    newest: bytes


class BesideLog:
    """Kept in memory only: a home's card is not worn by it, and it begins again with the agent."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        self._now = now
        self._sent: dict[str, SentBeside] = {}

    def note(self, kind: str, content: bytes) -> None:
        """This was handed to the broker, or asked of the hub."""
        before = self._sent.get(kind)
        self._sent[kind] = SentBeside(1 + (before.times if before else 0), int(self._now()), content)

    @property
    def sent(self) -> Mapping[str, SentBeside]:
        """What left, by kind."""
        return MappingProxyType(dict(self._sent))
