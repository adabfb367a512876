"""Allocation keys: what a rule's parameters become by column, by hand for each method, and the promised order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.rules.allocation_key import GRID_PPM, AllocationKey
from hub.core.rules.rulebook import Rule, check_rule
from tests.hub.core.settlement.settlement_worlds import METHODS, NAMES, params_of

MEMBERS = ("a", "b", "p")
KEYS = [
    (Rule("proportional"), AllocationKey("proportional")),
    (Rule("equal"), AllocationKey("equal")),
    (Rule("weighted", {"weights": {"p": 0, "b": 3, "a": 2}}), AllocationKey("weighted", weights=(2, 3, 0))),
    (Rule("static", {"weights": {"a": 1, "b": 2, "p": 3}}), AllocationKey("static", weights=(1, 2, 3))),
    (
        Rule("static_rounds", {"weights": {"a": 1, "b": 0, "p": 0}, "rounds": 4}),
        AllocationKey("static_rounds", weights=(1, 0, 0), rounds=4),
    ),
    (
        Rule("static_then_proportional", {"weights": {"a": 1, "b": 1, "p": 1}, "rounds": 9}),
        AllocationKey("static_then_proportional", weights=(1, 1, 1)),
    ),
    (Rule("priority", {"tiers": [["p", "a"], [], ["b"]]}), AllocationKey("priority", tiers=((0, 2), (), (1,)))),
    (
        Rule("solidarity", {"group": ["p", "a"], "reserve_ppm": GRID_PPM}),
        AllocationKey("solidarity", group=(0, 2), reserve_ppm=1_000_000),
    ),
    (
        Rule("pairwise", {"coefficients": {"p": {"b": 5, "a": 7}, "a": {}}}),
        AllocationKey("pairwise", coefficients=((0, ()), (2, ((0, 7), (1, 5))))),
    ),
]


@pytest.mark.parametrize(("rule", "key"), KEYS, ids=lambda each: each.method if isinstance(each, Rule) else "")
def test_a_rule_becomes_this_key(rule: Rule, key: AllocationKey) -> None:
    assert check_rule(rule, MEMBERS) == key


def test_every_method_has_its_key() -> None:
    assert {rule.method for rule, _ in KEYS} == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, derandomize=True, max_examples=40)
@given(seed=st.integers(0, 2**32), count=st.integers(1, len(NAMES)))
def test_keys_keep_the_promised_order(method: str, seed: int, count: int) -> None:
    members = sorted(NAMES, key=str.encode)[:count]
    params = params_of(method, members, np.random.default_rng(seed))
    key = check_rule(Rule(method, params), members)
    assert key.method == method
    assert len(key.weights) in (0, count)
    for tier in key.tiers:
        assert list(tier) == sorted(tier)
    assert sorted(column for tier in key.tiers for column in tier) == (list(range(count)) if key.tiers else [])
    assert list(key.group) == sorted({*key.group})
    producers = [producer for producer, _ in key.coefficients]
    assert producers == sorted({*producers})
    for _, consumers in key.coefficients:
        columns = [column for column, _ in consumers]
        assert columns == sorted({*columns})
        assert sum(ppm for _, ppm in consumers) <= GRID_PPM
    given_weights = params.get("weights", {})
    assert {members[column]: weight for column, weight in enumerate(key.weights)} == given_weights
