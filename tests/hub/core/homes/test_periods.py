"""Hours, days and months follow one another without a gap, in every time zone and over every change of clocks."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.homes.periods import PeriodKind, days_in, period_of, periods_ending
from protocols.slots import day_of, parse_slot

ZONES = ("Europe/Madrid", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "UTC")
zones, kinds = st.sampled_from(ZONES), st.sampled_from(PeriodKind)
slots = st.integers(1_700_000, 2_400_000)


@given(zones, kinds, slots, st.integers(0, 400))
def test_periods_that_end_in_a_span_are_those_of_its_slots_that_end_there(
    tz: str, kind: PeriodKind, first: int, length: int
) -> None:
    ends = range(first, first + length)
    found = list(periods_ending(kind, ends, tz))
    assert found == sorted(
        {period_of(kind, slot, tz) for slot in ends if period_of(kind, slot, tz)[-1] in ends}, key=min
    )
    assert all(one.stop == other.start for one, other in pairwise(found))


@given(zones, slots)
def test_a_month_is_its_days_and_a_day_has_one_date(tz: str, slot: int) -> None:
    month = period_of(PeriodKind.MONTH, slot, tz)
    days = days_in(month, tz)
    assert (days[0].start, days[-1].stop) == (month.start, month.stop)
    assert slot in month
    for day in days:
        assert {day_of(day.start, tz), day_of(day.stop - 1, tz)} == {day_of(day.start, tz)}
        assert day_of(day.start, tz).month == day_of(slot, tz).month


@pytest.mark.parametrize(("moment", "length"), [("2026-03-10T00:00Z", 92), ("2026-10-10T00:00Z", 100)])
def test_a_day_on_which_the_clocks_change_has_23_or_25_hours(moment: str, length: int) -> None:
    month = period_of(PeriodKind.MONTH, parse_slot(moment), "Europe/Berlin")
    assert {len(day) for day in days_in(month, "Europe/Berlin")} == {96, length}
