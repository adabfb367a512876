"""The spread around a prediction and the paths of its errors: by hand, with gaps, and before any error is known."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.core.forecasting.errors import ERROR_ROWS, ERROR_ROWS_MIN
from hub.core.forecasting.models import ModelPrediction
from hub.core.forecasting.spread import BIAS_DAYS, DayAhead, day_ahead, error_paths, guessed_spread

Floats = NDArray[np.float64]
NAN = np.nan
LEVELS = np.array([0.1, 0.5, 0.9])


def always(days: int, *, error: Floats | float, point: float = 100.0, target: str = "demand") -> DayAhead:
    """A model that predicted `point` on every day; the readings were off by `error`."""
    rows = np.full((days + 1, 96), NAN)
    rows[:days] = point + error
    return day_ahead(target, rows, ModelPrediction(np.full((days + 1, 96), point)), LEVELS, past_rows=days)


def test_the_guess_is_five_eighths_of_the_point_from_the_median_to_each_side() -> None:
    found = guessed_spread(np.array([0.0, 80.0]), LEVELS)
    assert found.tolist() == [[0.0, 0.0, 0.0], [pytest.approx(-40.0), 0.0, pytest.approx(40.0)]]


@pytest.mark.parametrize("days", range(1, ERROR_ROWS_MIN))
def test_too_few_days_of_errors_are_a_guess(days: int) -> None:
    assert np.array_equal(always(days, error=5.0).spread_wh, guessed_spread(np.full(96, 100.0), LEVELS))


def test_three_days_are_enough() -> None:
    assert not np.array_equal(always(ERROR_ROWS_MIN, error=5.0).spread_wh, guessed_spread(np.full(96, 100.0), LEVELS))


@pytest.mark.parametrize("target", ["demand", "wind"])
@pytest.mark.parametrize("days", [3, 20, 42])
def test_a_bias_is_believed_the_more_days_show_it(target: str, days: int) -> None:
    """With a constant error the spread is the error times days / (20 + days): a half after twenty days."""
    spread = always(days, error=10.0, target=target).spread_wh
    assert np.allclose(spread, 10.0 * days / (BIAS_DAYS + days))


def test_only_the_newest_six_weeks_count() -> None:
    error = np.zeros((ERROR_ROWS + 5, 1))
    error[:5] = 1000.0
    assert not always(ERROR_ROWS + 5, error=error).spread_wh.any()
    error[5] = 1000.0
    assert np.ptp(always(ERROR_ROWS + 5, error=error).spread_wh) >= 0


def test_an_hour_without_errors_gets_those_of_the_day() -> None:
    rng = np.random.default_rng(1)
    error = rng.normal(0, 10, (10, 96))
    error[:, 32:52] = NAN  # eight to thirteen: nine to twelve have no known hour beside them
    day = always(10, error=error)
    assert np.isfinite(day.spread_wh).all()
    middle = np.ptp(day.spread_wh[36:48], axis=0)
    assert (middle == 0).all(), "one spread for all of them"
    assert np.isnan(day.errors_wh[:, 40]).all()


def test_the_point_is_the_newest_row_without_gaps_and_never_negative() -> None:
    rows = np.full((5, 96), NAN)
    rows[:4] = 60.0
    predicted = np.full((5, 96), 60.0)
    predicted[4, :10], predicted[4, 10:20] = NAN, -5.0
    point = day_ahead("demand", rows, ModelPrediction(predicted), LEVELS, past_rows=4).point_wh
    assert point.tolist() == [60.0] * 10 + [0.0] * 10 + [60.0] * 76


def test_wind_errors_depend_on_the_height() -> None:
    rng = np.random.default_rng(2)
    heights = rng.uniform(0, 1000, (21, 96))
    rows = heights * (1 + rng.normal(0, 0.2, (21, 96)))
    rows[20] = NAN
    heights[20] = np.linspace(50, 950, 96)
    day = day_ahead("wind", rows, ModelPrediction(heights), LEVELS, past_rows=20)
    width = day.spread_wh[:, 2] - day.spread_wh[:, 0]
    assert width[-1] > 4 * width[0]


def days_of(errors: list[Floats]) -> list[DayAhead]:
    return [DayAhead(np.zeros(96), np.zeros((96, 3)), error) for error in errors]


def numbered(rows: int) -> Floats:
    return np.repeat(np.arange(float(rows))[:, None], 96, axis=1)


def test_a_path_joins_the_errors_of_one_origin_over_all_days() -> None:
    """Today's error of row r and tomorrow's of row r + 1 were made at the same time."""
    paths, days_back = error_paths(days_of([numbered(10), numbered(10) + 100]), past_rows=10)
    assert days_back == [10, 9, 8, 7, 6, 5, 4, 3, 2]
    assert paths.shape == (9, 192)
    for path, back in zip(paths, days_back, strict=True):
        assert path.tolist() == [10.0 - back] * 96 + [111.0 - back] * 96


def test_only_the_newest_origins_are_kept_oldest_first() -> None:
    paths, days_back = error_paths(days_of([numbered(80)]), past_rows=80)
    assert days_back == list(range(ERROR_ROWS, 0, -1))
    assert all(earlier < later for earlier, later in pairwise(paths[:, 0].tolist()))


def test_a_quarter_of_gaps_is_bridged_and_more_leaves_the_path_out() -> None:
    errors = np.repeat(np.arange(96.0)[None, :], 3, axis=0)
    errors[0, 30:54] = NAN
    errors[1, 30:55] = NAN
    paths, days_back = error_paths(days_of([errors]), past_rows=3)
    assert days_back == [3, 1]
    assert np.allclose(paths[0], np.arange(96.0))


def test_without_any_path_the_shape_remains() -> None:
    paths, days_back = error_paths(days_of([np.full((4, 96), NAN)] * 2), past_rows=4)
    assert paths.shape == (0, 192)
    assert days_back == []
