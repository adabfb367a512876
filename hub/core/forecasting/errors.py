"""How wrong a model was on days it had not seen: errors by time of day, their quantiles, and the choice of a model.

An error is the reading minus the prediction, and each row's prediction uses only what was known before that row. No
model is fitted here.
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
    """The chosen model, and every eligible model's pinball loss over the same days as a share of the mean energy."""

    name: str
    loss: Mapping[str, float]
    scored_days: int


def sorted_quantiles(pool: Floats, levels: Floats) -> Floats:
    """Quantiles along the last axis, ignoring gaps. Shape: (..., n) -> (..., levels); NaN where nothing is known.

    >>> sorted_quantiles(np.array([30.0, 10.0, np.nan, 20.0]), np.array([0.25, 0.5, 0.9])).tolist()
    [10.0, 20.0, 30.0]
    """
    # Sorting puts NaN last, so the known values are at places 0 to count - 1. The k-th of n sorted values (from 1) is
    # the k / (n + 1) quantile, so level q is at place q * (n + 1) - 1 (from 0). Outside the known places the nearest
    # value is used; between two places, values are interpolated linearly.
    ordered = np.sort(pool, axis=-1)
    count = np.isfinite(ordered).sum(axis=-1)[..., None]
    place = np.clip(levels * (count + 1) - 1, 0, np.maximum(count - 1, 0))
    # 0 <= low <= high <= count - 1, and share is how far place lies from low to high. With no known value, both are 0
    # and the value there is NaN.
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    share = place - low
    values = np.take_along_axis(ordered, low, -1) * (1 - share) + np.take_along_axis(ordered, high, -1) * share
    return np.asarray(values)


def by_time_of_day(errors: Floats, levels: Floats, *, blocks: int = 24, overlap: int = 1) -> Floats:
    """Error quantiles for each column, from its block of the day and `overlap` blocks on either side.

    Shape: errors (..., rows, 96) -> (..., 96, levels).
    """
    # Block b covers columns b * width to (b + 1) * width - 1. columns[b] adds those of its neighbours. The day wraps
    # around, so the first block is next to the last.
    width = SLOTS_PER_DAY // blocks
    reach = np.arange(-overlap * width, (overlap + 1) * width)
    columns = (np.arange(blocks)[:, None] * width + reach[None, :]) % SLOTS_PER_DAY
    # (..., rows, blocks, reach) -> (..., blocks, rows, reach): one pool per block, with all rows of all its columns.
    # Every column in a block gets the quantiles of the block's pool.
    pool = np.moveaxis(errors[..., columns], -3, -2)
    pool = pool.reshape(*pool.shape[:-2], -1)
    return np.repeat(sorted_quantiles(pool, levels), width, axis=-2)


def by_level(errors: Floats, predicted: Floats, ahead: Floats, *, levels: Floats) -> Floats:
    """Error quantiles for each slot ahead, from past slots whose prediction was about as high.

    Shape: errors and predicted (rows, 96), ahead (96,) -> (96, levels).
    """
    # heights is ascending, and pool holds the error at each height. The bins are consecutive parts of that order, each
    # with an eighth of the slots, so that the bin of rare high values is wide rather than empty.
    known = np.isfinite(errors) & np.isfinite(predicted)
    order = np.argsort(predicted[known], kind="stable")
    heights, pool = predicted[known][order], errors[known][order]
    if len(pool) < 4 * LEVEL_BINS:
        return np.broadcast_to(sorted_quantiles(pool, levels), (len(ahead), len(levels)))
    edges = np.linspace(0, len(pool), LEVEL_BINS + 1).astype(np.int64)
    bins = [sorted_quantiles(pool[a:b], levels) for a, b in pairwise(edges)]
    # A bin's quantiles apply at its centre, the mean height of its slots. Between two centres they are interpolated
    # linearly; below the first and above the last they are constant.
    centres = np.array([heights[a:b].mean() for a, b in pairwise(edges)])
    table = np.stack(bins)
    columns = [np.interp(ahead, centres, table[:, level]) for level in range(len(levels))]
    return np.stack(columns, axis=-1)


def pinball(actual: Floats, quantiles: Floats, levels: Floats) -> Floats:
    """Pinball loss, the mean over levels; NaN where the reading or the quantile is missing.

    Shape: actual (..., n), quantiles (..., n, levels) -> (..., n).
    """
    # With gap = actual - quantile, level q costs q * gap above the quantile and (1 - q) * -gap below it. The product on
    # the wrong side is never positive, so the maximum is the cost. Its mean is smallest when a share q of the readings
    # is below the quantile.
    gap = actual[..., None] - quantiles
    return np.asarray(np.maximum(levels * gap, (levels - 1) * gap).mean(axis=-1))


def rolling_losses(rows: Floats, predicted: Floats, lead: int, *, levels: Floats, scored: range) -> Floats:
    """Pinball loss of each model on each scored row, with quantiles from errors known when that row was forecast.

    Shape: rows (rows, 96), predicted (models, rows, 96) -> (models, scored); NaN where it cannot be scored.
    """
    # Row r was forecast `lead` days before it began, when the newest complete row was r - lead - 1. Invariant: only
    # rows before r - lead are used, at most SCORED_ROWS of them.
    errors = rows - predicted
    losses = np.full((len(predicted), len(scored)), np.nan)
    for place, row in enumerate(scored):
        if row <= lead:
            continue
        known = errors[:, max(0, row - lead - SCORED_ROWS) : row - lead]
        days_known = np.isfinite(known).any(axis=2).sum(axis=1)
        spread = by_time_of_day(known, levels, blocks=SCORE_BLOCKS, overlap=0)
        # A quantile of the forecast is the prediction plus that quantile of the errors. The mean is over the slots that
        # have a reading, a prediction and a spread.
        loss = pinball(rows[row], predicted[:, row, :, None] + spread, levels)
        scores = np.isfinite(loss).sum(axis=1)
        mean = np.nansum(loss, axis=1) / np.maximum(scores, 1)
        losses[:, place] = np.where((days_known >= ERROR_ROWS_MIN) & (scores > 0), mean, np.nan)
    return losses


def choose(losses: Mapping[str, Floats], mean_wh: float) -> ModelChoice | None:
    """The model with the smallest loss over the days on which all were scored; recent days count more.

    `losses` lists the models simplest first: a later one must be better by the margin. None if there are fewer than
    three such days.
    """
    # A model scored on fewer than three days does not compete. The others are compared only on the same days;
    # otherwise a model could win because it was not scored on the hard ones.
    enough = {name: loss for name, loss in losses.items() if np.isfinite(loss).sum() >= ERROR_ROWS_MIN}
    if not enough:
        return None
    common = np.all([np.isfinite(loss) for loss in enough.values()], axis=0)
    if common.sum() < ERROR_ROWS_MIN:
        return None
    # The last day has weight 1, one a week before it 1/2, two weeks 1/4: weight = 0.5 ^ (days before the last / 7).
    scale = mean_wh if mean_wh > 0 else 1.0
    weight = 0.5 ** (np.arange(len(common))[::-1][common] / SCORE_HALF_LIFE_DAYS)
    mean = {name: float(np.average(loss[common], weights=weight)) / scale for name, loss in enough.items()}
    # Invariant: no model before this one is better than `best` by more than the margin.
    best = next(iter(mean))
    for name, loss in mean.items():
        if loss < mean[best] * (1 - SWITCH_MARGIN):
            best = name
    return ModelChoice(best, mean, int(common.sum()))
