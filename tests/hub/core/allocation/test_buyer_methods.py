"""The array form of each buyers' method: worked by hand, against the exact rows, and where its number formats end."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.allocation.buyer_methods import COVERING, METHODS, TradingSlots
from hub.core.allocation.exact_rows import allocate_row
from hub.core.rules.allocation_key import AllocationKey
from hub.core.rules.rulebook import Rule, check_rule
from tests.hub.core.settlement.settlement_worlds import WORK_CONSERVING, make_world

relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def slots_of(pool: list[int], demand: list[list[int]], *, present: list[list[bool]] | None = None) -> TradingSlots:
    wanted = np.array(demand, dtype=np.int64)
    here = None if present is None else np.array(present)
    return TradingSlots(wanted, np.array(pool, dtype=np.int64), wanted.sum(axis=1), here)


def received(key: AllocationKey, batch: TradingSlots) -> list[list[int]]:
    return METHODS[key.method](batch, key).tolist()


TWO = slots_of([900, 7], [[1_000, 500, 100], [4, 4, 4]])
WEIGHTS = (1, 4, 1)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (AllocationKey("proportional"), [[563, 281, 56], [3, 2, 2]]),  # 562.5 and 281.25 and 56.25
        (AllocationKey("equal"), [[400, 400, 100], [3, 2, 2]]),
        (AllocationKey("weighted", weights=WEIGHTS), [[300, 500, 100], [2, 4, 1]]),  # 1.5 and 4 and 1.5
        (AllocationKey("weighted", weights=(0, 0, 3)), [[0, 0, 100], [0, 0, 4]]),
        (AllocationKey("static", weights=WEIGHTS), [[150, 500, 100], [1, 4, 1]]),  # quotas 150, 600, 150
        (AllocationKey("static_rounds", weights=WEIGHTS, rounds=2), [[300, 500, 100], [2, 4, 1]]),
        (AllocationKey("static_then_proportional", weights=WEIGHTS), [[300, 500, 100], [2, 4, 1]]),
        (AllocationKey("priority", tiers=((2,), (1,), (0,))), [[300, 500, 100], [0, 3, 4]]),
        (AllocationKey("priority", tiers=((0, 1), (), (2,))), [[600, 300, 0], [4, 3, 0]]),
        (AllocationKey("priority", tiers=((1, 2), (0,))), [[300, 500, 100], [0, 4, 3]]),
        (AllocationKey("solidarity", group=(1, 2), reserve_ppm=400_000), [[435, 365, 100], [2, 3, 2]]),
    ],
)
def test_worked_by_hand(key: AllocationKey, expected: list[list[int]]) -> None:
    """Of solidarity: a reserve of 360 gives 260 and 100, and 540 are shared by 1,000 : 240 as 435.48 and 104.52. In the
    second slot a reserve of 2 gives 1 each, and 5 are shared by 4 : 3 : 3 as 2, 1.5 and 1.5.
    """
    assert received(key, TWO) == expected


def test_members_who_are_away_have_no_weight() -> None:
    batch = slots_of([90, 90], [[100, 0, 100], [100, 100, 100]], present=[[True, False, True], [True, True, True]])
    assert received(AllocationKey("static", weights=(1, 1, 1)), batch) == [[45, 0, 45], [30, 30, 30]]


def test_the_methods_that_cover_are_those_that_use_up_the_pool() -> None:
    assert set(WORK_CONSERVING) == COVERING
    assert len(METHODS) == 8


@pytest.mark.parametrize("method", METHODS)
@given(seed=st.integers(0, 2**32))
@settings(relaxed, max_examples=25)
def test_equals_the_exact_rows(method: str, seed: int) -> None:
    """Small slots, slots near 2^53 with ties, and for the covering methods only scarce ones, as the caller promises."""
    world = make_world(method, seed=seed, count=1 + seed % 10, highest_wh=(4, 900, 2**53 - 1)[seed % 3], slots=40)
    key = check_rule(Rule(method, world.params), world.members)
    surplus, demand = (np.where(world.present, wh, 0) for wh in (world.surplus_wh, world.demand_wh))
    pool, wanted = surplus.sum(axis=1), demand.sum(axis=1)
    rows = np.flatnonzero((pool > 0) & (wanted > 0) & ((pool < wanted) | (method not in COVERING)))
    if not rows.size:
        return
    given_out = METHODS[method](TradingSlots(demand[rows], pool[rows], wanted[rows], world.present[rows]), key)
    for alloc, t in zip(given_out.tolist(), rows.tolist(), strict=True):
        expected, _ = allocate_row(surplus[t].tolist(), demand[t].tolist(), world.present[t].tolist(), key=key)
        assert alloc == expected


@pytest.mark.parametrize("highest", [2**31 - 2, 2**31 - 1, 2**31, 2**53 - 1])
def test_priority_where_32_bits_end(highest: int) -> None:
    """The sum of a row decides how wide the numbers are; the pool is one unit short of everything."""
    demand = [[highest - 5, 3, 2]]
    for tiers, expected in [
        (((0,), (1,), (2,)), [[highest - 5, 3, 1]]),
        (((2,), (1,), (0,)), [[highest - 6, 3, 2]]),
        (((1, 2), (0,)), [[highest - 6, 3, 2]]),
        (((0,), (1, 2)), [[highest - 5, 2, 2]]),  # 4 units for 3 and 2: 2.4 and 1.6
    ]:
        assert received(AllocationKey("priority", tiers=tiers), slots_of([highest - 1], demand)) == expected


def test_the_reserve_of_a_large_pool_is_exact() -> None:
    """Pool times parts per million passes 64 bits here: 2^61 - 1 of 10^6 ppm is the pool itself."""
    pool = 2**61 - 1
    batch = slots_of([pool], [[pool, pool]])
    for ppm in (1, 333_333, 999_999, 1_000_000):
        reserve = pool * ppm // 1_000_000
        first = AllocationKey("solidarity", group=(1,), reserve_ppm=ppm)
        expected, _ = allocate_row([pool, 0], [pool, pool], [True, True], key=first)
        assert received(first, batch) == [expected]
        assert expected[1] >= reserve
