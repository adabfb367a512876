"""The eight methods that share one pool among buyers, for a block of slots at a time. Sellers, and the pairwise method
that knows no pool, are in allocation.py."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation_key import GRID_PPM, AllocationKey
from hub.core.rounding import Energy, share_rows
from hub.core.water_filling import fill_rows, fill_weighted_rows


@dataclass(frozen=True, slots=True)
class Block:
    """Slots in which there is both surplus and demand, and sums safe in 64 bits. Absent members carry zeros.

    Shape: `demand` and `present` [slots, members]; `pool`, the surplus, and `wanted`, the demand, [slots].
    """

    demand: Energy
    pool: Energy
    wanted: Energy
    present: NDArray[np.bool_] | None


Ration = Callable[[Energy, Energy, Energy], NDArray[Any]]


def _ration(block: Block, share: Ration) -> NDArray[Any]:
    """Everyone's whole demand where the pool covers it, and `share(total, demand, wanted)` where it does not."""
    scarce = block.pool < block.wanted
    if scarce.all():
        return share(block.pool, block.demand, block.wanted)
    alloc = block.demand.copy()
    if scarce.any():
        alloc[scarce] = share(block.pool[scarce], block.demand[scarce], block.wanted[scarce])
    return alloc


def _proportional(block: Block, _key: AllocationKey) -> NDArray[Any]:
    return _ration(block, share_rows)


def _equal(block: Block, _key: AllocationKey) -> NDArray[Any]:
    return _ration(block, lambda total, demand, _wanted: fill_rows(total, demand))


def _weighted(block: Block, key: AllocationKey) -> NDArray[Any]:
    weights = np.array(key.weights, dtype=np.int64)
    used = np.flatnonzero(weights)
    demand = block.demand[:, used]
    total = np.minimum(block.pool, demand.sum(axis=1))
    alloc = np.zeros_like(block.demand)
    alloc[:, used] = fill_weighted_rows(total, demand, weights[used])
    return alloc


def _static(block: Block, key: AllocationKey) -> NDArray[Any]:
    """Rounds of the static key; a satisfied member's weight is zero from the next round on."""
    weights = np.broadcast_to(np.array(key.weights, dtype=np.int64), block.demand.shape)
    if block.present is not None:
        weights = np.where(block.present, weights, 0)
    alloc, left = np.zeros_like(block.demand), block.pool
    for _ in range(key.rounds):
        weight_sum = weights.sum(axis=1)
        if not (left * (weight_sum > 0)).any():
            break
        alloc += np.minimum(share_rows(left, weights, weight_sum), block.demand - alloc)
        left = block.pool - alloc.sum(axis=1)
        weights = np.where(alloc == block.demand, 0, weights)
    return alloc


def _static_then_proportional(block: Block, key: AllocationKey) -> NDArray[Any]:
    return _add_proportional(block, _static(block, key), shared=block.pool)


def _solidarity(block: Block, key: AllocationKey) -> NDArray[Any]:
    group = list(key.group)
    wanted = block.demand[:, group]
    shared = np.minimum(block.pool, block.wanted)
    # floor(shared x ppm / 1e6) without the product, which could pass 64 bits.
    whole, part = np.divmod(shared, GRID_PPM)
    reserve = np.minimum(whole * key.reserve_ppm + part * key.reserve_ppm // GRID_PPM, wanted.sum(axis=1))
    first = np.zeros_like(block.demand)
    first[:, group] = fill_rows(reserve, wanted)
    return _add_proportional(block, first, shared=shared)


def _add_proportional(block: Block, first: Energy, *, shared: Energy) -> Energy:
    unmet = block.demand - first
    given = first.sum(axis=1)
    missing = block.wanted - given
    return first + share_rows(np.minimum(shared - given, missing), unmet, missing)


def _priority(block: Block, key: AllocationKey) -> NDArray[Any]:
    """Tiers before the marginal one get all they want, the marginal tier shares what is left, later ones get nothing."""
    if (block.pool >= block.wanted).all():
        return block.demand
    order = np.array([column for tier in key.tiers for column in tier], dtype=np.int64)
    sizes = np.array([len(tier) for tier in key.tiers if tier], dtype=np.int64)
    ends = np.cumsum(sizes)
    ordered = bool((order == np.arange(order.size)).all())
    demand = block.demand if ordered else block.demand[:, order]
    covered = np.cumsum(np.add.reduceat(demand, ends - sizes, axis=1), axis=1)
    marginal = (covered <= block.pool[:, None]).sum(axis=1)
    alloc = _fill_tiers(demand, block.pool, covered, marginal=marginal, ends=ends)
    if ordered:
        return alloc
    back = np.empty_like(alloc)
    back[:, order] = alloc
    return back


def _fill_tiers(demand: Energy, pool: Energy, covered: Energy, *, marginal: Energy, ends: Energy) -> Energy:
    alloc = np.zeros_like(demand)
    for tier in np.unique(marginal).tolist():
        rows = np.flatnonzero(marginal == tier)
        start = int(ends[tier - 1]) if tier else 0
        alloc[rows, :start] = demand[rows, :start]
        if tier < len(ends):
            cells = np.s_[rows, start : int(ends[tier])]
            before = covered[rows, tier - 1] if tier else 0
            wanted = covered[rows, tier] - before
            alloc[cells] = share_rows(pool[rows] - before, demand[cells], wanted)
    return alloc


METHODS: Final[Mapping[str, Callable[[Block, AllocationKey], NDArray[Any]]]] = {
    "proportional": _proportional,
    "equal": _equal,
    "weighted": _weighted,
    "static": _static,
    "static_rounds": _static,
    "static_then_proportional": _static_then_proportional,
    "priority": _priority,
    "solidarity": _solidarity,
}
