"""Estimates: lines and medians by hand, gaps that stay gaps, and readings that are never touched."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.rules.estimate_rule import EstimateRule
from hub.core.rules.estimates import WEEK_SLOTS, estimate_gaps

relaxed = settings(deadline=None, derandomize=True, max_examples=100, suppress_health_check=list(HealthCheck))
LINE = EstimateRule("straight_line")
WEEKLY = EstimateRule("same_time_of_week")


def series(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def gaps_of(energy: list[int]) -> list[slice]:
    """Runs of missing values, counted one by one."""
    found, start = [], None
    for place, value in enumerate([*energy, 0]):
        if value < 0 and start is None:
            start = place
        if value >= 0 and start is not None:
            found.append(slice(start, place))
            start = None
    return found


@given(energy=st.lists(st.integers(-1, 5_000), min_size=1, max_size=400), longest=st.integers(1, 50))
@relaxed
@pytest.mark.parametrize("method", ["none", "straight_line", "same_time_of_week"])
def test_estimates_never_touch_a_reading(method: str, energy: list[int], longest: int) -> None:
    given_ = np.array(energy, dtype=np.int64)
    done = estimate_gaps(given_, EstimateRule(method, longest=longest, least=1))  # type: ignore[arg-type]
    assert np.array_equal(done[given_ >= 0], given_[given_ >= 0])
    assert given_.tolist() == energy, "the series itself stays as it was"
    if method != "straight_line":
        assert np.array_equal(done, given_), "no earlier week is known"
        return
    for gap in gaps_of(energy):
        is_filled = gap.start > 0 and gap.stop < len(energy) and gap.stop - gap.start <= longest
        assert (done[gap] >= 0).all() == (done[gap] >= 0).any() == is_filled
        if is_filled:
            beside = sorted((energy[gap.start - 1], energy[gap.stop]))
            assert beside[0] <= done[gap].min() <= done[gap].max() <= beside[1]


@pytest.mark.parametrize(
    ("given_", "filled"),
    [
        ((10, -1, 20), (10, 15, 20)),
        ((0, -1, -1, 10), (0, 3, 6, 10)),  # 3.33 and 6.67, rounded down
        ((10, -1, -1, 0), (10, 6, 3, 0)),
        ((5, -1, -1, -1, -1, 5), (5, 5, 5, 5, 5, 5)),
        ((5, -1, -1, -1, -1, -1, 5), (5, -1, -1, -1, -1, -1, 5)),  # longer than 4
        ((-1, 5, -1), (-1, 5, -1)),  # nothing on one side
    ],
)
def test_a_line_between_the_values_beside_the_gap(given_: tuple[int, ...], filled: tuple[int, ...]) -> None:
    assert estimate_gaps(series(*given_), LINE).tolist() == list(filled)


def test_an_estimate_of_nothing_is_an_estimate_all_the_same() -> None:
    done = estimate_gaps(series(0, -1, 0), LINE)
    assert done.tolist() == [0, 0, 0]


def test_a_week_has_672_quarter_hours() -> None:
    assert WEEK_SLOTS == 7 * 24 * 4


def test_without_a_method_every_gap_stays() -> None:
    done = estimate_gaps(series(10, -1, 20), EstimateRule())
    assert done.tolist() == [10, -1, 20]


def test_the_same_time_of_week_is_the_median_of_the_known_weeks() -> None:
    energy = np.arange(5 * WEEK_SLOTS, dtype=np.int64) % 7
    here = 4 * WEEK_SLOTS + 50
    for week, value in enumerate((100, -1, 40, 61)):
        energy[50 + week * WEEK_SLOTS] = value
    energy[here] = -1
    assert estimate_gaps(energy, WEEKLY)[here] == 61
    assert estimate_gaps(energy, replace(WEEKLY, weeks=2))[here] == 50
    assert estimate_gaps(energy, replace(WEEKLY, least=4))[here] == -1
    late = energy.copy()
    late[here] = 77
    assert np.array_equal(estimate_gaps(late, WEEKLY), late)


def test_earlier_weeks_may_be_given_newest_first() -> None:
    before = np.array([[10, 3], [20, -1], [40, -1], [900, 9]], dtype=np.int64)
    assert estimate_gaps(series(-1, -1), WEEKLY, before=before).tolist() == [30, 6]
    newest = replace(WEEKLY, weeks=2)
    assert estimate_gaps(series(-1, -1), newest, before=before).tolist() == [15, -1]
    assert estimate_gaps(series(-1, -1), replace(newest, longest=1), before=before).tolist() == [-1, -1]
