"""Slots are whole quarter hours in UTC; local days have 92, 96 or 100 of them and leave no slot out."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.slots import SLOT_S, day_of, format_slot, parse_slot, slot_of, slots_of_day, start_of

ZONES = st.sampled_from(
    ["Europe/Berlin", "Atlantic/Azores", "America/New_York", "Asia/Kolkata", "Asia/Beirut", "Pacific/Chatham", "UTC"]
)
SLOTS = st.integers(0, 4_000_000)


@pytest.mark.parametrize(
    ("day", "tz", "count"),
    [
        (date(2026, 3, 29), "Europe/Berlin", 92),
        (date(2026, 10, 25), "Europe/Berlin", 100),
        (date(2026, 11, 21), "Europe/Berlin", 96),
        (date(2024, 2, 29), "Europe/Lisbon", 96),
        (date(2026, 3, 8), "America/New_York", 92),
        (date(2026, 11, 1), "America/New_York", 100),
        (date(2026, 4, 5), "Australia/Lord_Howe", 98),
    ],
)
def test_a_local_day_has_the_slots_its_clock_gives_it(day: date, tz: str, count: int) -> None:
    assert len(slots_of_day(day, tz)) == count


def test_a_day_begins_where_the_clock_skips_midnight() -> None:
    # Beirut goes from 23:59 to 01:00 on 2026-03-29: the day is 23 hours long.
    slots = slots_of_day(date(2026, 3, 29), "Asia/Beirut")
    assert len(slots) == 92
    assert day_of(slots[0], "Asia/Beirut") == date(2026, 3, 29)
    assert day_of(slots[0] - 1, "Asia/Beirut") == date(2026, 3, 28)


@given(day=st.dates(date(2020, 1, 1), date(2037, 12, 31)), tz=ZONES)
def test_days_follow_each_other_without_hole_or_overlap(day: date, tz: str) -> None:
    assert slots_of_day(day, tz).stop == slots_of_day(day + timedelta(days=1), tz).start


@given(slot=st.integers(1_800_000, 2_380_000), tz=ZONES)
def test_every_slot_is_in_the_day_it_begins_in(slot: int, tz: str) -> None:
    assert slot in slots_of_day(day_of(slot, tz), tz)


@given(unix_s=st.floats(-1e9, 4e9))
def test_an_instant_lies_in_its_slot(unix_s: float) -> None:
    slot = slot_of(unix_s)
    assert start_of(slot) <= unix_s < start_of(slot) + SLOT_S


def test_a_boundary_belongs_to_the_slot_it_begins() -> None:
    assert slot_of(900.0) == 1
    assert slot_of(899.999) == 0


@given(slot=SLOTS)
def test_iso_and_back(slot: int) -> None:
    assert parse_slot(format_slot(slot)) == slot


def test_iso_form() -> None:
    assert format_slot(parse_slot("2026-11-21T10:15Z")) == "2026-11-21T10:15Z"


@pytest.mark.parametrize(
    "text", ["2026-11-21T10:16Z", "2026-11-21", "2026-13-21T10:15Z", "2026-11-21T10:15", "2026-11-21T10:15Z\n", ""]
)
def test_other_forms_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_slot(text)
    assert "\n" not in str(caught.value)


def test_an_unknown_time_zone_is_named() -> None:
    with pytest.raises(ValueError, match="Mars/Olympus"):
        slots_of_day(date(2026, 1, 1), "Mars/Olympus")
