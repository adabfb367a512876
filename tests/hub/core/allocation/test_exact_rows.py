"""One slot of every method: worked by hand, against the rules written separately, and beyond 64 bits."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.allocation.exact_rows import allocate_row
from hub.core.rules.allocation_key import AllocationKey
from hub.core.rules.rulebook import Rule, check_rule
from tests.hub.core.allocation.slow_reference import settle_slot
from tests.hub.core.settlement.settlement_worlds import METHODS, make_world

relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
# A wants 1,000 Wh, B 500 Wh; C has 600 Wh left over and D 301 Wh.
SURPLUS, DEMAND = [0, 0, 600, 301], [1_000, 500, 0, 0]
WEIGHTS = (1, 4, 1, 1)


def received(key: AllocationKey, *, present: Sequence[bool] = (True,) * 4) -> list[int]:
    alloc, sold = allocate_row(SURPLUS, DEMAND, present, key=key)
    assert sum(alloc) == sum(sold)
    return alloc


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (AllocationKey("proportional"), [601, 300, 0, 0]),  # 600.67 and 300.33
        (AllocationKey("equal"), [451, 450, 0, 0]),  # 450.5 each, the tie goes to the lower column
        (AllocationKey("weighted", weights=(3, 1, 1, 1)), [676, 225, 0, 0]),  # 675.75 and 225.25
        (AllocationKey("weighted", weights=(0, 1, 1, 1)), [0, 500, 0, 0]),  # B is full, A has no weight
        (AllocationKey("static", weights=WEIGHTS), [129, 500, 0, 0]),  # quotas 128.7 and 514.9
        (AllocationKey("static_rounds", weights=WEIGHTS, rounds=2), [401, 500, 0, 0]),  # then A alone shares 272
        (AllocationKey("static_rounds", weights=WEIGHTS, rounds=1), [129, 500, 0, 0]),
        (AllocationKey("static_then_proportional", weights=WEIGHTS), [401, 500, 0, 0]),
        (AllocationKey("priority", tiers=((1,), (0, 2, 3))), [401, 500, 0, 0]),
        (AllocationKey("priority", tiers=((0, 2, 3), (1,))), [901, 0, 0, 0]),
        (AllocationKey("solidarity", group=(1,), reserve_ppm=500_000), [430, 471, 0, 0]),  # 450, then 429.5 : 21.5
        (AllocationKey("solidarity", group=(1,), reserve_ppm=0), [601, 300, 0, 0]),
    ],
)
def test_worked_by_hand(key: AllocationKey, expected: list[int]) -> None:
    assert received(key) == expected


def test_pairwise_worked_by_hand() -> None:
    """C gives A a quarter and B three quarters; D gives A half and the grid the rest."""
    key = AllocationKey("pairwise", coefficients=((2, ((0, 250_000), (1, 750_000))), (3, ((0, 500_000),))))
    # C: 150 and 450. D: 150.5 each, and the tie goes to A because the grid comes last.
    assert allocate_row(SURPLUS, DEMAND, [True] * 4, key=key) == ([301, 450, 0, 0], [0, 0, 600, 151])
    without_b = allocate_row(SURPLUS, [1_000, 0, 0, 0], [True, False, True, True], key=key)
    assert without_b == ([301, 0, 0, 0], [0, 0, 150, 151])
    modest = allocate_row(SURPLUS, [160, 500, 0, 0], [True] * 4, key=key)
    assert modest == ([160, 450, 0, 0], [0, 0, 600, 10])


def test_sellers_share_what_was_used_by_their_surplus() -> None:
    assert allocate_row(SURPLUS, [10, 0, 0, 0], [True] * 4, key=AllocationKey("equal"))[1] == [0, 0, 7, 3]


def test_an_absent_member_leaves_the_static_key() -> None:
    key = AllocationKey("static", weights=WEIGHTS)
    # With B away, A's quota is a third of 901; with everybody there it is a seventh.
    assert allocate_row(SURPLUS, [1_000, 0, 0, 0], [True, False, True, True], key=key)[0] == [301, 0, 0, 0]
    assert allocate_row(SURPLUS, [1_000, 0, 0, 0], [True] * 4, key=key)[0] == [129, 0, 0, 0]


@pytest.mark.parametrize("method", METHODS)
@given(seed=st.integers(0, 2**32))
@settings(relaxed, max_examples=15)
def test_equals_the_rules_written_separately(method: str, seed: int) -> None:
    world = make_world(method, seed=seed, count=1 + seed % 9, highest_wh=(3, 900, 2**53 - 1)[seed % 3], slots=12)
    key = check_rule(Rule(method, world.params), world.members)
    surplus = np.where(world.present, world.surplus_wh, 0).tolist()
    demand = np.where(world.present, world.demand_wh, 0).tolist()
    for given_out, wanted, here in zip(surplus, demand, world.present.tolist(), strict=True):
        there = [i for i, is_there in enumerate(here) if is_there]
        named = [{world.members[i]: row[i] for i in there} for row in (given_out, wanted)]
        alloc, sold = settle_slot(method, world.params, *named)
        names = world.members
        expected = [alloc.get(name, 0) for name in names], [sold.get(name, 0) for name in names]
        assert allocate_row(given_out, wanted, here, key=key) == expected


@pytest.mark.parametrize("method", METHODS)
def test_a_slot_beyond_64_bits_is_exact(method: str) -> None:
    params = {
        "weights": {"a": 3, "b": 1, "c": 1, "d": 1},
        "rounds": 2,
        "tiers": [["b"], ["a", "c", "d"]],
        "group": ["b"],
        "reserve_ppm": 250_000,
        "coefficients": {"c": {"a": 333_333, "b": 333_333}, "d": {"b": 1_000_000}},
    }
    used = {"weighted": ["weights"], "static": ["weights"], "static_rounds": ["weights", "rounds"]}
    used |= {"static_then_proportional": ["weights"], "priority": ["tiers"], "pairwise": ["coefficients"]}
    used |= {"solidarity": ["group", "reserve_ppm"]}
    params = {name: params[name] for name in used.get(method, [])}
    surplus, demand = [0, 0, 60 * 10**90 + 7, 36 * 10**90 + 1], [96 * 10**90 + 5, 99 * 10**90, 0, 0]
    alloc, sold = allocate_row(surplus, demand, [True] * 4, key=check_rule(Rule(method, params), tuple("abcd")))
    expected = settle_slot(method, params, *(dict(zip("abcd", row, strict=True)) for row in (surplus, demand)))
    assert [alloc, sold] == [[row[name] for name in "abcd"] for row in expected]
