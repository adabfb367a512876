"""The registers of one simulated unit: a home's state at a refresh instant, encoded by the unit's register maps.

Computed only when somebody reads, and once per refresh. `modbus_server` speaks the Modbus.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from protocols.maps.loading import resolve_map
from protocols.maps.model import DeviceMap
from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import Span, merge_spans
from protocols.maps.registers import Value
from simulator.devices.any_family import any_values, chain_models, identity_words
from simulator.devices.sunspec_chain import LAYOUTS, build_sunspec_chain
from simulator.devices.value_faults import disturbed, swapped
from simulator.devices.values import (
    Counters,
    FamilyValues,
    UnitView,
    fit_value,
    known_points,
    place_of,
    values_of,
    view_unit,
)
from simulator.world.families import SUNSPEC_INVERTER, SUNSPEC_METER, family_map
from simulator.world.homes import ModbusUnit, SimulatedHome
from simulator.world.physics import FLOWS, HomePhysics
from simulator.world.site import STEP_S
from simulator.world.streams import draw_chance

_FIRST_WH = (180_000, 3_900_000)


class Disturbance(Protocol):
    """How faults change what a unit shows; `faults.FaultScript` is one."""

    def counter_base_ws(
        self, home: str, unit: ModbusUnit, *, flow: str, at_s: float, physics: HomePhysics
    ) -> int | None:
        """The counter's value when it was last reset to 0, None if it never was."""

    def frozen_at_s(self, home: str, unit: ModbusUnit, at_s: float) -> float:
        """The instant whose values are shown at `at_s`."""

    def sleeps_as(self, home: str, unit: ModbusUnit, at_s: float) -> str | None:
        """How a sleeping unit answers, "zero" or "sentinel"; None if nothing is scripted."""

    def shown_faults(self, home: str, unit: ModbusUnit, at_s: float) -> Sequence[tuple[str, float]]:
        """The faults of the values shown, see `value_faults`, and since when each holds."""


class NoDisturbance:
    """Everything works."""

    def counter_base_ws(
        self, home: str, unit: ModbusUnit, *, flow: str, at_s: float, physics: HomePhysics
    ) -> int | None:
        """Never set back."""
        return None

    def frozen_at_s(self, home: str, unit: ModbusUnit, at_s: float) -> float:
        """Never frozen."""
        return at_s

    def sleeps_as(self, home: str, unit: ModbusUnit, at_s: float) -> str | None:
        """Never asleep."""
        return None

    def shown_faults(self, home: str, unit: ModbusUnit, at_s: float) -> Sequence[tuple[str, float]]:
        """None."""
        return ()


@dataclass(frozen=True, slots=True)
class UnitMap:
    """One register map on this unit, placed at absolute addresses."""

    family: str
    resolved: ResolvedMap


class DeviceImage:
    """One unit's registers, refreshed every `step_s` simulated seconds."""

    def __init__(
        self, unit: ModbusUnit, home: SimulatedHome, *, physics: HomePhysics, seed: int, step_s: int = STEP_S,
        disturbance: Disturbance | None = None, device_map: DeviceMap | None = None,
    ) -> None:  # fmt: skip
        """`device_map`: for a unit of one family, a map to use instead of the installed one."""
        self.unit = unit
        self.home = home
        self.step_s = step_s
        self._physics = physics
        self._seed = seed
        self._disturbance = disturbance or NoDisturbance()
        self.parts, self._base = _place(unit) if device_map is None else _place_any(unit, device_map)
        self._is_any = device_map is not None
        self.areas = _areas(self.parts, self._base)
        if self._is_any:
            # Beside its SunSpec chain a device may have registers of its own.
            asked = (Span(each.function, each.address, each.count) for each in self.parts[0].resolved.plan())
            self.areas = merge_spans([*self.areas, *_areas(self.parts, {}), *asked])
        self.functions = tuple(sorted({area.function for area in self.areas}))
        self.max_registers = min(part.resolved.limits.max_registers for part in self.parts)
        self._shown_at: float | None = None
        self._shown: dict[tuple[int, int], int] = {}

    def refresh_time(self, now_s: float) -> int:
        """The instant whose values are shown at `now_s`."""
        return int(now_s // self.step_s) * self.step_s

    def words(self, now_s: float) -> Mapping[tuple[int, int], int]:
        """Every register by (function, address) at `now_s`."""
        at_s = int(self._disturbance.frozen_at_s(self.home.id, self.unit, self.refresh_time(now_s)))
        if self._shown_at != at_s:
            self._shown = dict(self._base)
            faults = self._disturbance.shown_faults(self.home.id, self.unit, at_s)
            for part in self.parts:
                self._shown.update(part.resolved.encode(self._disturbed(part, at_s, faults)))
                if self._is_any:
                    self._shown.update(identity_words(part.resolved.device_map, self._shown))
                if any(kind == "swapped_words" for kind, _ in faults):
                    self._shown.update(swapped(part.resolved, self._shown))
            self._shown_at = at_s
        return self._shown

    def _disturbed(self, part: UnitMap, at_s: float, faults: Sequence[tuple[str, float]]) -> FamilyValues:
        values = self.values(part, at_s)
        for kind, from_s in faults:
            began_s = max(self.refresh_time(from_s), self._physics.first_day * 86_400)
            values = disturbed(part.resolved, values, kind, at_begin=self.values(part, began_s))
        return values

    def values(self, part: UnitMap, at_s: float) -> FamilyValues:
        """The values of one of the unit's maps at an instant, in that map's units and directions."""
        seen = self.seen(at_s)
        if self._is_any:
            return any_values(part.resolved, seen)
        measured = known_points(part.resolved.device_map, values_of(seen, part.family))
        asleep = self._asleep(at_s)
        shown: dict[str, Value] = {}
        for name, value in measured.items():
            if name not in part.resolved.points:
                continue
            point = part.resolved.points[name].point
            placed = place_of(name, part.family, self.unit)
            worth = fit_value(point, value, placed)
            if asleep and placed == "pv" and isinstance(worth, Decimal) and point.unit != "power of ten":
                worth = Decimal(0) if asleep == "zero" or not _can_be_missing(part, name) else None
            shown[name] = worth
        return shown

    def seen(self, at_s: float) -> UnitView:
        """The home at an instant as this unit sees it."""
        state = self._physics.state(at_s)
        counters = Counters({flow: self._counter_wh(flow, at_s, state.counted_ws[flow]) for flow in FLOWS})
        return view_unit(self._seed, self.home, unit=self.unit, state=state, counters=counters)

    def _counter_wh(self, flow: str, at_s: float, counted_ws: float) -> Decimal:
        base = self._disturbance.counter_base_ws(self.home.id, self.unit, flow=flow, at_s=at_s, physics=self._physics)
        whole_ws = Decimal(int(counted_ws)) if counted_ws == int(counted_ws) else Decimal(f"{counted_ws:.1f}")
        if base is not None:
            return (whole_ws - base) / 3600
        return first_wh(self._seed, self.home, unit=self.unit, flow=flow) + whole_ws / 3600

    def _asleep(self, at_s: float) -> str | None:
        scripted = self._disturbance.sleeps_as(self.home.id, self.unit, at_s)
        return scripted if scripted and not self._physics.state(at_s).power_w["output"] else None


def first_wh(seed: int, home: SimulatedHome, *, unit: ModbusUnit, flow: str) -> int:
    """A counter's value when the street began: no device is new, but a home without production has exported nothing."""
    if flow == "export" and home.roof is None and home.turbine is None:
        return 0
    low, high = _FIRST_WH
    counted = {"output": "solar", "charge_dc": "charge", "discharge_dc": "charge", "discharge": "charge"}.get(
        flow, flow
    )
    first = low + int(draw_chance(seed, unit.serial, counted, "counter") * (high - low))
    return first * 9 // 10 if flow in ("discharge", "discharge_dc") else first


def _place(unit: ModbusUnit) -> tuple[tuple[UnitMap, ...], dict[tuple[int, int], int]]:
    models: list[int] = []
    if SUNSPEC_INVERTER in unit.families:
        models.append(113 if unit.float_models else 103)
    if SUNSPEC_METER in unit.families:
        models.append(213 if unit.float_models else 203)
    if not models:
        return tuple(UnitMap(family, resolve_map(family_map(family))) for family in unit.families), {}
    placed, words = build_sunspec_chain((1, *models))
    parts = tuple(UnitMap(family, resolve_map(family_map(family), placed)) for family in unit.families)
    return parts, {(3, address): word for address, word in words.items()}


def _place_any(unit: ModbusUnit, device_map: DeviceMap) -> tuple[tuple[UnitMap, ...], dict[tuple[int, int], int]]:
    """A device of which nothing is known but its map."""
    family = unit.families[0]
    if not device_map.is_sunspec:
        return (UnitMap(family, resolve_map(device_map)),), {}
    placed, words = build_sunspec_chain({1: 66, **chain_models(device_map, LAYOUTS)})
    return (UnitMap(family, resolve_map(device_map, placed)),), {(3, address): word for address, word in words.items()}


def _areas(parts: tuple[UnitMap, ...], base: Mapping[tuple[int, int], int]) -> tuple[Span, ...]:
    """The registers this unit answers: what its maps call readable, else its points and the gaps between them.

    A SunSpec device answers its whole chain of models, and what its maps read beside it.
    """
    if base:
        addresses = sorted(address for _, address in base)
        chain = Span(3, addresses[0], len(addresses))
        readable = (area for part in parts for area in part.resolved.limits.readable)
        own = (area for area in readable if area.end <= chain.address or area.address >= chain.end)
        return merge_spans((chain, *own))
    areas: list[Span] = []
    for part in parts:
        limits = part.resolved.limits
        spans = limits.readable or merge_spans(placed.span for placed in part.resolved.points.values())
        bridge = 0 if limits.readable else limits.max_registers if limits.bridge is None else limits.bridge
        areas += _bridged(merge_spans(spans), bridge)
    return merge_spans(areas)


def _bridged(spans: tuple[Span, ...], bridge: int) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last and last.function == span.function and span.address - last.end <= bridge:
            joined[-1] = Span(last.function, last.address, span.end - last.address)
        else:
            joined.append(span)
    return joined


def _can_be_missing(part: UnitMap, name: str) -> bool:
    point = part.resolved.points[name].point
    return bool(point.sentinels) or point.type.kind == "float" or point.zero_is_missing
