"""What the board may decide on which finding: nothing on a gap, and money only where the grid meter is concerned."""

import pytest

from hub.core.homes.meter_trust import LATE_NOTICE, OTHER_NETTING
from hub.core.quality.decisions import open_verdicts
from hub.core.quality.settlement_check import VERDICTS
from protocols.quantities import Measure

GRID = (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
OTHERS = tuple(measure for measure in Measure if measure not in GRID)


@pytest.mark.parametrize("has_estimates", [False, True])
@pytest.mark.parametrize("measure", [None, *Measure])
def test_nothing_is_decided_on_a_gap(measure: Measure | None, *, has_estimates: bool) -> None:
    assert open_verdicts("gap", measure, has_estimates=has_estimates) == ()


@pytest.mark.parametrize("has_estimates", [False, True])
@pytest.mark.parametrize("measure", OTHERS)
def test_what_is_never_settled_is_only_seen(measure: Measure, *, has_estimates: bool) -> None:
    for code in ("impossible", "frozen_value", "night_sun", "register", "odd_yield"):
        assert open_verdicts(code, measure, has_estimates=has_estimates) == ("accept",)


@pytest.mark.parametrize("code", [OTHER_NETTING, LATE_NOTICE])
def test_what_a_home_said_is_only_seen(code: str) -> None:
    """It stands at one slot, whose reading is like every other: left out, nothing of what was said would change."""
    assert open_verdicts(code, None, has_estimates=True) == ("accept",)


@pytest.mark.parametrize("measure", [*GRID, None])
def test_readings_that_are_settled_can_be_left_out_or_estimated(measure: Measure | None) -> None:
    for code in ("impossible", "frozen_value", "frozen", "unbalanced", "clock_shift"):
        assert open_verdicts(code, measure, has_estimates=False) == ("accept", "reject")
        assert open_verdicts(code, measure, has_estimates=True) == ("accept", "reject", "estimate") == VERDICTS
