"""What a home usually uses, as probabilities: how much in each hour of the day, and how far its appliances step up.

Both are densities over logarithms, in which a factor is a shift. An appliance draws the same power on every day, so
the steps are as narrow as a home's habits are wide.
"""

from functools import cache
from typing import Final

import numpy as np

from hub.core.forecasting.day_grid import Bools, Floats, Ints

HOURS: Final = 24
USE_BIN: Final = 0.05
USE_BINS: Final = 190
USE_WIDTH: Final = 0.08
ANY_HOUR: Final = 0.10
ANY_USE: Final = 0.03
STEP_BIN: Final = 0.02
STEP_BINS: Final = 500
STEP_WIDTH: Final = 0.04
ANY_STEP: Final = 0.05
STEP_SPAN: Final = 8.0
LEAST_STEPS: Final = 200
NEAR_SLOTS: Final = 17
OFFSET_WH: Final = 2.0


def known_median(values: Floats, *, axis: int = 0) -> Floats:
    """The median of what is known, NaN where nothing is.

    >>> known_median(np.array([[1.0, np.nan], [4.0, np.nan], [2.0, np.nan]])).tolist()
    [2.0, nan]
    """
    ordered = np.sort(np.moveaxis(values, axis, 0), axis=0)  # NaN comes last
    is_known = np.isfinite(ordered)
    if len(ordered) and is_known.all():  # the usual case, for which nothing has to be looked up
        whole: Floats = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
        return whole
    count = is_known.sum(axis=0)[None]
    places = (np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(ordered) - 1))
    low, high = (np.take_along_axis(ordered, place, axis=0)[0] for place in places)
    middle: Floats = np.where(count[0] > 0, (low + high) / 2, np.nan)
    return middle


def medians_of_others(values: Floats) -> Floats:
    """For each place on the last axis, the median of what is known at the other places; NaN where nothing is.

    All are sorted once: without one of them, those behind it move up by one.

    >>> medians_of_others(np.array([1.0, 7.0, np.nan, 4.0])).tolist()
    [5.5, 2.5, 4.0, 4.0]
    """
    order = np.argsort(values, axis=-1, kind="stable")  # NaN comes last
    ordered = np.take_along_axis(values, order, axis=-1)
    rank = np.argsort(order, axis=-1, kind="stable")
    is_known = np.isfinite(values)
    count = is_known.sum(axis=-1, keepdims=True) - is_known
    halves = [
        np.take_along_axis(ordered, np.minimum(place + (place >= rank), values.shape[-1] - 1), axis=-1)
        for place in (np.maximum(count - 1, 0) // 2, count // 2)
    ]
    middle: Floats = np.where(count > 0, (halves[0] + halves[1]) / 2, np.nan)
    return middle


def log_use(use_wh: Floats) -> Floats:
    """ln(use + 2 Wh), so that nothing has a logarithm too. NaN stays NaN."""
    logs: Floats = np.log(np.maximum(use_wh, 1.0) + OFFSET_WH)
    return logs


def use_densities(logs: Floats) -> Floats:
    """Logarithms of the densities of `logs` by hour of the day. Shape: [days, 96] with NaN to [24, bins]."""
    known = np.isfinite(logs)
    hours = np.broadcast_to(hour_of_slot(logs.shape[1]), logs.shape)
    cells = hours[known] * USE_BINS + _places(logs[known], USE_BIN, USE_BINS)
    counts = np.bincount(cells, minlength=HOURS * USE_BINS).reshape(HOURS, USE_BINS).astype(np.float64)
    smooth = counts @ _kernel(USE_BINS, USE_WIDTH / USE_BIN, is_ring=False)
    hourly = _kernel(HOURS, 1.0, is_ring=True) @ smooth
    hourly /= np.maximum(hourly.sum(axis=1, keepdims=True), 1e-9)
    any_hour = smooth.sum(axis=0) / max(float(smooth.sum()), 1e-9)
    mixed = (1 - ANY_USE - ANY_HOUR) * hourly + ANY_HOUR * any_hour + ANY_USE / USE_BINS
    densities: Floats = np.log(mixed / USE_BIN)
    return densities


def use_log_density(densities: Floats, logs: Floats) -> Floats:
    """The logarithm of each value's density in its hour. Shape: [days, 96]; NaN is looked up as 0."""
    hours = np.broadcast_to(hour_of_slot(logs.shape[1]), logs.shape)
    found: Floats = densities[hours, _places(logs, USE_BIN, USE_BINS)]
    return found


def log_steps(use_wh: Floats, is_usable: Bools) -> Floats:
    """ln of how far each value is above the middle of its four hours, NaN where those are not all usable.

    Shape: [days, 96], without a break between days.
    """
    half = NEAR_SLOTS // 2
    flat = np.pad(np.nan_to_num(use_wh).ravel(), half, mode="edge")
    usable = np.pad(is_usable.ravel(), half, mode="edge")
    all_usable = np.lib.stride_tricks.sliding_window_view(usable, NEAR_SLOTS).all(axis=1)
    near = np.lib.stride_tricks.sliding_window_view(flat, NEAR_SLOTS)[all_usable]
    # Of an odd number the middle one; np.median takes four times as long over so many short rows.
    middle = np.sort(near, axis=1)[:, half]
    steps = np.full(all_usable.shape, np.nan)
    steps[all_usable] = np.log(np.maximum(near[:, half] - middle, 1.0))
    return steps.reshape(use_wh.shape)


def step_densities(logs: Floats) -> Floats | None:
    """Logarithms of the density of steps. Shape: any with NaN, to [bins]; None for too few of them."""
    known = logs[np.isfinite(logs)]
    if len(known) < LEAST_STEPS:
        return None
    counts = np.bincount(_places(known, STEP_BIN, STEP_BINS), minlength=STEP_BINS)
    smooth = counts @ _kernel(STEP_BINS, STEP_WIDTH / STEP_BIN, is_ring=False)
    return np.log((1 - ANY_STEP) * smooth / (len(known) * STEP_BIN) + ANY_STEP / STEP_SPAN)


def step_log_density(densities: Floats, logs: Floats) -> Floats:
    """The logarithm of each step's density; NaN is looked up as 0."""
    found: Floats = densities[_places(logs, STEP_BIN, STEP_BINS)]
    return found


def log_share_above(densities: Floats, log_step: float) -> float:
    """The logarithm of the share of steps that are larger."""
    first = int(_places(np.array([log_step]), STEP_BIN, STEP_BINS)[0])
    return float(np.log(np.exp(densities[first:]).sum() * STEP_BIN))


@cache
def hour_of_slot(slots: int) -> Ints:
    """The row of `use_densities` for each slot of the day."""
    return np.arange(slots) * HOURS // slots


def _places(logs: Floats, width: float, bins: int) -> Ints:
    return np.clip(np.rint(np.where(np.isnan(logs), 0.0, logs) / width), 0, bins - 1).astype(np.int64)


@cache
def _kernel(size: int, deviation: float, *, is_ring: bool) -> Floats:
    """A Gaussian that smooths `size` neighbours; in a ring the last is beside the first. Shape: [size, size]."""
    away = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
    if is_ring:
        away = np.minimum(away, size - away)
    weights = np.exp(-0.5 * (away / deviation) ** 2)
    kernel: Floats = weights / weights.sum(axis=0).max()
    return kernel
