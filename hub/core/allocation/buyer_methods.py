"""The eight methods that share one pool among buyers, for a batch of slots at a time.

Sellers are in allocation.py, and the method that knows no pool in pairwise.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation.rounding import Energy, share_rows
from hub.core.allocation.water_filling import fill_rows, fill_weighted_rows
from hub.core.rules.allocation_key import GRID_PPM, AllocationKey


@dataclass(frozen=True, slots=True)
class TradingSlots:
    """Slots in which there is both surplus and demand, and sums safe in 64 bits. Absent members carry zeros.

    For the methods in COVERING every slot is scarce: the pool is less than the demand.

    Shape: `demand` and `present` [slots, members]; `pool`, the surplus, and `wanted`, the demand, [slots].
    """

    demand: Energy
    pool: Energy
    wanted: Energy
    present: NDArray[np.bool_] | None


def _proportional(batch: TradingSlots, _key: AllocationKey) -> NDArray[Any]:
    return share_rows(batch.pool, batch.demand, batch.wanted)


def _equal(batch: TradingSlots, _key: AllocationKey) -> NDArray[Any]:
    return fill_rows(batch.pool, batch.demand)


def _weighted(batch: TradingSlots, key: AllocationKey) -> NDArray[Any]:
    weights = np.array(key.weights, dtype=np.int64)
    used = np.flatnonzero(weights)
    demand = batch.demand[:, used]
    total = np.minimum(batch.pool, demand.sum(axis=1))
    alloc = np.zeros_like(batch.demand)
    alloc[:, used] = fill_weighted_rows(total, demand, weights[used])
    return alloc


def _static(batch: TradingSlots, key: AllocationKey) -> NDArray[Any]:
    """Rounds of the static key; a satisfied member's weight is zero from the next round on."""
    weights = np.broadcast_to(np.array(key.weights, dtype=np.int64), batch.demand.shape)
    if batch.present is not None:
        weights = np.where(batch.present, weights, 0)
    alloc, left = np.zeros_like(batch.demand), batch.pool
    for _ in range(key.rounds):
        weight_sum = weights.sum(axis=1)
        if not (left * (weight_sum > 0)).any():
            break
        alloc += np.minimum(share_rows(left, weights, weight_sum), batch.demand - alloc)
        left = batch.pool - alloc.sum(axis=1)
        weights = np.where(alloc == batch.demand, 0, weights)
    return alloc


def _static_then_proportional(batch: TradingSlots, key: AllocationKey) -> NDArray[Any]:
    return _add_proportional(batch, _static(batch, key))


def _solidarity(batch: TradingSlots, key: AllocationKey) -> NDArray[Any]:
    group = list(key.group)
    wanted = batch.demand[:, group]
    # floor(pool x ppm / 1e6) without the product, which could pass 64 bits.
    whole, part = np.divmod(batch.pool, GRID_PPM)
    reserve = np.minimum(whole * key.reserve_ppm + part * key.reserve_ppm // GRID_PPM, wanted.sum(axis=1))
    first = np.zeros_like(batch.demand)
    first[:, group] = fill_rows(reserve, wanted)
    return _add_proportional(batch, first)


def _add_proportional(batch: TradingSlots, first: Energy) -> Energy:
    """What is left of the pool after a first round, by the demand still unmet; in a scarce slot all of it is taken."""
    given = first.sum(axis=1)
    rest = share_rows(batch.pool - given, batch.demand - first, batch.wanted - given)
    alloc: Energy = first + rest
    return alloc


@lru_cache(maxsize=8)
def _tier_columns(tiers: tuple[tuple[int, ...], ...]) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
    """The columns in tier order, None where they stand so already, and the sizes of the tiers that have any."""
    order = np.array([column for tier in tiers for column in tier], dtype=np.int64)
    sizes = np.array([len(tier) for tier in tiers if tier], dtype=np.int64)
    return (None if (order == np.arange(order.size)).all() else order), sizes


def _priority(batch: TradingSlots, key: AllocationKey) -> NDArray[Any]:
    """Tiers before the marginal one get all they want, that one shares what is left, later ones get nothing."""
    order, sizes = _tier_columns(key.tiers)
    # 32 bits where they hold the sum of every row: half the memory to walk over.
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
    """Tiers of one member each: what the pool covers up to a member, less what it covers up to the one before."""
    covered = np.cumsum(demand, axis=1, dtype=demand.dtype)
    np.minimum(covered, pool[:, None], out=covered)
    alloc = np.empty_like(covered)
    alloc[:, 0] = covered[:, 0]
    np.subtract(covered[:, 1:], covered[:, :-1], out=alloc[:, 1:])
    return alloc


def _fill_tiers(demand: NDArray[Any], pool: NDArray[Any], sizes: Energy) -> NDArray[Any]:
    """Each row's marginal tier is shared in a block as wide as the widest tier, all rows at once."""
    members, ends = demand.shape[1], np.cumsum(sizes)
    covered = np.cumsum(np.add.reduceat(demand, ends - sizes, axis=1), axis=1, dtype=np.int64)
    marginal = (covered <= pool[:, None]).sum(axis=1)
    upto = np.take_along_axis(covered, marginal[:, None], axis=1)[:, 0]
    end = ends[marginal]
    start = end - sizes[marginal]
    column = start[:, None] + np.arange(int(sizes.max()))
    cell = np.minimum(column, members - 1) + (members * np.arange(len(pool)))[:, None]
    unmet = np.where(column < end[:, None], demand.reshape(-1)[cell], 0).astype(np.int64)
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

# These give everyone their whole demand where the pool covers it, and use the whole pool where it does not.
COVERING: Final = frozenset({"proportional", "equal", "static_then_proportional", "priority", "solidarity"})
