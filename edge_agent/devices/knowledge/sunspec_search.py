"""Finds the SunSpec models of one device: at which base, and how to ask a device that leaves some reads unanswered.

Sends through the function it is given. Remembers what it found, so that a silent device costs one time-out, not six.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from edge_agent.devices.line import NoAnswerError, ReadRefusedError
from protocols.maps.chain import COMMON
from protocols.maps.planning import ReadRequest
from protocols.maps.sunspec import BASES, END_OF_CHAIN, SunSpecDiscovery, discover, walk_models

SHORTEST = 4
"""Registers of the shortest read of a walk: the marker and the first model's header."""

Ask = Callable[[ReadRequest], Awaitable[Sequence[int]]]


class SunSpecSearch:
    """The search on one device over its connections. `is_picky`: a walk succeeded although reads went unanswered."""

    def __init__(self, max_registers: int) -> None:
        self._max_registers = max_registers
        self._base: int | None = None
        self.known: SunSpecDiscovery | None = None
        """The whole chain as last found."""

        self._silent_searches = 0
        self.is_picky = False

    def recall(self, chain: SunSpecDiscovery) -> None:
        """The chain as an earlier run found it; it is looked at before it is believed."""
        self.known, self._base = chain, chain.base

    async def find(self, ask: Ask, used: Sequence[int] = ()) -> SunSpecDiscovery | None:
        """The models, or None if something answers but shows no marker.

        A chain that is known already is only looked at: its beginning, with the device's name and serial number, in one
        request, and the headers of the models `used` (by address) that lie behind it.
        A device never found is searched at every base once; while it stays silent, each later search tries one base.
        Raises: NoAnswerError if nothing was answered, and what `ask` raises.
        """
        if self.known is not None and (same := await self._still(ask, self.known, used)):
            self.known = same
            return same
        self.known = None
        if self._base is not None:
            found = await self._walk(ask, (self._base,))
            if found is not None:
                return found
        elif self._silent_searches:
            await self._probe(ask)
        return await self._walk(ask, (*(() if self._base is None else (self._base,)), *BASES))

    async def _still(self, ask: Ask, known: SunSpecDiscovery, used: Sequence[int]) -> SunSpecDiscovery | None:
        """The same chain with the words at its beginning, or None if anything of it has changed."""
        longest = SHORTEST if self.is_picky else self._max_registers
        count = min(longest, known.models[-1].end - known.base)
        words = dict(known.words)
        far = [model for model in known.models if model.address in used and model.address + 2 > known.base + count]
        try:
            read = await ask(ReadRequest(3, known.base, count))
            for model in far:
                if list(await ask(ReadRequest(3, model.address, 2))) != [model.id, model.length]:
                    return None
        except ReadRefusedError:
            return None
        words |= dict(enumerate(read, known.base))
        if list(known.models) != walk_models(words | self._headers(known, count), known.base):
            return None
        fixed = known.models[0]
        named = range(fixed.address, min(fixed.end, known.base + count)) if fixed.id == COMMON else range(0)
        if any(at in known.words and known.words[at] != words[at] for at in named):
            return None
        return replace(known, words=words)

    def _headers(self, known: SunSpecDiscovery, count: int) -> dict[int, int]:
        """The headers that lie behind what was read, as they are known."""
        behind = [model for model in known.models if model.address + 2 > known.base + count]
        headers = {model.address: model.id for model in behind} | {model.address + 1: model.length for model in behind}
        return headers | {known.models[-1].end: END_OF_CHAIN}

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
            self.known = found if found.complete else None
        return found
