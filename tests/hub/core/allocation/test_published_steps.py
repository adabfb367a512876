"""From a step a member computes the exact share by own demand alone, and the steps of a slot give its allocation."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.allocation.exact_rows import allocate_row
from hub.core.allocation.published_steps import SharingStep, buyer_steps, part_rests, producer_step, share_step
from hub.core.allocation.rounding import largest_remainder
from hub.core.rules.allocation_key import AllocationKey
from hub.core.rules.rulebook import Rule, check_rule
from tests.hub.core.settlement.settlement_worlds import METHODS, NAMES, make_world

relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
ABC = ["anna", "ben", "cleo"]


def own_share(step: SharingStep, weight: int, member: str) -> int:
    """What the step's docstring tells a member to compute."""
    units, rest = divmod(step.total * weight, step.weight_sum or 1)
    if step.bar is None or rest < step.bar:
        return units
    return units + (rest > step.bar or step.before is None or member < step.before)


def own_filling(step: SharingStep, demand: int, weight: int, member: str) -> int:
    is_full = demand * step.weight_sum <= step.total * weight
    return 0 if not weight else demand if is_full else own_share(step, weight, member)


def own_allocation(key: AllocationKey, steps: list[SharingStep], demand: int, *, column: int, member: str) -> int:
    """The slot's steps applied with the member's own demand and the rule's parameters."""
    if key.method == "priority":
        tier = next(n for n, tier in enumerate(key.tiers) if column in tier)
        return own_share(steps[tier], demand, member)
    if key.method == "proportional":
        return own_share(steps[0], demand, member)
    if key.method in ("equal", "weighted"):
        return own_filling(steps[0], demand, 1 if key.method == "equal" else key.weights[column], member)
    if key.method == "solidarity":
        first = own_filling(steps[0], demand, 1, member) if column in key.group else 0
        return first + own_share(steps[1], demand - first, member)
    rounds = steps[:-1] if key.method == "static_then_proportional" else steps
    got = 0
    for step in rounds:
        got += 0 if got == demand else min(own_share(step, key.weights[column], member), demand - got)
    return got + own_share(steps[-1], demand - got, member) if key.method == "static_then_proportional" else got


def test_a_unit_left_over_goes_to_the_largest_rest() -> None:
    # 10 by 1 : 2 : 4 is 1.43, 2.86 and 5.71: rests 3, 6 and 5 of 7, two units left over.
    step = share_step(10, [1, 2, 4], ABC)
    assert (step.total, step.weight_sum, step.before) == (10, 7, None)
    assert step.bar == 4, "between the rests 5 and 3, and nobody's"
    assert [own_share(step, weight, name) for weight, name in zip([1, 2, 4], ABC, strict=True)] == [1, 3, 6]
    assert step.plain() == [10, 7, 4, None]


def test_equal_rests_are_separated_by_the_beginning_of_a_name() -> None:
    step = share_step(10, [1, 1, 4], ABC)
    assert (step.bar, step.before) == (4, "c")
    assert share_step(1, [1, 1], ["ann", "anna"]).before == "anna"
    assert share_step(1, [1, 1], ["anna", "annb"]).before == "annb"


@pytest.mark.parametrize(("total", "weights"), [(0, [1, 2, 3]), (7, [0, 0, 0]), (6, [1, 2, 3])])
def test_without_units_left_over_there_is_no_bar(total: int, weights: list[int]) -> None:
    step = share_step(total, weights, ABC)
    assert (step.bar, step.before) == (None, None)
    assert step.weight_sum == sum(weights)
    assert step.total == (total if sum(weights) else 0)


@given(
    row=st.lists(
        st.tuples(st.sampled_from(NAMES), st.integers(0, 9)), min_size=1, max_size=9, unique_by=lambda e: e[0]
    ),
    total=st.integers(0, 200),
)
@settings(relaxed, max_examples=200)
def test_each_member_finds_the_exact_share(row: list[tuple[str, int]], total: int) -> None:
    row.sort(key=lambda each: each[0].encode())
    members, weights = [name for name, _ in row], [weight for _, weight in row]
    step = share_step(total, weights, members)
    own = [own_share(step, weight, name) for name, weight in row]
    assert own == largest_remainder(total, weights)
    rests = [total * weight % step.weight_sum for weight in weights] if step.weight_sum else []
    if step.bar is not None and step.before is None:
        below = max(rest for rest in rests if rest < step.bar)
        above = min(rest for rest in rests if rest >= step.bar)
        between = range(below + 1, above + 1)
        assert step.bar & -step.bar == max(n & -n for n in between), "no rounder number separates them"


@pytest.mark.parametrize(
    ("rests", "expected"),
    [
        ([5, 3, 4], (4, None)),  # two units: to 5 and 4
        ([1, 2, 3], (3, None)),
        ([0, 0, 0], (None, None)),
        ([4, 4, 4], (4, "c")),
        ([2, 2, 2], (2, "b")),
    ],
)
def test_the_bar_of_rests(rests: list[int], expected: tuple[int | None, str | None]) -> None:
    assert part_rests(rests, 6, ABC) == expected


@pytest.mark.parametrize("method", [method for method in METHODS if method != "pairwise"])
@given(seed=st.integers(0, 2**32))
@settings(relaxed, max_examples=20)
def test_the_steps_of_a_slot_give_its_allocation(method: str, seed: int) -> None:
    world = make_world(method, seed=seed, count=1 + seed % 8, highest_wh=(4, 900, 2**53 - 1)[seed % 3], slots=8)
    key = check_rule(Rule(method, world.params), world.members)
    surplus = np.where(world.present, world.surplus_wh, 0).tolist()
    demand = np.where(world.present, world.demand_wh, 0).tolist()
    for given_out, wanted, here in zip(surplus, demand, world.present.tolist(), strict=True):
        steps = list(buyer_steps(given_out, wanted, here, key=key, members=world.members))
        expected, _ = allocate_row(given_out, wanted, here, key=key)
        assert expected == [
            own_allocation(key, steps, wanted[i], column=i, member=name) if here[i] else 0
            for i, name in enumerate(world.members)
        ]


def test_each_round_and_each_tier_has_its_step() -> None:
    here = [True] * 3
    rounds = AllocationKey("static_rounds", weights=(1, 1, 1), rounds=9)
    assert len(buyer_steps([0, 0, 12], [9, 2, 0], here, key=rounds, members=ABC)) == 2
    assert len(buyer_steps([0, 0, 6], [9, 9, 0], here, key=rounds, members=ABC)) == 2, "the pool is used up"
    tiers = AllocationKey("priority", tiers=((0,), (1,), (2,)))
    steps = buyer_steps([0, 0, 3], [2, 2, 2], here, key=tiers, members=ABC)
    assert [step.total for step in steps] == [2, 1, 0]
    with pytest.raises(ValueError, match="pairwise has no steps of its own"):
        buyer_steps([1], [1], [True], key=AllocationKey("pairwise"), members=["a"])


def test_the_grid_comes_after_every_consumer() -> None:
    step = producer_step(3, [("anna", 250_000), ("zoe", 250_000)])
    # Quotas 0.75, 0.75 and 1.5 for the grid: both units left over go to the larger rests of the consumers.
    assert step.weight_sum == 1_000_000
    assert [own_share(step, 250_000, name) for name in ("anna", "zoe")] == [1, 1]
    tie = producer_step(1, [("\U0010fffe", 500_000)])
    assert own_share(tie, 500_000, "\U0010fffe") == 1
