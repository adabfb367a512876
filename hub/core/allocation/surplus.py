"""Shares surplus between neighbours over many slots at once, exact to the last watt-hour.

It first adds up every slot, then computes only the slots that need a decision, in batches that fit in the processor's
cache. Slots whose sums reach 2^62 are computed in Python integers by exact_rows.py, with the same result. Nothing here
knows about prices, calendars or missing readings.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation.buyer_methods import COVERING, METHODS, TradingSlots
from hub.core.allocation.exact_rows import allocate_row
from hub.core.allocation.pairwise import pair_rows
from hub.core.allocation.rounding import Energy, Presence, share_rows
from hub.core.rules.allocation_key import AllocationKey
from hub.core.rules.input_checks import MAX_INTEGER

BATCH_CELLS: Final = 131_072
SAFE_SUM: Final = 2**62
SPARSE: Final = 0.75

RowNumbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Allocation:
    """What each member receives and sells in each slot. Units: Wh. Shape: both [slots, members]."""

    alloc_wh: Energy
    sold_wh: Energy


@dataclass(frozen=True, slots=True)
class SlotSurvey:
    """The inputs, the sums of each slot, and which slots are too large for the array methods.

    Where the pool is empty, the demand is not added up, and `wanted` is 0.
    """

    surplus: Energy
    demand: Energy
    present: Presence | None
    pool: Energy
    wanted: Energy
    unsafe: Presence

    def copy_rows(self, energy: Energy, rows: RowNumbers) -> Energy:
        """A copy of these rows, with absent members as zero."""
        taken = energy[rows]
        return taken if self.present is None else np.where(self.present[rows], taken, 0)

    def view_rows(self, energy: Energy, run: slice) -> Energy:
        """These adjacent rows, with absent members as zero; not a copy if nobody is ever absent."""
        return energy[run] if self.present is None else np.where(self.present[run], energy[run], 0)

    def presence(self, rows: RowNumbers) -> Presence | None:
        """Who takes part in these rows; None if everyone always does."""
        return None if self.present is None else self.present[rows]


def allocate(
    surplus_wh: Energy,
    demand_wh: Energy,
    *,
    key: AllocationKey,
    present: Presence | None = None,
    highest_wh: int = MAX_INTEGER,
) -> Allocation:
    """The allocation of every slot by the key; columns are members in byte order, ties go to the lowest column.

    Shape: [slots, members], int64, from 0 to `highest_wh`. A member who is not `present` in a slot takes no part in it.

    One slot, in which C and D have 900 Wh left over and A and B want 1,000 Wh and 500 Wh:

    >>> surplus, demand = np.array([[0, 0, 600, 300]]), np.array([[1_000, 500, 0, 0]])
    >>> def received(method: str, **parameters: object) -> list[int]:
    ...     return allocate(surplus, demand, key=AllocationKey(method, **parameters)).alloc_wh[0].tolist()
    >>> received("proportional")
    [600, 300, 0, 0]
    >>> received("equal")
    [450, 450, 0, 0]
    >>> received("weighted", weights=(3, 1, 1, 1))
    [675, 225, 0, 0]
    >>> received("static", weights=(1, 4, 1, 1))  # B's part is 514 Wh, of which B needs 500; the rest goes unused
    [129, 500, 0, 0]
    >>> received("static_rounds", weights=(1, 4, 1, 1), rounds=2)  # a second round gives A the 271 Wh left
    [400, 500, 0, 0]
    >>> received("static_then_proportional", weights=(1, 4, 1, 1))
    [400, 500, 0, 0]
    >>> received("priority", tiers=((1,), (0, 2, 3)))
    [400, 500, 0, 0]
    >>> received("solidarity", group=(1,), reserve_ppm=500_000)  # B first gets the reserve of 450 Wh
    [429, 471, 0, 0]
    >>> received("pairwise", coefficients=((2, ((0, 250_000), (1, 750_000))), (3, ((0, 500_000),))))
    [300, 450, 0, 0]

    Each neighbour sells in proportion to their surplus:

    >>> allocate(surplus, demand, key=AllocationKey("static", weights=(1, 4, 1, 1))).sold_wh[0].tolist()
    [0, 0, 419, 210]
    """
    alloc, sold = np.zeros(demand_wh.shape, dtype=np.int64), np.zeros(surplus_wh.shape, dtype=np.int64)
    survey = survey_slots(surplus_wh, demand_wh, key=key, present=present, highest_wh=highest_wh)
    for t in np.flatnonzero(survey.unsafe).tolist():
        row = np.array([t])
        surplus, demand = survey.copy_rows(surplus_wh, row)[0].tolist(), survey.copy_rows(demand_wh, row)[0].tolist()
        here = [True] * len(demand) if survey.present is None else survey.present[t].tolist()
        alloc[t], sold[t] = allocate_row(surplus, demand, here, key=key)
    if key.method == "pairwise":
        live = ~survey.unsafe & (survey.pool > 0) & (survey.wanted > 0)
        for rows in _batches(live, demand_wh.shape[1]):
            surplus, demand = survey.copy_rows(surplus_wh, rows), survey.copy_rows(demand_wh, rows)
            alloc[rows], sold[rows] = pair_rows(surplus, demand, present=survey.presence(rows), key=key)
    else:
        sell_slots(survey, buy_slots(survey, key, alloc_wh=alloc), sold_wh=sold)
    return Allocation(alloc, sold)


def survey_slots(
    surplus: Energy, demand: Energy, *, key: AllocationKey, present: Presence | None, highest_wh: int = MAX_INTEGER
) -> SlotSurvey:
    """The sums of every slot, and whether they are small enough for the array methods."""
    count, members = demand.shape
    if present is not None and bool(present.all()):
        present = None
    pool, wanted = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    unsafe = np.full(count, sum(key.weights) >= SAFE_SUM)
    for energy, sums in ((surplus, pool), (demand, wanted)):
        runs = (slice(0, count),) if sums is pool else _runs(pool != 0)
        for rows in _blocks_of(runs, members):
            block = energy[rows] if present is None else np.where(present[rows], energy[rows], 0)
            sums[rows] = block.sum(axis=1)
            if members * highest_wh >= 2**64:
                unsafe[rows] |= int(block.max(initial=0)) * members >= SAFE_SUM
    # A sum below 2^64 has not wrapped around, so read as unsigned it shows whether it reaches the bound.
    unsafe |= np.maximum(pool.view(np.uint64), wanted.view(np.uint64)) >= SAFE_SUM
    return SlotSurvey(surplus, demand, present, pool, wanted, unsafe)


def buy_slots(survey: SlotSurvey, key: AllocationKey, *, alloc_wh: Energy) -> Energy:
    """Writes the buyers' side of every safe slot into `alloc_wh` and returns the energy used in each slot."""
    used = np.zeros_like(survey.pool)
    live = ~survey.unsafe & (survey.pool > 0) & (survey.wanted > 0)
    members = survey.demand.shape[1]
    plenty = live & (survey.pool >= survey.wanted)
    if key.method not in COVERING:
        plenty[:] = False
    for run in _runs(plenty):
        alloc_wh[run] = survey.view_rows(survey.demand, run)
    used[plenty] = survey.wanted[plenty]
    for rows in _batches(live & ~plenty, members):
        demand = survey.copy_rows(survey.demand, rows)
        batch = TradingSlots(demand, survey.pool[rows], survey.wanted[rows], survey.presence(rows))
        alloc = METHODS[key.method](batch, key)
        alloc_wh[rows] = alloc
        used[rows] = batch.pool if key.method in COVERING else alloc.sum(axis=1, dtype=np.int64)
    return used


def sell_slots(survey: SlotSurvey, used: Energy, *, sold_wh: Energy) -> None:
    """Writes the sellers' side into `sold_wh`: the energy used, shared by surplus; if all was used, all is sold."""
    members = survey.surplus.shape[1]
    for run in _runs((used > 0) & (used == survey.pool)):
        sold_wh[run] = survey.view_rows(survey.surplus, run)
    for rows in _batches((used > 0) & (used < survey.pool), members):
        surplus = survey.copy_rows(survey.surplus, rows)
        sellers = np.flatnonzero(np.bitwise_or.reduce(surplus, axis=0))
        if sellers.size < SPARSE * members:
            # Whole rows are written at once: writing scattered cells takes several times as long.
            surplus[:, sellers] = share_rows(used[rows], surplus.take(sellers, axis=1), survey.pool[rows])
            sold_wh[rows] = surplus
        else:
            sold_wh[rows] = share_rows(used[rows], surplus, survey.pool[rows])


def _blocks_of(runs: Iterable[slice], members: int) -> Iterator[slice]:
    for run in runs:
        for block in _row_blocks(run.stop - run.start, members):
            yield slice(run.start + block.start, run.start + block.stop)


def _row_blocks(count: int, members: int) -> Iterator[slice]:
    size = max(1, BATCH_CELLS // max(1, members))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _batches(chosen: NDArray[np.bool_], members: int) -> Iterator[RowNumbers]:
    rows = np.flatnonzero(chosen)
    for batch in _row_blocks(rows.size, members):
        yield rows[batch]


def _runs(chosen: NDArray[np.bool_]) -> Iterator[slice]:
    """The chosen rows as slices of adjacent rows, which can be copied faster than single rows."""
    for start, end in np.flatnonzero(np.diff(chosen, prepend=False, append=False)).reshape(-1, 2).tolist():
        yield slice(start, end)
