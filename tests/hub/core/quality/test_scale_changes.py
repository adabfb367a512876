"""Grid meters that begin to count more: what is found on a street that lives as usual, and what is left alone."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.core.quality.scale_changes import DAYS, DAYS_BEFORE, find_scale_changes

HOMES = tuple(f"h{number}" for number in range(1, 9))
SPAN = DAYS + DAYS_BEFORE
Wh = NDArray[np.int64]


def street(days: int, *, seed: int = 1, makers: int = 3) -> tuple[Wh, Wh]:
    """Homes that draw a base and more in the evening, each a little different from day to day; some have panels."""
    rng = np.random.default_rng(seed)
    hours = np.arange(96) / 4
    evening = 1 + 3 * np.exp(-(((hours - 19) / 2) ** 2)) + np.exp(-(((hours - 8) / 2) ** 2))
    sun = np.maximum(0, np.sin((hours - 6) / 12 * np.pi)) * rng.uniform(0.3, 1, (days, 1))
    size = rng.uniform(20, 60, len(HOMES)) * np.exp(rng.normal(0, 0.1, (days, 1, len(HOMES))))
    use = size * evening[None, :, None] * np.exp(rng.normal(0, 0.3, (days, 96, len(HOMES))))
    made = sun[:, :, None] * np.where(np.arange(len(HOMES)) < makers, 900, 0)
    net = np.rint(use - made).astype(np.int64)
    return np.maximum(net, 0), np.maximum(-net, 0)


def scaled(values: Wh, home: int, factor: float, *, days: int = DAYS) -> Wh:
    changed = values.copy()
    changed[-days:, :, home] = np.rint(changed[-days:, :, home] * factor)
    return changed


@pytest.mark.parametrize("home", range(len(HOMES)))
def test_half_as_much_again_is_found_within_three_days(home: int) -> None:
    grid = [scaled(values, home, 1.5) for values in street(SPAN)]
    (found,) = find_scale_changes(HOMES, *grid)
    assert found.home == HOMES[home]
    assert 125 <= found.percent <= 180


def test_a_street_that_lives_as_usual_is_left_alone() -> None:
    grid = street(SPAN + 60, seed=3)
    spans = [[values[start : start + SPAN] for values in grid] for start in range(60)]
    assert [find_scale_changes(HOMES, *span) for span in spans] == [()] * 60


def test_what_the_whole_street_does_is_no_finding() -> None:
    grid = street(SPAN, makers=0)
    for values in grid:
        values[-DAYS:] = np.rint(values[-DAYS:] * 1.5)
    assert find_scale_changes(HOMES, *grid) == ()


def test_gaps_few_homes_and_few_days_find_nothing() -> None:
    grid = [scaled(values, 0, 1.5) for values in street(SPAN)]
    assert find_scale_changes(HOMES, *(values[1:] for values in grid)) == ()
    assert find_scale_changes(HOMES[:4], *(values[:, :, :4] for values in grid)) == ()
    for values in grid:
        values[-DAYS:, ::3, 0] = -1
    assert [found.home for found in find_scale_changes(HOMES, *grid)] in ([], ["h1"])
