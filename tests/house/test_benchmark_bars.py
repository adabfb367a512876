"""`make bench` ends badly when a figure passes its bar, falls below its floor or was not measured at all."""

import math

import pytest

from tests.benchmarks.__main__ import bars_beside, broken_bars


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        ({"cost": 4.0, "speed": 20}, []),
        ({"cost": 4.01, "speed": 20}, ["x: cost is 4.01, at most 4 is allowed"]),
        ({"cost": 1, "speed": 19.9}, ["x: speed is 19.9, at least 20 is needed"]),
        ({"cost": math.nan, "speed": 21}, ["x: cost is nan, at most 4 is allowed"]),
        ({"cost": 1}, ["x: speed is not measured, at least 20 is needed"]),
    ],
)
def test_a_broken_bar_is_said(measured: dict[str, float], said: list[str]) -> None:
    assert broken_bars("x", measured, bars={"cost": 4}, floors={"speed": 20}) == said
    beside = bars_beside(measured, bars={"cost": 4}, floors={"speed": 20})
    assert beside == {
        "cost_bar": 4,
        "cost_holds": not any("cost" in each for each in said),
        "speed_bar": 20,
        "speed_holds": not any("speed" in each for each in said),
    }
