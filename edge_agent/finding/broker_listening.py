"""What the home's broker tells within some seconds: numbers with their topics, for a person to choose from."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from edge_agent.home_broker.address import Credentials, HomeBroker
from edge_agent.home_broker.session import HomeBrokerSession
from protocols.errors import RequestError

LISTEN_S: Final = 15.0
MOST_VALUES: Final = 500
MOST_DEPTH: Final = 4
_LIKELY: Final = ("energy", "total", "import", "export", "kwh", "power", "consum", "return", "yield", "watt")


@dataclass(frozen=True, slots=True)
class HeardValue:
    """One number: its topic, its place in a JSON message, and how it stood there. `is_kept`: the broker kept it."""

    topic: str
    place: str
    shown: str
    is_kept: bool

    @property
    def name(self) -> str:
        """Topic and place."""
        return f"{self.topic} {self.place}".strip()


class _Heard:
    """Collects values while a session listens."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], HeardValue] = {}
        self.trouble = "it does not answer"
        self.is_up = False

    def note_up(self) -> None:
        self.is_up = True

    def note_down(self, words: str) -> None:
        self.trouble = words

    def note_message(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        for place, shown in numbers_in(payload):
            if len(self.values) < MOST_VALUES or (topic, place) in self.values:
                self.values[topic, place] = HeardValue(topic, place, shown, is_retained)


async def hear_values(
    broker: HomeBroker, credentials: Credentials, *, seconds: float = LISTEN_S
) -> tuple[HeardValue, ...]:
    """What is told now, the likeliest meters first. Raises: RequestError if the broker does not let us listen."""
    heard = _Heard()
    session = HomeBrokerSession(heard, broker, credentials=credentials, client_id="", topics=("#",))
    session.start()
    try:
        await asyncio.sleep(seconds)
    finally:
        await session.leave()
    if not heard.is_up:
        raise RequestError(f"the broker {broker.shown}: {heard.trouble}")
    return tuple(sorted(heard.values.values(), key=lambda each: (each.is_kept, -_likeliness(each), each.name)))


def numbers_in(payload: bytes) -> Iterator[tuple[str, str]]:
    """Place and text of each number in a message: the whole message, or the fields of a JSON object."""
    try:
        found = json.loads(payload.decode())
    except (ValueError, RecursionError):
        return
    yield from _numbers(found, (), 0)


def _numbers(found: Any, names: tuple[str, ...], depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(found, dict) and depth < MOST_DEPTH:
        for name, each in found.items():
            if isinstance(name, str) and "." not in name and not any(mark.isspace() for mark in name):
                yield from _numbers(each, (*names, name), depth + 1)
    elif isinstance(found, int | float) and not isinstance(found, bool):
        yield ".".join(names), f"{found}"[:24]


def _likeliness(value: HeardValue) -> int:
    name = value.name.casefold()
    return sum(word in name for word in _LIKELY)
