"""Reads blocks from a device that may refuse some or leave them unanswered, and learns from it what it can be asked.

Uses a link it is given; what was learned is a `LearnedMap`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from edge_agent.devices.knowledge.learned import SILENT, LearnedMap
from edge_agent.devices.line import (
    ILLEGAL_ADDRESS,
    DeviceBusyError,
    NoAnswerError,
    ReadRefusedError,
    RegisterLink,
)
from protocols.maps.planning import ReadRequest, Span, bisect_request, outermost_spans

BUSY_TRIES = 3
BUSY_WAIT_S = 0.3
MAX_SPLITS = 24
"""Extra requests one reading may spend on finding refused registers; the next reading goes on from there."""

MAX_SILENCES = 6
"""Unanswered requests one reading may spend on the same; each costs a time-out and a new connection."""

ASKED_AGAIN_AT_ONCE = 4
DEVICE_FAILURE = 4
UNLIMITED = (10_000, 60)
_SPLITS_ON = frozenset({ILLEGAL_ADDRESS, 3})


@dataclass(slots=True)
class Budget:
    """What one reading may still spend on learning, and whether it left requests unanswered."""

    splits: int
    silences: int
    was_silent: bool = False


class BlockReader:
    """The reads of one unit. `learned` is its map with what it taught; `is_picky`: it leaves some reads unanswered."""

    def __init__(self, unit: int, *, sleep: Callable[[float], Awaitable[None]], monotonic: Callable[[], float]) -> None:
        self.learned: LearnedMap | None = None
        self.budget = Budget(MAX_SPLITS, MAX_SILENCES)
        self.is_picky = False
        self._unit = unit
        self._sleep = sleep
        self._monotonic = monotonic
        self._answered: set[ReadRequest] = set()
        self._keys: dict[ReadRequest, list[tuple[int, int]]] = {}
        self._planned_for: LearnedMap | None = None
        self._plans: dict[tuple[str, ...] | None, tuple[ReadRequest, ...]] = {}

    @property
    def known(self) -> LearnedMap:
        """What was learned. Only after the map was placed."""
        if self.learned is None:
            raise RuntimeError("the device has not been read yet")
        return self.learned

    async def read(self, link: RegisterLink, names: Iterable[str] | None) -> dict[tuple[int, int], int]:
        """The words of these points (all by default) in the fewest requests, without the registers the device refuses.

        Raises: the link's errors when it does not answer at all.
        """
        words: dict[tuple[int, int], int] = {}
        await self._ask_again(link, names)
        before = self.known
        try:
            for request in self._plan(before, names):
                await self._fetch(link, request, names=names, into=words)
            if not words:
                raise ReadRefusedError(next((each.code for each in self.known.refusals if each.code), ILLEGAL_ADDRESS))
        except ReadRefusedError:
            if not words:
                # It refuses everything, as devices do while starting: nothing is learned from that.
                self.learned = before
            raise
        return words

    def _plan(self, learned: LearnedMap, names: Iterable[str] | None) -> tuple[ReadRequest, ...]:
        """The requests for these points, planned once for what is known now: a meter is read the same way all day."""
        if self._planned_for is not learned:
            self._planned_for, self._plans, self._keys = learned, {}, {}
        key = None if names is None else tuple(names)
        if key not in self._plans:
            self._plans[key] = learned.plan(key)
        return self._plans[key]

    async def _ask_again(self, link: RegisterLink, names: Iterable[str] | None) -> None:
        """Ask for refused registers whose pause is over, a few in each reading."""
        if not self.known.refusals:
            return
        wanted = self.known.resolved.names() if names is None else names
        due = [each for each in self.known.of_points(wanted) if each.again_at_s <= self._monotonic()]
        for refusal in due[:ASKED_AGAIN_AT_ONCE]:
            request = ReadRequest(refusal.span.function, refusal.span.address, refusal.span.count)
            try:
                await self.ask(link, request)
            except ReadRefusedError as again:
                self._refuse(request, again.code)
            except NoAnswerError:
                if refusal.code != SILENT:
                    raise
                self.budget.was_silent = True
                self._refuse(request, SILENT)
            else:
                self.learned = self.known.answered(refusal.span)

    def _refuse(self, span: Span, code: int) -> None:
        self.learned = self.known.refuse(span, code=code, now_s=self._monotonic())

    async def _fetch(
        self,
        link: RegisterLink,
        request: ReadRequest,
        *,
        names: Iterable[str] | None,
        into: dict[tuple[int, int], int],
    ) -> bool:
        """Read one block. If it is refused halve it until the refused register is isolated, and remember that.

        So is a block that the device leaves unanswered or fails on (exception 4), if it still answers another one.
        """
        try:
            return await self._take(link, request, into)
        except ReadRefusedError as refusal:
            if refusal.code == DEVICE_FAILURE:
                may_split = await self._answers_another(link, request, names=names)
            else:
                may_split = refusal.code in _SPLITS_ON and self.budget.splits > 0
            if not may_split:
                raise
            return await self._split(link, request, refusal.code, names=names, into=into)
        except NoAnswerError:
            if not await self._answers_another(link, request, names=names):
                raise
            self.is_picky = self.budget.was_silent = True
            return await self._split(link, request, SILENT, names=names, into=into)

    async def _take(self, link: RegisterLink, request: ReadRequest, into: dict[tuple[int, int], int]) -> bool:
        words = await self.ask(link, request)
        self._answered.add(request)
        keys = self._keys.get(request)
        if keys is None:
            keys = [(request.function, address) for address in range(request.address, request.end)]
            self._keys[request] = keys
        into.update(zip(keys, words, strict=True))
        return True

    async def _answers_another(self, link: RegisterLink, request: ReadRequest, *, names: Iterable[str] | None) -> bool:
        """Whether the device is there, so that a request it has never answered is what troubles it."""
        if request in self._answered or self.budget.silences <= 0:
            return False
        self.budget.silences -= 1
        spans = [span for span in outermost_spans(self.known.present.spans(names)) if _inside(span, request)]
        known = min(self._answered, key=lambda each: each.count, default=None)
        span = known or (spans[len(spans) // 2] if len(spans) > 1 else request)
        probe = ReadRequest(span.function, span.address, span.count)
        try:
            await self.ask(link, probe)
            self._answered.add(probe)
        except ReadRefusedError as refusal:
            return refusal.code != DEVICE_FAILURE
        except NoAnswerError:
            return False
        return True

    async def _split(
        self,
        link: RegisterLink,
        request: ReadRequest,
        code: int,
        *,
        names: Iterable[str] | None,
        into: dict[tuple[int, int], int],
    ) -> bool:
        halves = bisect_request(request, self.known.present.spans(names))
        if not halves:
            try:
                return await self._take(link, request, into)
            except (ReadRefusedError, NoAnswerError):
                self._refuse(request, code)
                return False
        self.budget.splits -= 2
        results = [await self._fetch(link, half, names=names, into=into) for half in halves]
        if all(results):
            self.learned = self.known.cut(request, halves)
        return all(results)

    async def ask(self, link: RegisterLink, request: ReadRequest) -> list[int]:
        """One block, requested again after a pause while the device reports that it is busy."""
        for tries in range(1, BUSY_TRIES + 1):
            try:
                return await link.read_words(self._unit, request.function, address=request.address, count=request.count)
            except DeviceBusyError:
                if tries == BUSY_TRIES:
                    raise
                await self._sleep(BUSY_WAIT_S * tries)
        raise AssertionError("unreachable: the last try returns or raises")


def _inside(span: Span, area: Span) -> bool:
    return span.function == area.function and area.address <= span.address and span.end <= area.end
