"""Turns stored reading rows into arrays of contiguous slots; pure, shared by every backend so that results agree.

A row may be a sum over several slots, from a household that sends only hourly or daily values. Such a sum is spread
evenly, in whole Wh, over the slots without a finer row and marked derived: for charts and forecasts, never for
settlement.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from hub.core.homes.meter_trust import MeterSpan
from hub.core.rules.derived_energy import DerivedRule
from hub.storage.records import HomeSeries, HoodSeries, SeriesRow
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slot_of, start_of

MemberRow = tuple[str, str, int, int]
"""A member with a home: their ids, and from when (included) until when (excluded) they are a member, unix seconds."""


def home_series(home: str, measure: Measure, *, slots: range, rows: Iterable[SeriesRow]) -> HomeSeries:
    """One home's values; a slot without a row is missing with the gap NEVER_ARRIVED."""
    energy_wh = np.full(len(slots), -1, dtype=np.int64)
    mark = np.full(len(slots), Mark.MISSING, dtype=np.int8)
    gap = np.full(len(slots), Gap.NEVER_ARRIVED, dtype=np.int8)
    coarse: list[SeriesRow] = []
    fine: list[SeriesRow] = []
    for row in rows:
        if row[1] > 1:
            coarse.append(row)
        elif slots.start <= row[0] < slots.stop:
            fine.append(row)
    if fine:
        # Column by column: setting each value by itself takes several times as long.
        at_slots, _, energies, marks, gaps = zip(*fine, strict=True)
        at = np.array(at_slots, dtype=np.int64) - slots.start
        energy_wh[at] = [-1 if energy is None else energy for energy in energies]
        mark[at], gap[at] = marks, gaps
    series = HomeSeries(home, measure, slots.start, energy_wh, mark, gap)
    for row in sorted(coarse, key=lambda row: (row[1], row[0])):
        _spread(series, row)
    return series


def _spread(series: HomeSeries, row: SeriesRow) -> None:
    slot, span, energy, row_mark, row_gap = row
    share, rest = (0, 0) if energy is None else divmod(energy, span)
    for step in range(span):
        at = slot - span + 1 + step - series.first_slot
        if not 0 <= at < len(series.mark) or series.gap[at] != Gap.NEVER_ARRIVED:
            continue
        series.energy_wh[at] = -1 if energy is None else share + (step < rest)
        series.mark[at] = Mark.DERIVED if row_mark == Mark.MEASURED else row_mark
        series.gap[at] = row_gap


def hood_series(
    measure: Measure, slots: range, *, sums: Iterable[tuple[int, int, int]], coarse_homes: Sequence[HomeSeries]
) -> HoodSeries:
    """Sums over homes from (slot, energy_wh, homes) rows, plus the homes whose rows had to be spread."""
    energy_wh: npt.NDArray[np.int64] = np.zeros(len(slots), dtype=np.int64)
    homes: npt.NDArray[np.int32] = np.zeros(len(slots), dtype=np.int32)
    for slot, energy, count in sums:
        energy_wh[slot - slots.start] = energy
        homes[slot - slots.start] = count
    for series in coarse_homes:
        usable = (series.energy_wh >= 0) & (series.mark <= Mark.DERIVED)
        energy_wh += np.where(usable, series.energy_wh, 0)
        homes += usable.astype(np.int32)
    return HoodSeries(measure, slots.start, energy_wh, homes)


def membership(rows: Sequence[MemberRow], slots: range) -> npt.NDArray[np.bool_]:
    """The slots in which each was a member: (slots, members)."""
    starts_s = np.array([start_of(slot) for slot in slots], dtype=np.int64)
    joined_s = np.array([joined for _, _, joined, _ in rows], dtype=np.int64)
    left_s = np.array([left for _, _, _, left in rows], dtype=np.int64)
    there: npt.NDArray[np.bool_] = (starts_s[:, None] >= joined_s[None, :]) & (starts_s[:, None] < left_s[None, :])
    return there


def held_table(
    spans: Sequence[tuple[str, int, int | None]], slots: range, homes: Sequence[str]
) -> npt.NDArray[np.bool_]:
    """Where the readings of a home wait, from spans of (home, first second, end or None): (slots, homes)."""
    held = np.zeros((len(slots), len(homes)), dtype=np.bool_)
    for home, first_s, end_s in spans:
        if home in homes:
            end = slots.stop if end_s is None else slot_of(end_s) + 1
            held[max(slot_of(first_s) - slots.start, 0) : max(end - slots.start, 0), homes.index(home)] = True
    return held


def errors_table(spans: Iterable[MeterSpan], slots: range, homes: Sequence[str]) -> npt.NDArray[np.int64]:
    """The error stated of derived energy by the meters in use, in Wh and percent: (slots, homes, 2)."""
    errors = np.zeros((len(slots), len(homes), 2), dtype=np.int64)
    for span in spans:
        if span.meter.home in homes:
            end = slots.stop if span.until is None else span.until
            here = slice(max(span.first_slot - slots.start, 0), max(end - slots.start, 0))
            errors[here, homes.index(span.meter.home)] = span.meter.stated_error
    return errors


def counting_derived(errors: npt.NDArray[np.int64], rule: DerivedRule) -> npt.NDArray[np.bool_]:
    """Where the stated error is one that the rule lets count: (slots, homes)."""
    within_wh, percent = errors[..., 0], errors[..., 1]
    counts: npt.NDArray[np.bool_] = (within_wh > 0) & (within_wh <= rule.within_wh) & (percent <= rule.within_percent)
    return counts


def metered_table(cells: str, values: str, *, slots: int, homes: int) -> npt.NDArray[np.int64]:
    """The energy in these cells (slot * homes + home, separated by commas), -1 in every other: (slots, homes)."""
    energy_wh = np.full((slots, homes), -1, dtype=np.int64)
    if cells:
        energy_wh.reshape(-1)[_numbers(cells)] = _numbers(values)
    return energy_wh


def packed_series(
    measure: Measure, cells: str, packed: str, *, slots: range, homes: Sequence[str]
) -> dict[str, HomeSeries]:
    """The values of these homes, none of which has a sum over several slots, from what `series_sql` gives.

    A cell is home * slots + slot. A reading is ((energy_wh + 1) * 4 + mark) * 16 + gap, 0 for the energy of none.
    """
    shape = (len(homes), len(slots))
    energy_wh = np.full(shape, -1, dtype=np.int64)
    mark = np.full(shape, Mark.MISSING, dtype=np.int8)
    gap = np.full(shape, Gap.NEVER_ARRIVED, dtype=np.int8)
    if cells:
        at, found = _numbers(cells), _numbers(packed)
        energy_wh.reshape(-1)[at] = (found >> 6) - 1
        mark.reshape(-1)[at] = (found >> 4) & 3
        gap.reshape(-1)[at] = found & 15
    return {
        home: HomeSeries(home, measure, slots.start, energy_wh[row], mark[row], gap[row])
        for row, home in enumerate(homes)
    }


def _numbers(text: str) -> npt.NDArray[np.int64]:
    return np.fromstring(text, dtype=np.int64, sep=",")
