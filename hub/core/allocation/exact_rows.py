"""One slot in Python integers of any size, all nine methods: the plain statement of the rules.

It answers for slots too large for the array kernels of allocation.py; it is not fast.
"""

from collections.abc import Callable, Sequence

from hub.core.allocation.rounding import largest_remainder
from hub.core.allocation.water_filling import fill_water
from hub.core.rules.allocation_key import GRID_PPM, AllocationKey

SlotRow = list[int]


def allocate_row(
    surplus: SlotRow, demand: SlotRow, present: Sequence[bool], *, key: AllocationKey
) -> tuple[SlotRow, SlotRow]:
    """What each member is allocated and what each has sold in one slot; absent members carry zeros."""
    if key.method == "pairwise":
        return _pairwise(surplus, demand, present, key=key)
    alloc = _BUYERS[key.method](sum(surplus), demand, present, key)
    return alloc, largest_remainder(sum(alloc), surplus)


def _proportional(pool: int, demand: SlotRow, _present: Sequence[bool], _key: AllocationKey) -> SlotRow:
    return largest_remainder(min(pool, sum(demand)), demand)


def _equal(pool: int, demand: SlotRow, _present: Sequence[bool], _key: AllocationKey) -> SlotRow:
    return fill_water(min(pool, sum(demand)), demand, [1] * len(demand))


def _weighted(pool: int, demand: SlotRow, _present: Sequence[bool], key: AllocationKey) -> SlotRow:
    return fill_water(min(pool, sum(demand)), demand, key.weights)


def _static(pool: int, demand: SlotRow, present: Sequence[bool], key: AllocationKey) -> SlotRow:
    """Up to `key.rounds` rounds of the static key; a satisfied member drops out after the round."""
    weights = [weight if here else 0 for weight, here in zip(key.weights, present, strict=True)]
    alloc = [0] * len(demand)
    for _ in range(key.rounds):
        left = pool - sum(alloc)
        if left == 0 or not any(weights):
            break
        quota = largest_remainder(left, weights)
        alloc = [a + min(q, d - a) for a, q, d in zip(alloc, quota, demand, strict=True)]
        weights = [0 if a == d else w for a, d, w in zip(alloc, demand, weights, strict=True)]
    return alloc


def _static_then_proportional(pool: int, demand: SlotRow, present: Sequence[bool], key: AllocationKey) -> SlotRow:
    first = _static(pool, demand, present, key)
    unmet = [d - a for d, a in zip(demand, first, strict=True)]
    rest = largest_remainder(min(pool - sum(first), sum(unmet)), unmet)
    return [a + b for a, b in zip(first, rest, strict=True)]


def _priority(pool: int, demand: SlotRow, _present: Sequence[bool], key: AllocationKey) -> SlotRow:
    alloc = [0] * len(demand)
    for tier in key.tiers:
        wanted = [demand[i] for i in tier]
        given = largest_remainder(min(pool, sum(wanted)), wanted)
        for i, share in zip(tier, given, strict=True):
            alloc[i] = share
        pool -= sum(given)
    return alloc


def _solidarity(pool: int, demand: SlotRow, _present: Sequence[bool], key: AllocationKey) -> SlotRow:
    shared = min(pool, sum(demand))
    group = set(key.group)
    wanted = [d if i in group else 0 for i, d in enumerate(demand)]
    first = fill_water(min(shared * key.reserve_ppm // GRID_PPM, sum(wanted)), wanted, [1] * len(demand))
    unmet = [d - a for d, a in zip(demand, first, strict=True)]
    rest = largest_remainder(shared - sum(first), unmet)
    return [a + b for a, b in zip(first, rest, strict=True)]


def _pairwise(
    surplus: SlotRow, demand: SlotRow, present: Sequence[bool], *, key: AllocationKey
) -> tuple[SlotRow, SlotRow]:
    alloc, sold = [0] * len(demand), [0] * len(demand)
    for producer, consumers in key.coefficients:
        here = [(column, ppm) for column, ppm in consumers if present[column]]
        to_grid = GRID_PPM - sum(ppm for _, ppm in here)
        quota = largest_remainder(surplus[producer], [*(ppm for _, ppm in here), to_grid])
        for (column, _), share in zip(here, quota[:-1], strict=True):
            taken = min(share, demand[column] - alloc[column])
            alloc[column] += taken
            sold[producer] += taken
    return alloc, sold


_BUYERS: dict[str, Callable[[int, SlotRow, Sequence[bool], AllocationKey], SlotRow]] = {
    "proportional": _proportional,
    "equal": _equal,
    "weighted": _weighted,
    "static": _static,
    "static_rounds": _static,
    "static_then_proportional": _static_then_proportional,
    "priority": _priority,
    "solidarity": _solidarity,
}
