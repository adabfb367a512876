"""The eight methods that share one pool among buyers, for a batch of slots at a time.

Each gives the same integers as the function of the same name in exact_rows.py, which works through one slot step by
step. In every row 0 <= alloc <= demand and sum(alloc) <= min(pool, wanted). The sellers' side is in surplus.py, and
the one method without a pool is in pairwise.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation.rounding import Energy, Presence, share_rows
from hub.core.allocation.water_filling import fill_rows, fill_weighted_rows
from hub.core.rules.allocation_key import GRID_PPM, AllocationKey


@dataclass(frozen=True, slots=True)
class TradingSlots:
    """Slots that have both surplus and demand, and whose sums are below 2^62. Absent members have zeros.

    For the methods in COVERING every slot is scarce (pool < wanted): other slots need no method, as everyone gets
    their whole demand.

    Shape: `demand` and `present` [slots, members]; `pool`, the surplus, and `wanted`, the demand, [slots].
    """

    demand: Energy
    pool: Energy
    wanted: Energy
    present: Presence | None


def _proportional(batch: TradingSlots, _key: AllocationKey) -> NDArray[Any]:
    # The slot is scarce, so the exact share pool * demand / wanted is below the demand; rounded up, it is at most that.
    return share_rows(batch.pool, batch.demand, batch.wanted)


def _equal(batch: TradingSlots, _key: AllocationKey) -> NDArray[Any]:
    return fill_rows(batch.pool, batch.demand)


def _weighted(batch: TradingSlots, key: AllocationKey) -> NDArray[Any]:
    """min(demand, level * weight): only columns with a weight take part, and they may want less than the pool."""
    weights = np.array(key.weights, dtype=np.int64)
    used = np.flatnonzero(weights)
    demand = batch.demand[:, used]
    total = np.minimum(batch.pool, demand.sum(axis=1))
    alloc = np.zeros_like(batch.demand)
    alloc[:, used] = fill_weighted_rows(total, demand, weights[used])
    return alloc


def _static(batch: TradingSlots, key: AllocationKey) -> NDArray[Any]:
    """Up to `key.rounds` rounds; each shares what is left, by weight, among those who still want something.

    Before each round alloc <= demand, left = pool - sum(alloc) >= 0, and a weight is 0 exactly where it was 0 from the
    start or alloc == demand. A quota above the unmet demand is capped, and the excess is left for the next round.
    """
    weights = np.broadcast_to(np.array(key.weights, dtype=np.int64), batch.demand.shape)
    if batch.present is not None:
        weights = np.where(batch.present, weights, 0)
    alloc, left = np.zeros_like(batch.demand), batch.pool
    for _ in range(key.rounds):
        weight_sum = weights.sum(axis=1)
        if not (left * (weight_sum > 0)).any():
            break  # no row has both something left and somebody to give it to: further rounds change nothing
        alloc += np.minimum(share_rows(left, weights, weight_sum), batch.demand - alloc)  # quota, unmet demand
        left = batch.pool - alloc.sum(axis=1)
        weights = np.where(alloc == batch.demand, 0, weights)
    return alloc


def _static_then_proportional(batch: TradingSlots, key: AllocationKey) -> NDArray[Any]:
    return _add_proportional(batch, _static(batch, key))


def _solidarity(batch: TradingSlots, key: AllocationKey) -> NDArray[Any]:
    """A reserve, capped at what the group wants, is shared equally within the group; then the rest by unmet demand."""
    group = list(key.group)
    wanted = batch.demand[:, group]
    # floor(pool * ppm / 10^6) without that product, which could exceed 64 bits. If pool = 10^6 * whole + part, it is
    # whole * ppm + floor(part * ppm / 10^6), and both products stay small.
    whole, part = np.divmod(batch.pool, GRID_PPM)
    reserve = np.minimum(whole * key.reserve_ppm + part * key.reserve_ppm // GRID_PPM, wanted.sum(axis=1))
    first = np.zeros_like(batch.demand)
    first[:, group] = fill_rows(reserve, wanted)
    return _add_proportional(batch, first)


def _add_proportional(batch: TradingSlots, first: Energy) -> Energy:
    """The first round's shares plus what is left of the pool, shared by unmet demand.

    The slot is scarce, so pool - given < wanted - given: no share exceeds the unmet demand, and the pool is used up.
    """
    given = first.sum(axis=1)
    rest = share_rows(batch.pool - given, batch.demand - first, batch.wanted - given)
    alloc: Energy = first + rest
    return alloc


@lru_cache(maxsize=8)
def _tier_columns(tiers: tuple[tuple[int, ...], ...]) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
    """The columns in order of tier (None if they already are), and the sizes of the non-empty tiers."""
    order = np.array([column for tier in tiers for column in tier], dtype=np.int64)
    sizes = np.array([len(tier) for tier in tiers if tier], dtype=np.int64)
    return (None if (order == np.arange(order.size)).all() else order), sizes


def _priority(batch: TradingSlots, key: AllocationKey) -> NDArray[Any]:
    """The marginal tier is the first that the pool does not fully cover: it shares what the earlier tiers leave.

    Earlier tiers get all they want, later ones get nothing. Each row is scarce, so it has a marginal tier.
    """
    order, sizes = _tier_columns(key.tiers)
    # 32 bits if they can hold the sum of every row: that halves the memory to read.
    narrow: type[np.signedinteger[Any]] = np.int32 if int(batch.wanted.max()) < 2**31 else np.int64
    demand, pool = batch.demand.astype(narrow), batch.pool.astype(narrow)
    if order is not None:
        demand = demand[:, order]
    alloc = _cascade(demand, pool) if sizes.max() == 1 else _fill_tiers(demand, pool, sizes)
    if order is None:
        return alloc
    back = np.empty_like(alloc)
    back[:, order] = alloc
    return back


def _cascade(demand: NDArray[Any], pool: NDArray[Any]) -> NDArray[Any]:
    """Tiers of one member each: alloc[i] = min(pool, d[0] + ... + d[i]) - min(pool, d[0] + ... + d[i - 1])."""
    covered = np.cumsum(demand, axis=1, dtype=demand.dtype)
    np.minimum(covered, pool[:, None], out=covered)
    alloc = np.empty_like(covered)
    alloc[:, 0] = covered[:, 0]
    np.subtract(covered[:, 1:], covered[:, :-1], out=alloc[:, 1:])
    return alloc


def _fill_tiers(demand: NDArray[Any], pool: NDArray[Any], sizes: Energy) -> NDArray[Any]:
    """Each row's marginal tier is copied into a block as wide as the widest tier, and all rows are shared at once."""
    members, ends = demand.shape[1], np.cumsum(sizes)
    # covered[:, k] is what tiers 0 to k want together. It never falls from tier to tier, so the number of tiers
    # with covered <= pool is the index of the marginal tier. As the slot is scarce, the last value exceeds the pool.
    covered = np.cumsum(np.add.reduceat(demand, ends - sizes, axis=1), axis=1, dtype=np.int64)
    marginal = (covered <= pool[:, None]).sum(axis=1)
    upto = np.take_along_axis(covered, marginal[:, None], axis=1)[:, 0]
    # The marginal tier has the columns start <= column < end. The block extends past the end of narrower tiers: the
    # places beyond get no demand (and read the row's last cell, to stay inside the row), so they receive nothing.
    end = ends[marginal]
    start = end - sizes[marginal]
    column = start[:, None] + np.arange(int(sizes.max()))
    cell = np.minimum(column, members - 1) + (members * np.arange(len(pool)))[:, None]
    unmet = np.where(column < end[:, None], demand.reshape(-1)[cell], 0).astype(np.int64)
    # What the earlier tiers want, and get in full: before <= pool < upto. The tier shares pool - before >= 0.
    before = upto - unmet.sum(axis=1)
    alloc = np.where(np.arange(members) < start[:, None], demand, 0)
    share = share_rows(pool - before, unmet, upto - before)
    inside = column < end[:, None]
    alloc.reshape(-1)[cell[inside]] = share[inside]
    return alloc


METHODS: Final[Mapping[str, Callable[[TradingSlots, AllocationKey], NDArray[Any]]]] = {
    "proportional": _proportional,
    "equal": _equal,
    "weighted": _weighted,
    "static": _static,
    "static_rounds": _static,
    "static_then_proportional": _static_then_proportional,
    "priority": _priority,
    "solidarity": _solidarity,
}

# These give everyone their whole demand if the pool covers it, and use up the pool if it does not.
COVERING: Final = frozenset({"proportional", "equal", "static_then_proportional", "priority", "solidarity"})
