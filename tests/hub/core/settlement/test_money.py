"""Money of a period: exact nano amounts by hand, benefits of either sign, and whole units by largest remainder."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.rules.rulebook import Prices
from hub.core.settlement.money import CENT_NANO, MICRO_NANO, Money, price_energy, round_to_unit

relaxed = settings(deadline=None, derandomize=True, max_examples=200)
PRICES = Prices(165_432, 158_765, 301_999, 71_003)


def test_energy_is_priced_exactly() -> None:
    money = price_energy([1_000, 7, 0], [0, 0, 1_007], prices=PRICES)
    assert money.debit_nano == (165_432_000, 1_158_024, 0)
    assert money.credit_nano == (0, 0, 159_876_355)
    assert money.coop_margin_nano == 165_432_000 + 1_158_024 - 159_876_355
    assert money.benefit_nano == (1_000 * 136_567, 7 * 136_567, 1_007 * 87_762)


@pytest.mark.parametrize(("retail", "feedin"), [(None, None), (None, 5), (5, None)])
def test_without_both_outside_prices_there_is_no_benefit(retail: int | None, feedin: int | None) -> None:
    assert price_energy([1], [1], prices=Prices(3, 2, retail, feedin)).benefit_nano is None


def test_a_benefit_can_be_negative() -> None:
    assert price_energy([5, 0], [0, 5], prices=Prices(300, 100, 200, 150)).benefit_nano == (-500, -250)
    assert price_energy([5], [0], prices=Prices(0, 0, 0, 0)).benefit_nano == (0,)


@pytest.mark.parametrize(
    ("amounts", "rounded"),
    [
        ([], ()),
        ([9_999_999], (0,)),
        ([10_000_000], (1,)),
        ([5_000_000, 5_000_000], (1, 0)),  # a tie goes to the first
        ([4_000_000, 6_000_000, 4_000_000], (0, 1, 0)),
        ([16_000_000, 17_000_000, 17_000_000], (1, 2, 2)),
        ([-5_000_000, 5_000_000], (0, 0)),
        ([-1, 1], (0, 0)),
    ],
)
def test_the_largest_rests_get_the_units_left_over(amounts: list[int], rounded: tuple[int, ...]) -> None:
    assert round_to_unit(amounts, CENT_NANO) == rounded


@relaxed
@given(st.lists(st.integers(-(2**70), 2**70), max_size=12), st.sampled_from([1, 3, MICRO_NANO, CENT_NANO]))
def test_rounded_amounts_add_up_and_stay_within_a_unit(amounts: list[int], unit: int) -> None:
    rounded = round_to_unit(amounts, unit)
    assert sum(rounded) == sum(amounts) // unit
    assert all(-unit < whole * unit - amount < unit for whole, amount in zip(rounded, amounts, strict=True))
    rests = [amount % unit for amount in amounts]
    got = [whole - amount // unit for whole, amount in zip(rounded, amounts, strict=True)]
    for i in range(len(amounts)):
        for j in range(len(amounts)):
            if got[i] < got[j]:
                assert (rests[j], -j) > (rests[i], -i)


@relaxed
@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)), min_size=1, max_size=8))
def test_debits_and_credits_are_rounded_apart_and_the_margin_is_their_difference(pairs: list[tuple[int, int]]) -> None:
    money = Money(tuple(debit for debit, _ in pairs), tuple(credit for _, credit in pairs), None)
    rounded = money.in_units_of(CENT_NANO)
    assert rounded.debit == round_to_unit(money.debit_nano, CENT_NANO)
    assert rounded.credit == round_to_unit(money.credit_nano, CENT_NANO)
    assert rounded.coop_margin == sum(rounded.debit) - sum(rounded.credit)
    assert abs(rounded.coop_margin * CENT_NANO - money.coop_margin_nano) < CENT_NANO
