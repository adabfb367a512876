"""Compares our own readings with the grid operator's; differences become findings for a person. It decides nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from hub.core.grid.files import MEASURED, MICRO_PER_WH, MISSING, NO_VALUE, Energy, Key, QuarterHours
from protocols.slots import SLOTS_PER_HOUR, Slot, format_slot

DifferenceKind = Literal[
    "differs", "beyond_error", "shifted", "only_own", "only_grid", "not_measured", "no_own_series", "no_grid_series",
    "no_grid_data",
]  # fmt: skip

MAX_SHIFT_SLOTS: Final = 8
SHIFT_EVIDENCE_SLOTS: Final = 16


@dataclass(frozen=True, slots=True)
class SourceFinding:
    """A difference in `slots` slots from `first_slot` on, for one point and direction. Units: micro-kWh in sums.

    differs: both sources have a value, and the two differ by more than the tolerance. beyond_error: ours was derived,
    and differs by more than the error that its agent states and the tolerance. shifted: the sources agree once ours is
    moved by `shift_slots`. only_own, only_grid: the other source has no value. not_measured: the grid
    operator's value is a substitute or an estimate. no_own_series, no_grid_series: that source has no values for the
    point at all. no_grid_data: the file names the point, but has no value of it, and neither have we.
    """

    kind: DifferenceKind
    point: str
    direction: str
    first_slot: Slot
    slots: int
    own_micro_kwh: int
    grid_micro_kwh: int
    shift_slots: int = 0

    def line(self) -> str:
        """The finding in one line for people."""
        where = f"{self.point} {self.direction}, {self.slots} quarter hours from {format_slot(self.first_slot)}"
        if self.kind == "no_grid_data":
            return f"{where}: {WORDS[self.kind]}"
        sums = f"ours {_kwh(self.own_micro_kwh)} kWh, the grid operator's {_kwh(self.grid_micro_kwh)} kWh"
        if self.kind == "shifted":
            minutes = 15 * abs(self.shift_slots)
            return f"{where}: ours runs {minutes} minutes {'late' if self.shift_slots > 0 else 'early'}; {sums}"
        return f"{where}: {WORDS[self.kind]}; {sums}"


WORDS: Final[dict[DifferenceKind, str]] = {
    "differs": "the two differ",
    "beyond_error": "what the agent derived is off by more than it states",
    "only_own": "the grid operator has no value",
    "only_grid": "we have no reading",
    "not_measured": "the grid operator's value is a substitute",
    "no_own_series": "we have no readings of this point",
    "no_grid_series": "the grid operator's file does not name this point",
    "no_grid_data": "the grid operator has no data of this point",
}


def compare_sources(
    own: Iterable[QuarterHours], grid: Iterable[QuarterHours], *, tolerance_wh: int
) -> tuple[SourceFinding, ...]:
    """Findings ordered by point and time; neighbouring slots of the same kind form one finding.

    Only slots that the grid operator's series covers are compared.
    Raises: ValueError where one source has two series for the same point, direction and code.
    """
    ours, theirs = _by_key(own), _by_key(grid)
    findings: list[SourceFinding] = []
    for key in sorted({*ours, *theirs}):
        mine, other = ours.get(key), theirs.get(key)
        if mine is None or other is None:
            findings += _alone(mine, other)
        else:
            findings += _compare_series(mine, other, tolerance=tolerance_wh * MICRO_PER_WH)
    return tuple(findings)


def _compare_series(mine: QuarterHours, other: QuarterHours, *, tolerance: int) -> Iterator[SourceFinding]:
    own = _values_at(mine, other.first_slot, count=len(other.energy_micro_kwh))
    grid = other.energy_micro_kwh
    error = _errors_at(mine, other.first_slot, count=len(grid))
    kinds = _kinds(own, grid, other.quality, tolerance=tolerance + error)
    kinds = np.where((kinds == "differs") & (error > 0), "beyond_error", kinds)
    shift = _shift(mine, other, differing=kinds == "differs", tolerance=tolerance)
    if shift:
        kinds = np.where(kinds == "differs", "", kinds)
        yield _finding("shifted", other, 0, len(grid), own=own, shift=shift)
    for hour in other.hours:
        place = hour - other.first_slot
        kinds[place : place + SLOTS_PER_HOUR] = kinds[place]  # an hour that is told as a whole differs as a whole
    for kind, run in groupby(range(len(grid)), key=lambda i: str(kinds[i])):
        places = list(run)
        if kind:
            named: DifferenceKind = kind  # type: ignore[assignment]
            yield _finding(named, other, places[0], places[-1] + 1, own=own)


def _kinds(own: Energy, grid: Energy, quality: NDArray[np.int8], *, tolerance: Energy) -> NDArray[np.str_]:
    """The kind of difference in each slot; empty where there is none."""
    has_own, has_grid = own != MISSING, grid != MISSING
    conditions = [
        has_own & has_grid & (np.abs(own - grid) > tolerance),
        has_own & ~has_grid,
        ~has_own & has_grid,
        has_grid & (quality != MEASURED) & (quality != NO_VALUE),
    ]
    return np.select(conditions, ["differs", "only_own", "only_grid", "not_measured"], "")


def _shift(mine: QuarterHours, other: QuarterHours, *, differing: NDArray[np.bool_], tolerance: int) -> int:
    """How many slots our clock is late (negative: early), if that explains every difference, else 0."""
    if int(differing.sum()) < SHIFT_EVIDENCE_SLOTS:
        return 0
    for size in range(1, MAX_SHIFT_SLOTS + 1):
        for shift in (size, -size):
            own = _values_at(mine, other.first_slot + shift, count=len(differing))
            both = (own != MISSING) & (other.energy_micro_kwh != MISSING)
            may_differ = tolerance + _errors_at(mine, other.first_slot + shift, count=len(differing))
            apart = both & (np.abs(own - other.energy_micro_kwh) > may_differ)
            if int(both.sum()) >= SHIFT_EVIDENCE_SLOTS and not apart.any():
                return shift
    return 0


def _values_at(series: QuarterHours, first_slot: Slot, *, count: int) -> Energy:
    """The values from `first_slot` on, MISSING outside the series."""
    return _part(series, series.energy_micro_kwh, first_slot=first_slot, count=count, outside=MISSING)


def _errors_at(series: QuarterHours, first_slot: Slot, *, count: int) -> Energy:
    """How far the values from `first_slot` on may be off, 0 where they are measured."""
    if series.error_micro_kwh is None:
        return np.zeros(count, dtype=np.int64)
    return _part(series, series.error_micro_kwh, first_slot=first_slot, count=count, outside=0)


def _part(series: QuarterHours, numbers: Energy, *, first_slot: Slot, count: int, outside: int) -> Energy:
    values: Energy = np.full(count, outside, dtype=np.int64)
    start = max(first_slot, series.first_slot)
    stop = min(first_slot + count, series.slots.stop)
    if start < stop:
        part = numbers[start - series.first_slot : stop - series.first_slot]
        values[start - first_slot : stop - first_slot] = part
    return values


def _finding(
    kind: DifferenceKind, other: QuarterHours, start: int, stop: int, *, own: Energy, shift: int = 0
) -> SourceFinding:
    sums = (_sum(own[start:stop]), _sum(other.energy_micro_kwh[start:stop]))
    first = other.first_slot + start
    return SourceFinding(kind, other.point, other.direction, first, stop - start, *sums, shift_slots=shift)


def _alone(mine: QuarterHours | None, other: QuarterHours | None) -> Iterator[SourceFinding]:
    series = mine if mine is not None else other
    if series is not None:
        kind: DifferenceKind = "no_grid_series" if mine is not None else "no_own_series"
        if mine is None and (series.energy_micro_kwh == MISSING).all():
            kind = "no_grid_data"
        total = _sum(series.energy_micro_kwh)
        sums = (total, 0) if mine is not None else (0, total)
        yield SourceFinding(kind, series.point, series.direction, series.first_slot, len(series.slots), *sums)


def _by_key(series: Iterable[QuarterHours]) -> dict[Key, QuarterHours]:
    named: dict[Key, QuarterHours] = {}
    for one in series:
        if one.key in named:
            raise ValueError(f"two series of {one.point} {one.direction}")
        named[one.key] = one
    return named


def _sum(values: Energy) -> int:
    return int(values[values != MISSING].sum())


def _kwh(micro_kwh: int) -> str:
    return f"{micro_kwh // 10**6}.{micro_kwh % 10**6:06d}"
