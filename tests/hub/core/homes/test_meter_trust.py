"""Which meters wait for the board, from when to when, and what releases them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.homes.meter_trust import ToldMeter, late_notices, meter_spans, uncertified_homes, unproven_spans
from hub.core.rules.derived_energy import DerivedRule

BRONZE = ToldMeter("h01", 1, 100, "bronze", "unknown", "netted", False, "none")
SILVER = replace(BRONZE, from_slot=200, quality="silver", metrology="MID B")


def spans(*told: ToldMeter, accepted: tuple[tuple[str, int], ...] = ()) -> list[tuple[str, int, int | None]]:
    return [(each.meter.home, each.first_slot, each.until) for each in unproven_spans(told, accepted)]


def test_a_bronze_meter_waits_until_it_is_replaced_or_released() -> None:
    assert spans(BRONZE) == [("h01", 100, None)]
    assert spans(BRONZE, SILVER) == [("h01", 100, 200)]
    assert spans(SILVER) == []
    assert spans(BRONZE, accepted=(("h01", 150),)) == []
    assert spans(BRONZE, accepted=(("h02", 150),)) == [("h01", 100, None)], "another home's release"


def test_a_release_is_of_the_meter_it_was_given_for() -> None:
    again = replace(BRONZE, from_slot=300, phases="separate")
    assert spans(BRONZE, SILVER, again, accepted=(("h01", 150),)) == [("h01", 300, None)]
    assert spans(BRONZE, again, accepted=(("h01", 300),)) == [("h01", 100, 300)]


def test_nothing_told_later_changes_what_was_before() -> None:
    backdated = replace(SILVER, from_slot=0)
    assert spans(BRONZE, backdated) == [], "it takes the place of the meter from its first slot on"
    assert [each.first_slot for each in meter_spans([SILVER, replace(BRONZE, from_slot=0)])] == [200]


def test_what_waited_when_a_later_word_came_goes_on_waiting_until_then() -> None:
    """An agent cannot free its own bronze meter by saying afterwards that it never was one."""
    backdated = replace(SILVER, from_slot=100, told_slot=300)
    assert spans(BRONZE, backdated) == [("h01", 100, 300)]
    assert spans(BRONZE, backdated, accepted=(("h01", 100),)) == [], "the board can"
    released = replace(backdated, quality="released")
    assert spans(BRONZE, released) == [("h01", 100, None)], "the board has released nothing: it waits too"
    assert spans(BRONZE, replace(SILVER, told_slot=150)) == [("h01", 100, 200)], "told before it holds"
    stricter = replace(BRONZE, from_slot=200, told_slot=300)
    assert spans(replace(SILVER, from_slot=100), stricter) == [("h01", 200, None)], "what waits may be said late"


def test_a_certificate_told_later_does_not_change_what_was_said_of_a_month_that_was_billed() -> None:
    backdated = replace(SILVER, from_slot=100, told_slot=300)
    assert uncertified_homes([BRONZE, backdated], slots=range(100, 200)) == {"h01": "none"}
    assert uncertified_homes([BRONZE, backdated], slots=range(300, 400)) == {}
    assert uncertified_homes([BRONZE, backdated]) == {}


DERIVES = replace(SILVER, from_slot=100, phases="separate", is_derived=True, within_wh=50, within_percent=10)


@pytest.mark.parametrize(
    ("told", "late"),
    [
        ([DERIVES], []),
        ([replace(DERIVES, told_slot=101)], [100]),
        ([replace(DERIVES, told_slot=101, within_wh=51)], []),
        ([DERIVES, replace(DERIVES, netting="15min", told_slot=900)], []),
        ([SILVER, replace(SILVER, told_slot=900, metrology="none")], []),
        ([SILVER, replace(BRONZE, from_slot=250, told_slot=900)], [250]),
        ([BRONZE, replace(SILVER, told_slot=900)], []),
        ([replace(BRONZE, told_slot=100), replace(DERIVES, told_slot=900)], [100]),
    ],
)
def test_a_notice_is_late_if_what_counted_before_it_is_another_by_it(told: list[ToldMeter], late: list[int]) -> None:
    assert [span.first_slot for span in late_notices(told, DerivedRule(50, 10))] == late


def test_an_error_is_believed_only_of_a_meter_that_derives() -> None:
    assert DERIVES.stated_error == (50, 10)
    for wrong in (
        replace(DERIVES, is_derived=False),
        replace(DERIVES, phases="netted"),
        replace(DERIVES, phases="single"),
    ):
        assert wrong.stated_error == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["bronze", "silver"])), max_size=8))
def test_the_spans_of_a_seat_follow_each_other(told: list[tuple[int, str]]) -> None:
    found = meter_spans([replace(BRONZE, from_slot=slot, quality=quality) for slot, quality in told])  # type: ignore[arg-type]
    assert [each.until for each in found[:-1]] == [each.first_slot for each in found[1:]]
    assert all(each.until is None for each in found[-1:])


def test_only_the_present_meter_of_a_home_is_uncertified() -> None:
    other = replace(BRONZE, home="h02", metrology="class 1")
    assert uncertified_homes([BRONZE, SILVER, other]) == {"h02": "class 1"}


@pytest.mark.parametrize(
    ("slots", "kind"),
    [((0, 100), None), ((0, 101), "none"), ((199, 300), "none"), ((200, 300), None), ((300, 301), "class 1")],
)
def test_a_month_is_billed_by_the_meters_of_its_own_slots(slots: tuple[int, int], kind: str | None) -> None:
    """One without a certificate from 100 to 200, then a certified one, and from 300 on one that is not."""
    told = [
        replace(BRONZE, from_slot=at, metrology=each)  # type: ignore[arg-type]
        for at, each in ((100, "none"), (200, "MID B"), (300, "class 1"))
    ]
    assert uncertified_homes(told, slots=range(*slots)).get(BRONZE.home) == kind
