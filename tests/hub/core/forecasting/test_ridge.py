"""The batched ridge against statsmodels' own, and its rolling origins against plain refits."""

import numpy as np
import pytest

from hub.core.forecasting.ridge import RidgeSettings, rolling_ridge, sharing_kernel

ROWS, WIDTH = 20, 4
POOLED = RidgeSettings(groups=1, share_columns=96, half_life_rows=10.0, penalty=0.3)


def problem(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(0, [1, 5, 0.1], (ROWS, 96, WIDTH - 1))
    features = np.concatenate([np.ones((ROWS, 96, 1)), features], axis=2)
    target = features @ np.array([2.0, 1.0, -0.4, 3.0]) + rng.normal(0, 0.5, (ROWS, 96))
    target[rng.random((ROWS, 96)) < 0.1] = np.nan
    return features, target


@pytest.mark.parametrize("lead", [0, 1])
def test_the_newest_coefficients_are_those_of_statsmodels(lead: int) -> None:
    from statsmodels.regression.linear_model import WLS  # takes seconds

    features, target = problem()
    _, ours = rolling_ridge(features, target, lead=lead, settings=POOLED)
    rows = ROWS - 1 - lead
    known = np.isfinite(target[:rows]).ravel()
    x, y = features[:rows].reshape(-1, WIDTH)[known], target[:rows].ravel()[known]
    age = np.repeat(np.arange(rows)[::-1], 96)[known]
    kernel = np.tile(sharing_kernel(POOLED)[0], rows)[known]
    weights = kernel * 0.5 ** (age / POOLED.half_life_rows)
    mean_square = (weights[:, None] * x * x).sum(axis=0)
    shrink = POOLED.penalty * mean_square
    shrink[0] = 0
    # statsmodels divides the loss by the number of rows and scales alpha by the mean weight.
    theirs = WLS(y, x, weights=weights).fit_regularized(alpha=shrink / weights.sum(), L1_wt=0)
    assert np.allclose(ours[0], theirs.params, rtol=1e-6)


def test_each_row_is_predicted_by_older_rows_only() -> None:
    features, target = problem()
    settings = RidgeSettings()
    whole, _ = rolling_ridge(features, target, lead=1, settings=settings)
    for row in (8, 12, 19):
        cut = target.copy()
        cut[row - 1 :] = 1e6
        alone, _ = rolling_ridge(features, cut, lead=1, settings=settings)
        assert np.array_equal(alone[row], whole[row])
    assert np.isnan(whole[: settings.rows_min + 1]).all()


def test_a_feature_that_never_moves_is_left_alone() -> None:
    features, target = problem()
    features[:, :, 2] = 0.0
    predicted, coefficients = rolling_ridge(features, target, lead=0, settings=RidgeSettings())
    assert np.isfinite(predicted[10:]).all()
    assert np.all(coefficients[:, 2] == 0)
