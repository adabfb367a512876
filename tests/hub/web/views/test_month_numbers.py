"""Cents on pages add up: the days to the month, the comparison to its gain, and no part strays by more than a cent."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.settlement.money import CENT_NANO, fitted, nearest_cent
from hub.web.frame.translation import NO_BREAK, Localizer
from hub.web.views.settlement.month_numbers import compared_cents, month_numbers, state_of
from hub.web.views.settlement.month_words import day_energy, named_amount

WORDS = Localizer("en", "Europe/Berlin", "EUR")
ENERGY = dict.fromkeys(("demand", "received", "imported", "surplus", "sold", "exported"), 0)
relaxed = settings(deadline=None, derandomize=True, max_examples=150)
amounts = st.integers(-(10**13), 10**13)


@given(parts=st.lists(amounts, min_size=1, max_size=31), above=st.booleans())
@relaxed
def test_parts_shown_add_up_to_the_total_shown_and_stay_within_a_unit(parts: list[int], above: bool) -> None:
    whole, rest = divmod(sum(parts), CENT_NANO)
    total = whole + (above and rest > 0)
    shown = fitted(parts, total)
    assert sum(shown) == total
    assert all(abs(cents * CENT_NANO - part) < CENT_NANO for cents, part in zip(shown, parts, strict=True))


@given(alone=amounts, benefit=amounts)
@relaxed
def test_the_gain_is_the_difference_of_the_costs_as_they_are_shown(alone: int, benefit: int) -> None:
    cents: Any = compared_cents({"alone": alone, "cost": alone - benefit, "benefit": benefit})
    assert cents["alone"] - cents["cost"] == cents["benefit"] == nearest_cent(benefit)
    assert abs(cents["cost"] * CENT_NANO - (alone - benefit)) <= CENT_NANO


day_money = st.tuples(*[st.integers(0, 10**11)] * 2, *[amounts] * 2)


@given(days=st.lists(day_money, min_size=1, max_size=8), correction=st.none() | day_money)
@relaxed
def test_days_and_corrections_add_up_to_the_month_in_every_number(
    days: list[tuple[int, ...]], correction: tuple[int, ...] | None
) -> None:
    def money(amounts: tuple[int, ...]) -> dict[str, Any]:
        debit, credit, alone, benefit = amounts
        nano = {"debit": debit, "credit": credit, "alone": alone, "benefit": benefit, "cost": alone - benefit}
        return {f"{name}_nano": value for name, value in nano.items()}

    parts = [*days, *([] if correction is None else [correction])]
    month = money(tuple(map(sum, zip(*parts, strict=True))))
    month |= {f"{name}_cent": -(-month[f"{name}_nano"] // CENT_NANO) for name in ("debit", "credit")}
    stated = [
        {"day": f"2026-06-{at:02}", "totals": ENERGY, "money": money(each)} for at, each in enumerate(days, start=1)
    ]
    statement: dict[str, Any] = {
        "month": "2026-06", "state": "provisional", "billed": False, "changes": None, "tax": [], "days": stated,
        "totals": ENERGY, "money": month,
    }  # fmt: skip
    if correction is not None:
        statement["correction"] = {"days": 1, "totals": ENERGY, "money": money(correction)}
    numbers = month_numbers(statement, {"bills": [], "now_cent": 0, "waiting_cent": 0})
    shown: Any = [day.cents for day in (*numbers.days, *([numbers.correction] if numbers.correction else []))]
    for name, cents in numbers.cents.items():
        assert sum(part[name] for part in shown) == cents, name
    assert sum(each["credit"] - each["debit"] for each in shown) == numbers.net_cent == numbers.balance_cent


def test_a_negative_cost_is_income_and_a_negative_gain_a_loss() -> None:
    assert named_amount("cost", -2194, WORDS) == ("Income with sharing", "€21.94")
    assert named_amount("alone", -1, WORDS) == ("Income without sharing", "€0.01")
    assert named_amount("benefit", -5, WORDS) == ("Lost by sharing", "€0.05")
    assert named_amount("cost", 0, WORDS) == ("Cost with sharing", "€0.00")
    assert named_amount("cost", None, WORDS) == ("Cost with sharing", "–")


def test_money_is_never_minus_zero_and_never_a_float() -> None:
    assert WORDS.money(-1) == "€0.00"
    assert WORDS.money(9_007_199_254_740_993_000_000_000) == "€9,007,199,254,740,993.00"


def test_the_states_of_a_month() -> None:
    open_month = {"state": "provisional", "billed": False, "changes": None}
    assert state_of(open_month) == "provisional"
    assert state_of(open_month | {"billed": True}) == "billed"
    assert state_of(open_month | {"billed": True, "changes": {}}) == "corrected"
    assert state_of(open_month | {"state": "final", "billed": True}) == "final"


def test_a_day_without_any_reading_shows_no_zero_and_missing_quarter_hours_are_counted() -> None:
    money = {f"{name}_nano": 0 for name in ("debit", "credit", "alone", "benefit", "cost")}

    def day(number: int, surplus: list[int | None], *, window: list[int | None] | None, held: int = 0) -> Any:
        return {
            "day": f"2026-06-{number:02}", "totals": ENERGY, "money": money, "first_slot": 100, "step": 1,
            "surplus": surplus, "window": window,
            "marks": [[100 + each, "held", None, None, 3] for each in range(held)],
        }  # fmt: skip

    statement: dict[str, Any] = {
        "month": "2026-06", "state": "provisional", "billed": False, "changes": None, "tax": [], "totals": ENERGY,
        "money": money | {"debit_cent": 0, "credit_cent": 0},
        "days": [
            day(1, [None] * 4, window=None),
            day(2, [0, None, 5, None], window=None),
            day(3, [None, None, 0, 0], window=[102, None]),
            day(4, [None] * 4, window=[104, None]),
            day(5, [None] * 4, window=None, held=4),
        ],
    }  # fmt: skip
    days = month_numbers(statement, {"bills": [], "now_cent": 0, "waiting_cent": 0}).days
    assert [(each.unread_slots, each.is_unread) for each in days] == [
        (4, True), (2, False), (0, False), (0, False), (0, False),
    ]  # fmt: skip
    assert [day_energy(each, "sold", WORDS) for each in days] == ["no reading", *[f"0.000{NO_BREAK}kWh"] * 4]
