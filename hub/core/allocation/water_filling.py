"""Everyone up to one level, nobody above their demand: exact, for one row in Python integers or for a block of rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation.rounding import WIDE_KEY_MAX, Energy, largest_remainder, narrowest, share_rows


def fill_water(total: int, demand: Sequence[int], weights: Sequence[int]) -> list[int]:
    """min(demand, level x weight) with the level at which the sum is `total`; a zero weight gets nothing."""
    shares = [0] * len(demand)
    rising = [i for i, weight in enumerate(weights) if weight > 0 and demand[i] > 0]
    while rising:
        weight_sum = sum(weights[i] for i in rising)
        capped = [i for i in rising if demand[i] * weight_sum <= total * weights[i]]
        if not capped:
            break
        for i in capped:
            shares[i] = demand[i]
            total -= demand[i]
        rising = [i for i in rising if not shares[i]]
    for i, share in zip(rising, largest_remainder(total, [weights[i] for i in rising]), strict=True):
        shares[i] = share
    return shares


def fill_rows(total: Energy, demand: Energy) -> NDArray[Any]:
    """Row by row `fill_water(total, demand)` with equal weights.

    Shape: [rows], [rows, columns]; each total is at most its row's sum, and that sum is below 2^62. All who stay under
    their demand have the same fraction, so the units left over go to the lowest columns among them.
    """
    demand = narrowest(demand)
    level = _whole_levels(total, demand)
    share = np.minimum(demand, level[:, None], order="C")
    left = total - share.sum(axis=1, dtype=share.dtype)
    unmet = demand > level[:, None]
    ends = np.cumsum(np.count_nonzero(unmet, axis=1))
    where = np.flatnonzero(unmet)
    starts = np.concatenate(([0], ends[:-1]))
    for row in np.flatnonzero(left).tolist():
        first = int(starts[row])
        share.reshape(-1)[where[first : first + int(left[row])]] += 1
    return share


def fill_weighted_rows(total: Energy, demand: Energy, weights: Energy) -> Energy:
    """Row by row `fill_water(total, demand, weights)`; one row of positive weights for all.

    Shape: [rows], [rows, columns], [columns]; each total is at most its row's sum, and that sum is below 2^62.
    """
    weight_total = sum(weights.tolist())
    tallest = max(int(total.max(initial=0)), int(demand.max(initial=0)))
    if tallest * weight_total >= WIDE_KEY_MAX:
        rows = zip(total.tolist(), demand.tolist(), strict=True)
        return np.array([fill_water(t, d, weights.tolist()) for t, d in rows], dtype=np.int64)
    rising = demand > 0
    while True:
        free = np.where(rising, weights, 0)
        weight_sum = free.sum(axis=1)
        left = total - np.where(rising, 0, demand).sum(axis=1)
        still = demand * weight_sum[:, None] > left[:, None] * weights
        if not (rising & ~still).any():
            break
        rising &= still
    shares: Energy = np.where(rising, share_rows(left, free, weight_sum), demand)
    return shares


def _whole_levels(total: Energy, demand: NDArray[Any]) -> Energy:
    """The highest whole level per row at which the row's sum is still within its total.

    The sum is concave in the level, so Newton's step from below never passes the answer and soon reaches it.
    """
    level: Energy = total // demand.shape[1]
    active = np.arange(len(total))
    rows = demand
    while active.size:
        here = level[active]
        room = total[active] - _sum_capped(rows, here)
        slope = _sum_capped(rows, here + 1) - _sum_capped(rows, here)
        step = room // np.maximum(slope, 1)
        moving = (step > 0) & (slope > 0)
        level[active[moving]] += step[moving]
        if not moving.all():
            active, rows = active[moving], rows[moving]
    return level


def _sum_capped(rows: NDArray[Any], level: Energy) -> NDArray[Any]:
    capped: NDArray[Any] = np.minimum(rows, level.astype(rows.dtype)[:, None])
    sums: NDArray[Any] = capped.sum(axis=1, dtype=rows.dtype)
    return sums
