"""Asks one unit behind one connection what it is, in the fewest requests: at most five that it answers.

Decides nothing about families: `protocols.maps.identity_plan` names the next read, `proposals` judges the answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from edge_agent.devices.line import (
    DeviceBusyError,
    LinkBrokenError,
    NoAnswerError,
    ReadRefusedError,
)
from protocols.maps.identity_plan import IdentityKnowledge, IdentityStep, is_possible, next_step
from protocols.maps.model import DeviceMap
from protocols.maps.planning import MODBUS_MAX_REGISTERS, ReadRequest
from protocols.maps.recognition import SunSpecIdentity, recognise
from protocols.maps.registers import decode, register_type
from protocols.maps.sunspec import SunSpecDiscovery, discover

ILLEGAL_FUNCTION = 1
MOST_ANSWERS = 5
"""Requests that a device answers, at most; a SunSpec chain is always read to its end."""

MOST_REQUESTS = 160
"""A device that refuses what it does not have says at once that it is not of that family."""

MOST_SILENCES = 2
BUSY_TRIES = 3
BUSY_WAIT_S = 0.5
COMMON_WORDS = 68
"""The id and length registers and the texts of SunSpec's common model."""


class ReadsWords(Protocol):
    """A connection that reads registers, as `ModbusLink` does."""

    async def read_words(self, unit: int, function: int, *, address: int, count: int) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """A unit that answered, and what it said. `answers` counts the requests it answered, `requests` all."""

    unit: int
    known: IdentityKnowledge
    answers: int
    requests: int


@dataclass(slots=True)
class _Asking:
    """The requests to one unit so far."""

    link: ReadsWords
    unit: int
    pause: Callable[[float], Awaitable[None]]
    answers: int = 0
    refusals: int = 0
    silences: int = 0
    requests: int = 0
    known: IdentityKnowledge = field(default_factory=IdentityKnowledge)

    @property
    def is_absent(self) -> bool:
        """Whether it has said nothing at all when asked twice."""
        return not (self.answers or self.refusals) and self.silences >= MOST_SILENCES

    @property
    def may_ask(self) -> bool:
        """Whether it may be asked once more."""
        is_patient = self.silences < (MOST_SILENCES if not self.answers + self.refusals else MOST_SILENCES + 1)
        return is_patient and self.answers < MOST_ANSWERS and self.requests < MOST_REQUESTS

    async def ask(self, request: ReadRequest) -> list[int] | None:
        """The words, None for silence. Raises: ReadRefusedError; LinkBrokenError before anything was answered."""
        for tries in range(1, BUSY_TRIES + 1):
            self.requests += 1
            try:
                words = await self.link.read_words(
                    self.unit, request.function, address=request.address, count=request.count
                )
            except DeviceBusyError:
                await self.pause(BUSY_WAIT_S * tries)
                continue
            except ReadRefusedError:
                self.refusals += 1
                raise
            except LinkBrokenError:
                if not (self.answers or self.refusals):
                    raise
                self.silences += 1
                return None
            except NoAnswerError:
                self.silences += 1
                return None
            self.answers += 1
            self.known = self.known.with_words(request, words)
            return words
        self.silences += 1
        return None


async def identify(
    link: ReadsWords,
    unit: int,
    maps: Sequence[DeviceMap],
    *,
    makes: Sequence[str] = (),
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Sighting | None:
    """Ask this unit what it is; None if nothing answers. Raises: LinkBrokenError if there is no connection."""
    asking = _Asking(link, unit, pause)
    alive = list(maps)
    while asking.may_ask and (step := next_step(alive, asking.known, makes=makes)) is not None:
        await _take(asking, step)
        alive = [each for each in alive if is_possible(each, asking.known)]
        if any(recognise(each, asking.known.words, asking.known.sunspec) == "certain" for each in alive):
            break
    if not asking.answers and not asking.refusals:
        return None
    return Sighting(unit, asking.known, asking.answers, asking.requests)


async def _take(asking: _Asking, step: IdentityStep) -> None:
    try:
        words = await asking.ask(step.request)
    except ReadRefusedError as refusal:
        if step.base is not None:
            asking.known = _without_chain(asking.known, step.base)
        else:
            asking.known = asking.known.with_refusal(step, whole_function=refusal.code == ILLEGAL_FUNCTION)
        return
    if step.base is not None:
        chain = await _chain(asking, step.base) if words else None
        if chain is None or not chain.models:
            asking.known = _without_chain(asking.known, step.base)
            return
        identity = await _common_model(asking, chain)
        asking.known = replace(asking.known, sunspec=identity)
    elif words is None:
        asking.known = asking.known.with_refusal(step)


def _without_chain(known: IdentityKnowledge, base: int) -> IdentityKnowledge:
    return replace(known, bases_tried=(*known.bases_tried, base))


async def _chain(asking: _Asking, base: int) -> SunSpecDiscovery | None:
    """The models from this base on; the marker there was already read."""
    if (asking.known.words.get((3, base)), asking.known.words.get((3, base + 1))) != (0x5375, 0x6E53):
        return None
    steps = discover(MODBUS_MAX_REGISTERS, (base,))
    try:
        request = next(steps)
        while True:
            try:
                words = await asking.ask(request)
            except ReadRefusedError:
                words = None
            request = steps.send(words)
    except StopIteration as end:
        found: SunSpecDiscovery | None = end.value
        return found


async def _common_model(asking: _Asking, chain: SunSpecDiscovery) -> SunSpecIdentity:
    """The models with maker and model name, read if the walk did not come past them."""
    common = next((each for each in chain.models if each.id == 1), None)
    if common is None:
        return SunSpecIdentity(chain.models)
    words = {(3, address): word for address, word in chain.words.items()} | dict(asking.known.words)
    if (3, common.address + 33) not in words:
        try:
            await asking.ask(ReadRequest(3, common.address, min(COMMON_WORDS, common.length + 2)))
        except ReadRefusedError:
            return SunSpecIdentity(chain.models)
        words |= asking.known.words
    texts = (_text(words, common.address + 2), _text(words, common.address + 18))
    return SunSpecIdentity(chain.models, *texts)


def _text(words: dict[tuple[int, int], int], first: int) -> str:
    raw = [words[3, address] for address in range(first, first + 16) if (3, address) in words]
    if len(raw) < 16:
        return ""
    value = decode(raw, register_type("string16"))
    return value if isinstance(value, str) else ""
