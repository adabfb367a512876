"""Surplus shared between neighbours over many slots at once, exactly, to the last watt-hour.

Slots are taken in blocks that stay in the cache; a block whose sums might not fit 64 bits is done in Python integers
by exact_rows.py, with the same answer. Nothing here knows prices, calendars or missing readings.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation_key import GRID_PPM, AllocationKey
from hub.core.buyer_methods import METHODS, Block
from hub.core.exact_rows import allocate_row
from hub.core.rounding import Energy, share_rows

BLOCK_CELLS: Final = 131_072
SAFE_SUM: Final = 2**62

Presence = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Allocation:
    """What each member was given and what each sold, per slot. Units: Wh. Shape: both [slots, members]."""

    alloc_wh: Energy
    sold_wh: Energy


def allocate(
    surplus_wh: Energy, demand_wh: Energy, *, key: AllocationKey, present: Presence | None = None
) -> Allocation:
    """The allocation of every slot by the key; columns are members in byte order, ties go to the lowest column.

    Shape: [slots, members], int64, none negative. Who is not `present` in a slot takes no part in it.
    """
    alloc, sold = np.zeros(demand_wh.shape, dtype=np.int64), np.zeros(surplus_wh.shape, dtype=np.int64)
    slots, members = demand_wh.shape
    if present is not None and bool(present.all()):
        present = None
    size = max(1, BLOCK_CELLS // max(1, members))
    for start in range(0, slots, size):
        rows = slice(start, start + size)
        here = None if present is None else present[rows]
        _allocate_block(
            _absent_as_zero(surplus_wh[rows], here),
            _absent_as_zero(demand_wh[rows], here),
            present=here,
            key=key,
            out=Allocation(alloc[rows], sold[rows]),
        )
    return Allocation(alloc, sold)


def _allocate_block(
    surplus: Energy, demand: Energy, *, present: Presence | None, key: AllocationKey, out: Allocation
) -> None:
    top = max(int(surplus.max(initial=0)), int(demand.max(initial=0)), *key.weights, 0)
    if top * demand.shape[1] >= SAFE_SUM:
        _allocate_exactly(surplus, demand, present=present, key=key, out=out)
        return
    pool, wanted = surplus.sum(axis=1), demand.sum(axis=1)
    live = _rows_where((pool > 0) & (wanted > 0))
    if live is None:
        return
    here = None if present is None else present[live]
    if key.method == "pairwise":
        _pair(surplus[live], demand[live], present=here, key=key, out=out, rows=live)
        return
    block = Block(demand[live], pool[live], wanted[live], here)
    alloc = METHODS[key.method](block, key)
    out.alloc_wh[live] = alloc
    out.sold_wh[live] = _sell(surplus[live], pool[live], alloc.sum(axis=1, dtype=np.int64))


def _sell(surplus: Energy, pool: Energy, used: Energy) -> NDArray[Any]:
    """What was used, shared among sellers by their surplus; where all was used, all is sold."""
    part = used < pool
    if not part.any():
        return surplus
    if part.all():
        return share_rows(used, surplus, pool)
    sold = surplus.copy()
    sold[part] = share_rows(used[part], surplus[part], pool[part])
    return sold


def _pair(
    surplus: Energy,
    demand: Energy,
    *,
    present: Presence | None,
    key: AllocationKey,
    out: Allocation,
    rows: slice | NDArray[np.int64],
) -> None:
    """Each producer's surplus by its own coefficients; what they leave, and the part of the absent, is the grid's."""
    unmet = demand.copy()
    sold = np.zeros_like(surplus)
    for producer, consumers in key.coefficients:
        columns = [column for column, _ in consumers]
        weights = np.zeros((len(demand), len(columns) + 1), dtype=np.int64)
        weights[:, :-1] = [ppm for _, ppm in consumers]
        if present is not None:
            weights[:, :-1] *= present[:, columns]
        weights[:, -1] = GRID_PPM - weights.sum(axis=1)
        offered = surplus[:, producer]
        quota = share_rows(offered, weights, np.full(len(offered), GRID_PPM, dtype=np.int64))
        taken = np.minimum(quota[:, :-1], unmet[:, columns])
        unmet[:, columns] -= taken
        sold[:, producer] = taken.sum(axis=1, dtype=np.int64)
    out.alloc_wh[rows] = demand - unmet
    out.sold_wh[rows] = sold


def _allocate_exactly(
    surplus: Energy, demand: Energy, *, present: Presence | None, key: AllocationKey, out: Allocation
) -> None:
    everyone = [True] * demand.shape[1]
    for t in range(len(demand)):
        here = everyone if present is None else present[t].tolist()
        alloc, sold = allocate_row(surplus[t].tolist(), demand[t].tolist(), here, key=key)
        out.alloc_wh[t], out.sold_wh[t] = alloc, sold


def _absent_as_zero(energy: Energy, present: Presence | None) -> Energy:
    return energy if present is None else np.where(present, energy, 0)


def _rows_where(chosen: NDArray[np.bool_]) -> slice | NDArray[np.int64] | None:
    """The chosen rows, as a slice where they follow one another, so that taking them copies nothing."""
    rows = np.flatnonzero(chosen)
    if rows.size == 0:
        return None
    first, last = int(rows[0]), int(rows[-1])
    return slice(first, last + 1) if last - first + 1 == rows.size else rows
