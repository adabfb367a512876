"""How wrong a model was when it did not know the day: errors by time of day, quantiles from them, and the choice.

Every error here is out of sample: the prediction of a row by what was known before it. No model is fitted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hub.core.forecasting.day_grid import SLOTS_PER_DAY, Floats

ERROR_ROWS = 42
SCORED_ROWS = 28
ERROR_ROWS_MIN = 3
SWITCH_MARGIN = 0.02
SCORE_HALF_LIFE_DAYS = 7.0
SCORE_BLOCKS = 8
LEVEL_BINS = 8


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model chosen and every eligible model's pinball loss over the same days, as a share of the mean."""

    name: str
    loss: Mapping[str, float]
    scored_days: int


def sorted_quantiles(pool: Floats, levels: Floats) -> Floats:
    """Quantiles along the last axis, gaps ignored. Shape: (..., n) -> (..., levels); NaN where nothing is known."""
    ordered = np.sort(pool, axis=-1)
    count = np.isfinite(ordered).sum(axis=-1)[..., None]
    place = np.clip(levels * (count + 1) - 1, 0, np.maximum(count - 1, 0))
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    share = place - low
    values = np.take_along_axis(ordered, low, -1) * (1 - share) + np.take_along_axis(ordered, high, -1) * share
    return np.asarray(values)


def by_time_of_day(errors: Floats, levels: Floats, *, blocks: int = 24, overlap: int = 1) -> Floats:
    """Error quantiles of each column from its block of the day and `overlap` blocks on both sides.

    Shape: errors (..., rows, 96) -> (..., 96, levels).
    """
    width = SLOTS_PER_DAY // blocks
    reach = np.arange(-overlap * width, (overlap + 1) * width)
    columns = (np.arange(blocks)[:, None] * width + reach[None, :]) % SLOTS_PER_DAY
    pool = np.moveaxis(errors[..., columns], -3, -2)
    pool = pool.reshape(*pool.shape[:-2], -1)
    return np.repeat(sorted_quantiles(pool, levels), width, axis=-2)


def by_level(errors: Floats, predicted: Floats, ahead: Floats, *, levels: Floats) -> Floats:
    """Error quantiles of each slot ahead from past slots that were predicted about as high.

    Shape: errors and predicted (rows, 96), ahead (96,) -> (96, levels).
    """
    known = np.isfinite(errors) & np.isfinite(predicted)
    order = np.argsort(predicted[known], kind="stable")
    heights, pool = predicted[known][order], errors[known][order]
    if len(pool) < 4 * LEVEL_BINS:
        return np.broadcast_to(sorted_quantiles(pool, levels), (len(ahead), len(levels)))
    edges = np.linspace(0, len(pool), LEVEL_BINS + 1).astype(np.int64)
    bins = [sorted_quantiles(pool[a:b], levels) for a, b in pairwise(edges)]
    centres = np.array([heights[a:b].mean() for a, b in pairwise(edges)])
    table = np.stack(bins)
    columns = [np.interp(ahead, centres, table[:, level]) for level in range(len(levels))]
    return np.stack(columns, axis=-1)


def pinball(actual: Floats, quantiles: Floats, levels: Floats) -> Floats:
    """Pinball loss, the mean over levels; NaN where the reading or the quantile is missing.

    Shape: actual (..., n), quantiles (..., n, levels) -> (..., n).
    """
    gap = actual[..., None] - quantiles
    return np.asarray(np.maximum(levels * gap, (levels - 1) * gap).mean(axis=-1))


def rolling_losses(rows: Floats, predicted: Floats, lead: int, *, levels: Floats, scored: range) -> Floats:
    """Pinball loss of each model on each scored row, its quantiles from errors known at that row's own issue.

    Shape: rows (rows, 96), predicted (models, rows, 96) -> (models, scored); NaN where it cannot be scored.
    """
    errors = rows - predicted
    losses = np.full((len(predicted), len(scored)), np.nan)
    for place, row in enumerate(scored):
        if row <= lead:
            continue
        known = errors[:, max(0, row - lead - SCORED_ROWS) : row - lead]
        days_known = np.isfinite(known).any(axis=2).sum(axis=1)
        spread = by_time_of_day(known, levels, blocks=SCORE_BLOCKS, overlap=0)
        loss = pinball(rows[row], predicted[:, row, :, None] + spread, levels)
        scores = np.isfinite(loss).sum(axis=1)
        mean = np.nansum(loss, axis=1) / np.maximum(scores, 1)
        losses[:, place] = np.where((days_known >= ERROR_ROWS_MIN) & (scores > 0), mean, np.nan)
    return losses


def choose(losses: Mapping[str, Floats], mean_wh: float) -> ModelChoice | None:
    """The model with the least loss over days on which all were scored, recent days counting more.

    A model later in the order must win by the margin.

    `losses` is ordered simplest first. None when no day could be scored for any model.
    """
    enough = {name: loss for name, loss in losses.items() if np.isfinite(loss).sum() >= ERROR_ROWS_MIN}
    if not enough:
        return None
    common = np.all([np.isfinite(loss) for loss in enough.values()], axis=0)
    if common.sum() < ERROR_ROWS_MIN:
        return None
    scale = mean_wh if mean_wh > 0 else 1.0
    weight = 0.5 ** (np.arange(len(common))[::-1][common] / SCORE_HALF_LIFE_DAYS)
    mean = {name: float(np.average(loss[common], weights=weight)) / scale for name, loss in enough.items()}
    best = next(iter(mean))
    for name, loss in mean.items():
        if loss < mean[best] * (1 - SWITCH_MARGIN):
            best = name
    return ModelChoice(best, mean, int(common.sum()))
