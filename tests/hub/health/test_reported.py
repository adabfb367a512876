"""What a process reports goes through JSON unchanged; anything else is refused in one line."""

import itertools
import json
from dataclasses import replace

import pytest

from hub.health.facts import HubHealth, as_facts, homes_at_least, is_street_silent
from hub.health.reported import HealthReportError, read_health
from tests.hub.health.whole_hub import STORED, whole_hub


def test_health_goes_through_json_unchanged() -> None:
    health = whole_hub()
    assert read_health(json.loads(json.dumps(as_facts(health))), HubHealth) == health


@pytest.mark.parametrize("wrong", [{}, {"now_s": "soon"}, {"now_s": 1.0, "parts": [{"name": 3}]}])
def test_other_facts_are_refused_in_one_line(wrong: dict[str, object]) -> None:
    with pytest.raises(HealthReportError) as refused:
        read_health(wrong, HubHealth)
    assert len(str(refused.value).splitlines()) == 1


def test_counts_of_homes_that_may_be_told_differ_by_five_or_not_at_all() -> None:
    told = [homes_at_least(count) for count in range(40)]
    assert {b - a for a, b in itertools.pairwise(told)} == {0, 5}
    assert not is_street_silent(STORED)


def test_a_street_is_called_silent_only_if_most_of_it_is_and_always_if_nobody_sends() -> None:
    for homes in range(60):
        for silent in range(homes + 1):
            is_silent = is_street_silent(replace(STORED, homes=homes, silent=silent))
            assert not is_silent or (silent >= 5 and silent * 2 > homes)
            assert is_silent or silent < max(homes, 5)
            assert is_silent == is_street_silent(
                replace(STORED, homes=homes_at_least(homes), silent=homes_at_least(silent))
            )
