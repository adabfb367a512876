"""Local times as slots: every notation, both clock changes, files that run up or down, marks at the end of a slot."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.grid.tables import GridFileError
from hub.core.grid.times import local_time, read_stamp, slots_of_stamps
from protocols.slots import parse_slot, slots_of_day
from tests.hub.core.grid.grid_oracle import AUTUMN, SPRING, VIENNA, local

AUTUMN_SLOTS = slots_of_day(AUTUMN, VIENNA)
bounded = settings(deadline=None, derandomize=True, max_examples=100)


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("2026-10-25T02:15", datetime(2026, 10, 25, 2, 15)),
        ("2026-10-25 02:15:00", datetime(2026, 10, 25, 2, 15)),
        ("2026-10-25 02:15:00.000", datetime(2026, 10, 25, 2, 15)),
        ("25.10.2026 02:15", datetime(2026, 10, 25, 2, 15)),
        ("25/10/2026 02:15:00", datetime(2026, 10, 25, 2, 15)),
        ("2026-12-31 24:00", datetime(2027, 1, 1)),
        ("2026-10-25T02:15+02:00", datetime(2026, 10, 25, 0, 15, tzinfo=UTC)),
        ("2026-10-25T02:15-0130", datetime(2026, 10, 25, 3, 45, tzinfo=UTC)),
        ("2026-10-25T02:15Z", datetime(2026, 10, 25, 2, 15, tzinfo=UTC)),
    ],
)
def test_times_as_files_write_them(text: str, stamp: datetime) -> None:
    found = read_stamp(text, "line 2")
    assert found == stamp
    assert (found.tzinfo is None) == (stamp.tzinfo is None), "without an offset it is a local time"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("yesterday", "is not a time like"),
        ("2026-10-25", "is not a time like"),
        ("10/25/26 02:15", "is not a time like"),
        ("2026-10-25 02:15:00.5", "is not a time like"),
        ("25.10.2026 02:15+02:00", "is not a time like"),
        ("2026-02-29 00:00", "is not a date and time"),
        ("2026-10-25 24:15", "is not a date and time"),
        ("2026-10-25 02:15+99:99", "is not a date and time"),
        ("1999-12-31 23:45", "is not a date and time"),
        ("2200-01-01 00:00", "is not a date and time"),
    ],
)
def test_what_is_not_a_time_is_refused_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(GridFileError, match=f"line 7: .*{reason}") as refused:
        read_stamp(text, "line 7")
    assert "\n" not in str(refused.value)


def naive(slot: int) -> datetime:
    return local(slot).replace(tzinfo=None, fold=0)


first_slots = st.one_of(st.integers(1_200_000, 5_000_000), st.integers(-120, 120).map(lambda n: AUTUMN_SLOTS[8] + n))


@given(first_slots, st.integers(1, 120), st.booleans(), st.booleans())
@bounded
def test_local_times_come_back_as_their_slots_in_either_order(first: int, count: int, down: bool, ends: bool) -> None:
    slots = range(first, first + count)[:: -1 if down else 1]
    written = {slot: slot + int(ends) for slot in slots}
    # Where the series has only one of the two slots with the same local time, nobody can say which it is.
    alone = {
        slot
        for slot in slots
        for other in (slot - 4, slot + 4)
        if other not in written and naive(written[slot]) == naive(other + int(ends))
    }
    found = slots_of_stamps([naive(written[slot]) for slot in slots], VIENNA, marks_end=ends)
    assert found == [None if slot in alone else slot for slot in slots]


def test_a_year_has_as_many_quarter_hours_as_its_days() -> None:
    day, expected = SPRING.replace(month=1, day=1), list[int]()
    while day.year == 2026:
        expected += slots_of_day(day, VIENNA)
        day += timedelta(days=1)
    assert slots_of_stamps([naive(slot) for slot in expected], VIENNA) == expected
    assert len(expected) == 35_040


def test_the_repeated_hour_is_read_by_its_order_and_a_lone_row_is_not_guessed() -> None:
    slots = AUTUMN_SLOTS
    assert len(slots) == 100
    stamps = [naive(slot) for slot in slots]
    assert slots_of_stamps(stamps, VIENNA) == list(slots)
    assert slots_of_stamps(stamps[::-1], VIENNA) == list(slots[::-1])
    without = [stamp for i, stamp in enumerate(stamps) if i != 9]
    found = slots_of_stamps(without, VIENNA)
    assert [slot for slot in found if slot is not None] == [slot for i, slot in enumerate(slots) if i not in (9, 13)]
    assert found.count(None) == 1


@pytest.mark.parametrize("day", [SPRING, AUTUMN, SPRING.replace(day=28)])
@pytest.mark.parametrize("down", [False, True])
def test_an_end_may_be_the_start_plus_a_quarter_hour_by_the_wall_clock(day: date, down: bool) -> None:
    slots = slots_of_day(day, VIENNA)[:: -1 if down else 1]
    by_the_wall = [naive(slot) + timedelta(minutes=15) for slot in slots]
    as_instants = [naive(slot + 1) for slot in slots]
    assert slots_of_stamps(by_the_wall, VIENNA, marks_end=True) == list(slots)
    assert slots_of_stamps(as_instants, VIENNA, marks_end=True) == list(slots)


def test_an_offset_says_which_of_the_two_it_is() -> None:
    stamps = [read_stamp(f"2026-10-25T02:15{offset}", "line 2") for offset in ("+01:00", "+02:00")]
    assert slots_of_stamps(stamps, VIENNA) == [parse_slot("2026-10-25T01:15Z"), parse_slot("2026-10-25T00:15Z")]


@pytest.mark.parametrize(
    ("stamps", "reason"),
    [
        (["2026-03-29 02:15"], "2026-03-29 02:15 never existed"),
        (["2026-10-24 02:15"] * 2, "appears 2 times"),
        (["2026-10-25 02:15"] * 3, "appears 3 times"),
        (["2026-10-24 02:07"], "is not the beginning of a quarter hour"),
    ],
)
def test_times_that_cannot_be_are_refused(stamps: list[str], reason: str) -> None:
    with pytest.raises(GridFileError, match=reason):
        slots_of_stamps([read_stamp(text, "line 2") for text in stamps], VIENNA)


def test_a_slot_begins_at_its_local_time() -> None:
    assert local_time(parse_slot("2026-10-25T00:30Z"), VIENNA).isoformat() == "2026-10-25T02:30:00+02:00"
    assert local_time(parse_slot("2026-10-25T01:30Z"), VIENNA).isoformat() == "2026-10-25T02:30:00+01:00"
