"""The day grid: UTC slots in rows of one wall-clock day each, with one row beginning at the moment of issue.

It handles clock changes and nothing else: it has no model and makes no forecasts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from protocols.slots import SLOT_S, SLOTS_PER_UTC_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SLOTS_PER_DAY = SLOTS_PER_UTC_DAY
EPOCH = date(1970, 1, 1)
EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday; Monday is 0
SUNDAY = 6


def wall_slots(first_slot: int, count: int, *, tz: str) -> Ints:
    """The wall-clock slot of each UTC slot: numbers repeat when clocks go back and are skipped when they go forward.

    Shape: (count,); `wall // 96` counts local days, `wall % 96` is the quarter hour on the clock.

    On 25 October 2026 clocks went back from 03:00 to 02:00 at 01:00 UTC:

    >>> from protocols.slots import parse_slot
    >>> walls = wall_slots(parse_slot("2026-10-25T00:45Z"), 2, tz="Europe/Berlin")
    >>> [f"{wall % 96 // 4:02}:{wall % 4 * 15:02}" for wall in walls.tolist()]
    ['02:45', '02:00']
    """
    slots = np.arange(first_slot, first_slot + count, dtype=np.int64)
    if count == 0 or tz == "UTC":
        return slots
    zone = ZoneInfo(tz)
    offsets = np.empty(count, dtype=np.int64)
    for start in range(0, count, SLOTS_PER_DAY):
        end = min(start + SLOTS_PER_DAY, count)
        offsets[start:end] = _offset_slots(first_slot + start, zone)
        if offsets[start] != _offset_slots(first_slot + end - 1, zone):
            offsets[start:end] = [_offset_slots(int(slot), zone) for slot in slots[start:end]]
    return slots + offsets


def _offset_slots(slot: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(slot * SLOT_S, UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) // SLOT_S


@dataclass(frozen=True, slots=True)
class DayGrid:
    """Rows of 96 wall-clock slots; row `past_rows` begins exactly at the time of issue.

    Shape: `cell` is (history + horizon slots,) and gives each UTC slot's position in the grid, row * 96 + column.
    """

    first_slot: int
    issued_slot: int
    past_rows: int
    rows: int
    start_wall: int
    cell: Ints

    @property
    def ahead_cell(self) -> Ints:
        """Cells of the horizon's slots, in UTC order."""
        return self.cell[self.issued_slot - self.first_slot :]

    def weekday(self) -> Ints:
        """The day of the week of each cell, with Monday as 0. Shape: (rows, 96)."""
        wall = self.start_wall + np.arange(self.rows * SLOTS_PER_DAY, dtype=np.int64)
        weekday = (wall // SLOTS_PER_DAY + EPOCH_WEEKDAY) % 7
        return np.asarray(weekday, dtype=np.int64).reshape(self.rows, SLOTS_PER_DAY)

    def free_cells(self, free_days: Collection[date]) -> Bools:
        """The cells on these days, Sundays excepted, which are free anyway. Shape: (rows, 96).

        >>> grid = day_grid(0, issued_slot=96, horizon_slots=96, tz="UTC")
        >>> grid.free_cells([date(1970, 1, 2)]).all(axis=1).tolist()
        [False, True]
        """
        wall = self.start_wall + np.arange(self.rows * SLOTS_PER_DAY, dtype=np.int64)
        days = [(day - EPOCH).days for day in free_days]
        free = np.isin(wall // SLOTS_PER_DAY, days).reshape(self.rows, SLOTS_PER_DAY)
        return np.asarray(free & (self.weekday() != SUNDAY))

    def slot_of_day(self) -> Ints:
        """The wall-clock quarter hour of each column. Shape: (96,)."""
        return (self.start_wall + np.arange(SLOTS_PER_DAY, dtype=np.int64)) % SLOTS_PER_DAY

    def origin_slot(self, lead: int) -> Ints:
        """When each UTC slot would have been forecast: at the issue's time of day, `lead` days before its row.

        Known at: never after `issued_slot`. Shape: as `cell`.
        """
        rows_back = self.past_rows + lead - self.cell // SLOTS_PER_DAY
        return np.minimum(self.issued_slot, self.issued_slot - rows_back * SLOTS_PER_DAY)

    def lay_out(self, values: Floats) -> Floats:
        """Lay out the values of the UTC slots from `first_slot` on in rows; a cell without a value is NaN.

        Two values for one wall-clock slot are averaged; the hour skipped by the clocks stays NaN. Shape: (rows, 96).
        """
        cells = self.rows * SLOTS_PER_DAY
        cell = self.cell[: len(values)]
        good = np.isfinite(values)
        count = np.bincount(cell[good], minlength=cells)
        total = np.bincount(cell[good], weights=values[good], minlength=cells)
        mean = np.full(cells, np.nan)
        np.divide(total, count, out=mean, where=count > 0)
        return mean.reshape(self.rows, SLOTS_PER_DAY)


def day_grid(first_slot: int, *, issued_slot: int, horizon_slots: int, tz: str) -> DayGrid:
    """The grid for a history that starts at `first_slot` and a horizon that starts at `issued_slot`.

    Six slots of history fill the last columns of the row before the issue:

    >>> grid = day_grid(90, issued_slot=96, horizon_slots=4, tz="UTC")
    >>> grid.past_rows, grid.rows
    (1, 2)
    >>> grid.lay_out(np.arange(10.0, 16.0))[0, -7:].tolist()
    [nan, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0]
    """
    walls = wall_slots(first_slot, issued_slot + horizon_slots - first_slot, tz=tz)
    issued_wall = int(walls[issued_slot - first_slot])
    past_rows = max(0, -(-(issued_wall - int(walls[0])) // SLOTS_PER_DAY))
    start_wall = issued_wall - past_rows * SLOTS_PER_DAY
    # When clocks go back, the first pass of the repeated hour may fall before the grid's start: keep it inside.
    cell = np.maximum(walls - start_wall, 0)
    return DayGrid(first_slot, issued_slot, past_rows, int(cell.max()) // SLOTS_PER_DAY + 1, start_wall, cell)
