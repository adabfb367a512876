"""Reads one device: where its points are, which requests get them, and what the answers mean.

Uses a link it is given and does not decide when to read. What the device refuses is kept in `learned`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from edge_agent.devices.learned import SETTLED_AFTER, SILENT, LearnedMap
from edge_agent.devices.line import (
    ILLEGAL_ADDRESS,
    DeviceBusyError,
    LinkBrokenError,
    NoAnswerError,
    ReadRefusedError,
    WrongDeviceError,
    request_cost,
)
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.devices.sunspec_search import SunSpecSearch
from edge_agent.metering.home_meter import MeasuringPoint, Sample, sample_of
from edge_agent.settings import DeviceSettings
from protocols.maps.chain import count_instances
from protocols.maps.loading import resolve_map
from protocols.maps.model import DeviceMap, MapError, RoleName
from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import PlanError, ReadRequest, Span, bisect_request, outermost_spans
from protocols.maps.registers import Value
from protocols.maps.roles import phase_names, phase_powers_w, role_names, role_of, role_values, state_names
from protocols.maps.sunspec import SunSpecDiscovery, SunSpecModel

BUSY_TRIES = 3
BUSY_WAIT_S = 0.3
MAX_SPLITS = 24
"""Extra requests one reading may spend on finding refused registers; the next reading goes on from there."""

MAX_SILENCES = 6
"""Unanswered requests one reading may spend on the same; each costs a time-out and a new connection."""

ASKED_AGAIN_AT_ONCE = 4
DEVICE_FAILURE = 4
_UNLIMITED = (10_000, 60)
_SPLITS_ON = frozenset({ILLEGAL_ADDRESS, 3})


@dataclass(slots=True)
class _Budget:
    """What one reading may still spend on learning, and whether it left requests unanswered."""

    splits: int
    silences: int
    was_silent: bool = False


@dataclass(frozen=True, slots=True)
class Readout:
    """One reading of a device: the raw words and what they mean. None is "not available"."""

    words: dict[tuple[int, int], int]
    values: dict[str, Value]


class Device:
    """A device of the home. Its map is placed on it at the first reading and again after every reconnect."""

    def __init__(
        self,
        settings: DeviceSettings,
        device_map: DeviceMap,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.device_map = device_map
        self.places = tuple(_place(settings, role, device_map) for role in settings.roles)
        self.models: tuple[SunSpecModel, ...] = ()
        self.reads_phases = False
        """Also read the power of each phase of the grid, where the legal meter counts each by itself."""
        self._sleep = sleep
        self._monotonic = monotonic
        self._learned: LearnedMap | None = None
        self._bare: ResolvedMap | None = None
        self._seen_connection = 0
        self._search = SunSpecSearch(device_map.transport.max_registers)
        self._budget = _Budget(MAX_SPLITS, MAX_SILENCES)
        self._answered: set[ReadRequest] = set()
        self._told: dict[Span, bool] = {}
        self._instances = 0
        self._is_told_of_others = False
        self._is_picky = False

    async def read(self, link: ModbusLink, names: Iterable[str] | None = None, *, thoroughly: bool = False) -> Readout:
        """Read these points (all by default) in the fewest requests. Points the device refuses are left out.

        `thoroughly`: spend as many requests as it takes to find every refused register now.
        Raises: the link's errors when it does not answer at all, WrongDeviceError.
        """
        for _ in range(2):
            await self._place(link)
            self._budget = _Budget(*(_UNLIMITED if thoroughly else (MAX_SPLITS, MAX_SILENCES)))
            words = await self._read_words(link, names)
            if self._seen_connection == link.opened or await self._is_as_before(link):
                return Readout(words, self.resolved.decode(words))
        raise LinkBrokenError("the connection was lost twice within one reading")

    async def read_places(self, link: ModbusLink) -> Readout:
        """Read the counters and powers of this device's places."""
        resolved = await self._place(link)
        return await self.read(link, self.place_names(resolved))

    def samples(self, readout: Readout, at_s: float) -> dict[MeasuringPoint, Sample]:
        """What a reading means for each place."""
        return {
            place: sample_of(
                role_values(self.resolved, readout.values, place.role),
                at_s,
                self._counted(place),
                phases_w=phase_powers_w(self.resolved, readout.values, place.role) if self.reads_phases else None,
            )
            for place in self.places
        }

    def is_refused(self, place: MeasuringPoint) -> bool:
        """Whether the device will not give a value this place needs."""
        learned = self._learned
        return learned is not None and any(map(learned.is_point_refused, role_names(learned.resolved, place.role)))

    def gives_up_on(self, place: MeasuringPoint) -> bool:
        """Whether a value this place needs was refused so often that a slot's end does not wait for it."""
        learned = self._learned
        if learned is None or not self.is_refused(place):
            return False
        refusals = learned.of_points(role_names(learned.resolved, place.role))
        return any(each.times >= SETTLED_AFTER for each in refusals)

    def news(self) -> list[str]:
        """What the log has not said yet: each refused register once, with the exception, and once that it answers."""
        said = [] if self._is_told_of_others else self.others_unread()
        self._is_told_of_others = True
        for each in self._learned.refusals if self._learned else ():
            if each.span not in self._told:
                self._told[each.span] = True
                said.append(f"{self._shown(each.span)}: {_complaint(each.code)}; will be retried at growing intervals")
        for span, is_refused in self._told.items():
            if is_refused and not self._known.is_refused(span):
                self._told[span] = False
                said.append(f"{self._shown(span)}: answered again")
        return said

    def others_unread(self) -> list[str]:
        """A sentence if the chain holds more devices of this kind and no instance was chosen."""
        if self._instances < 2 or self.settings.instance is not None:
            return []
        return [f"its chain holds {self._instances} such devices, only the first is read: set instance to choose"]

    def _shown(self, span: Span) -> str:
        last = f"..{span.end - 1}" if span.count > 1 else ""
        points = (name for name, each in self.resolved.points.items() if _inside(each.span, span))
        return f"register{'s' if last else ''} {span.address}{last} ({', '.join(points)})"

    @property
    def resolved(self) -> ResolvedMap:
        """The map with the addresses it has on this device. Only after a reading."""
        return self._known.resolved

    @property
    def refused(self) -> tuple[Span, ...]:
        """The registers this device refused on the present connection."""
        return self._learned.refused if self._learned else ()

    @property
    def _known(self) -> LearnedMap:
        if self._learned is None:
            raise RuntimeError("the device has not been read yet")
        return self._learned

    def place_names(self, resolved: ResolvedMap) -> tuple[str, ...]:
        """The points all places of this device need."""
        roles = [place.role for place in self.places]
        wanted = [name for role in roles for name in (*role_names(resolved, role), *state_names(resolved, role))]
        if self.reads_phases and "grid" in roles:
            wanted += phase_names(resolved, "grid")
        return tuple(dict.fromkeys(wanted))

    def _counted(self, place: MeasuringPoint) -> tuple[str, ...]:
        """The fields of the point that a counter of this device backs."""
        described = role_of(self.resolved, place.role).counters
        present = role_names(self.resolved, place.role)
        names = (key for key, point in described.items() if point in present)
        swapped = {"import": "export", "export": "import", "charge": "discharge", "discharge": "charge"}
        return tuple(f"{swapped.get(name, name) if self.resolved.invert else name}_wh" for name in names)

    async def _place(self, link: ModbusLink) -> ResolvedMap:
        if self._learned is not None and self._seen_connection == link.opened:
            return self._learned.resolved
        found = await self._discover(link) if self.device_map.is_sunspec else None
        bare = self._resolve(found, await self._maker_words(link, found))
        # A device that hangs on a request breaks the connection: what that taught must outlive it.
        is_kept = self._learned is not None and self._is_picky and bare == self._bare
        if self._learned is None or not is_kept:
            self._learned = LearnedMap(bare)
        self._bare, self.models = bare, found.models if found else ()
        self._instances = count_instances(self.device_map, self.models)
        self._seen_connection = max(1, link.opened)
        return self._learned.resolved

    async def _is_as_before(self, link: ModbusLink) -> bool:
        """Whether the connection broke only because we asked for too much, and every point is where it was."""
        if not self._budget.was_silent:
            return False
        before = self._bare
        await self._place(link)
        return self._bare == before

    async def _read_words(self, link: ModbusLink, names: Iterable[str] | None) -> dict[tuple[int, int], int]:
        words: dict[tuple[int, int], int] = {}
        await self._ask_again(link, names)
        before = self._known
        try:
            for request in before.plan(names):
                await self._fetch(link, request, names=names, into=words)
            if not words:
                raise ReadRefusedError(next((each.code for each in self._known.refusals if each.code), ILLEGAL_ADDRESS))
        except ReadRefusedError:
            if not words:
                # It refuses everything, as devices do while starting: nothing is learned from that.
                self._learned = before
            raise
        return words

    async def _ask_again(self, link: ModbusLink, names: Iterable[str] | None) -> None:
        """Ask for refused registers whose pause is over, a few in each reading."""
        wanted = self.resolved.names() if names is None else names
        due = [each for each in self._known.of_points(wanted) if each.again_at_s <= self._monotonic()]
        for refusal in due[:ASKED_AGAIN_AT_ONCE]:
            request = ReadRequest(refusal.span.function, refusal.span.address, refusal.span.count)
            try:
                await self._ask(link, request)
            except ReadRefusedError as again:
                self._refuse(request, again.code)
            except NoAnswerError:
                if refusal.code != SILENT:
                    raise
                self._budget.was_silent = True
                self._refuse(request, SILENT)
            else:
                self._learned = self._known.answered(refusal.span)

    def _refuse(self, span: Span, code: int) -> None:
        self._learned = self._known.refuse(span, code=code, now_s=self._monotonic())

    async def _discover(self, link: ModbusLink) -> SunSpecDiscovery:
        found = await self._search.find(partial(self._ask, link))
        self._is_picky = self._is_picky or self._search.is_picky
        if found is None or not found.models:
            raise WrongDeviceError("no SunSpec marker at 40000, 0 or 50000: is the unit right (SMA adds 123)?")
        return found

    async def _maker_words(self, link: ModbusLink, found: SunSpecDiscovery | None) -> dict[tuple[int, int], int]:
        """The words of the walk, with the maker's name if the walk did not come past it and the sign hangs on it."""
        if found is None or not self.device_map.inverted_for or self.settings.sign != "as_documented":
            return {}
        words = {(3, address): word for address, word in found.words.items()}
        maker = self._placed(found).points.get("manufacturer")
        if maker is not None and maker.raw_words(words) is None:
            span = maker.span
            answer = await self._ask(link, ReadRequest(span.function, span.address, span.count))
            words |= {(span.function, span.address + at): word for at, word in enumerate(answer)}
        return words

    def _placed(self, found: SunSpecDiscovery | None) -> ResolvedMap:
        settings = self.settings
        try:
            resolved = resolve_map(
                self.device_map,
                found.models if found else None,
                sign=settings.sign,
                invert=settings.invert,
                instance=settings.instance,
            )
            cost = request_cost(settings.endpoint, self.device_map.transport)
            resolved = replace(resolved, limits=replace(resolved.limits, request_cost=cost))
            resolved.plan()
        except (MapError, PlanError) as complaint:
            raise WrongDeviceError(str(complaint)) from None
        return resolved

    def _resolve(self, found: SunSpecDiscovery | None, words: Mapping[tuple[int, int], int]) -> ResolvedMap:
        resolved = self._placed(found)
        if words and resolved.decode(words).get("manufacturer") in self.device_map.inverted_for:
            return replace(resolved, sign="inverted")
        return resolved

    async def _fetch(
        self,
        link: ModbusLink,
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
                may_split = refusal.code in _SPLITS_ON and self._budget.splits > 0
            if not may_split:
                raise
            return await self._split(link, request, refusal.code, names=names, into=into)
        except NoAnswerError:
            if not await self._answers_another(link, request, names=names):
                raise
            self._is_picky = self._budget.was_silent = True
            return await self._split(link, request, SILENT, names=names, into=into)

    async def _take(self, link: ModbusLink, request: ReadRequest, into: dict[tuple[int, int], int]) -> bool:
        words = await self._ask(link, request)
        self._answered.add(request)
        into.update(((request.function, request.address + at), word) for at, word in enumerate(words))
        return True

    async def _answers_another(self, link: ModbusLink, request: ReadRequest, *, names: Iterable[str] | None) -> bool:
        """Whether the device is there, so that a request it has never answered is what troubles it."""
        if request in self._answered or self._budget.silences <= 0:
            return False
        self._budget.silences -= 1
        spans = [span for span in outermost_spans(self._known.present.spans(names)) if _inside(span, request)]
        known = min(self._answered, key=lambda each: each.count, default=None)
        span = known or (spans[len(spans) // 2] if len(spans) > 1 else request)
        probe = ReadRequest(span.function, span.address, span.count)
        try:
            await self._ask(link, probe)
            self._answered.add(probe)
        except ReadRefusedError as refusal:
            return refusal.code != DEVICE_FAILURE
        except NoAnswerError:
            return False
        return True

    async def _split(
        self,
        link: ModbusLink,
        request: ReadRequest,
        code: int,
        *,
        names: Iterable[str] | None,
        into: dict[tuple[int, int], int],
    ) -> bool:
        halves = bisect_request(request, self._known.present.spans(names))
        if not halves:
            try:
                return await self._take(link, request, into)
            except (ReadRefusedError, NoAnswerError):
                self._refuse(request, code)
                return False
        self._budget.splits -= 2
        results = [await self._fetch(link, half, names=names, into=into) for half in halves]
        if all(results):
            self._learned = self._known.cut(request, halves)
        return all(results)

    async def _ask(self, link: ModbusLink, request: ReadRequest) -> list[int]:
        """One block, requested again after a pause while the device reports that it is busy."""
        for tries in range(1, BUSY_TRIES + 1):
            try:
                return await link.read_words(
                    self.settings.unit, request.function, address=request.address, count=request.count
                )
            except DeviceBusyError:
                if tries == BUSY_TRIES:
                    raise
                await self._sleep(BUSY_WAIT_S * tries)
        raise AssertionError("unreachable: the last try returns or raises")


def _place(settings: DeviceSettings, role: RoleName, device_map: DeviceMap) -> MeasuringPoint:
    bus, described = f"{settings.endpoint.shown}/{settings.unit}", device_map.roles.get(role)
    counts, side = (described.counts, described.side) if described else (None, None)
    return MeasuringPoint(settings.name, role, settings.max_power_w, bus, counts, side)


def _inside(span: Span, area: Span) -> bool:
    return span.function == area.function and area.address <= span.address and span.end <= area.end


def _complaint(code: int) -> str:
    return f"refused with exception {code}" if code else "not answered, though the device answers other requests"
