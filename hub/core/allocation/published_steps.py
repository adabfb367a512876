"""One slot's sharing as a few numbers from which members compute their own share without seeing anyone's reading.

A step contains how much was shared, the sum of the weights, and who got the units left over. Nothing is allocated
here: the methods are in buyer_methods.py, and a member recomputes the share with hub/verify/statement.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.core.allocation.rounding import largest_remainder
from hub.core.rules.allocation_key import GRID_PPM, AllocationKey

IntSequence = Sequence[int]


@dataclass(frozen=True, slots=True)
class SharingStep:
    """`total` shared by weights that add up to `weight_sum`, by largest remainder.

    A member's rest is total * weight modulo weight_sum. Every member with a rest above `bar` got one leftover unit; so
    did a member with a rest equal to `bar` if `before` is None or the member's id sorts before `before`. If `bar` is
    None, nothing was left over. The bar is the roundest binary number that separates the members with a unit from those
    without, so that it reveals as little as possible about anyone's rest.
    """

    total: int
    weight_sum: int
    bar: int | None = None
    before: str | None = None

    def plain(self) -> list[int | str | None]:
        """The step as a list for JSON."""
        return [self.total, self.weight_sum, self.bar, self.before]


def share_step(total: int, weights: IntSequence, members: Sequence[str]) -> SharingStep:
    """The step of `largest_remainder(total, weights)`; members are in byte order.

    >>> share_step(10, [1, 1, 4], ["anna", "ben", "cleo"])
    SharingStep(total=10, weight_sum=6, bar=4, before='c')
    """
    weight_sum = sum(weights)
    if total == 0 or weight_sum == 0:
        return SharingStep(0, weight_sum)
    bar, before = part_rests([total * weight % weight_sum for weight in weights], weight_sum, members)
    return SharingStep(total, weight_sum, bar, before)


def part_rests(rests: IntSequence, unit: int, members: Sequence[str]) -> tuple[int | None, str | None]:
    """The line between the rests that get a leftover unit and the others: `bar` and `before` of a `SharingStep`."""
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
    """The buyers' steps for every method but pairwise, in the order a member applies them; absent members have zeros.

    `priority` has one step for each tier, `static_rounds` one for each round that took place.
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
    # The grid must sort after every member id. The highest character does: no id that a person types begins with it.
    names = [*(consumer for consumer, _ in weights), "\U0010ffff"]
    return share_step(surplus_wh, [*ppm, GRID_PPM - sum(ppm)], names)


def _parting(last: str, following: str) -> str:
    """The shortest prefix of `following` that sorts after `last`."""
    return next(following[:n] for n in range(1, len(following) + 1) if following[:n] > last)


def _fill_step(total: int, demand: IntSequence, weights: IntSequence, *, members: Sequence[str]) -> SharingStep:
    """Water-filling's last level: members with demand * weight_sum <= total * weight are full, others share `total`."""
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
    """What equal filling gave in this step: full members got their demand, the others equal parts of its total."""
    given = list(demand)
    rising = [i for i, d in enumerate(demand) if d * step.weight_sum > step.total]
    shares = largest_remainder(step.total, [1] * len(rising))
    for i, share in zip(rising, shares, strict=True):
        given[i] = share
    return given
