"""The rule of a settled day as the store keeps it: its canonical bytes, decoded and checked."""

import json

import pytest

from hub.books.stored_rules import read_rule
from hub.core.rules.estimate_rule import EstimateRule
from hub.core.rules.rulebook import Prices, Rule

RULE = Rule(
    "tiers",
    params={"members": {"m01": 1}},
    aggregate=4,
    participation_percent={"m02": 50},
    missing="refuse",
    prices=Prices(160_000, 150_000, None, 80_000),
    connection_w=17_000,
    estimate=EstimateRule("same_time_of_week", longest=8, weeks=6, least=3),
)


@pytest.mark.parametrize("rule", [RULE, Rule("proportional")])
def test_a_rule_comes_back_from_its_bytes(rule: Rule) -> None:
    read = read_rule(rule.canonical())
    assert read == rule
    assert (read.canonical(), read.version()) == (rule.canonical(), rule.version())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aggregate", "4"),
        ("participation_percent", {"m02": 50.5}),
        ("prices", {"buy": None, "sell": 1, "retail": 1, "feedin": 1}),
        ("connection_w", True),
        ("estimate", {"method": "guess", "longest": 1, "weeks": 1, "least": 1}),
    ],
)
def test_bytes_that_are_not_a_rule_are_refused(key: str, value: object) -> None:
    document = json.loads(RULE.canonical()) | {key: value}
    with pytest.raises(ValueError, match=key):
        read_rule(json.dumps(document).encode())
    del document[key]
    if key not in ("connection_w", "estimate"):
        with pytest.raises(ValueError, match=f"missing required field `{key}`"):
            read_rule(json.dumps(document).encode())
