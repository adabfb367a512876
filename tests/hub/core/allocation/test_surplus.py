"""Every method against the slow reference written separately, and the properties that always hold of a slot.

In each property here and in the modules named below a method meets at least 10,000 random slots: small and near 2^53,
with ties, absent members and ids from several alphabets. test_settlement_campaign.py draws a million of each method.

| property of the rules page                       | test                                                            |
|--------------------------------------------------|-----------------------------------------------------------------|
| the same integers as a second program            | test_equals_the_slow_reference; of whole periods with gaps,     |
|                                                  | windows, participation and hours:                               |
|                                                  | test_settlement_period.test_a_period_equals_the_slow_reference  |
| sum(alloc) == sum(sold) <= P, bounds, reaching P | test_sums_and_bounds                                            |
| less than 1 Wh from the exact share              | test_within_one_watt_hour_of_the_exact_share                    |
| order of members and rows                        | test_batches_rows_and_neighbours_change_nothing,                |
|                                                  | test_settlement_period.test_same_readings_and_rule_same_hash... |
| equal: max-min optimal, monotone in the pool     | test_equal_is_max_min_optimal, test_equal_is_monotone_in_...    |
| weighted with equal weights == equal             | test_weighted_with_equal_weights_is_equal                       |
| nobody in tier k+1 while tier k is unmet         | test_no_later_tier_gets_anything_while_an_earlier_is_unmet      |
| buyers - sellers == margin in nano, micro, cents | test_settlement_period.test_money_adds_up_in_every_unit         |
| a split period adds up in nano                   | test_settlement_period.test_a_split_period_adds_up_in_nano      |
| stand-alone cost - settled cost == benefit       | test_settlement_period.test_benefit_is_the_cost_alone_less_...  |
| corrections in any order end as a fresh run      | test_settlement_period.test_corrections_commute,                |
|                                                  | test_ledger_entries.test_corrections_in_any_order_end_where_... |
| every entry and the ledger sum to 0 per unit     | test_ledger_entries.test_every_entry_and_the_whole_ledger_...   |
| replay: identical balances and hashes            | test_ledger_entries.test_replay_gives_the_same_balances_...     |
| any changed byte is found, with its position     | test_ledger_entries.test_any_changed_byte_is_found_...,         |
|                                                  | tests/hub/verify/test_journal.py (1,000 of 1,000 rows)        |
"""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.allocation.surplus import Allocation, allocate
from hub.core.rules.allocation_key import AllocationKey
from hub.core.rules.rulebook import Rule, check_rule
from tests.hub.core.allocation.slow_reference import exact_level_shares, settle_slot
from tests.hub.core.settlement.settlement_worlds import METHODS, WORK_CONSERVING, World, make_world, worlds

relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**32)


def key_of(method: str, world: World) -> AllocationKey:
    return check_rule(Rule(method, world.params), world.members)


def share(method: str, world: World) -> Allocation:
    return allocate(world.surplus_wh, world.demand_wh, key=key_of(method, world), present=world.present)


def seen(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Surplus and demand as the method sees them, in Python integers."""
    surplus = np.where(world.present, world.surplus_wh, 0).astype(object)
    return surplus, np.where(world.present, world.demand_wh, 0).astype(object)


@pytest.mark.parametrize("method", METHODS)
@given(data=st.data())
@settings(relaxed, max_examples=50)
def test_equals_the_slow_reference(method: str, data: st.DataObject) -> None:
    world = data.draw(worlds(method, slots=200))
    result = share(method, world)
    for t in range(200):
        here = [i for i in range(len(world.members)) if world.present[t, i]]
        surplus = {world.members[i]: int(world.surplus_wh[t, i]) for i in here}
        demand = {world.members[i]: int(world.demand_wh[t, i]) for i in here}
        alloc, sold = settle_slot(method, world.params, surplus, demand)
        assert result.alloc_wh[t].tolist() == [alloc.get(name, 0) for name in world.members]
        assert result.sold_wh[t].tolist() == [sold.get(name, 0) for name in world.members]


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=10)
def test_sums_and_bounds(method: str, seed: int) -> None:
    highest = (5, 700, 30_000, 2**31, 2**53 - 1)[seed % 5]
    world = make_world(method, seed=seed, count=1 + seed % 13, highest_wh=highest, slots=1_000)
    result = share(method, world)
    surplus, demand = seen(world)
    alloc, sold = result.alloc_wh.astype(object), result.sold_wh.astype(object)
    pool = np.minimum(surplus.sum(axis=1), demand.sum(axis=1))
    assert (alloc.sum(axis=1) == sold.sum(axis=1)).all()
    assert (alloc.sum(axis=1) <= pool).all()
    assert ((alloc >= 0) & (alloc <= demand)).all()
    assert ((sold >= 0) & (sold <= surplus)).all()
    if method in WORK_CONSERVING:
        assert (alloc.sum(axis=1) == pool).all()


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=10)
def test_batches_rows_and_neighbours_change_nothing(method: str, seed: int) -> None:
    """Each slot alone, and the slots in another order, give what they give together."""
    world = make_world(method, seed=seed, count=9, highest_wh=900, slots=1_000)
    key, together = key_of(method, world), share(method, world)
    order = np.random.default_rng(seed).permutation(1_000)
    shuffled = allocate(world.surplus_wh[order], world.demand_wh[order], key=key, present=world.present[order])
    assert (shuffled.alloc_wh == together.alloc_wh[order]).all()
    assert (shuffled.sold_wh == together.sold_wh[order]).all()
    for t in range(0, 1_000, 100):
        row = slice(t, t + 1)
        alone = allocate(world.surplus_wh[row], world.demand_wh[row], key=key, present=world.present[row])
        assert (alone.alloc_wh == together.alloc_wh[row]).all()


@pytest.mark.parametrize("method", ["proportional", "equal", "weighted", "static"])
@given(seed=seeds)
@settings(relaxed, max_examples=20)
def test_within_one_watt_hour_of_the_exact_share(method: str, seed: int) -> None:
    world = make_world(method, seed=seed, count=8, highest_wh=5_000, slots=500)
    result = share(method, world)
    surplus, demand = seen(world)
    for t in range(500):
        wanted = dict(zip(world.members, demand[t].tolist(), strict=True))
        total = int(min(surplus[t].sum(), demand[t].sum()))
        if method == "proportional":
            whole = max(1, sum(wanted.values()))
            exact = {name: Fraction(total * d, whole) for name, d in wanted.items()}
        elif method == "static":
            here = {name for name, there in zip(world.members, world.present[t].tolist(), strict=True) if there}
            weights = {name: weight if name in here else 0 for name, weight in world.params["weights"].items()}
            whole, pool = max(1, sum(weights.values())), int(surplus[t].sum())
            exact = {name: min(Fraction(pool * weights[name], whole), Fraction(wanted[name])) for name in wanted}
        else:
            exact = exact_level_shares(total, wanted, world.params.get("weights", dict.fromkeys(wanted, 1)))
        for i, name in enumerate(world.members):
            assert abs(int(result.alloc_wh[t, i]) - exact[name]) < 1


@given(seed=seeds)
@settings(relaxed, max_examples=30)
def test_equal_is_max_min_optimal(seed: int) -> None:
    """Nobody who still wants more has two units less than someone else was given."""
    world = make_world("equal", seed=seed, count=10, highest_wh=500, slots=400)
    alloc = share("equal", world).alloc_wh
    _, demand = seen(world)
    poorest_unmet = np.where(alloc < demand, alloc, np.iinfo(np.int64).max).min(axis=1)
    assert (alloc.max(axis=1) <= poorest_unmet.astype(object) + 1).all()


@given(seed=seeds)
@settings(relaxed, max_examples=100)
def test_equal_is_monotone_in_the_pool(seed: int) -> None:
    """One row per pool size: a unit more never lowers anyone."""
    demand = np.random.default_rng(seed).integers(0, 40, 7)
    pools = int(demand.sum()) + 2
    surplus = np.zeros((pools, 8), dtype=np.int64)
    surplus[:, 7] = np.arange(pools)
    wanted = np.broadcast_to(np.append(demand, 0), surplus.shape)
    alloc = allocate(surplus, wanted, key=AllocationKey("equal")).alloc_wh
    assert (np.diff(alloc, axis=0) >= 0).all()
    assert (alloc.sum(axis=1) == np.minimum(np.arange(pools), demand.sum())).all()


@given(seed=seeds, weight=st.sampled_from([1, 2, 999, 2**31, 2**53 - 1]))
@settings(relaxed, max_examples=50)
def test_weighted_with_equal_weights_is_equal(seed: int, weight: int) -> None:
    world = make_world("equal", seed=seed, count=9, highest_wh=(9, 3_000, 2**50)[seed % 3], slots=200)
    key = AllocationKey("weighted", weights=(weight,) * 9)
    weighted = allocate(world.surplus_wh, world.demand_wh, key=key, present=world.present)
    assert (weighted.alloc_wh == share("equal", world).alloc_wh).all()


@given(seed=seeds)
@settings(relaxed, max_examples=40)
def test_no_later_tier_gets_anything_while_an_earlier_is_unmet(seed: int) -> None:
    world = make_world("priority", seed=seed, count=11, highest_wh=800, slots=300)
    alloc = share("priority", world).alloc_wh
    _, demand = seen(world)
    tiers = key_of("priority", world).tiers
    for earlier, later in pairwise(tiers):
        unmet = (alloc[:, earlier] < demand[:, earlier]).any(axis=1)
        assert not alloc[unmet][:, later].any()


@pytest.mark.parametrize("tiers", [25, 1])
def test_priority_one_by_one_and_in_one_tier(tiers: int) -> None:
    rng = np.random.default_rng(tiers)
    surplus, demand = rng.integers(0, 400, (500, 25)), rng.integers(0, 900, (500, 25))
    order = rng.permutation(25)
    key = AllocationKey("priority", tiers=tuple(tuple(sorted(part.tolist())) for part in np.array_split(order, tiers)))
    alloc = allocate(surplus, demand, key=key).alloc_wh
    if tiers == 1:
        assert (alloc == allocate(surplus, demand, key=AllocationKey("proportional")).alloc_wh).all()
        return
    left = surplus.sum(axis=1)
    for column in order:
        assert (alloc[:, column] == np.minimum(left, demand[:, column])).all()
        left = left - alloc[:, column]


def test_static_is_the_quota_or_the_demand() -> None:
    surplus = np.array([[0, 0, 0, 2000], [0, 0, 0, 10]])
    demand = np.array([[3000, 1000, 200, 0], [9, 9, 9, 9]])
    key = AllocationKey("static", weights=(1, 1, 1, 0))
    assert allocate(surplus, demand, key=key).alloc_wh.tolist() == [[667, 667, 200, 0], [4, 3, 3, 0]]


def test_an_absent_member_leaves_the_key() -> None:
    """With the third of three equal weights away, the other two share all of the pool."""
    key = AllocationKey("static", weights=(1, 1, 1))
    surplus, demand = np.array([[9, 0, 0]]), np.array([[0, 9, 9]])
    here = np.array([[True, True, False]])
    assert allocate(surplus, demand, key=key, present=here).alloc_wh.tolist() == [[0, 4, 0]]
    assert allocate(surplus, demand, key=key).alloc_wh.tolist() == [[0, 3, 3]]


def test_many_rounds_end_when_nothing_is_left() -> None:
    key = AllocationKey("static_rounds", weights=(5, 3, 2), rounds=2**53 - 1)
    alloc = allocate(np.array([[0, 0, 2000]]), np.array([[3000, 1000, 200]]), key=key).alloc_wh
    assert int(alloc.sum()) == 2000
    assert allocate(np.array([[9, 0, 0]]), np.array([[1, 1, 1]]), key=key).alloc_wh.tolist() == [[1, 1, 1]]


@pytest.mark.parametrize("method", ["proportional", "equal", "priority"])
@pytest.mark.parametrize(("highest_wh", "members"), [(2**53 - 1, 1_500), (2**55 - 4, 600), (2**55 - 4, 1_100)])
def test_slots_whose_sums_pass_64_bits(method: str, highest_wh: int, members: int) -> None:
    """A street near the limit whose sums pass 2^63 or even 2^64, and beside it an everyday slot that stays as it is."""
    tiers = (tuple(range(members)),) if method == "priority" else ()
    demand = np.full((2, members), highest_wh, dtype=np.int64)
    surplus = np.zeros_like(demand)
    surplus[0, ::2] = highest_wh
    demand[1], surplus[1, 0] = 7, 4_100
    result = allocate(surplus, demand, key=AllocationKey(method, tiers=tiers), highest_wh=highest_wh)
    whole, odd = divmod(highest_wh, 2)
    assert result.alloc_wh[0].tolist() == [whole + odd] * (members // 2) + [whole] * (members // 2)
    assert result.sold_wh[0].tolist() == surplus[0].tolist()
    whole, left = divmod(4_100, members)
    assert result.alloc_wh[1].tolist() == [whole + 1] * left + [whole] * (members - left)


def test_no_slots_and_no_surplus() -> None:
    key = AllocationKey("proportional")
    empty = np.zeros((0, 3), dtype=np.int64)
    assert allocate(empty, empty, key=key).alloc_wh.shape == (0, 3)
    assert not allocate(np.zeros((4, 3), dtype=np.int64), np.ones((4, 3), dtype=np.int64), key=key).alloc_wh.any()
