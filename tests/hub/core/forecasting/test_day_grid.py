"""The day grid: wall-clock slots across clock changes, one row that begins at the issue, and no value put elsewhere."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.forecasting.day_grid import EPOCH_WEEKDAY, DayGrid, day_grid, wall_slots
from protocols.slots import SLOT_S, parse_slot, slots_of_day

TZ = "Europe/Berlin"
NOON_JULY = parse_slot("2026-07-15T10:00Z")


def berlin_grid(day: date, *, days: int, offset: int = 0, horizon: int = 192) -> DayGrid:
    issued = slots_of_day(day, TZ).start + offset
    return day_grid(issued - days * 96, issued_slot=issued, horizon_slots=horizon, tz=TZ)


def test_wall_slots_are_the_local_clock() -> None:
    for first in (NOON_JULY, slots_of_day(date(2026, 10, 25), TZ).start - 30):
        for offset, wall in enumerate(wall_slots(first, 200, tz=TZ)):
            local = datetime.fromtimestamp((first + offset) * SLOT_S, UTC).astimezone(ZoneInfo(TZ))
            assert wall % 96 == local.hour * 4 + local.minute // 15
            assert wall // 96 == local.toordinal() - datetime(1970, 1, 1).toordinal()


@given(days=st.integers(0, 40), offset=st.integers(0, 95), horizon=st.integers(1, 300))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_every_slot_has_a_cell_and_the_issue_begins_a_row(days: int, offset: int, horizon: int) -> None:
    issued = slots_of_day(date(2026, 10, 26), TZ).start + offset
    grid = day_grid(issued - days * 96, issued_slot=issued, horizon_slots=horizon, tz=TZ)
    assert grid.cell[days * 96] == grid.past_rows * 96
    assert grid.cell.min() >= 0
    assert grid.cell.max() < grid.rows * 96
    assert np.all(grid.origin_slot(0) <= issued)


def test_utc_has_no_clock_changes() -> None:
    assert wall_slots(NOON_JULY, 200, tz="UTC").tolist() == list(range(NOON_JULY, NOON_JULY + 200))
    assert wall_slots(NOON_JULY, 0, tz=TZ).tolist() == []


def test_a_repeated_hour_is_averaged_and_a_skipped_hour_stays_a_gap() -> None:
    autumn = berlin_grid(date(2026, 10, 26), days=2)
    day = slots_of_day(date(2026, 10, 25), TZ)
    values = np.zeros(192)
    first_pass = day.start + 8 - (autumn.issued_slot - 192)
    values[first_pass : first_pass + 4], values[first_pass + 4 : first_pass + 8] = 10.0, 30.0
    row = autumn.lay_out(values)[autumn.past_rows - 1]
    assert row[8:12].tolist() == [20.0] * 4, "two o'clock happened twice"
    assert not row[:8].any()
    assert not row[12:].any()
    spring = berlin_grid(date(2026, 3, 30), days=2)
    row = spring.lay_out(np.ones(192))[spring.past_rows - 1]
    assert np.isnan(row[8:12]).all(), "two o'clock never happened"
    assert (np.delete(row, range(8, 12)) == 1).all()


def test_a_gap_beside_a_value_of_the_repeated_hour_does_not_hide_it() -> None:
    grid = berlin_grid(date(2026, 10, 26), days=1)
    values = np.full(96, np.nan)
    _, second_pass = np.flatnonzero(grid.cell[:96] == 8)
    values[second_pass] = 7.0
    assert grid.lay_out(values)[0, 8] == 7.0


def test_a_second_pass_before_the_start_of_the_grid_stays_inside() -> None:
    """The history begins at 02:45 by summer time, a quarter hour before the clock shows 02:00 again."""
    first = parse_slot("2026-10-25T00:45Z")
    grid = day_grid(first, issued_slot=parse_slot("2026-10-27T01:45Z"), horizon_slots=96, tz=TZ)
    assert grid.past_rows == 2
    assert grid.cell[:6].tolist() == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("offset", [0, 1, 40, 95])
def test_rows_are_days_that_begin_at_the_time_of_issue(offset: int) -> None:
    grid = berlin_grid(date(2026, 7, 15), days=3, offset=offset)
    assert (grid.past_rows, grid.rows) == (3, 5)
    assert grid.slot_of_day()[0] == offset
    assert grid.ahead_cell.tolist() == list(range(3 * 96, 5 * 96))
    values = np.arange(3 * 96 + 192.0)
    assert grid.lay_out(values)[3, 0] == 3 * 96
    assert grid.lay_out(values[:100])[1, 4:].tolist() != grid.lay_out(values)[1, 4:].tolist()


def test_weekdays_follow_the_local_date() -> None:
    grid = berlin_grid(date(2026, 7, 13), days=1, offset=90)  # a Monday, at 22:30
    weekday = grid.weekday()
    assert weekday[1, :6].tolist() == [0] * 6
    assert weekday[1, 6:].tolist() == [1] * 90
    assert weekday[0, :6].tolist() == [6] * 6
    assert date(1970, 1, 1).weekday() == EPOCH_WEEKDAY


def test_each_slot_was_forecast_at_the_same_time_some_days_before() -> None:
    grid = berlin_grid(date(2026, 7, 15), days=3)
    issued = grid.issued_slot
    today, tomorrow = grid.origin_slot(0), grid.origin_slot(1)
    assert today[:96].tolist() == [issued - 3 * 96] * 96
    assert today[3 * 96 - 1] == issued - 96
    assert today[3 * 96] == issued
    assert tomorrow[3 * 96] == issued - 96
    assert tomorrow[4 * 96] == issued
    assert (today <= issued).all()
