"""The rule of estimates as data: its limits, and what is refused."""

import pytest

from hub.core.rules.estimate_rule import METHODS_OF_ESTIMATE, MOST_WEEKS, EstimateRule


@pytest.mark.parametrize(
    "broken",
    [{"method": "guess"}, {"longest": 0}, {"least": 0}, {"least": 5, "weeks": 4}, {"weeks": MOST_WEEKS + 1}],
)
def test_a_rule_that_makes_no_sense_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"guess is not a way to estimate|an estimate needs"):
        EstimateRule(**broken)  # type: ignore[arg-type]


def test_the_limits_themselves_are_allowed() -> None:
    assert EstimateRule("straight_line", longest=1, weeks=MOST_WEEKS, least=MOST_WEEKS).longest == 1


def test_every_method_by_its_name_makes_a_rule() -> None:
    assert [EstimateRule(method).method for method in METHODS_OF_ESTIMATE.values()] == list(METHODS_OF_ESTIMATE)
