"""Largest remainder, exactly: one row in Python integers of any size, or a block of rows in arrays.

Both give the same result. The array forms never divide integers: a floating-point quotient is at most one unit off,
and the remainder, computed modulo the word size and so exact for any product, shows by how much.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Energy = NDArray[np.int64]
Presence = NDArray[np.bool_]
Whole = TypeVar("Whole", np.int32, np.int64)

# The quotient is rounded three times (narrow form) or six times (wide form), each time by up to half a unit in the last
# place. The bias exceeds their sum, so the floor is right or one too low as long as the quotient is below its bound.
NARROW_BIAS: Final = 1 - 2.0**-22
NARROW_QUOTIENT_MAX: Final = 2**20
NARROW_SUM_MAX: Final = 2**30
WIDE_BIAS: Final = 1 - 2.0**-50
WIDE_QUOTIENT_MAX: Final = 2**49
WIDE_KEY_MAX: Final = 2**62
SORTED_COLUMNS_MAX: Final = 512


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """`total` shared by `weights`: floors, then one unit each to the largest fractions, ties to the lowest column.

    >>> largest_remainder(10, [1, 1, 4])
    [2, 2, 6]
    """
    weight_sum = sum(weights)
    if weight_sum == 0:
        return [0] * len(weights)
    shares = [total * weight // weight_sum for weight in weights]
    fractions = [total * weight % weight_sum for weight in weights]
    left = total - sum(shares)
    for column in sorted(range(len(weights)), key=lambda i: (-fractions[i], i))[:left]:
        shares[column] += 1
    return shares


def share_rows(total: Energy, weights: Energy, weight_sum: Energy) -> NDArray[Any]:
    """Row by row `largest_remainder(total, weights)`; rows without any weight get nothing.

    Shape: [rows], [rows, columns], [rows]; `weight_sum` is the exact sum of each row. The result is int32 if that can
    hold it.
    """
    total = np.where(weight_sum > 0, total, 0)
    quotient = total / np.maximum(weight_sum, 1)
    steepest = float(quotient.max(initial=0.0)) * int(weights.max(initial=0))
    sum_max, total_max = int(weight_sum.max(initial=0)), int(total.max(initial=0))
    if steepest < NARROW_QUOTIENT_MAX and sum_max < NARROW_SUM_MAX and total_max < NARROW_SUM_MAX:
        return _share_narrow(total, weights, weight_sum, quotient=quotient)
    if steepest < WIDE_QUOTIENT_MAX and sum_max * weights.shape[1] < WIDE_KEY_MAX:
        return _share_wide(total, weights, weight_sum, quotient=quotient)
    rows = zip(total.tolist(), weights.tolist(), strict=True)
    return np.array([largest_remainder(share, row) for share, row in rows], dtype=np.int64)


def narrowest(energy: Energy) -> NDArray[Any]:
    """The same energy as int32 if that can hold the sum of every row."""
    if int(energy.max(initial=0)) * energy.shape[1] < 2**31:
        return energy.astype(np.int32)
    return energy


def _share_narrow(
    total: Energy, weights: Energy, weight_sum: Energy, *, quotient: NDArray[np.float64]
) -> NDArray[np.int32]:
    divisor = np.maximum(weight_sum, 1).astype(np.uint32)[:, None]
    rest = weights.astype(np.uint32)
    rough = rest.view(np.int32).astype(np.float32)
    rough *= (quotient * NARROW_BIAS).astype(np.float32)[:, None]
    share = rough.astype(np.int32)
    rest *= total.astype(np.uint32)[:, None]
    step = rough.view(np.uint32)
    np.multiply(share.view(np.uint32), divisor, out=step)
    rest -= step
    # The biased quotient is right or one too low. Where it is too low, the rest is at least the divisor;
    # elsewhere the difference below wraps around to a value above any rest.
    np.subtract(rest, divisor, out=step)
    _add_where_not_negative(share, step.view(np.int32))
    np.minimum(rest, step, out=rest)
    _give_units(total, share, rest.view(np.int32), rest_bound=int(weight_sum.max()))
    return share


def _share_wide(total: Energy, weights: Energy, weight_sum: Energy, *, quotient: NDArray[np.float64]) -> Energy:
    divisor = np.maximum(weight_sum, 1).astype(np.uint64)[:, None]
    share = (weights * (quotient * WIDE_BIAS)[:, None]).astype(np.int64)
    rest = weights.view(np.uint64) * total.view(np.uint64)[:, None]
    rest -= share.view(np.uint64) * divisor
    step = rest - divisor
    _add_where_not_negative(share, step.view(np.int64))
    np.minimum(rest, step, out=rest)
    _give_units(total, share, rest.view(np.int64), rest_bound=int(weight_sum.max()))
    return share


def _give_units(total: Energy, share: NDArray[Any], rest: NDArray[Any], *, rest_bound: int) -> None:
    """Adds one unit in place to each row's largest rests, lowest column first, until the row adds up to its total."""
    columns = rest.shape[1]
    left = total - share.sum(axis=1, dtype=share.dtype)
    place = np.minimum(columns - left, columns - 1)
    # Rest and column go into one number: no two are equal, so one bar per row separates those who get a unit from those
    # who do not.
    keys = rest if rest_bound * columns < 2**31 else rest.astype(np.int64)
    keys *= columns
    keys += np.arange(columns - 1, -1, -1, dtype=keys.dtype)
    bar = _pick(keys.copy(), place)
    bar[left == 0] = np.iinfo(keys.dtype).max
    np.subtract(keys, bar[:, None], out=keys)
    _add_where_not_negative(share, keys)


def _add_where_not_negative(share: NDArray[Any], sign: NDArray[Any]) -> None:
    """Adds 1 in place where `sign` is not negative. It uses shifts: adding booleans takes three times as long."""
    unit = np.invert(sign)
    unit >>= 8 * sign.itemsize - 1
    share -= unit


def _pick(rows: NDArray[Whole], place: NDArray[np.int64]) -> NDArray[Whole]:
    """The value each row would have at `place` if it were sorted; reorders the rows.

    It partitions at one bound at a time, which is several times faster than at two positions at once. Sorting short
    rows of 32-bit numbers is faster still.
    """
    if rows.shape[1] <= SORTED_COLUMNS_MAX and rows.itemsize == 4:
        rows.sort(axis=1)
        return rows[np.arange(len(place)), place]
    low, high = int(place.min()), int(place.max())
    rows.partition(low, axis=1)
    upper = rows[:, low:]
    if high > low:
        upper.partition(high - low, axis=1)
        upper[:, : high - low].sort(axis=1)
    return upper[np.arange(len(place)), place - low]
