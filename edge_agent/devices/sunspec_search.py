"""Finds the SunSpec models of one device: at which base, and how to ask a device that leaves some reads unanswered.

Sends through the function it is given. Remembers what it found, so that a silent device costs one time-out, not six.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from edge_agent.devices.line import NoAnswerError, ReadRefusedError
from protocols.maps.planning import ReadRequest
from protocols.maps.sunspec import BASES, SunSpecDiscovery, discover

SHORTEST = 4
"""Registers of the shortest read of a walk: the marker and the first model's header."""

Ask = Callable[[ReadRequest], Awaitable[Sequence[int]]]


class SunSpecSearch:
    """The search on one device over its connections. `is_picky`: a walk succeeded although reads went unanswered."""

    def __init__(self, max_registers: int) -> None:
        self._max_registers = max_registers
        self._base: int | None = None
        self._silent_searches = 0
        self.is_picky = False

    async def find(self, ask: Ask) -> SunSpecDiscovery | None:
        """The models, or None if something answers but shows no marker.

        A device never found is searched at every base once; while it stays silent, each later search tries one base.
        Raises: NoAnswerError if nothing was answered, and what `ask` raises.
        """
        if self._base is not None:
            found = await self._walk(ask, (self._base,))
            if found is not None:
                return found
        elif self._silent_searches:
            await self._probe(ask)
        return await self._walk(ask, (*(() if self._base is None else (self._base,)), *BASES))

    async def _probe(self, ask: Ask) -> None:
        """Whether the device says anything at all by now, asked at one base after the other."""
        at = BASES[self._silent_searches % len(BASES)]
        self._silent_searches += 1
        with suppress(ReadRefusedError):
            await ask(ReadRequest(3, at, SHORTEST))
        self._silent_searches = 0

    async def _walk(self, ask: Ask, bases: Sequence[int]) -> SunSpecDiscovery | None:
        steps = discover(SHORTEST if self.is_picky else self._max_registers, tuple(dict.fromkeys(bases)))
        answer: Sequence[int] | None = None
        silence: NoAnswerError | None = None
        is_there = False
        try:
            request = next(steps)
            while True:
                try:
                    answer = await ask(request)
                    is_there = True
                except ReadRefusedError:
                    answer, is_there = None, True
                except NoAnswerError as trouble:
                    if self._base is not None and not is_there:
                        raise
                    answer, silence = None, trouble
                request = steps.send(answer)
        except StopIteration as end:
            found: SunSpecDiscovery | None = end.value
        if silence is not None and not is_there:
            self._silent_searches += 1
            raise silence
        if found is not None and found.models:
            self._base = found.base
            self.is_picky = self.is_picky or silence is not None
        return found
