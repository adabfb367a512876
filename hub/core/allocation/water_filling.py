"""Fills everyone to one level, nobody above their demand: exact, for one row of Python integers or a block of rows.

Water-filling gives member i the share min(demand[i], level * weight[i]) with the one level at which all shares add up
to the total. Members whose demand is below level * weight are full; the others are still rising. Fractional shares
are rounded by largest remainder among the rising members only.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation.rounding import WIDE_KEY_MAX, Energy, largest_remainder, narrowest, share_rows


def fill_water(total: int, demand: Sequence[int], weights: Sequence[int]) -> list[int]:
    """min(demand, level * weight) with the level at which the sum is `total`; a member with weight 0 gets nothing.

    >>> fill_water(10, [2, 9, 9], [1, 1, 1])
    [2, 4, 4]
    """
    shares = [0] * len(demand)
    rising = [i for i, weight in enumerate(weights) if weight > 0 and demand[i] > 0]
    while rising:
        # `total` is what the full members leave, so if nobody else were full, the level would be total / weight_sum.
        # Multiplied out, demand <= level * weight is demand * weight_sum <= total * weight: no division, no rounding.
        weight_sum = sum(weights[i] for i in rising)
        full = [i for i in rising if demand[i] * weight_sum <= total * weights[i]]
        if not full:
            break
        # Whoever is full takes at most level * weight, so the level of the others never falls: full members stay full.
        for i in full:
            shares[i] = demand[i]
            total -= demand[i]
        rising = [i for i in rising if not shares[i]]
    # Every rising member wants more than the exact share total * weight / weight_sum, so rounding up stays within it.
    for i, share in zip(rising, largest_remainder(total, [weights[i] for i in rising]), strict=True):
        shares[i] = share
    return shares


def fill_rows(total: Energy, demand: Energy) -> NDArray[Any]:
    """Row by row `fill_water(total, demand)` with equal weights.

    Shape: [rows], [rows, columns]; each total is at most its row's sum, and that sum is below 2^62.
    """
    demand = narrowest(demand)
    level = _whole_levels(total, demand)
    # level is the highest whole L with sum(min(demand, L)) <= total. At L + 1 the sum would be too high, and it would
    # grow by one for each member with demand > L: so `left` is less than their number, or 0 if there are none.
    share = np.minimum(demand, level[:, None], order="C")
    left = total - share.sum(axis=1, dtype=share.dtype)
    unmet = demand > level[:, None]
    # These exact shares are all equal, so the fractions tie and the units go to the lowest columns among them. `where`
    # lists the unmet cells of all rows one after the other; those of a row begin at starts[row].
    ends = np.cumsum(np.count_nonzero(unmet, axis=1))
    where = np.flatnonzero(unmet)
    starts = np.concatenate(([0], ends[:-1]))
    for row in np.flatnonzero(left).tolist():
        first = int(starts[row])
        share.reshape(-1)[where[first : first + int(left[row])]] += 1
    return share


def fill_weighted_rows(total: Energy, demand: Energy, weights: Energy) -> Energy:
    """Row by row `fill_water(total, demand, weights)`; one row of positive weights applies to all rows.

    Shape: [rows], [rows, columns], [columns]; each total is at most its row's sum, and that sum is below 2^62.
    """
    # Every product below is at most tallest * weight_total; from 2^62 on the rows are filled one by one.
    weight_total = sum(weights.tolist())
    tallest = max(int(total.max(initial=0)), int(demand.max(initial=0)))
    if tallest * weight_total >= WIDE_KEY_MAX:
        rows = zip(total.tolist(), demand.tolist(), strict=True)
        return np.array([fill_water(t, d, weights.tolist()) for t, d in rows], dtype=np.int64)
    rising = demand > 0
    while True:
        # As in `fill_water`: a member who is not rising gets their whole demand, and left = total - all those demands.
        free = np.where(rising, weights, 0)
        weight_sum = free.sum(axis=1)
        left = total - np.where(rising, 0, demand).sum(axis=1)
        # demand > level * weight, where level = left / weight_sum. What is true here was true in every earlier round.
        still = demand * weight_sum[:, None] > left[:, None] * weights
        if not (rising & ~still).any():
            break
        rising &= still
    shares: Energy = np.where(rising, share_rows(left, free, weight_sum), demand)
    return shares


def _whole_levels(total: Energy, demand: NDArray[Any]) -> Energy:
    """The highest whole L per row with S(L) = sum(min(demand, L)) <= total.

    S rises by the number of members with demand > L when L rises by one. That number only falls, so S is concave, and a
    Newton step from below, (total - S(L)) // (S(L + 1) - S(L)), never passes the highest L.
    """
    # S(L) <= L * members, so this starting value is not too high. Invariant: S(level) <= total.
    level: Energy = total // demand.shape[1]
    active = np.arange(len(total))
    rows = demand
    while active.size:
        here = level[active]
        room = total[active] - _sum_capped(rows, here)
        slope = _sum_capped(rows, here + 1) - _sum_capped(rows, here)
        # A step of 0 means S(L + 1) > total: done. A slope of 0 means that everyone has their whole demand: done.
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
