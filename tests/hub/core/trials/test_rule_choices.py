"""Rules a member may try name no home for better or worse, and every one of them settles."""

from dataclasses import replace

import numpy as np
import pytest

from hub.core.rules.rulebook import Prices, Rule
from hub.core.settlement.period import settle
from hub.core.settlement.prepared_readings import Readings
from hub.core.trials.rule_choices import CHOICES, chosen_rule

RULE = Rule("proportional", participation_percent={"b": 50}, prices=Prices(160_000, 140_000, 320_000, 80_000))
READINGS = Readings(
    members=("a", "b", "c"),
    slots=tuple(range(8)),
    surplus_wh=np.array([[900, 0, 0]] * 8, dtype=np.int64),
    demand_wh=np.array([[0, 300, 300]] * 8, dtype=np.int64),
)


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_settles_at_the_prices_in_force(choice: str) -> None:
    rule = chosen_rule(choice, in_force=RULE, parts=[READINGS])
    assert (rule.prices, rule.participation_percent) == (RULE.prices, RULE.participation_percent)
    assert sum(settle(READINGS, rule).totals_wh["alloc"]) > 0


def test_a_home_netted_otherwise_stays_so_where_the_choice_allows_it() -> None:
    in_force = replace(RULE, aggregate=4, netting="60min", netting_of={"a": "60min", "b": "none"})
    for choice, netting_of in (("es-beta", {"a": "60min", "b": "none"}), ("pt-fixed", {"b": "none"})):
        rule = chosen_rule(choice, in_force=in_force, parts=[READINGS])
        assert rule.netting_of == netting_of
        assert sum(settle(READINGS, rule).totals_wh["alloc"]) > 0


def test_what_is_no_choice_is_no_rule() -> None:
    with pytest.raises(KeyError):
        chosen_rule("mine", in_force=RULE, parts=[READINGS])
