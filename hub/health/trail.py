"""A piece of work that is followed through the hub: its ids are on the lines logged meanwhile, and it may be a span.

A line of the trail says what was done with a batch, a request or a job. It names no home, no member and no agent, and
has none of their values: ids are random, or taken from a hash that only whoever has the batch can know.
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, Protocol

trail: Final = logging.getLogger("hub.trail")
"""Silent unless `[log] trail` in hub.toml is true."""
trail.setLevel(logging.WARNING)

BATCH_ID_BYTES: Final = 8
_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default={})  # noqa: B039 - never changed, only replaced


@dataclass(slots=True)
class Work:
    """One piece of work; what `note` says of it is in the line and the span that end it."""

    facts: dict[str, str | int | float] = field(default_factory=dict)

    def note(self, **facts: str | int | float) -> None:
        """Say something of it: a state or a number of things, nothing of a home."""
        self.facts |= facts


class OpenSpan(Protocol):
    """Opens a span for a piece of work; the span ends with the block."""

    def __call__(self, what: str, ids: Mapping[str, str], work: Work, /) -> AbstractContextManager[object]: ...


_spans: list[OpenSpan] = []


def use_spans(open_span: OpenSpan) -> Callable[[], None]:
    """Let every piece of work from now on be a span too. Returns what ends that."""
    _spans.append(open_span)
    return lambda: _spans.remove(open_span)


def new_id() -> str:
    """A random id for a piece of work."""
    return secrets.token_hex(6)


def batch_id(batch_hash: bytes) -> str:
    """How the trail calls a batch: the first 16 hexadecimal digits of its hash."""
    return batch_hash[:BATCH_ID_BYTES].hex()


def current_ids() -> Mapping[str, str]:
    """The ids of the work that is being done here."""
    return _ids.get()


@contextmanager
def working(what: str, **ids: str) -> Iterator[Work]:
    """Do a piece of work under these ids, besides those of the work it is part of."""
    work, token = Work(), _ids.set({**_ids.get(), **ids})
    began_s = time.monotonic()
    span = _spans[-1](what, _ids.get(), work) if _spans else nullcontext()
    try:
        with span:
            yield work
    finally:
        step(f"{what} ended", **work.facts, seconds=round(time.monotonic() - began_s, 4))
        _ids.reset(token)


def is_kept() -> bool:
    """Whether the trail is kept: what is only made for it is not made otherwise."""
    return trail.isEnabledFor(logging.INFO)


def step(what: str, **facts: str | int | float | list[str]) -> None:
    """A line of the trail, if it is kept."""
    if is_kept():
        trail.info(what, extra={"step": facts})
