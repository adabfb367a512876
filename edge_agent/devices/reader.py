"""Reads one device: where its points are, which requests get them, and what the answers mean.

Uses a link it is given and does not decide when to read. What the device refuses is kept in `learned`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from edge_agent.devices.learned import LearnedMap
from edge_agent.devices.modbus_link import (
    ILLEGAL_ADDRESS,
    ILLEGAL_VALUE,
    DeviceBusyError,
    DeviceReadError,
    LinkBrokenError,
    ModbusLink,
    ReadRefusedError,
)
from edge_agent.metering.home_meter import MeasuringPoint, Sample, sample_of
from edge_agent.settings import DeviceSettings
from protocols.maps.loading import resolve_map
from protocols.maps.model import DeviceMap, MapError, RoleName
from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import PlanError, ReadRequest, Span, bisect_request
from protocols.maps.registers import Value
from protocols.maps.roles import role_names, role_of, role_values
from protocols.maps.sunspec import SunSpecDiscovery, SunSpecModel, discover

BUSY_TRIES = 3
BUSY_WAIT_S = 0.3
MAX_SPLITS = 24
"""Extra requests one reading may spend on finding refused registers; the next reading goes on from there."""

_SPLITS_ON = frozenset({ILLEGAL_ADDRESS, ILLEGAL_VALUE})


@dataclass(frozen=True, slots=True)
class Readout:
    """One reading of a device: the raw words and what they mean. None is "not available"."""

    words: dict[tuple[int, int], int]
    values: dict[str, Value]


class WrongDeviceError(DeviceReadError):
    """Something answers, but not the device the map describes; the text says what is missing."""


class Device:
    """A device of the home. Its map is placed on it at the first reading and again after every reconnect."""

    def __init__(
        self,
        settings: DeviceSettings,
        device_map: DeviceMap,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.settings = settings
        self.device_map = device_map
        self.places = tuple(_place(settings, role, device_map) for role in settings.roles)
        self.models: tuple[SunSpecModel, ...] = ()
        self._sleep = sleep
        self._learned: LearnedMap | None = None
        self._seen_connection = 0
        self._splits_left = MAX_SPLITS

    async def read(self, link: ModbusLink, names: Iterable[str] | None = None) -> Readout:
        """Read these points (all by default) in the fewest requests. Points the device refuses are left out.

        Raises: the link's errors when it does not answer at all, WrongDeviceError.
        """
        for _ in range(2):
            await self._place(link)
            words = await self._read_words(link, names)
            if self._seen_connection == link.opened:
                return Readout(words, self.resolved.decode(words))
        raise LinkBrokenError("the connection was lost twice within one reading")

    async def read_places(self, link: ModbusLink) -> Readout:
        """Read the counters and powers of this device's places."""
        resolved = await self._place(link)
        return await self.read(link, self.place_names(resolved))

    def samples(self, readout: Readout, at_s: float) -> dict[MeasuringPoint, Sample]:
        """What a reading means for each place."""
        return {
            place: sample_of(role_values(self.resolved, readout.values, place.role), at_s, self._counted(place))
            for place in self.places
        }

    def is_refused(self, place: MeasuringPoint) -> bool:
        """Whether the device will not give a value this place needs."""
        learned = self._learned
        return learned is not None and any(map(learned.is_point_refused, role_names(learned.resolved, place.role)))

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
        wanted = (name for place in self.places for name in role_names(resolved, place.role))
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
        self._learned = LearnedMap(self._resolve(found))
        self.models = found.models if found else ()
        self._seen_connection = max(1, link.opened)
        return self._learned.resolved

    async def _read_words(self, link: ModbusLink, names: Iterable[str] | None) -> dict[tuple[int, int], int]:
        words: dict[tuple[int, int], int] = {}
        self._splits_left = MAX_SPLITS
        before = self._known
        try:
            for request in before.plan(names):
                await self._fetch(link, request, names=names, into=words)
            if not words:
                raise ReadRefusedError(ILLEGAL_ADDRESS)
        except ReadRefusedError:
            if not words:
                # It refuses everything, as devices do while starting: nothing is learned from that.
                self._learned = before
            raise
        return words

    async def _discover(self, link: ModbusLink) -> SunSpecDiscovery:
        steps = discover(self.device_map.transport.max_registers)
        answer: Sequence[int] | None = None
        try:
            request = next(steps)
            while True:
                try:
                    answer = await self._ask(link, request)
                except ReadRefusedError:
                    answer = None
                request = steps.send(answer)
        except StopIteration as end:
            found: SunSpecDiscovery | None = end.value
        if found is None or not found.models:
            raise WrongDeviceError("no SunSpec marker at 40000, 0 or 50000: is the unit right (SMA adds 123)?")
        return found

    def _resolve(self, found: SunSpecDiscovery | None) -> ResolvedMap:
        settings = self.settings
        try:
            resolved = resolve_map(
                self.device_map, found.models if found else None, sign=settings.sign, invert=settings.invert
            )
            resolved.plan()
        except (MapError, PlanError) as complaint:
            raise WrongDeviceError(str(complaint)) from None
        if found and settings.sign == "as_documented" and self.device_map.inverted_for:
            values = resolved.decode({(3, address): word for address, word in found.words.items()})
            if values.get("manufacturer") in self.device_map.inverted_for:
                resolved = replace(resolved, sign="inverted")
        return resolved

    async def _fetch(
        self,
        link: ModbusLink,
        request: ReadRequest,
        *,
        names: Iterable[str] | None,
        into: dict[tuple[int, int], int],
    ) -> bool:
        """Read one block. On a refusal halve it until the refused register is isolated, and remember that."""
        try:
            words = await self._ask(link, request)
        except ReadRefusedError as refusal:
            if refusal.code not in _SPLITS_ON or self._splits_left <= 0:
                raise
            return await self._split(link, request, names=names, into=into)
        into.update(((request.function, request.address + at), word) for at, word in enumerate(words))
        return True

    async def _split(
        self,
        link: ModbusLink,
        request: ReadRequest,
        *,
        names: Iterable[str] | None,
        into: dict[tuple[int, int], int],
    ) -> bool:
        halves = bisect_request(request, self.resolved.spans(names))
        if not halves:
            self._learned = self._known.refuse(request)
            return False
        self._splits_left -= 2
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
