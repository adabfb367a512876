"""Panels and a battery behind one inverter: what the home gets from them on the AC side, and what the sun made of it.

Pure. An inverter's output holds what the battery on its DC side gives and lacks what that battery takes. The values
sent always balance on the AC side: production + discharge - charge is what the inverter gave the home in the slot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from edge_agent.metering.counters import ClosedCounterSlot
from edge_agent.metering.integration import PowerMeter
from protocols.maps.model import BatterySide, Counted
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import Slot
from protocols.wire.readings import LongInterval

EFFICIENCY_PERCENT = 97
"""What an inverter passes on, where only its DC side is counted: a usual figure between half load and full load."""
NOISE_WH = 5
"""In a slot in which the battery gives, production this small is a difference of two counters, not the sun."""
_MADE = (Measure.PV_PRODUCTION, Measure.WIND_PRODUCTION)
_WORST = (Mark.MISSING, Mark.PARTIAL, Mark.DERIVED, Mark.MEASURED)


class Place(Protocol):
    """What this module needs to know of a measuring point. `bus` is the same for all that one device counts."""

    @property
    def bus(self) -> str: ...
    @property
    def counts(self) -> Counted | None: ...
    @property
    def side(self) -> BatterySide | None: ...


PlaceT = TypeVar("PlaceT", bound=Place)
PlaceValues = Mapping[Measure, ClosedCounterSlot]


@dataclass(frozen=True, slots=True)
class DcEnergies:
    """One slot of an inverter with a battery on its DC side. Units: Wh, never negative."""

    production_wh: int
    charge_wh: int
    discharge_wh: int


def on_ac_side(net_wh: int, *, charge_wh: int, discharge_wh: int) -> DcEnergies:
    """Divide an inverter's net output (below zero where it took energy) between production and the battery.

    Production is net output + charge - discharge. Where the battery gave more than came out, the rest is its loss: the
    discharge is then what reached the home, or the charge what was taken from it, and production is 0.

    >>> on_ac_side(1000, charge_wh=400, discharge_wh=0)
    DcEnergies(production_wh=1400, charge_wh=400, discharge_wh=0)
    >>> on_ac_side(280, charge_wh=0, discharge_wh=300)
    DcEnergies(production_wh=0, charge_wh=0, discharge_wh=280)
    >>> on_ac_side(-500, charge_wh=470, discharge_wh=0)
    DcEnergies(production_wh=0, charge_wh=500, discharge_wh=0)
    """
    made_wh = net_wh + charge_wh - discharge_wh
    if discharge_wh > 0 and 0 < made_wh <= NOISE_WH:
        return DcEnergies(0, charge_wh, discharge_wh + made_wh)
    lost_wh = max(0, -made_wh)
    return DcEnergies(max(0, made_wh), charge_wh + max(0, lost_wh - discharge_wh), max(0, discharge_wh - lost_wh))


def net_of_dc(dc_wh: int) -> int:
    """The AC energy of this energy on an inverter's DC side, in either direction.

    >>> net_of_dc(1000), net_of_dc(-970)
    (970, -1000)
    """
    return dc_wh * EFFICIENCY_PERCENT // 100 if dc_wh >= 0 else dc_wh * 100 // EFFICIENCY_PERCENT


def pair_places(places: Iterable[PlaceT]) -> dict[PlaceT, tuple[PlaceT, ...]]:
    """Each maker whose counter does not show on the AC side what it made alone, with the batteries on its DC side.

    A battery belongs to the maker read from the same unit. Without one it belongs to the home's only maker, also when
    that is a meter on the inverter's feed; between several makers it cannot be assigned and counts by itself.
    """
    everywhere = tuple(places)
    makers = [place for place in everywhere if place.counts is not None]
    mine: dict[PlaceT, list[PlaceT]] = {maker: [] for maker in makers}
    for battery in everywhere:
        if battery.side == "dc":
            near = [maker for maker in makers if maker.bus == battery.bus and maker.counts != "source_ac"] or makers
            if len(near) == 1:
                mine[near[0]].append(battery)
    return {maker: tuple(found) for maker, found in mine.items() if found or maker.counts == "source_dc"}


def unassigned_batteries(places: Iterable[PlaceT]) -> tuple[PlaceT, ...]:
    """Batteries on the DC side of an inverter that is not known: their losses, and the sun, count as use."""
    everywhere = tuple(places)
    assigned = {battery for batteries in pair_places(everywhere).values() for battery in batteries}
    return tuple(place for place in everywhere if place.side == "dc" and place not in assigned)


class DcSide(Generic[PlaceT]):
    """The inverters of a home whose production has to be worked out, slot by slot."""

    def __init__(self, places: Iterable[PlaceT], longest_hole_s: float) -> None:
        self._pairs = pair_places(places)
        self._inside = {*self._pairs, *(battery for found in self._pairs.values() for battery in found)}
        # An output counter does not run backwards: what the inverter takes to charge from the grid shows in its power.
        self._taken: dict[PlaceT, PowerMeter] = {
            maker: PowerMeter(longest_hole_s) for maker in self._pairs if maker.counts != "source_dc"
        }
        self._taken_wh: dict[tuple[PlaceT, Slot], int] = {}

    def is_inside(self, place: PlaceT) -> bool:
        """Whether the place's values are recalculated; steps of its counters are then shaped by power."""
        return place in self._inside

    def add_power(self, place: PlaceT, at_s: float, power_w: int) -> None:
        """One sample of the place's power."""
        if meter := self._taken.get(place):
            meter.add_sample(at_s, power_w)

    def step_time(self, place: PlaceT, by_s: float) -> None:
        """The clock was changed since the last sample."""
        if meter := self._taken.get(place):
            meter.step_time(by_s)

    def open(self, place: PlaceT) -> None:
        """The last sample was taken at the start of a slot."""
        if meter := self._taken.get(place):
            meter.open()

    def close(self, place: PlaceT, slot: Slot, missed: Gap) -> None:
        """Close the place's slot."""
        if (meter := self._taken.get(place)) and (halves := meter.close(missed)):
            self._taken_wh[place, slot] = halves[1].energy_wh or 0

    def balance(self, slot: Slot, parts: Mapping[PlaceT, PlaceValues]) -> dict[PlaceT, PlaceValues]:
        """The values of all places in this slot, with those behind an inverter as the home gets them."""
        found = dict(parts)
        for maker, batteries in self._pairs.items():
            taken_wh = self._taken_wh.pop((maker, slot), 0)
            mine = [place for place in parts if place is maker or place in batteries]
            found |= _balanced(maker, {place: parts[place] for place in mine}, taken_wh=taken_wh)
        return found

    def balance_totals(self, totals: Iterable[LongInterval]) -> list[LongInterval]:
        """Totals over an outage. Production without the battery over the same slots is not known and left out."""
        found = {total.measure: total for total in totals}
        for maker, batteries in self._pairs.items():
            made = next((found[measure] for measure in _MADE if measure in found), None)
            if made is None:
                continue
            charge, discharge = found.get(Measure.BATTERY_CHARGE), found.get(Measure.BATTERY_DISCHARGE)
            if not batteries:
                found[made.measure] = replace(made, energy_wh=net_of_dc(made.energy_wh))
            elif charge and discharge and _span(made) == _span(charge) == _span(discharge):
                energies = _energies(maker, made.energy_wh, charge.energy_wh, discharge.energy_wh, taken_wh=0)
                found[made.measure] = replace(made, energy_wh=energies.production_wh)
                found[Measure.BATTERY_CHARGE] = replace(charge, energy_wh=energies.charge_wh)
                found[Measure.BATTERY_DISCHARGE] = replace(discharge, energy_wh=energies.discharge_wh)
            else:
                del found[made.measure]
        return [found[measure] for measure in sorted(found)]


def _balanced(maker: PlaceT, parts: Mapping[PlaceT, PlaceValues], *, taken_wh: int) -> dict[PlaceT, PlaceValues]:
    every = [each for values in parts.values() for each in values.values()]
    worst = min((each.mark for each in every), key=_WORST.index)
    gap = next((each.gap for each in every if each.mark == worst), Gap.NONE)
    if worst is Mark.MISSING:
        # What the battery did may still be known; what the sun made is not.
        unknown = {
            measure: replace(each, energy_wh=None, mark=worst, gap=gap) for measure, each in parts[maker].items()
        }
        return {**parts, maker: unknown}
    charge_wh, discharge_wh = (_sum(parts, measure) for measure in (Measure.BATTERY_CHARGE, Measure.BATTERY_DISCHARGE))
    made_wh = sum(_sum(parts, measure) for measure in _MADE)
    energies = _energies(maker, made_wh, charge_wh, discharge_wh, taken_wh=taken_wh)
    mark = worst if worst is Mark.PARTIAL else Mark.DERIVED
    left = {
        Measure.PV_PRODUCTION: energies.production_wh - made_wh,
        Measure.WIND_PRODUCTION: energies.production_wh - made_wh,
        Measure.BATTERY_CHARGE: energies.charge_wh - charge_wh,
        Measure.BATTERY_DISCHARGE: energies.discharge_wh - discharge_wh,
    }
    found: dict[PlaceT, PlaceValues] = {}
    for place, values in parts.items():
        changed = {}
        for measure, each in values.items():
            energy_wh = max(0, (each.energy_wh or 0) + left[measure])
            left[measure] -= energy_wh - (each.energy_wh or 0)
            changed[measure] = replace(each, energy_wh=energy_wh, mark=mark, gap=gap)
        found[place] = changed
    return found


def _energies(maker: Place, made_wh: int, charge_wh: int, discharge_wh: int, *, taken_wh: int) -> DcEnergies:
    """`made_wh` is what the maker's counter shows, `taken_wh` what the inverter took from the AC side."""
    dc_wh = made_wh + discharge_wh - charge_wh
    net_wh = net_of_dc(dc_wh) if maker.counts == "source_dc" else made_wh - taken_wh
    return on_ac_side(net_wh, charge_wh=charge_wh, discharge_wh=discharge_wh)


def _sum(parts: Mapping[PlaceT, PlaceValues], measure: Measure) -> int:
    return sum(values[measure].energy_wh or 0 for values in parts.values() if measure in values)


def _span(total: LongInterval) -> tuple[Slot, int]:
    return total.first_slot, total.slots
