"""Adds up quarter hours of the home's own history: energies by measure, and what was made and used. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge_agent.home_store.contents import KeptQuarter
from protocols.consent.reduction import SlotValue
from protocols.quantities import Mark, Measure
from protocols.slots import SLOT_S

_MADE = (Measure.PV_PRODUCTION, Measure.WIND_PRODUCTION)
_GIVES = (Measure.GRID_IMPORT, *_MADE, Measure.BATTERY_DISCHARGE)
_TAKES = (Measure.GRID_EXPORT, Measure.BATTERY_CHARGE)
_WHOLE = (Mark.MEASURED, Mark.DERIVED)


@dataclass(frozen=True, slots=True)
class DayEnergy:
    """Sums over some quarter hours. Units: Wh. `complete`: in how many of them every value is whole.

    `used_wh` sums the quarter hours whose use is known; None if there is none.
    """

    energies_wh: Mapping[Measure, int]
    used_wh: int | None
    made_wh: int | None
    complete: int


def add_up(quarters: Iterable[KeptQuarter]) -> DayEnergy:
    """The sums; what is missing adds nothing and shows in `complete`."""
    sums: dict[Measure, int] = {}
    used, made, complete = list[int](), list[int](), 0
    for quarter in quarters:
        for measure, value in quarter.values.items():
            if value.energy_wh is not None:
                sums[measure] = sums.get(measure, 0) + value.energy_wh
        used_wh, made_wh = use_of(quarter), made_of(quarter)
        if used_wh is not None:
            used.append(used_wh)
        if made_wh is not None:
            made.append(made_wh)
        complete += all(value.mark in _WHOLE for value in quarter.values.values())
    return DayEnergy(dict(sorted(sums.items())), sum(used) if used else None, sum(made) if made else None, complete)


def use_of(quarter: KeptQuarter) -> int | None:
    """What the home's appliances took in one quarter hour; None if a value it rests on is missing or partial."""
    if Measure.GRID_IMPORT not in quarter.values:
        return None
    known = {measure: _whole(value) for measure, value in quarter.values.items() if measure in (*_GIVES, *_TAKES)}
    if any(energy is None for energy in known.values()):
        return None
    gives = sum(known.get(measure) or 0 for measure in _GIVES)
    return max(0, gives - sum(known.get(measure) or 0 for measure in _TAKES))


def made_of(quarter: KeptQuarter) -> int | None:
    """What sun and wind made in one quarter hour; None without a maker or where its value is missing or partial."""
    found = [_whole(quarter.values[measure]) for measure in _MADE if measure in quarter.values]
    return sum(each or 0 for each in found) if found and None not in found else None


def made_and_used(quarters: Sequence[KeptQuarter], slots: range) -> tuple[list[float | None], list[float | None]]:
    """Mean power made and used in each of these slots in kW, None where it is not known."""
    known = {quarter.slot: quarter for quarter in quarters}
    made, used = list[float | None](), list[float | None]()
    for slot in slots:
        quarter = known.get(slot)
        made.append(None if quarter is None else _kw(made_of(quarter)))
        used.append(None if quarter is None else _kw(use_of(quarter)))
    return made, used


def _whole(value: SlotValue) -> int | None:
    return value.energy_wh if value.mark in _WHOLE else None


def _kw(energy_wh: int | None) -> float | None:
    return None if energy_wh is None else energy_wh * 3600 / SLOT_S / 1000
