"""A new version of a rule: changes keep the rest, presets of every country become rules, unknown keys are refused."""

from typing import Any

import pytest

from hub.core.rules.country_presets import PRESETS
from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.presets import find_preset
from hub.core.rules.rule_draft import draft_rule
from hub.core.rules.rulebook import Prices, Rule

MEMBERS = ("ann", "ben")
BASE = Rule("proportional", prices=Prices(160_000, 150_000, 300_000, 80_000), part_month_fee="by_day")
FILLED: dict[str, Any] = {
    "params.weights": {"ann": 400_000, "ben": 600_000},
    "params.rounds": 2,
    "params.tiers": [["ann"], ["ben"]],
    "params.coefficients": {"ann": {"ben": 1_000_000}},
}


def test_what_the_changes_do_not_name_stays() -> None:
    rule = draft_rule(BASE, {"buy_micro_per_kwh": 170_000, "estimate": "straight_line"}, members=MEMBERS)
    assert rule.prices == Prices(170_000, 150_000, 300_000, 80_000)
    assert (rule.method, rule.part_month_fee) == ("proportional", "by_day")
    assert (rule.estimate.method, rule.estimate.longest) == ("straight_line", 4)
    assert draft_rule(BASE, {}, members=MEMBERS) == BASE


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)
def test_each_countrys_preset_becomes_a_rule(preset: Any) -> None:
    params = {each.place.removeprefix("params."): FILLED[each.place] for each in preset.must_fill}
    rule = draft_rule(BASE, {"params": params} if params else {}, members=MEMBERS, preset=preset)
    assert (rule.method, rule.aggregate, rule.prices) == (preset.method, preset.aggregate, BASE.prices)
    if preset.equal_weights:
        assert rule.params == {"weights": {"ann": 1, "ben": 1}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metod": "equal"}, "the rule has no key 'metod'; its keys are method, "),
        ({"method": "fair"}, "method 'fair' is not one of"),
        ({"buy_micro_per_kwh": 1}, "prices.sell 150000 is above prices.buy 1"),
        ({"buy_micro_per_kwh": 10**9 + 1}, "buy_micro_per_kwh is greater than"),
        ({"retail_micro_per_kwh": -1}, "retail_micro_per_kwh is negative"),
        ({"buy_micro_per_kwh": 0.17}, "buy_micro_per_kwh is in millionths of the currency per kWh"),
        ({"estimate": "guess"}, "estimate 'guess' is not one of"),
        ({"estimate_longest": 97}, "estimate_longest is not from 1 to 96"),
        ({"method": "weighted", "params": {"weights": {"ann": 1}}}, "must name every member and nobody else"),
        ({"method": "weighted", "params": {"wieghts": {}}}, "params of weighted has no key 'wieghts'"),
        ({"participation_percent": {"zoe": 50}}, "participation names 'zoe', who is not a member"),
    ],
)
def test_wrong_changes_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(RejectedInputError) as refusal:
        draft_rule(BASE, changes, members=MEMBERS)
    assert said in str(refusal.value)


def test_a_preset_says_what_it_needs_and_keeps_its_method() -> None:
    with pytest.raises(RejectedInputError, match=r"the preset es-beta needs params\.weights in a file"):
        draft_rule(BASE, {}, members=MEMBERS, preset=find_preset("es-beta"))
    with pytest.raises(RejectedInputError, match="method comes from the preset at-dynamic"):
        draft_rule(BASE, {"method": "equal"}, members=MEMBERS, preset=find_preset("at-dynamic"))


def test_whoever_takes_part_in_full_is_not_named() -> None:
    rule = draft_rule(BASE, {"participation_percent": {"ann": 100, "ben": 40}}, members=MEMBERS)
    assert rule.participation_percent == {"ben": 40}
