"""Nets series in time before they are compared, ours and the grid operator's alike: by the quarter hour or the hour.

The rulebook says which point is netted within which time, for each day. It finds nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from hub.core.grid.files import MISSING, TOTAL, Energy, Key, QuarterHours
from hub.core.grid.tables import GridFileError
from protocols.slots import SLOTS_PER_HOUR, Slot

ASK_QUARTERS: Final = "these are hourly values; ask the grid operator for quarter hours"


@dataclass(frozen=True, slots=True)
class NettedPoints:
    """The points of one member, with the quarter hours that are netted each, and the first slots of netted hours."""

    consumption: str | None
    generation: str | None
    quarters: frozenset[Slot] = frozenset()
    hours: frozenset[Slot] = frozenset()


def netted_series(series: Iterable[QuarterHours], points: Iterable[NettedPoints]) -> tuple[QuarterHours, ...]:
    """The same series in the same order, netted; netting what is netted already changes nothing.

    A netted hour is told in its first slot, and its other slots have 0; one that lacks a quarter hour is missing. Where
    a series lacks a value, the other direction's is missing too, unless that is 0: what would be left of it is unknown.
    A series without any value takes nothing off the other.
    Raises: GridFileError for hourly values of a time that is not netted by the hour.

    >>> pair = [QuarterHours("p", way, 8, np.array(wh), np.ones(4, np.int8)) for way, wh in
    ...         (("consumption", [90, 0, 0, 0]), ("generation", [0, 0, 10, 20]))]
    >>> [each.energy_micro_kwh.tolist() for each in netted_series(pair, [NettedPoints("p", "p", hours=frozenset([8]))])]
    [[60, 0, 0, 0], [0, 0, 0, 0]]
    """
    given = list(series)
    by_key = {each.key: each for each in given}
    for each in points:
        keys = [key for key in _keys(each) if key in by_key]
        folded = [_fold(by_key[key], each.hours) for key in keys]
        if len(folded) == 2 and all(_has_values(series) for series in folded):
            folded = [_whole(series, each.hours) for series in _net(folded, sorted(each.quarters | each.hours))]
        by_key.update(zip(keys, folded, strict=True))
    for each_series in by_key.values():
        if each_series.is_hourly:
            raise GridFileError(f"{each_series.point[:40]}: {ASK_QUARTERS}")
    return tuple(by_key[each.key] for each in given)


def _keys(points: NettedPoints) -> list[Key]:
    sides = ((points.consumption, "consumption"), (points.generation, "generation"))
    return [(point, way, TOTAL) for point, way in sides if point is not None]


def _fold(series: QuarterHours, hours: frozenset[Slot]) -> QuarterHours:
    """The series with these hours told in their first slots."""
    if series.is_hourly:
        _require_hours(series, hours)
    mine = sorted(hours.intersection(series.slots))
    first = np.array(mine, dtype=np.int64) - series.first_slot
    # The file may end within its last hour: what is beyond is missing.
    size, cells = len(series.quality), first[:, None] + np.arange(SLOTS_PER_HOUR)
    energy = np.append(series.energy_micro_kwh, [MISSING] * SLOTS_PER_HOUR)
    quality = np.append(series.quality, np.zeros(SLOTS_PER_HOUR, dtype=np.int8))
    parts = energy[cells]
    sums = np.where((parts == MISSING).any(axis=1), MISSING, parts.sum(axis=1))
    known = parts[:, 0] if series.is_hourly else sums
    energy[cells] = np.where(known == MISSING, MISSING, 0)[:, None]
    energy[first] = known
    energy[: _cut_off(series, hours)] = MISSING
    quality[cells] = quality[cells].max(axis=1, keepdims=True)
    folded = replace(series, energy_micro_kwh=energy[:size], quality=quality[:size], is_hourly=False)
    if series.error_micro_kwh is not None:
        error = np.append(series.error_micro_kwh, [0] * SLOTS_PER_HOUR)
        errors = error[cells].sum(axis=1)
        error[cells] = 0
        error[first] = errors
        error[: _cut_off(series, hours)] = 0
        folded = replace(folded, error_micro_kwh=error[:size])
    return replace(folded, hours=frozenset(mine))


def _cut_off(series: QuarterHours, hours: frozenset[Slot]) -> int:
    """How many quarter hours the series begins with that belong to an hour from before it."""
    back = next((back for back in range(1, SLOTS_PER_HOUR) if series.first_slot - back in hours), SLOTS_PER_HOUR)
    return SLOTS_PER_HOUR - back


def _require_hours(series: QuarterHours, hours: frozenset[Slot]) -> None:
    known = {series.first_slot + place for place in np.flatnonzero(series.energy_micro_kwh != MISSING).tolist()}
    if not known <= hours:
        raise GridFileError(f"{series.point[:40]}: {ASK_QUARTERS}")


def _has_values(series: QuarterHours) -> bool:
    return bool((series.energy_micro_kwh != MISSING).any())


def _whole(series: QuarterHours, hours: Iterable[Slot]) -> QuarterHours:
    """The same, with the hours whose first slot is missing now missing as a whole."""
    energy = series.energy_micro_kwh.copy()
    for place in (hour - series.first_slot for hour in hours):
        if 0 <= place < len(energy) and energy[place] == MISSING:
            energy[place : place + SLOTS_PER_HOUR] = MISSING
    return replace(series, energy_micro_kwh=energy)


def _net(pair: Sequence[QuarterHours], slots: Sequence[Slot]) -> list[QuarterHours]:
    """Both series with the lesser of the two taken off both in these slots; missing where what is left is unknown.

    What is derived is off by the same in both directions, so that nothing of its error is left.
    """
    sides = [_at(each, slots) for each in pair]
    lesser = np.minimum(*sides)
    are_known = (sides[0] != MISSING) & (sides[1] != MISSING)
    left = [np.where(are_known, side - lesser, np.where(side == 0, 0, MISSING)) for side in sides]
    return [_with(each, slots, energy=energy) for each, energy in zip(pair, left, strict=True)]


def _at(series: QuarterHours, slots: Sequence[Slot]) -> Energy:
    places = np.array(slots, dtype=np.int64) - series.first_slot
    is_inside = (places >= 0) & (places < len(series.energy_micro_kwh))
    values = np.full(len(slots), MISSING, dtype=np.int64)
    values[is_inside] = series.energy_micro_kwh[places[is_inside]]
    return values


def _with(series: QuarterHours, slots: Sequence[Slot], *, energy: Energy) -> QuarterHours:
    places = np.array(slots, dtype=np.int64) - series.first_slot
    is_inside = (places >= 0) & (places < len(series.energy_micro_kwh))
    energies = series.energy_micro_kwh.copy()
    energies[places[is_inside]] = energy[is_inside]
    error = None if series.error_micro_kwh is None else series.error_micro_kwh.copy()
    if error is not None:
        error[places[is_inside]] = 0
    return replace(series, energy_micro_kwh=energies, error_micro_kwh=error)
