"""When runs fall due: counted out by hand for known months, and what holds for every month and calendar."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.ledger.run_calendar import MONTH_KINDS, RunCalendar, days_of, month_name, months_between

MAY = date(2026, 5, 1)
VIENNA = RunCalendar(holidays=frozenset({date(2026, 6, 4)}), yearly=frozenset({(1, 1), (1, 6), (12, 25), (12, 26)}))


@pytest.mark.parametrize(
    ("month", "kind", "due"),
    [
        (MAY, "M1", date(2026, 6, 8)),  # 1, 2, 3 and 5 June work; Corpus Christi on the 4th does not; then a weekend
        (MAY, "R1", date(2026, 8, 7)),  # August begins on a Saturday
        (MAY, "R2", date(2026, 12, 7)),
        (MAY, "RF", date(2027, 8, 6)),
        (date(2026, 12, 1), "M1", date(2027, 1, 11)),  # 4, 5, 7, 8 and 11 January work
        (date(2026, 11, 1), "RF", date(2028, 2, 7)),
    ],
)
def test_runs_fall_due_on_the_fifth_working_day(month: date, kind: str, due: date) -> None:
    assert VIENNA.due_day(month, kind) == due


def test_without_holidays_a_week_has_five_working_days() -> None:
    assert RunCalendar().due_day(MAY, "M1") == date(2026, 6, 5)
    assert RunCalendar().due_kinds(MAY, today=date(2026, 6, 4)) == ()
    assert RunCalendar().due_kinds(MAY, today=date(2026, 8, 7)) == ("M1", "R1")
    assert RunCalendar().due_kinds(MAY, today=date(2030, 1, 1)) == MONTH_KINDS


@given(
    month=st.dates(date(2020, 1, 1), date(2090, 1, 1)).map(lambda day: day.replace(day=1)),
    holidays=st.frozensets(st.dates(date(2020, 1, 1), date(2092, 1, 1)), max_size=40),
)
def test_each_run_waits_for_five_working_days_after_its_month(month: date, holidays: frozenset[date]) -> None:
    calendar, last = RunCalendar(holidays), None
    for kind, later in zip(MONTH_KINDS, (1, 3, 7, 15), strict=True):
        due = calendar.due_day(month, kind)
        start = date(month.year + (month.month - 1 + later) // 12, (month.month - 1 + later) % 12 + 1, 1)
        days = [start + timedelta(days=n) for n in range((due - start).days + 1)]
        assert calendar.is_working(due)
        assert sum(calendar.is_working(day) for day in days) == 5
        assert last is None or last < due
        last = due


def test_months_and_their_days() -> None:
    assert [month_name(month) for month in months_between(date(2026, 11, 30), date(2027, 1, 1))] == [
        "2026-11", "2026-12", "2027-01",
    ]  # fmt: skip
    assert list(months_between(date(2026, 6, 1), date(2026, 5, 31))) == []
    assert (len(days_of(date(2028, 2, 1))), days_of(MAY)[-1]) == (29, date(2026, 5, 31))
