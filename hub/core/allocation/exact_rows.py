"""All nine methods for one slot, in Python integers of any size: the rules in their plainest form.

It is not fast but handles slots too large for the array methods in buyer_methods.py and pairwise.py. Each buyers'
method returns alloc with 0 <= alloc[i] <= demand[i] and sum(alloc) <= min(pool, sum(demand)).
"""

from collections.abc import Callable, Sequence

from hub.core.allocation.rounding import largest_remainder
from hub.core.allocation.water_filling import fill_water
from hub.core.rules.allocation_key import GRID_PPM, AllocationKey

SlotRow = list[int]


def allocate_row(
    surplus: SlotRow, demand: SlotRow, present: Sequence[bool], *, key: AllocationKey
) -> tuple[SlotRow, SlotRow]:
    """What each member receives and what each sells in one slot; absent members have zeros.

    >>> allocate_row([0, 0, 7], [3, 9, 0], [True] * 3, key=AllocationKey("proportional"))
    ([2, 5, 0], [0, 0, 7])
    """
    if key.method == "pairwise":
        return _pairwise(surplus, demand, present, key=key)
    alloc = _BUYERS[key.method](sum(surplus), demand, present, key)
    # sum(alloc) <= pool, so each seller's exact share sum(alloc) * surplus / pool is at most the seller's surplus.
    return alloc, largest_remainder(sum(alloc), surplus)


def _proportional(pool: int, demand: SlotRow, _present: Sequence[bool], _key: AllocationKey) -> SlotRow:
    # total <= sum(demand), so the exact share total * demand / sum(demand) is at most the demand, even when rounded up.
    return largest_remainder(min(pool, sum(demand)), demand)


def _equal(pool: int, demand: SlotRow, _present: Sequence[bool], _key: AllocationKey) -> SlotRow:
    return fill_water(min(pool, sum(demand)), demand, [1] * len(demand))


def _weighted(pool: int, demand: SlotRow, _present: Sequence[bool], key: AllocationKey) -> SlotRow:
    return fill_water(min(pool, sum(demand)), demand, key.weights)


def _static(pool: int, demand: SlotRow, present: Sequence[bool], key: AllocationKey) -> SlotRow:
    """Up to `key.rounds` rounds of the static key; a member whose demand is met drops out after the round.

    Before each round alloc[i] <= demand[i] and sum(alloc) <= pool. A round shares left = pool - sum(alloc) by weight,
    caps each quota at the unmet demand, and so keeps both true.
    """
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
    """Rounds of the static key; what they leave is shared by unmet demand, at most up to all of that demand."""
    first = _static(pool, demand, present, key)
    unmet = [d - a for d, a in zip(demand, first, strict=True)]
    rest = largest_remainder(min(pool - sum(first), sum(unmet)), unmet)
    return [a + b for a, b in zip(first, rest, strict=True)]


def _priority(pool: int, demand: SlotRow, _present: Sequence[bool], key: AllocationKey) -> SlotRow:
    """Tier by tier, each shared by demand; `pool` is what the earlier tiers leave.

    Something is left for a later tier only if every earlier tier has all it wants.
    """
    alloc = [0] * len(demand)
    for tier in key.tiers:
        wanted = [demand[i] for i in tier]
        given = largest_remainder(min(pool, sum(wanted)), wanted)
        for i, share in zip(tier, given, strict=True):
            alloc[i] = share
        pool -= sum(given)
    return alloc


def _solidarity(pool: int, demand: SlotRow, _present: Sequence[bool], key: AllocationKey) -> SlotRow:
    """First the reserve, shared equally within the group, then the rest by unmet demand.

    reserve = min(floor(shared * ppm / 10^6), what the group wants), so the rest is shared - reserve <= sum(unmet):
    together the two steps use up all of `shared`.
    """
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
    """Each producer's surplus, shared by that producer's own coefficients in ppm; the grid takes the rest.

    For each producer sum(ppm of those present) + to_grid = 10^6, so the quotas add up to the surplus. Producers are
    handled in column order, and a consumer takes from each at most the demand that earlier ones left unmet: after each
    producer alloc[i] <= demand[i] and sum(sold) = sum(alloc).
    """
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
