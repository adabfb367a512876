"""Shapley values: equal to counting every order, adding up to the whole, and sampled within their stated error."""

from dataclasses import replace
from fractions import Fraction
from itertools import permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.rules.rulebook import Prices
from hub.core.settlement.period import Settlement, settle
from hub.core.trials.fairness import EXACT_MEMBERS, FairnessReport, FairnessShare, explain_share, report_fairness
from tests.hub.core.settlement.settlement_worlds import METHODS
from tests.hub.core.statements.statement_street import make_readings, make_rule, street_members

relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def settled_days(count: int, *, method: str = "proportional", seed: int = 1, days: int = 2) -> list[Settlement]:
    members = street_members(count)
    rule = make_rule(method, members, seed=seed)
    return [settle(make_readings(members, f"2026-06-{n + 1:02d}", seed=seed + n, gaps=0.1), rule) for n in range(days)]


def report(settled: list[Settlement], *, pairs: int = 60, seed: int = 0) -> FairnessReport:
    return report_fairness(settled, rng=np.random.default_rng(seed), pairs=pairs)


def by_every_order(settled: list[Settlement]) -> list[Fraction]:
    """The definition, member by member, over all orders of joining."""
    count = len(settled[0].members)
    sums = [0] * count
    for order in permutations(range(count)):
        for part in settled:
            spread = part.rule.prices.retail_micro_per_kwh - part.rule.prices.feedin_micro_per_kwh
            pool = wanted = np.zeros(len(part.slots), dtype=np.int64)
            before = 0
            for column in order:
                pool, wanted = pool + part.surplus_wh[:, column], wanted + part.demand_wh[:, column]
                worth = int(np.minimum(pool, wanted).sum()) * spread
                sums[column] += worth - before
                before = worth
    return [Fraction(total, factorial(count)) for total in sums]


@given(seed=st.integers(0, 2**20), count=st.integers(1, 5), method=st.sampled_from(METHODS))
@settings(relaxed, max_examples=12)
def test_small_groups_are_counted_exactly(seed: int, count: int, method: str) -> None:
    settled = settled_days(count, seed=seed, method=method)
    found, exact = report(settled), by_every_order(settled)
    assert found.orders == 0
    assert all(abs(share.value_nano - value) < 1 for share, value in zip(found.shares, exact, strict=True))
    assert sum(share.value_nano for share in found.shares) == found.value_nano == sum(exact)


@pytest.mark.parametrize("method", METHODS)
def test_what_members_got_the_margin_and_what_was_not_shared_make_the_whole(method: str) -> None:
    settled = settled_days(12, method=method)
    found = report(settled)
    possible = sum(int(np.minimum(d.surplus_wh.sum(axis=1), d.demand_wh.sum(axis=1)).sum()) for d in settled)
    shared = sum(int(d.alloc_wh.sum()) for d in settled)
    spread = 301_999 - 71_003
    assert found.value_nano == possible * spread == sum(share.value_nano for share in found.shares)
    assert found.got_nano + found.margin_nano + found.unshared_nano == found.value_nano
    assert found.unshared_nano == (possible - shared) * spread
    for share in found.shares:
        column = settled[0].members.index(share.member)
        assert share.got_nano == sum(day.money.benefit_nano[column] for day in settled)


def test_sampled_values_lie_within_their_stated_error_of_the_exact_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    settled = settled_days(8, days=1)
    exact = report(settled)
    monkeypatch.setattr("hub.core.trials.fairness.EXACT_MEMBERS", 0)
    misses = draws = 0
    for seed in range(25):
        sampled = report(settled, pairs=40, seed=seed)
        assert sampled.orders == 80
        assert sampled.value_nano == exact.value_nano
        for true, share in zip(exact.shares, sampled.shares, strict=True):
            draws += 1
            misses += abs(share.value_nano - true.value_nano) > 2 * share.error_nano + 1
    # Two standard errors leave out about 5 of 100; the bound allows for pairs of few orders.
    assert misses <= 0.10 * draws
    few, many = report(settled, pairs=20), report(settled, pairs=320)
    assert sum(share.error_nano for share in many.shares) < 0.5 * sum(share.error_nano for share in few.shares)


def test_who_adds_nothing_is_worth_nothing_and_equal_members_are_worth_the_same() -> None:
    day = settled_days(6, days=1)[0]
    surplus, demand = day.surplus_wh.copy(), day.demand_wh.copy()
    surplus[:, 0] = demand[:, 0] = 0
    surplus[:, 2], demand[:, 2] = surplus[:, 1], demand[:, 1]
    found = report([replace(day, surplus_wh=surplus, demand_wh=demand)])
    assert found.shares[0].value_nano == 0
    assert abs(found.shares[1].value_nano - found.shares[2].value_nano) <= 1


def test_members_who_come_and_go_and_prices_that_change_count_day_by_day(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = settled_days(7)
    rule = make_rule("equal", first.members[1:], seed=1)
    rule = replace(rule, prices=Prices(20, 10, 50, 5))
    fewer = settle(make_readings(first.members[1:], "2026-06-03", seed=5), rule)
    found = report([first, second, fewer])
    alone = [report([day]) for day in (first, second, fewer)]
    for share in found.shares:
        parts = [each.of_member(share.member).value_nano for each in alone if share.member in _names(each)]
        assert abs(share.value_nano - sum(parts)) <= len(alone)
    monkeypatch.setattr("hub.core.trials.fairness.EXACT_MEMBERS", 0)
    assert report([first, second, fewer]).value_nano == found.value_nano


def _names(found: FairnessReport) -> set[str]:
    return {share.member for share in found.shares}


def test_the_same_generator_gives_the_same_report() -> None:
    settled = settled_days(EXACT_MEMBERS + 2)
    assert report(settled, seed=4) == report(settled, seed=4)
    assert report(settled, seed=4) != report(settled, seed=5)


def test_what_cannot_be_reported_is_said() -> None:
    settled = settled_days(3)
    with pytest.raises(ValueError, match="two pairs"):
        report(settled, pairs=1)
    blind = replace(settled[0], rule=replace(settled[0].rule, prices=Prices(2, 1, None, None)))
    with pytest.raises(ValueError, match="no value to divide"):
        report([blind])
    huge = replace(settled[0], surplus_wh=np.full_like(settled[0].surplus_wh, 2**55))
    with pytest.raises(ValueError, match="too large"):
        report([huge])
    with pytest.raises(KeyError):
        report(settled).of_member("nobody")


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (FairnessShare("a", 41_204_999_999, 400_000_000, 38_100_000_000), "got 3.10 EUR less than you added"),
        (FairnessShare("a", 41_200_000_000, 400_000_000, 41_900_000_000), "you got what you added"),
        (FairnessShare("a", 1_000_000_000, 0, 1_500_000_000), "got 0.50 EUR more than you added"),
        (FairnessShare("a", -2_005_000_000, 0, 0), "You added -2.01 EUR to what sharing was worth"),
    ],
)
def test_a_share_is_explained_in_plain_words(share: FairnessShare, words: str) -> None:
    said = explain_share(share, currency="EUR")
    assert words in said
    assert ("give or take 0.80 EUR" in said) == bool(share.error_nano)
