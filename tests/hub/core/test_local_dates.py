"""A local day is year-month-day and nothing else, in a year a co-op can exist in."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.local_dates import FIRST_YEAR, LAST_YEAR, parse_day


@given(day=st.dates(date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_every_day_is_read_as_it_is_written(day: date) -> None:
    assert parse_day(day.isoformat()) == day


@pytest.mark.parametrize("text", ["20261121", "2026-W47-6", "2026W476"])
def test_other_forms_of_iso_8601_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not written as year-month-day"):
        parse_day(text)


@pytest.mark.parametrize("text", ["1999-12-31", "2101-01-01", "0026-11-21", "9999-12-31"])
def test_a_mistyped_year_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not between 2000 and 2100"):
        parse_day(text)


@pytest.mark.parametrize("text", ["2000-01-01", "2100-12-31"])
def test_the_first_and_the_last_day_are_read(text: str) -> None:
    assert parse_day(text).isoformat() == text


@pytest.mark.parametrize(
    "text", ["", "today", "2026-11", "2026-13-01", "2026-02-29", "2026-11-21 ", "2026-11-21T00:00"]
)
def test_what_is_not_a_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_day(text)
