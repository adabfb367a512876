"""One slot's sharing as the few numbers with which each member finds the own share, and no member's reading.

A step says how much was shared, by what sum of weights, and who got the units left over. It allocates nothing: the
methods are in allocation.py, and a member recomputes with hub/verify/statement.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.core.allocation.rounding import largest_remainder
from hub.core.rules.allocation_key import GRID_PPM, AllocationKey

IntSequence = Sequence[int]


@dataclass(frozen=True, slots=True)
class SharingStep:
    """`total` shared by weights that add up to `weight_sum`, by largest remainder.

    A member's rest is total x weight modulo weight_sum. A unit left over went to every rest above `bar`, and to a
    rest equal to it if `before` is None or the member's id sorts before `before`. `bar` None: nothing was left over.
    The bar is the roundest number that parts those with a unit from those without, so that it is nobody's rest
    unless two rests are equal.
    """

    total: int
    weight_sum: int
    bar: int | None = None
    before: str | None = None

    def plain(self) -> list[int | str | None]:
        """The step as a list for JSON."""
        return [self.total, self.weight_sum, self.bar, self.before]


def share_step(total: int, weights: IntSequence, members: Sequence[str]) -> SharingStep:
    """The step of `largest_remainder(total, weights)`; members are in byte order."""
    weight_sum = sum(weights)
    if total == 0 or weight_sum == 0:
        return SharingStep(0, weight_sum)
    bar, before = part_rests([total * weight % weight_sum for weight in weights], weight_sum, members)
    return SharingStep(total, weight_sum, bar, before)


def part_rests(rests: IntSequence, unit: int, members: Sequence[str]) -> tuple[int | None, str | None]:
    """Where the rests divide into those that get a left-over unit and those that do not: see `SharingStep`."""
    left = sum(rests) // unit
    if left == 0:
        return None, None
    order = sorted(range(len(rests)), key=lambda i: (-rests[i], i))
    last, following = order[left - 1], order[left]
    above, below = rests[last], rests[following]
    if above > below:
        shift = (above ^ below).bit_length() - 1
        return above >> shift << shift, None
    return above, _parting(members[last], members[following])


def buyer_steps(
    surplus: IntSequence, demand: IntSequence, present: Sequence[bool], *, key: AllocationKey, members: Sequence[str]
) -> tuple[SharingStep, ...]:
    """The buyers' steps of every method but pairwise, in the order a member applies them; absent members carry zeros.

    `priority` has one step for each tier, `static_rounds` one for each round that was held.
    """
    pool, wanted = sum(surplus), sum(demand)
    shared = min(pool, wanted)
    match key.method:
        case "proportional":
            return (share_step(shared, demand, members),)
        case "equal":
            return (_fill_step(shared, demand, [1] * len(demand), members=members),)
        case "weighted":
            return (_fill_step(shared, demand, key.weights, members=members),)
        case "priority":
            return _tier_steps(pool, demand, key=key, members=members)
        case "solidarity":
            return _reserve_steps(shared, demand, key=key, members=members)
        case "static" | "static_rounds" | "static_then_proportional":
            steps, alloc = _static_steps(pool, demand, present, key=key, members=members)
            if key.method == "static_then_proportional":
                unmet = [d - a for d, a in zip(demand, alloc, strict=True)]
                steps.append(share_step(min(pool - sum(alloc), sum(unmet)), unmet, members))
            return tuple(steps)
    raise ValueError(f"{key.method} has no steps of its own")


def producer_step(surplus_wh: int, weights: Sequence[tuple[str, int]]) -> SharingStep:
    """A producer's pairwise quotas; `weights` are the present consumers by id, and the grid takes the rest."""
    ppm = [weight for _, weight in weights]
    # The pseudo-member must sort after every id: the highest character does, as no id a person types starts with it.
    names = [*(consumer for consumer, _ in weights), "\U0010ffff"]
    return share_step(surplus_wh, [*ppm, GRID_PPM - sum(ppm)], names)


def _parting(last: str, following: str) -> str:
    """The shortest beginning of `following` that sorts after `last`."""
    return next(following[:n] for n in range(1, len(following) + 1) if following[:n] > last)


def _fill_step(total: int, demand: IntSequence, weights: IntSequence, *, members: Sequence[str]) -> SharingStep:
    """Water-filling's last level: whoever has demand x weight_sum <= total x weight is filled, others share `total`."""
    rising = [i for i, weight in enumerate(weights) if weight > 0 and demand[i] > 0]
    while rising:
        weight_sum = sum(weights[i] for i in rising)
        filled = {i for i in rising if demand[i] * weight_sum <= total * weights[i]}
        if not filled:
            break
        total -= sum(demand[i] for i in filled)
        rising = [i for i in rising if i not in filled]
    return share_step(total, [weights[i] for i in rising], [members[i] for i in rising])


def _static_steps(
    pool: int, demand: IntSequence, present: Sequence[bool], *, key: AllocationKey, members: Sequence[str]
) -> tuple[list[SharingStep], list[int]]:
    weights = [weight if here else 0 for weight, here in zip(key.weights, present, strict=True)]
    alloc, steps = [0] * len(demand), []
    for _ in range(key.rounds):
        left = pool - sum(alloc)
        if left == 0 or not any(weights):
            break
        steps.append(share_step(left, weights, members))
        quota = largest_remainder(left, weights)
        alloc = [a + min(q, d - a) for a, q, d in zip(alloc, quota, demand, strict=True)]
        weights = [0 if a == d else w for a, d, w in zip(alloc, demand, weights, strict=True)]
    return steps, alloc


def _tier_steps(
    pool: int, demand: IntSequence, *, key: AllocationKey, members: Sequence[str]
) -> tuple[SharingStep, ...]:
    steps = []
    for tier in key.tiers:
        wanted = [demand[i] for i in tier]
        given = min(pool, sum(wanted))
        steps.append(share_step(given, wanted, [members[i] for i in tier]))
        pool -= given
    return tuple(steps)


def _reserve_steps(
    shared: int, demand: IntSequence, *, key: AllocationKey, members: Sequence[str]
) -> tuple[SharingStep, ...]:
    group = set(key.group)
    wanted = [d if i in group else 0 for i, d in enumerate(demand)]
    reserve = min(shared * key.reserve_ppm // GRID_PPM, sum(wanted))
    first = _fill_step(reserve, wanted, [1] * len(demand), members=members)
    unmet = [d - a for d, a in zip(demand, _filled(first, wanted), strict=True)]
    return first, share_step(shared - reserve, unmet, members)


def _filled(step: SharingStep, demand: IntSequence) -> list[int]:
    """What equal filling to this step gave: the demand of the filled, the shared total among the others."""
    given = list(demand)
    rising = [i for i, d in enumerate(demand) if d * step.weight_sum > step.total]
    shares = largest_remainder(step.total, [1] * len(rising))
    for i, share in zip(rising, shares, strict=True):
        given[i] = share
    return given
