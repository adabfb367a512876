"""Reads one device: where its points are, which requests get them, and what the answers mean.

Uses a link it is given and does not decide when to read. What the device refuses is kept in `learned`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from edge_agent.devices.knowledge.block_reading import MAX_SILENCES, MAX_SPLITS, UNLIMITED, BlockReader, Budget
from edge_agent.devices.knowledge.learned import SETTLED_AFTER, LearnedMap
from edge_agent.devices.knowledge.memory import DeviceMemory, Knowledge, knowledge_of
from edge_agent.devices.knowledge.placing import Placing
from edge_agent.devices.line import DeviceReadError, LinkBrokenError, RegisterLink
from edge_agent.metering.home_meter import MeasuringPoint, Sample, sample_at
from edge_agent.settings import DeviceSettings
from protocols.maps.chain import count_instances
from protocols.maps.model import DeviceMap, RoleName
from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import Span
from protocols.maps.prepared.decoding import RepeatedDecoding
from protocols.maps.prepared.whole_readings import WholeReading, repeated_role, whole_reading
from protocols.maps.registers import Value
from protocols.maps.roles import (
    counter_points,
    phase_names,
    phase_powers_w,
    role_names,
    role_of,
    role_values,
    state_names,
)
from protocols.maps.sunspec import SunSpecDiscovery, SunSpecModel

UNNAMED_AFTER = 2


class Readout:
    """One reading of a device: the raw words, and what they mean once somebody asks. None is "not available"."""

    __slots__ = ("_values", "decoding", "words")

    def __init__(self, words: dict[tuple[int, int], int], decoding: RepeatedDecoding) -> None:
        self.words = words
        self.decoding = decoding
        self._values: dict[str, Value] | None = None

    @property
    def values(self) -> dict[str, Value]:
        """Every point that was read, and what is derived from them."""
        if self._values is None:
            self._values = self.decoding.decode(self.words)
        return self._values


class _PreparedPlace:
    """What one place takes from the readings that hold the same registers."""

    def __init__(self, place: MeasuringPoint, decoding: RepeatedDecoding, *, reads_phases: bool) -> None:
        self.place, self._resolved, self._reads_phases = place, decoding.resolved, reads_phases
        described = role_of(self._resolved, place.role)
        self._counted = tuple(f"{name}_wh" for name in counter_points(self._resolved, described))
        self._repeated = repeated_role(self._resolved, place.role, decoding.keys, has_phases=reads_phases)

    def whole(self, readout: Readout) -> WholeReading:
        """The place's counters and power."""
        if self._repeated is not None:
            return self._repeated.read(readout.words)
        resolved, values, role = self._resolved, readout.values, self.place.role
        phases_w = phase_powers_w(resolved, values, role) if self._reads_phases else None
        return whole_reading(role_values(resolved, values, role), self._counted, phases_w=phases_w)


class Device:
    """A device of the home. Its map is placed on it at the first reading and again after every reconnect."""

    def __init__(
        self,
        settings: DeviceSettings,
        device_map: DeviceMap,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        memory: DeviceMemory | None = None,
    ) -> None:
        self.settings = settings
        self.device_map = device_map
        self.places = tuple(_place(settings, role, device_map) for role in settings.roles)
        self.models: tuple[SunSpecModel, ...] = ()
        self.reads_phases = False
        """Also read the power of each phase of the grid, where the legal meter counts each by itself."""
        self._monotonic = monotonic
        self._blocks = BlockReader(settings.unit, sleep=sleep, monotonic=monotonic)
        self._bare: ResolvedMap | None = None
        self._seen_connection = 0
        self._placing = Placing(settings, device_map)
        self._memory = memory or DeviceMemory(None)
        self._family = f"{device_map.id} {device_map.version} {settings.variant or ''}".strip()
        self._identity: str | None = None
        self._unnamed = 0
        self._since_s = 0
        self._kept: LearnedMap | None = None
        self._told: dict[Span, bool] = {}
        self._instances = 0
        self._is_told_of_others = False
        self._decoding: RepeatedDecoding | None = None
        self._wanted: tuple[str, ...] = ()
        self._wanted_of: ResolvedMap | None = None
        self._wants_phases = False
        self._prepared: tuple[_PreparedPlace, ...] = ()
        self._prepared_for: tuple[RepeatedDecoding, bool] | None = None

    async def read(
        self, link: RegisterLink, names: Iterable[str] | None = None, *, thoroughly: bool = False
    ) -> Readout:
        """Read these points (all by default) in the fewest requests. Points the device refuses are left out.

        `thoroughly`: spend as many requests as it takes to find every refused register now.
        Raises: the link's errors when it does not answer at all, WrongDeviceError.
        """
        for _ in range(2):
            if not self._is_placed(link):
                await self._place(link)
            self._blocks.budget = Budget(*(UNLIMITED if thoroughly else (MAX_SPLITS, MAX_SILENCES)))
            words = await self._blocks.read(link, names)
            if self._seen_connection == link.opened or await self._is_as_before(link):
                readout = Readout(words, self._decoding_of(words))
                if self._known is not self._kept:
                    await self._keep(link)
                return readout
        raise LinkBrokenError("the connection was lost twice within one reading")

    async def read_places(self, link: RegisterLink) -> Readout:
        """Read the counters and powers of this device's places."""
        resolved = self.resolved if self._is_placed(link) else await self._place(link)
        if resolved is not self._wanted_of or self._wants_phases is not self.reads_phases:
            self._wanted, self._wanted_of, self._wants_phases = self.place_names(resolved), resolved, self.reads_phases
        return await self.read(link, self._wanted)

    def samples(self, readout: Readout, at_s: float, *, late_s: float = 0.0) -> dict[MeasuringPoint, Sample]:
        """What a reading means for each place. `late_s`: how long after `at_s` it was answered."""
        prepared_for = readout.decoding, self.reads_phases
        if prepared_for != self._prepared_for:
            make = partial(_PreparedPlace, decoding=readout.decoding, reads_phases=self.reads_phases)
            self._prepared, self._prepared_for = tuple(map(make, self.places)), prepared_for
        return {each.place: sample_at(at_s, each.whole(readout), late_s) for each in self._prepared}

    def _decoding_of(self, words: dict[tuple[int, int], int]) -> RepeatedDecoding:
        """What decodes these words. A device is read the same way all day, so what never changes is worked out once."""
        resolved = self.resolved
        if self._decoding is None or self._decoding.resolved is not resolved or not self._decoding.fits(words):
            self._decoding = RepeatedDecoding(resolved, words)
        return self._decoding

    def is_refused(self, place: MeasuringPoint) -> bool:
        """Whether the device will not give a value this place needs."""
        learned = self._blocks.learned
        if learned is None or not learned.refusals:
            return False
        return any(map(learned.is_point_refused, role_names(learned.resolved, place.role)))

    def gives_up_on(self, place: MeasuringPoint) -> bool:
        """Whether a value this place needs was refused so often that a slot's end does not wait for it."""
        learned = self._blocks.learned
        if learned is None or not self.is_refused(place):
            return False
        refusals = learned.of_points(role_names(learned.resolved, place.role))
        return any(each.times >= SETTLED_AFTER for each in refusals)

    def news(self) -> list[str]:
        """What the log has not said yet: each refused register once, with the exception, and once that it answers."""
        said = [] if self._is_told_of_others else self.others_unread()
        self._is_told_of_others = True
        for each in self._blocks.learned.refusals if self._blocks.learned else ():
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
        return self._blocks.learned.refused if self._blocks.learned else ()

    @property
    def _known(self) -> LearnedMap:
        return self._blocks.known

    def place_names(self, resolved: ResolvedMap) -> tuple[str, ...]:
        """The points all places of this device need."""
        roles = [place.role for place in self.places]
        wanted = [name for role in roles for name in (*role_names(resolved, role), *state_names(resolved, role))]
        if self.reads_phases and "grid" in roles:
            wanted += phase_names(resolved, "grid")
        return tuple(dict.fromkeys(wanted))

    def _is_placed(self, link: RegisterLink) -> bool:
        return self._blocks.learned is not None and self._seen_connection == link.opened

    async def _place(self, link: RegisterLink) -> ResolvedMap:
        if self._blocks.learned is not None and self._is_placed(link):
            return self._blocks.learned.resolved
        kept = self._memory.recall(self.settings.name, self._family) if self._bare is None else None
        if kept is not None and kept.chain is not None and self._placing.search.known is None:
            self._placing.search.recall(kept.chain)
        bare, found = await self._placing.place(partial(self._blocks.ask, link))
        self._blocks.is_picky = self._blocks.is_picky or self._placing.search.is_picky
        learned = await self._still_true(link, bare, found, kept)
        if learned is None:
            learned, self._identity, self._since_s = LearnedMap(bare), None, int(self._memory.now())
        self._blocks.learned = learned
        self._bare, self.models = bare, found.models if found else ()
        self._instances = count_instances(self.device_map, self.models)
        self._seen_connection = max(1, link.opened)
        return learned.resolved

    async def _still_true(
        self, link: RegisterLink, bare: ResolvedMap, found: SunSpecDiscovery | None, kept: Knowledge | None
    ) -> LearnedMap | None:
        """What was learned before, unless the device was replaced or updated since, or a month has passed."""
        learned, identity, since_s = self._blocks.learned, self._identity, self._since_s
        if kept is not None and (found is None or kept.chain is None or found.models == kept.chain.models):
            learned, identity, since_s = kept.apply(bare, self._monotonic()), kept.identity, kept.since_s
        elif bare != self._bare:
            return None
        if learned is None or learned == LearnedMap(bare) or self._memory.is_old(since_s):
            return None
        if identity and await self._identity_now(link, learned, found) != identity:
            return None
        self._identity, self._since_s = identity, since_s
        return learned

    async def _identity_now(self, link: RegisterLink, learned: LearnedMap, found: SunSpecDiscovery | None) -> str:
        """How the device calls itself. One that does not answer to that twice running is taken for another."""
        try:
            identity = await self._placing.identity(partial(self._blocks.ask, link), learned.present, found)
        except DeviceReadError:
            self._unnamed += 1
            if self._unnamed < UNNAMED_AFTER:
                raise
            return ""
        self._unnamed = 0
        return identity

    async def _keep(self, link: RegisterLink) -> None:
        """Keep what was learned, with the name of the device it was learned from."""
        learned, chain = self._known, self._placing.search.known
        if self._bare is None:
            return
        self._kept = learned
        if chain is None and learned == LearnedMap(self._bare):
            return
        if self._identity is None:
            try:
                ask = partial(self._blocks.ask, link)
                self._identity = await self._placing.identity(ask, learned.present, chain)
            except DeviceReadError:
                # Asked when more is known of what it answers; until then what was learned holds for any device here.
                self._identity = None
        family, identity, since_s = self._family, self._identity or "", self._since_s
        known = knowledge_of(learned, self._bare, chain, family=family, identity=identity, since_s=since_s)
        self._memory.keep(self.settings.name, known)

    async def _is_as_before(self, link: RegisterLink) -> bool:
        """Whether the connection broke only because we asked for too much, and every point is where it was."""
        if not self._blocks.budget.was_silent:
            return False
        before = self._bare
        await self._place(link)
        return self._bare == before


def _place(settings: DeviceSettings, role: RoleName, device_map: DeviceMap) -> MeasuringPoint:
    bus, described = f"{settings.endpoint.shown}/{settings.unit}", device_map.roles.get(role)
    counts, side = (described.counts, described.side) if described else (None, None)
    scaled = "" if settings.factor == 1 else f"*{settings.factor.normalize():f}"
    return MeasuringPoint(settings.name, role, settings.max_power_w, bus, counts, side, scaled)


def _inside(span: Span, area: Span) -> bool:
    return span.function == area.function and area.address <= span.address and span.end <= area.end


def _complaint(code: int) -> str:
    return f"refused with exception {code}" if code else "not answered, though the device answers other requests"
