"""A fee for a part of a month: worked by hand, and what holds for any fee and any days."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.rules.part_months import BY_DAY, CENT_NANO, FIRST_FULL_MONTH, FULL_MONTH, MemberDays, part_of_fee

FIVE_EUR = 5_000_000_000


@pytest.mark.parametrize(
    ("days", "of", "cents"), [(1, 31, 16), (30, 31, 484), (31, 31, 500), (1, 28, 18), (1, 8, 63), (14, 28, 250)]
)
def test_by_day_is_the_nearest_cent_and_half_a_cent_goes_up(days: int, of: int, cents: int) -> None:
    assert part_of_fee(FIVE_EUR, BY_DAY, MemberDays(days, of, on_first=False)) == cents * CENT_NANO


@pytest.mark.parametrize(
    ("way", "joined_late", "left_early"),
    [(BY_DAY, 1_610, 3_390), (FULL_MONTH, 5_000, 5_000), (FIRST_FULL_MONTH, 0, 5_000)],
)
def test_who_joins_and_who_leaves_within_the_month(way: str, joined_late: int, left_early: int) -> None:
    """On the 22nd of 31 days: ten days are left for who joins, and who leaves at the end of the 21st had 21."""
    joins, leaves = MemberDays(10, 31, on_first=False), MemberDays(21, 31, on_first=True)
    assert part_of_fee(FIVE_EUR, way, joins) == joined_late * 1_000_000
    assert part_of_fee(FIVE_EUR, way, leaves) == left_early * 1_000_000


def test_a_fee_below_a_cent_is_never_rounded_above_itself() -> None:
    assert part_of_fee(9_990_000, BY_DAY, MemberDays(30, 31, on_first=True)) == 9_990_000


@settings(deadline=None, derandomize=True, max_examples=200)
@given(fee=st.integers(0, 10**13), of=st.integers(28, 31))
def test_more_days_never_cost_less_and_all_days_cost_the_fee(fee: int, of: int) -> None:
    parts = [part_of_fee(fee, BY_DAY, MemberDays(days, of, on_first=False)) for days in range(1, of + 1)]
    assert all(less <= more for less, more in pairwise(parts))
    assert parts[-1] == fee
    for days, part in enumerate(parts[:-1], 1):
        assert part == fee or part % CENT_NANO == 0
        assert abs(part * of - fee * days) * 2 <= CENT_NANO * of
