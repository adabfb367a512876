"""How wrong a model was: quantiles by hand, errors by time and by height, the loss, and the choice between models."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hub.core.forecasting.errors import (
    ERROR_ROWS_MIN,
    SCORED_ROWS,
    SWITCH_MARGIN,
    by_level,
    by_time_of_day,
    choose,
    pinball,
    rolling_losses,
    sorted_quantiles,
)

Floats = NDArray[np.float64]
LEVELS = np.array([0.1, 0.5, 0.9])
MIDDLE = np.array([0.5])
NAN = np.nan
bounded = settings(deadline=None, derandomize=True, max_examples=100)


@pytest.mark.parametrize(
    ("pool", "level", "expected"),
    [
        ([30.0, 10.0, 20.0], 0.5, 20.0),
        ([30.0, 10.0, 20.0], 0.25, 10.0),  # the first of three values is the quarter
        ([30.0, 10.0, 20.0], 0.375, 15.0),
        ([30.0, 10.0, 20.0], 0.01, 10.0),  # beyond the known values the nearest counts
        ([30.0, 10.0, 20.0], 0.99, 30.0),
        ([NAN, 10.0, NAN, 20.0], 0.5, 15.0),  # gaps do not count
        ([NAN, 7.0], 0.1, 7.0),
        ([NAN, NAN], 0.5, NAN),
    ],
)
def test_quantiles_by_hand(pool: list[float], level: float, expected: float) -> None:
    assert np.array_equal(sorted_quantiles(np.array(pool), np.array([level])), [expected], equal_nan=True)


@given(pool=st.lists(st.one_of(st.just(NAN), st.floats(-1e6, 1e6)), min_size=1, max_size=12))
@bounded
def test_quantiles_rise_and_stay_within_the_known_values(pool: list[float]) -> None:
    found = sorted_quantiles(np.array(pool), np.linspace(0.05, 0.95, 19))
    known = [value for value in pool if np.isfinite(value)]
    if not known:
        assert np.isnan(found).all()
        return
    assert (np.diff(found) >= -1e-9).all()
    assert min(known) - 1e-9 <= found[0]
    assert found[-1] <= max(known) + 1e-9
    assert np.allclose(found, np.quantile(known, np.linspace(0.05, 0.95, 19), method="weibull"))


def test_errors_of_an_hour_come_from_it_and_the_hours_beside_it() -> None:
    errors = np.zeros((5, 96))
    errors[:, 40:44] = 100.0  # ten o'clock
    middle = by_time_of_day(errors, np.array([0.99]))[:, 0].reshape(24, 4)
    assert (middle[9:12] == 100.0).all()
    assert not np.delete(middle, [9, 10, 11], axis=0).any()
    alone = by_time_of_day(errors, MIDDLE, overlap=0)[:, 0].reshape(24, 4)
    assert (alone[10] == 100.0).all()
    assert not np.delete(alone, 10, axis=0).any()


def test_the_last_hour_of_a_day_is_beside_the_first() -> None:
    errors = np.zeros((5, 96))
    errors[:, 92:] = 100.0
    top = by_time_of_day(errors, np.array([0.99]))[:, 0].reshape(24, 4)
    assert (top[[22, 23, 0]] == 100.0).all()
    assert not top[1:22].any()


def test_several_models_at_once_are_each_as_alone() -> None:
    errors = np.random.default_rng(1).normal(0, 1, (3, 6, 96))
    together = by_time_of_day(errors, LEVELS, blocks=8, overlap=0)
    assert together.shape == (3, 96, 3)
    for model in range(3):
        assert (by_time_of_day(errors[model], LEVELS, blocks=8, overlap=0) == together[model]).all()


def test_errors_grow_with_the_height_of_the_prediction() -> None:
    """Errors of exactly a tenth of the prediction: each height ahead gets about a tenth of itself."""
    predicted = np.random.default_rng(1).uniform(0, 1000, (20, 96))
    ahead = np.linspace(100, 900, 96)
    found = by_level(0.1 * predicted, predicted, ahead, levels=MIDDLE)[:, 0]
    assert np.abs(found - 0.1 * ahead).max() < 10
    beyond = by_level(0.1 * predicted, predicted, np.array([-5e3, 5e3]), levels=MIDDLE)[:, 0]
    assert (beyond[0], beyond[1]) == (pytest.approx(6, abs=2), pytest.approx(94, abs=2)), "the outermost bins, not more"


def test_few_errors_are_one_pool_for_all_heights() -> None:
    errors, predicted = np.full((1, 96), NAN), np.full((1, 96), NAN)
    errors[0, :31], predicted[0, :31] = np.arange(31.0), np.arange(31.0) * 100
    assert (by_level(errors, predicted, np.linspace(0, 3000, 5), levels=MIDDLE) == 15.0).all()
    errors[0, 31], predicted[0, 31] = 31.0, 3100.0
    assert np.ptp(by_level(errors, predicted, np.linspace(0, 3000, 5), levels=MIDDLE)) > 20


@pytest.mark.parametrize(
    ("actual", "expected"),
    [(10.0, 0.0), (20.0, 5.0), (0.0, 5.0)],  # at the median both sides cost half of the distance
)
def test_pinball_at_the_median(actual: float, expected: float) -> None:
    assert pinball(np.array([actual]), np.array([[10.0]]), MIDDLE)[0] == expected


def test_pinball_of_a_high_level_costs_more_below_than_above() -> None:
    quantile = np.array([[10.0]])
    assert pinball(np.array([20.0]), quantile, np.array([0.9]))[0] == pytest.approx(9.0)
    assert pinball(np.array([0.0]), quantile, np.array([0.9]))[0] == pytest.approx(1.0)
    assert np.isnan(pinball(np.array([NAN]), quantile, np.array([0.9])))[0]
    assert pinball(np.array([0.0]), np.array([[10.0, 10.0]]), np.array([0.1, 0.9]))[0] == pytest.approx(5.0)


def world(rows: int = 40) -> tuple[Floats, Floats]:
    """Readings, and two models: one that is 10 Wh too low with noise, one with three times the noise."""
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 20, (rows, 96))
    energy = 500 + 10.0 + noise
    return energy, np.stack([np.full((rows, 96), 500.0), 500.0 - 2 * noise])


def test_losses_use_only_errors_known_at_the_issue_of_each_row() -> None:
    energy, predicted = world()
    for lead in (0, 1):
        whole = rolling_losses(energy, predicted, lead, levels=LEVELS, scored=range(20, 40))
        assert whole.shape == (2, 20)
        for row in (20, 30, 39):
            changed, others = energy.copy(), predicted.copy()
            changed[row - lead : row] = changed[row + 1 :] = 1e6
            others[:, row - lead : row] = others[:, row + 1 :] = -1e6
            changed[: max(0, row - lead - SCORED_ROWS)] = 1e6
            again = rolling_losses(changed, others, lead, levels=LEVELS, scored=range(row, row + 1))
            assert np.array_equal(again[:, 0], whole[:, row - 20])
            changed[row - lead - 1] += 50.0
            differs = rolling_losses(changed, others, lead, levels=LEVELS, scored=range(row, row + 1))
            assert (differs[:, 0] != whole[:, row - 20]).all()


def test_a_constant_error_costs_nothing_once_it_is_known() -> None:
    energy = np.full((10, 96), 510.0)
    losses = rolling_losses(energy, np.full((1, 10, 96), 500.0), 0, levels=LEVELS, scored=range(10))
    assert np.isnan(losses[0, :ERROR_ROWS_MIN]).all(), "too few days are known before"
    assert (losses[0, ERROR_ROWS_MIN:] == 0).all()


def test_a_row_without_readings_has_no_loss() -> None:
    energy, predicted = world()
    energy[30] = NAN
    energy[31, :48] = NAN
    losses = rolling_losses(energy, predicted, 0, levels=LEVELS, scored=range(28, 34))
    assert np.isnan(losses[:, 2]).all()
    assert np.isfinite(np.delete(losses, 2, axis=1)).all()


def test_the_model_with_the_least_loss_is_chosen_and_losses_are_shares_of_the_mean() -> None:
    choice = choose({"simple": np.full(5, 20.0), "clever": np.full(5, 10.0)}, 100.0)
    assert choice is not None
    assert (choice.name, choice.scored_days) == ("clever", 5)
    assert choice.loss == {"simple": pytest.approx(0.2), "clever": pytest.approx(0.1)}
    without_mean = choose({"simple": np.full(5, 20.0)}, 0.0)
    assert without_mean is not None
    assert without_mean.loss == {"simple": pytest.approx(20.0)}


@pytest.mark.parametrize(
    ("better_by", "expected"), [(0.5, "simple"), (0.99, "simple"), (1.01, "clever"), (5.0, "clever")]
)
def test_a_later_model_must_be_better_by_the_margin(better_by: float, expected: str) -> None:
    losses = {"simple": np.full(5, 20.0), "clever": np.full(5, 20.0 * (1 - SWITCH_MARGIN * better_by))}
    choice = choose(losses, 100.0)
    assert choice is not None
    assert choice.name == expected


def test_recent_days_count_more() -> None:
    """One model was 30 worse a fortnight ago, where a day counts a quarter, the other 20 worse yesterday."""
    long_ago, yesterday = np.zeros(15), np.zeros(15)
    long_ago[0], yesterday[-1] = 30.0, 20.0
    choice = choose({"recently wrong": yesterday + 1, "wrong long ago": long_ago + 1}, 1.0)
    assert choice is not None
    assert choice.name == "wrong long ago"
    assert choice.loss["recently wrong"] - 1 == pytest.approx((choice.loss["wrong long ago"] - 1) * 20 / (30 / 4))


def test_models_are_compared_on_the_days_they_share() -> None:
    """The second model skipped the hard day; on the others it is worse."""
    first, second = np.array([10.0, 10.0, 10.0, 90.0]), np.array([12.0, 12.0, 12.0, NAN])
    choice = choose({"first": first, "second": second}, 10.0)
    assert choice is not None
    assert (choice.name, choice.scored_days) == ("first", 3)


def test_a_model_scored_too_seldom_does_not_compete() -> None:
    rare = np.array([NAN, NAN, 0.1, 0.1])
    choice = choose({"often": np.full(4, 10.0), "rare": rare}, 10.0)
    assert choice is not None
    assert list(choice.loss) == ["often"]
    assert choose({"rare": rare}, 10.0) is None
    apart = {"a": np.array([1.0, 1.0, 1.0, NAN, NAN]), "b": np.array([NAN, NAN, 1.0, 1.0, 1.0])}
    assert choose(apart, 10.0) is None, "only one day in common"
