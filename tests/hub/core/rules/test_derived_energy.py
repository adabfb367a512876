"""The rule on derived energy: two amounts that go together, off unless both are said, in the rule's bytes only then."""

import pytest

from hub.core.rules.derived_energy import NO_DERIVED, DerivedRule, require_derived
from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.rule_draft import draft_rule
from hub.core.rules.rulebook import Rule


def test_it_is_off_and_leaves_no_trace_unless_it_is_said() -> None:
    assert DerivedRule() == NO_DERIVED
    assert NO_DERIVED.is_off
    assert b"derived" not in Rule("equal").canonical()
    said = Rule("equal", derived=DerivedRule(50, 10))
    assert b'"derived":{"within_percent":10,"within_wh":50}' in said.canonical()
    assert said.version() != Rule("equal").version()


def test_a_draft_switches_it_on_keeps_it_and_switches_it_off() -> None:
    on = draft_rule(Rule("equal"), {"derived_wh": 50, "derived_percent": 10}, members=["ann"])
    assert on.derived == DerivedRule(50, 10)
    assert draft_rule(on, {"buy_micro_per_kwh": 7}, members=["ann"]).derived == DerivedRule(50, 10)
    assert draft_rule(on, {"derived_wh": 0, "derived_percent": 0}, members=["ann"]).derived == NO_DERIVED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"derived_wh": 50}, "go together"),
        ({"derived_percent": 10}, "go together"),
        ({"derived_wh": 10_001, "derived_percent": 10}, "from 0 to 10000"),
        ({"derived_wh": 50, "derived_percent": 101}, "from 0 to 100"),
        ({"derived_wh": -1, "derived_percent": 10}, "derived_wh"),
        ({"derived_wh": 0.5, "derived_percent": 10}, "derived_wh"),
        ({"derived_wh": True, "derived_percent": 10}, "derived_wh"),
    ],
)
def test_amounts_that_cannot_be_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(RejectedInputError, match=words):
        require_derived(NO_DERIVED, changes)
