"""Surplus shared between neighbours over many slots at once, exactly, to the last watt-hour.

First every slot's sums, block by block in the cache; then the slots that need a decision, in batches. Slots whose sums
might not fit 64 bits are done in Python integers by exact_rows.py, with the same answer. Nothing here knows prices,
calendars or missing readings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation_key import AllocationKey
from hub.core.buyer_methods import COVERING, METHODS, Batch
from hub.core.exact_rows import allocate_row
from hub.core.pairwise import pair_rows
from hub.core.rounding import Energy, share_rows

BATCH_CELLS: Final = 131_072
PRIORITY_BATCHES: Final = 8
SAFE_SUM: Final = 2**62
SPARSE: Final = 0.75

Presence = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Allocation:
    """What each member was given and what each sold, per slot. Units: Wh. Shape: both [slots, members]."""

    alloc_wh: Energy
    sold_wh: Energy


@dataclass(frozen=True, slots=True)
class _Slots:
    """The inputs with what was found in the first look: sums and safety of each slot, and the columns that ever sell."""

    surplus: Energy
    demand: Energy
    present: Presence | None
    pool: Energy
    wanted: Energy
    unsafe: NDArray[np.bool_]
    sellers: Rows

    def take(self, energy: Energy, rows: Rows) -> Energy:
        """These rows, absent members as zero."""
        taken = energy[rows]
        return taken if self.present is None else np.where(self.present[rows], taken, 0)


def allocate(
    surplus_wh: Energy, demand_wh: Energy, *, key: AllocationKey, present: Presence | None = None
) -> Allocation:
    """The allocation of every slot by the key; columns are members in byte order, ties go to the lowest column.

    Shape: [slots, members], int64. Who is not `present` in a slot takes no part in it.
    Raises: ValueError for negative energy.
    """
    out = Allocation(np.zeros(demand_wh.shape, dtype=np.int64), np.zeros(surplus_wh.shape, dtype=np.int64))
    slots = _look(surplus_wh, demand_wh, present=present, key=key)
    for t in np.flatnonzero(slots.unsafe).tolist():
        _allocate_exactly(slots, t, key=key, out=out)
    live = ~slots.unsafe & (slots.pool > 0) & (slots.wanted > 0)
    members = demand_wh.shape[1]
    if key.method == "pairwise":
        for rows in _batches(live, members):
            here = None if slots.present is None else slots.present[rows]
            surplus, demand = slots.take(slots.surplus, rows), slots.take(slots.demand, rows)
            out.alloc_wh[rows], out.sold_wh[rows] = pair_rows(surplus, demand, present=here, key=key)
        return out
    plenty = live & (slots.pool >= slots.wanted) if key.method in COVERING else np.zeros_like(live)
    for rows in _batches(plenty, members):
        out.alloc_wh[rows] = slots.take(slots.demand, rows)
        _sell(slots, rows, slots.wanted[rows], out=out)
    for rows in _batches(live & ~plenty, members * (1 if key.method != "priority" else 1)):
        _buy(slots, rows, key=key, out=out)
    return out


def _look(surplus: Energy, demand: Energy, *, present: Presence | None, key: AllocationKey) -> _Slots:
    count, members = demand.shape
    if present is not None and bool(present.all()):
        present = None
    pool, wanted = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    unsafe, seen = np.zeros(count, dtype=np.bool_), np.zeros(members, dtype=np.int64)
    for rows in _row_blocks(count, members):
        sold, drawn = surplus[rows], demand[rows]
        if present is not None:
            sold, drawn = np.where(present[rows], sold, 0), np.where(present[rows], drawn, 0)
        pool[rows], wanted[rows] = sold.sum(axis=1), drawn.sum(axis=1)
        # The bits of a column are at least its greatest value, and cheaper to find.
        sold_bits, drawn_bits = np.bitwise_or.reduce(sold, axis=0), np.bitwise_or.reduce(drawn, axis=0)
        if min(int(sold_bits.min()), int(drawn_bits.min())) < 0:
            raise ValueError("energy is negative")
        top = max(int(sold_bits.max()), int(drawn_bits.max()), *key.weights, 0)
        unsafe[rows] = top * members >= SAFE_SUM
        seen |= sold_bits
    return _Slots(surplus, demand, present, pool, wanted, unsafe, np.flatnonzero(seen))


def _buy(slots: _Slots, rows: Rows, *, key: AllocationKey, out: Allocation) -> None:
    here = None if slots.present is None else slots.present[rows]
    pool = slots.pool[rows]
    batch = Batch(slots.take(slots.demand, rows), pool, slots.wanted[rows], here)
    alloc = METHODS[key.method](batch, key)
    out.alloc_wh[rows] = alloc
    if key.method in COVERING:
        out.sold_wh[rows] = slots.take(slots.surplus, rows)
    else:
        _sell(slots, rows, alloc.sum(axis=1, dtype=np.int64), out=out)


def _sell(slots: _Slots, rows: Rows, used: Energy, *, out: Allocation) -> None:
    """What was used, shared among sellers by their surplus."""
    surplus = slots.take(slots.surplus, rows)
    if slots.sellers.size < SPARSE * surplus.shape[1]:
        cells = np.ix_(rows, slots.sellers)
        out.sold_wh[cells] = share_rows(used, surplus[:, slots.sellers], slots.pool[rows])
    else:
        out.sold_wh[rows] = share_rows(used, surplus, slots.pool[rows])


def _allocate_exactly(slots: _Slots, t: int, *, key: AllocationKey, out: Allocation) -> None:
    row = np.array([t])
    surplus, demand = slots.take(slots.surplus, row)[0].tolist(), slots.take(slots.demand, row)[0].tolist()
    here = [True] * len(demand) if slots.present is None else slots.present[t].tolist()
    out.alloc_wh[t], out.sold_wh[t] = allocate_row(surplus, demand, here, key=key)


def _row_blocks(count: int, members: int) -> Iterator[slice]:
    size = max(1, BATCH_CELLS // max(1, members))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _batches(chosen: NDArray[np.bool_], members: int) -> Iterator[Rows]:
    rows = np.flatnonzero(chosen)
    for batch in _row_blocks(rows.size, members):
        yield rows[batch]
