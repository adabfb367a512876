"""Pairwise sharing of many slots: each producer's own coefficients, the grid's part, and who is away."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.allocation.exact_rows import allocate_row
from hub.core.allocation.pairwise import pair_rows
from hub.core.rules.allocation_key import AllocationKey
from hub.core.rules.rulebook import Rule, check_rule
from tests.hub.core.settlement.settlement_worlds import make_world

relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
# Column 2 gives a quarter to column 0 and half to column 1; column 3 gives everything to column 0.
KEY = AllocationKey("pairwise", coefficients=((2, ((0, 250_000), (1, 500_000))), (3, ((0, 1_000_000),))))


def test_worked_by_hand() -> None:
    surplus = np.array([[0, 0, 400, 100], [0, 0, 400, 100], [0, 0, 0, 100], [0, 0, 2, 0]])
    demand = np.array([[500, 500, 0, 0], [150, 60, 0, 0], [30, 500, 0, 0], [9, 9, 9, 9]])
    alloc, sold = pair_rows(surplus, demand, present=None, key=KEY)
    assert alloc.tolist() == [
        [200, 200, 0, 0],  # 100 of column 2 and 100 of column 3
        [150, 60, 0, 0],  # the second producer fills only what the first left unmet
        [30, 0, 0, 0],
        [1, 1, 0, 0],  # quotas 0.5, 1 and the grid's 0.5: of the equal rests the member comes before the grid
    ]
    assert sold.tolist() == [[0, 0, 300, 100], [0, 0, 160, 50], [0, 0, 0, 30], [0, 0, 2, 0]]
    assert surplus.tolist()[0] == [0, 0, 400, 100], "the inputs are left as they are"
    assert demand.tolist()[0] == [500, 500, 0, 0]


def test_the_part_of_an_absent_member_goes_to_the_grid_and_to_nobody_else() -> None:
    surplus, demand = np.array([[0, 0, 400, 0]] * 2), np.array([[500, 0, 0, 0]] * 2)
    present = np.array([[True, True, True, True], [True, False, True, True]])
    alloc, sold = pair_rows(surplus, demand, present=present, key=KEY)
    assert alloc[:, 0].tolist() == [100, 100]
    assert sold[:, 2].tolist() == [100, 100]
    away = np.array([[False, True, True, True]] * 2)
    assert not pair_rows(surplus, demand, present=away, key=KEY)[0].any()


def test_producers_without_coefficients_sell_nothing() -> None:
    surplus, demand = np.full((3, 4), 50), np.full((3, 4), 50)
    alloc, sold = pair_rows(surplus, demand, present=None, key=AllocationKey("pairwise"))
    assert not alloc.any()
    assert not sold.any()


@given(seed=st.integers(0, 2**32))
@settings(relaxed, max_examples=60)
def test_equals_the_rows_one_by_one(seed: int) -> None:
    world = make_world("pairwise", seed=seed, count=2 + seed % 8, highest_wh=(4, 700, 2**53 - 1)[seed % 3], slots=30)
    key = check_rule(Rule("pairwise", world.params), world.members)
    surplus, demand = (np.where(world.present, wh, 0) for wh in (world.surplus_wh, world.demand_wh))
    alloc, sold = pair_rows(surplus, demand, present=world.present, key=key)
    for t in range(30):
        expected = allocate_row(surplus[t].tolist(), demand[t].tolist(), world.present[t].tolist(), key=key)
        assert (alloc[t].tolist(), sold[t].tolist()) == expected
