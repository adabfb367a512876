"""Many small ridge regressions at once, one per group of columns, refitted for every past day. Not specific to energy.

Written in numpy because the same systems are solved at every rolling origin: one batched solve of a few thousand
small normal equations takes milliseconds; a statsmodels fit for each would take seconds. The tests compare the result
with statsmodels' own ridge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hub.core.forecasting.day_grid import SLOTS_PER_DAY, Floats


@dataclass(frozen=True, slots=True)
class RidgeSettings:
    """How much the past counts and how many neighbouring columns share their data.

    `penalty` is relative to each feature's own mean square, so units do not matter; feature 0 (the constant) is
    hardly shrunk at all.
    """

    groups: int = 24
    share_columns: int = 8
    half_life_rows: float = 60.0
    penalty: float = 0.1
    rows_min: int = 5


def sharing_kernel(settings: RidgeSettings) -> Floats:
    """The weight of each column in each group's fit, falling linearly to zero. Shape: (groups, 96)."""
    width = SLOTS_PER_DAY / settings.groups
    centre = (np.arange(settings.groups) + 0.5) * width - 0.5
    distance = np.abs(centre[:, None] - np.arange(SLOTS_PER_DAY)[None, :])
    distance = np.minimum(distance, SLOTS_PER_DAY - distance)
    beyond = np.maximum(distance - (width - 1) / 2, 0.0)
    return np.asarray(np.maximum(1.0 - beyond / (settings.share_columns + 1), 0.0))


def rolling_ridge(features: Floats, target: Floats, *, lead: int, settings: RidgeSettings) -> tuple[Floats, Floats]:
    """Predictions for each row from a fit on rows at least `lead + 1` rows older, and the newest row's coefficients.

    Known at: row r uses target rows up to r - lead - 1 only; a row with fewer than `rows_min` such rows is NaN.
    Shape: features (rows, 96, p) without NaN, target (rows, 96) with NaN for gaps; returns (rows, 96), (groups, p).
    """
    rows, _, width = features.shape
    known = np.isfinite(target)
    masked = features * known[:, :, None]
    gram = np.einsum("rsp,rsq->rspq", masked, features).reshape(rows, SLOTS_PER_DAY, width * width)
    moment = masked * np.where(known, target, 0.0)[:, :, None]
    kernel = sharing_kernel(settings)
    evidence = np.matmul(kernel, np.concatenate([gram, moment], axis=2))
    decay = 0.5 ** (1.0 / settings.half_life_rows)
    for row in range(1, rows):
        evidence[row] += decay * evidence[row - 1]
    solved = np.arange(settings.rows_min + lead, rows)
    predicted = np.full((rows, SLOTS_PER_DAY), np.nan)
    if not len(solved):
        return predicted, np.zeros((settings.groups, width))
    coefficients = _solve(evidence[solved - lead - 1], width, penalty=settings.penalty)
    group_of_column = np.arange(SLOTS_PER_DAY) * settings.groups // SLOTS_PER_DAY
    predicted[solved] = np.einsum("rsp,rsp->rs", features[solved], coefficients[:, group_of_column])
    return predicted, coefficients[-1]


def _solve(evidence: Floats, width: int, *, penalty: float) -> Floats:
    """Coefficients of every system. Shape: (rows, groups, p * p + p) -> (rows, groups, p)."""
    gram = evidence[..., : width * width].reshape(*evidence.shape[:2], width, width).copy()
    moment = evidence[..., width * width :]
    diagonal = np.einsum("rgpp->rgp", gram)
    scale = diagonal.mean(axis=1, keepdims=True)
    shrink = penalty * scale
    shrink[..., 0] = 1e-9 * scale[..., 0]
    # A feature that was always zero (no weather, no weekend yet) has a zero row: a 1 on its diagonal keeps it at zero.
    diagonal += np.where(scale > 0, shrink + 1e-9 * scale, 1.0)
    return np.asarray(np.linalg.solve(gram, moment[..., None])[..., 0], dtype=np.float64)
