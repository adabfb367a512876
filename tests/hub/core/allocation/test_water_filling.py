"""Water-filling: one level for all, nobody above their demand; the array forms give what the plain form gives."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.allocation.water_filling import fill_rows, fill_water, fill_weighted_rows
from tests.hub.core.allocation.slow_reference import water_fill
from tests.hub.core.allocation.test_rounding import near_power

relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize(
    ("total", "demand", "weights", "expected"),
    [
        (10, [2, 9, 9], [1, 1, 1], [2, 4, 4]),  # the level is 4
        (11, [2, 9, 9], [1, 1, 1], [2, 5, 4]),  # 4.5: the unit left over goes to the lower column
        (11, [9, 9, 2], [1, 1, 1], [5, 4, 2]),
        (12, [9, 9, 9], [1, 2, 3], [2, 4, 6]),
        (12, [9, 1, 9], [1, 2, 3], [3, 1, 8]),  # the second is full; 11 are shared 1 : 3 as 2.75 and 8.25
        (9, [3, 3, 3], [1, 1, 1], [3, 3, 3]),  # exactly enough
        (5, [9, 9], [0, 1], [0, 5]),  # a zero weight gets nothing
        (5, [9, 9], [0, 0], [0, 0]),
        (0, [9, 9], [1, 1], [0, 0]),
        (4, [0, 9], [5, 1], [0, 4]),
    ],
)
def test_worked_by_hand(total: int, demand: list[int], weights: list[int], expected: list[int]) -> None:
    assert fill_water(total, demand, weights) == expected


rows = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), min_size=1, max_size=8)


@given(row=rows, part=st.fractions(0, 1))
@settings(relaxed, max_examples=200)
def test_equals_a_walk_over_the_levels(row: list[tuple[int, int]], part: float) -> None:
    """The reference finds the level by walking up the levels at which members are full, with exact fractions."""
    demand, weights = [d for d, _ in row], [w for _, w in row]
    total = int(part * sum(d for d, w in row if w))
    names = [f"m{i}" for i in range(len(row))]
    expected = water_fill(total, dict(zip(names, demand, strict=True)), dict(zip(names, weights, strict=True)))
    assert fill_water(total, demand, weights) == [expected[name] for name in names]


@given(bit=st.integers(0, 53), columns=st.integers(1, 30), seed=st.integers(0, 2**32))
@settings(relaxed, max_examples=200)
def test_water_at_every_size(bit: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    demand = near_power(rng, bit, (10, columns))
    total = np.minimum((demand.sum(axis=1) * rng.random(10)).astype(np.int64), demand.sum(axis=1))
    rows = list(zip(total.tolist(), demand.tolist(), strict=True))
    assert fill_rows(total, demand).tolist() == [fill_water(share, row, [1] * columns) for share, row in rows]
    weights = np.maximum(near_power(rng, int(rng.integers(0, 54)), (columns,)), 1)
    expected = [fill_water(share, row, weights.tolist()) for share, row in rows]
    assert fill_weighted_rows(total, demand, weights).tolist() == expected


@given(demand=st.lists(st.integers(0, 12), min_size=1, max_size=6))
@settings(relaxed, max_examples=100)
def test_every_total_up_to_the_demand_is_used_up(demand: list[int]) -> None:
    totals = np.arange(sum(demand) + 1)
    shares = fill_rows(totals, np.tile(np.array(demand, dtype=np.int64), (len(totals), 1)))
    assert shares.sum(axis=1).tolist() == totals.tolist()
    assert (shares <= np.array(demand)).all()
    assert (np.diff(shares, axis=0) >= 0).all(), "one unit more takes nothing from anybody"


def test_units_left_over_go_to_the_unmet_of_each_row() -> None:
    demand = np.array([[9, 1, 9, 9], [5, 5, 5, 5], [1, 9, 9, 9], [3, 0, 0, 0]])
    total = np.array([12, 7, 15, 3])
    assert fill_rows(total, demand).tolist() == [[4, 1, 4, 3], [2, 2, 2, 1], [1, 5, 5, 4], [3, 0, 0, 0]]


def test_products_beyond_64_bits_are_filled_in_integers() -> None:
    demand = np.array([[2**53, 2**53]])
    assert fill_weighted_rows(np.array([2**53]), demand, np.array([2**53, 3 * 2**53])).tolist() == [[2**51, 3 * 2**51]]
