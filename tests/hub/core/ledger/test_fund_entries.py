"""Fees, the year's surplus and refunds: worked cases by hand, and what holds for any plan and any books."""

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.ledger.entries import Entry, LedgerUnit, Lines, Posting, balances, trial_balance
from hub.core.ledger.fund_entries import (
    FEE_LINE,
    PPM,
    REFUND_LINE,
    YEAR_LINE,
    FeeScale,
    SurplusShares,
    YearBooks,
    YearTally,
    fund_entries,
    target_fees,
    target_grants,
    target_year_split,
)
from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.part_months import BY_DAY, FIRST_FULL_MONTH, FULL_MONTH, MemberDays

DAY = "2026-12-31"
MEMBERS = ("m01", "m02", "m03")
SCALE = FeeScale({"full": 3_000_000_000, "half": 1_500_000_000, "free": 0}, "full", {"m02": "half", "m03": "free"})
amounts = st.integers(0, 10**15)


def whole_fees(scale: FeeScale) -> dict[str, Lines]:
    whole = MemberDays(31, 31, on_first=True)
    return target_fees(scale, dict.fromkeys(MEMBERS, whole), part_month=BY_DAY)


def book(wanted: object, booked: tuple[Entry, ...] = (), *, lines: tuple[str, ...] = (FEE_LINE,)) -> tuple[Entry, ...]:
    return fund_entries(wanted, booked, lines=lines, day=DAY, run="run", cites="record")  # type: ignore[arg-type]


def test_a_sliding_scale_charges_each_step_and_nothing_to_who_pays_nothing() -> None:
    entries = book(whole_fees(SCALE))
    assert balances(entries) == {
        ("nano", "member:m01:money"): -3_000_000_000,
        ("nano", "member:m02:money"): -1_500_000_000,
        ("nano", "coop:fees"): 4_500_000_000,
    }
    assert {entry.member for entry in entries} == {"m01", "m02"}


def test_a_part_of_a_month_is_charged_by_the_rule_and_a_correction_books_the_difference() -> None:
    members = {"m01": MemberDays(1, 31, on_first=False), "m02": MemberDays(31, 31, on_first=True)}
    scale = FeeScale({"full": 5_000_000_000}, "full")
    by_day = book(target_fees(scale, members, part_month=BY_DAY))
    assert balances(by_day)["nano", "member:m01:money"] == -160_000_000
    second = book(target_fees(scale, members, part_month=FULL_MONTH), by_day)
    assert balances(second) == {("nano", "member:m01:money"): -4_840_000_000, ("nano", "coop:fees"): 4_840_000_000}
    third = book(target_fees(scale, members, part_month=FIRST_FULL_MONTH), (*by_day, *second))
    assert balances(third) == {("nano", "member:m01:money"): 5_000_000_000, ("nano", "coop:fees"): -5_000_000_000}


def test_a_changed_scale_books_the_difference_only() -> None:
    first = book(whole_fees(SCALE))
    assert book(whole_fees(SCALE), first) == ()
    cheaper = FeeScale({"full": 2_000_000_000, "half": 1_500_000_000, "free": 0}, "full", SCALE.chosen)
    second = book(whole_fees(cheaper), first)
    assert balances(second) == {("nano", "member:m01:money"): 1_000_000_000, ("nano", "coop:fees"): -1_000_000_000}


def test_a_years_surplus_is_split_and_refunded_by_energy() -> None:
    """100 nano: 30 to the reserve, 10 to solidarity, 60 back by 3 : 2 : 1 kWh bought and sold."""
    year = YearBooks(70, 30, {"m01": 3_000, "m02": 500}, {"m02": 1_500, "m03": 1_000})
    entries = book(target_year_split(year, SurplusShares(300_000, 100_000, 600_000)), lines=(YEAR_LINE, REFUND_LINE))
    assert balances(entries) == {
        ("nano", "coop:margin"): -70,
        ("nano", "coop:fees"): -30,
        ("nano", "coop:reserve"): 30,
        ("nano", "coop:solidarity"): 10,
        ("nano", "coop:patronage"): 0,
        ("nano", "member:m01:money"): 30,
        ("nano", "member:m02:money"): 20,
        ("nano", "member:m03:money"): 10,
    }


@given(
    year=st.builds(
        YearBooks,
        amounts,
        amounts,
        st.dictionaries(st.sampled_from(MEMBERS), st.integers(0, 10**9)),
        st.dictionaries(st.sampled_from(MEMBERS), st.integers(0, 10**9)),
    ),
    cuts=st.tuples(st.integers(0, PPM), st.integers(0, PPM)),
    weights=st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(any),
    margin_more=st.integers(0, 10**12),
)
def test_every_nano_of_a_year_goes_somewhere_and_a_correction_is_a_difference(
    year: YearBooks, cuts: tuple[int, int], weights: tuple[int, int], margin_more: int
) -> None:
    low, high = sorted(cuts)
    shares = SurplusShares(low, high - low, PPM - high, *weights)
    lines = (YEAR_LINE, REFUND_LINE)
    first = book(target_year_split(year, shares), lines=lines)
    assert trial_balance(balances(first)) == {"Wh": 0, "nano": 0}
    held = Counter({account: amount for (_, account), amount in balances(first).items()})
    refunds = sum(amount for account, amount in held.items() if account.startswith("member:"))
    pot = year.margin_nano + year.fees_nano
    assert held["coop:reserve"] + held["coop:solidarity"] + held["coop:patronage"] + refunds == pot
    assert (held["coop:margin"], held["coop:fees"]) == (-year.margin_nano, -year.fees_nano)
    assert all(held[name] >= 0 for name in held if name not in ("coop:margin", "coop:fees"))
    later = YearBooks(year.margin_nano + margin_more, year.fees_nano, year.bought_wh, year.sold_wh)
    second = book(target_year_split(later, shares), first, lines=lines)
    fresh = book(target_year_split(later, shares), lines=lines)
    assert nonzero(balances((*first, *second))) == nonzero(balances(fresh))
    assert book(target_year_split(later, shares), (*first, *second), lines=lines) == ()


def nonzero(found: Mapping[tuple[LedgerUnit, str], int]) -> dict[tuple[LedgerUnit, str], int]:
    return {place: amount for place, amount in found.items() if amount}


def test_who_transacted_nothing_gets_nothing_and_an_unused_part_stays() -> None:
    shares = SurplusShares(0, 0, PPM, buy_weight=1, sell_weight=0)
    only_seller = book(target_year_split(YearBooks(90, 0, {}, {"m01": 5}), shares), lines=(YEAR_LINE, REFUND_LINE))
    assert balances(only_seller) == {("nano", "coop:margin"): -90, ("nano", "coop:patronage"): 90}


def test_a_tally_takes_margin_fees_and_energy_but_no_earlier_split() -> None:
    fees = book(whole_fees(SCALE))
    split = book(
        target_year_split(YearBooks(0, 4_500_000_000, {}, {}), SurplusShares(PPM, 0, 0)), lines=(YEAR_LINE, REFUND_LINE)
    )
    tally = YearTally()
    for entry in (*fees, *split):
        tally.add(entry)
    assert tally.books() == YearBooks(0, 4_500_000_000, {}, {})


def test_a_tally_adds_up_the_energy_that_members_bought_and_sold() -> None:
    tally = YearTally()
    for bought, sold in ((5, 2), (-1, 4)):
        postings = (
            Posting("member:m01:energy", bought, "received"),
            Posting("member:m01:energy", -sold, "sold"),
            Posting("member:m01:energy", 100, "imported"),
            Posting("grid-import", -100, "imported"),
            Posting("pool", sold - bought, "sold"),
        )
        tally.add(Entry("Wh", DAY, "run", "m01", postings, ""))
    margin = (Posting("member:m01:money", -9, "received"), Posting("coop:margin", 9, "received"))
    tally.add(Entry("nano", DAY, "run", "m01", margin, ""))
    assert tally.books() == YearBooks(9, 0, {"m01": 4}, {"m01": 6})


def test_grants_come_out_of_the_fund_and_may_use_it_up() -> None:
    entries = book(target_grants({"m01": 7, "m02": 3}, fund_nano=10, members=MEMBERS), lines=("solidarity",))
    assert balances(entries) == {
        ("nano", "member:m01:money"): 7,
        ("nano", "member:m02:money"): 3,
        ("nano", "coop:solidarity"): -10,
    }


REFUSED = [
    (lambda: whole_fees(FeeScale({"full": -1}, "full")), "negative"),
    (lambda: whole_fees(FeeScale({"full": 1.5}, "full")), "not_integer"),  # type: ignore[dict-item]
    (lambda: whole_fees(FeeScale({"full": 1}, "half")), "malformed"),
    (lambda: whole_fees(FeeScale({"full": 1}, "full", {"m01": ["full"]})), "malformed"),  # type: ignore[dict-item]
    (lambda: whole_fees(FeeScale({"full": 1}, "full", {"m09": "full"})), "unknown_member"),
    (lambda: target_year_split(YearBooks(1, 1, {}, {}), SurplusShares(1, 1, 1)), "malformed"),
    (lambda: target_year_split(YearBooks(1, 1, {}, {}), SurplusShares(PPM, 0, 0, 0, 0)), "weights_zero"),
    (lambda: target_year_split(YearBooks(-1, 1, {}, {}), SurplusShares(PPM, 0, 0)), "negative"),
    (lambda: target_grants({"m01": 11}, fund_nano=10, members=MEMBERS), "out_of_range"),
    (lambda: target_grants({"m09": 1}, fund_nano=10, members=MEMBERS), "unknown_member"),
    (lambda: target_grants({"m01": -1}, fund_nano=10, members=MEMBERS), "negative"),
    (lambda: target_grants({"m01": 1.5}, fund_nano=10, members=MEMBERS), "not_integer"),  # type: ignore[dict-item]
]


@pytest.mark.parametrize(("make", "code"), REFUSED)
def test_a_wrong_plan_is_refused(make: object, code: str) -> None:
    with pytest.raises(RejectedInputError) as caught:
        make()  # type: ignore[operator]
    assert caught.value.code == code
