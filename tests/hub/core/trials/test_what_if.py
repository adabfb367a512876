"""Trying a rule: the rule in force gives back what was settled, gains add up, nothing is told of fewer than five."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.rules.group_size import GroupRule
from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.rulebook import Prices
from hub.core.settlement.period import settle
from hub.core.settlement.prepared_readings import Readings
from hub.core.trials.rule_choices import chosen_rule
from hub.core.trials.what_if import (
    MemberComparison,
    PeriodOutcome,
    fit_rule,
    gini_ppm,
    summarise,
    try_rule,
    usual_params,
)
from tests.hub.core.settlement.settlement_worlds import METHODS, WORK_CONSERVING
from tests.hub.core.statements.statement_street import make_readings, make_rule, street_members

relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
DAYS = ("2026-05-03", "2026-05-04")


def days(count: int, *, seed: int = 1, gaps: float = 0.05) -> list[Readings]:
    members = street_members(count)
    return [make_readings(members, day, seed=seed + n, gaps=gaps) for n, day in enumerate(DAYS)]


@pytest.mark.parametrize("method", METHODS)
def test_the_rule_in_force_gives_back_what_was_settled(method: str) -> None:
    parts = days(7)
    rule = make_rule(method, parts[0].members, seed=3, aggregate=4, percent=True)
    stood = [settle(part, rule) for part in parts]
    trial = try_rule(parts, rule, stood=stood)
    assert [settled.result_hash() for settled in trial.settled] == [settled.result_hash() for settled in stood]
    assert all(change.gain_nano == 0 and change.current == change.alternative for change in trial.changes)
    for i, change in enumerate(trial.changes):
        assert change.alternative.benefit_nano == sum(settled.money.benefit_nano[i] for settled in stood)
    shown = summarise(trial)
    assert (shown.gainers, shown.losers, shown.version) == (0, 0, rule.version())


@given(seed=st.integers(0, 2**20), method=st.sampled_from(METHODS), other=st.sampled_from(METHODS))
@settings(relaxed, max_examples=30)
def test_what_members_gain_is_what_more_sharing_is_worth_less_the_margin(seed: int, method: str, other: str) -> None:
    parts = days(6, seed=seed)
    rule = make_rule(method, parts[0].members, seed=seed)
    stood = [settle(part, rule) for part in parts]
    trial = try_rule(parts, make_rule(other, parts[0].members, seed=seed + 1), stood=stood)
    more = sum(int(t.alloc_wh.sum()) - int(s.alloc_wh.sum()) for t, s in zip(trial.settled, stood, strict=True))
    prices = rule.prices
    spread = prices.retail_micro_per_kwh - prices.feedin_micro_per_kwh
    margin = prices.buy_micro_per_kwh - prices.sell_micro_per_kwh
    assert sum(change.gain_nano for change in trial.changes) == more * (spread - margin)


def test_all_nine_methods_are_compared_on_the_same_readings() -> None:
    sizes = np.arange(1, 9)  # homes of very different size
    parts = [replace(part, demand_wh=np.where(part.demand_wh < 0, -1, part.demand_wh * sizes)) for part in days(8)]
    rule = make_rule("proportional", parts[0].members, seed=1)
    stood = [settle(part, rule) for part in parts]
    trials = {
        method: try_rule(parts, chosen_rule(method, in_force=rule, parts=parts), stood=stood) for method in METHODS
    }
    shown = {method: summarise(trial) for method, trial in trials.items()}
    best = max(summary.shared_wh for summary in shown.values())
    for method, summary in shown.items():
        assert summary.homes == 8
        assert summary.margin_nano == summary.shared_wh * (185_432 - 158_765)
        assert 0 <= summary.self_consumption_ppm <= 1_000_000
        assert summary.worse_off_than_alone == len(trials[method].worse_off) == 0
        if method in WORK_CONSERVING:
            assert summary.shared_wh == best
    assert shown["equal"].gini_received_ppm < shown["proportional"].gini_received_ppm
    assert all(change.gain_nano == 0 for change in trials["proportional"].changes)


def test_fees_can_leave_a_member_worse_off_than_alone() -> None:
    parts = days(6)
    rule = make_rule("equal", parts[0].members, seed=1)
    stood = [settle(part, rule) for part in parts]
    free = try_rule(parts, rule, stood=stood)
    fee = free.of_member("a").alternative.benefit_nano + 1
    trial = try_rule(parts, rule, stood=stood, fees_nano={"a": fee, "gone": 7})
    assert trial.worse_off == ("a", "gone")
    assert trial.of_member("a").gain_nano == 0
    assert summarise(trial).worse_off_than_alone == 2
    assert summarise(trial).gini_benefit_ppm is None
    with pytest.raises(KeyError):
        trial.of_member("nobody")


@pytest.mark.parametrize("count", [1, 4])
def test_of_fewer_than_five_homes_a_summary_tells_nothing(count: int) -> None:
    parts = days(count)
    rule = make_rule("equal", parts[0].members, seed=1)
    shown = summarise(try_rule(parts, rule, stood=[settle(part, rule) for part in parts]))
    told = {name: getattr(shown, name) for name in shown.__slots__}
    assert {name for name, value in told.items() if value is not None} == {"method", "version", "homes"}


def test_mean_gains_are_told_only_where_neither_group_is_small() -> None:
    parts = days(12, gaps=0)
    rule = make_rule("proportional", parts[0].members, seed=1)
    trial = try_rule(parts, rule, stood=[settle(part, rule) for part in parts])
    for gains in ([5] * 12, [5] * 7 + [-3] * 5, [5] * 8 + [-3] * 4, [5] * 4 + [-3] * 8, [0] * 7 + [4] * 5):
        changes = tuple(
            MemberComparison(f"m{i}", PeriodOutcome(cost_nano=gain), PeriodOutcome(cost_nano=0))
            for i, gain in enumerate(gains)
        )
        shown = summarise(replace(trial, changes=changes))
        up, down = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
        told = up not in range(1, 5) and down not in range(1, 5)
        assert (shown.gainers, shown.losers) == (up, down)
        assert shown.gain_of_gainers_nano == (max(gains) if told and up else None)
        assert shown.gain_of_losers_nano == (min(gains) if told and down else None)


def test_hourly_sharing_is_compared_on_the_readings_both_take() -> None:
    members = street_members(6)
    part = make_readings(members, DAYS[0], seed=4, gaps=0.1)
    rule = make_rule("equal", members, seed=1)
    trial = try_rule([part], replace(rule, aggregate=4), stood=[settle(part, rule)])
    assert any(change.current.alone_nano != change.alternative.alone_nano for change in trial.changes)
    for change in trial.changes:
        assert change.gain_nano == change.alternative.benefit_nano - change.current.benefit_nano
        assert change.alternative.received_wh <= change.alternative.demand_wh


@pytest.mark.parametrize("method", METHODS)
def test_a_rule_is_tried_on_days_when_not_everyone_was_a_member(method: str) -> None:
    parts = days(7)
    fewer = Readings(
        parts[0].members[1:], parts[0].slots, parts[0].surplus_wh[:, 1:].copy(), parts[0].demand_wh[:, 1:].copy()
    )
    parts[0] = fewer
    rule = replace(make_rule("equal", parts[1].members, seed=1))
    stood = [settle(part, rule) for part in parts]
    tried = replace(rule, method=method, params=usual_params(method, parts))
    trial = try_rule(parts, tried, stood=stood)
    assert len(trial.changes) == 7
    assert fit_rule(tried, parts[1].members) is tried


def test_without_outside_prices_there_is_no_comparison_and_a_bad_rule_is_refused() -> None:
    parts = days(5)
    rule = make_rule("equal", parts[0].members, seed=1)
    stood = [settle(part, rule) for part in parts]
    blind = [settle(part, replace(rule, prices=Prices(2, 1, None, None))) for part in parts]
    with pytest.raises(ValueError, match="nothing to compare"):
        try_rule(parts, rule, stood=blind)
    with pytest.raises(RejectedInputError, match="weights_members"):
        try_rule(parts, replace(rule, method="static", params={"weights": {"a": 1}}), stood=stood)


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=30))
@settings(relaxed, max_examples=200)
def test_gini_is_the_mean_difference_of_all_pairs(amounts: list[int]) -> None:
    found = gini_ppm(amounts)
    if sum(amounts) == 0:
        assert found is None
        return
    pairs = sum(abs(x - y) for x in amounts for y in amounts)
    assert found == int(Fraction(pairs * 1_000_000, 2 * len(amounts) * sum(amounts)))
    assert gini_ppm([-1, 5]) is None
    assert np.isclose(gini_ppm([0] * 9 + [1]), 900_000)


def test_members_see_no_totals_that_are_about_one_to_four_makers() -> None:
    """The month's surplus follows from what was shared and the part of the surplus that it was."""
    parts = [make_readings(street_members(count), "2026-05-01", seed=4) for count in (7, 12)]
    for readings, is_shown in zip(parts, (False, True), strict=True):
        rule = make_rule("proportional", readings.members, seed=1)
        trial = try_rule([readings], rule, stood=[settle(readings, rule)])
        assert summarise(trial).shared_wh is not None
        shown = summarise(trial, group=GroupRule())
        assert (shown.shared_wh is not None, shown.self_consumption_ppm is not None) == (is_shown, is_shown)
    four = frozenset(street_members(7)[:4])
    readings = parts[0]
    rule = make_rule("proportional", readings.members, seed=1)
    trial = try_rule([readings], rule, stood=[settle(readings, rule)])
    assert summarise(trial, group=GroupRule(plants=four)).shared_wh is not None, "the co-op's own plants are nobody's"
