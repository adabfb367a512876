"""The array forms of largest remainder and water-filling against Python integers, where their number formats end."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.allocation.rounding import largest_remainder, share_rows
from hub.core.allocation.water_filling import fill_rows, fill_water, fill_weighted_rows

relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
bits = st.integers(0, 53)


def near_power(rng: np.random.Generator, bit: int, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers about 2^bit, many of them exactly there or one beside it."""
    close = 2**bit + rng.integers(-1, 2, shape)
    return np.maximum(np.where(rng.random(shape) < 0.5, close, rng.integers(0, 2**bit + 1, shape)), 0)


def shared_slowly(total: np.ndarray, weights: np.ndarray) -> list[list[int]]:
    return [largest_remainder(share, row) for share, row in zip(total.tolist(), weights.tolist(), strict=True)]


@given(weight_bit=bits, total_bit=st.integers(0, 61), columns=st.integers(1, 40), seed=st.integers(0, 2**32))
@settings(relaxed, max_examples=400)
def test_shares_at_every_size_of_weight_and_total(weight_bit: int, total_bit: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = near_power(rng, weight_bit, (12, columns))
    total = near_power(rng, total_bit, (12,))
    shares = share_rows(total, weights, weights.sum(axis=1))
    assert shares.tolist() == shared_slowly(total, weights)


@pytest.mark.parametrize("columns", [1, 7, 1_000, 4_000])
@pytest.mark.parametrize("weight", [1, 3, 2**20 - 1, 2**20, 2**30, 2**40, 2**49])
def test_equal_weights_share_in_order_of_columns(columns: int, weight: int) -> None:
    """Whole quotients have no fraction, where a quotient a hair too low would show; the units left over go in order."""
    total = np.array([0, 1, columns - 1, columns, 5 * columns, 5 * columns + columns // 2])
    weights = np.full((total.size, columns), weight)
    shares = share_rows(total, weights, weights.sum(axis=1))
    expected = total[:, None] // columns + (np.arange(columns) < total[:, None] % columns)
    assert (shares == expected).all()


@pytest.mark.parametrize("factor", [1, 2, 3, 1_023])
def test_totals_that_are_multiples_of_the_weights(factor: int) -> None:
    rng = np.random.default_rng(factor)
    for bit in range(54):
        weights = near_power(rng, bit, (4, 9))
        shares = share_rows(weights.sum(axis=1) * factor % 2**62, weights, weights.sum(axis=1))
        if 2**bit * 9 * factor < 2**61:
            assert (shares == weights * factor).all()


def test_rows_without_weight_get_nothing() -> None:
    weights = np.array([[0, 0], [1, 1]])
    assert share_rows(np.array([5, 5]), weights, weights.sum(axis=1)).tolist() == [[0, 0], [3, 2]]


@given(bit=bits, columns=st.integers(1, 30), seed=st.integers(0, 2**32))
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
