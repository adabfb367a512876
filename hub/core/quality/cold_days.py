"""What the cold adds to a home's use: a heat pump's electricity follows the outdoor temperature, and no factor does.

Heat is needed in proportion to the degrees below 17 degrees C, and a heat pump needs more electricity per heat the
colder it is. Source: I. Staffell et al., A review of domestic heat pumps, Energy Environ. Sci. 5 (2012) 9291, the fit
for air-source heat pumps, with water at 37 degrees C.
"""

from typing import Final

import numpy as np

from hub.core.forecasting.day_grid import Floats
from hub.core.quality.usual_use import known_median

WARM_C: Final = 17.0
WATER_C: Final = 37.0
USUAL_PERFORMANCE: Final = 4.0
BLOCKS: Final = 6
STEPS: Final = 4
SURE: Final = 3.0
LEAST_USE_WH: Final = 5.0
SLOW_SLOTS: Final = 8
MAD_TO_DEVIATION: Final = 1.4826


def heat_demand(temperature_c: Floats) -> Floats:
    """The electricity that heating needs at this temperature, in units of a mild degree's; NaN stays NaN.

    >>> heat_demand(np.array([20.0, 7.0, -3.0])).round(1).tolist()
    [0.0, 10.7, 26.9]
    """
    lift = np.clip(WATER_C - temperature_c, 15.0, 60.0)
    performance = 6.81 - 0.121 * lift + 0.00063 * lift**2
    demand: Floats = np.maximum(WARM_C - temperature_c, 0.0) * USUAL_PERFORMANCE / performance
    return demand


def cold_excess(use_wh: Floats, demand: Floats, *, past_days: int) -> Floats | None:
    """ln(usual use at each slot's temperature / usual use when it is warm); None for a home that no cold moves.

    What is usual is learned from the first `past_days`. Shape: all [days, 96]; unknown use is NaN.
    """
    past = slice(0, past_days)
    grid, known = (each[past].reshape(past_days, BLOCKS, -1) for each in (use_wh, np.isfinite(use_wh)))
    counts = known.sum(axis=2)
    blocks = np.where(counts > 0, np.where(known, grid, 0.0).sum(axis=2) / np.maximum(counts, 1), np.nan)
    cold = demand[past].reshape(past_days, BLOCKS, -1).mean(axis=2)
    slope = _slope(blocks, cold)
    if slope is None:
        return None
    warm_wh = np.maximum(known_median(blocks - slope * cold), LEAST_USE_WH)
    warm = np.repeat(warm_wh, demand.shape[1] // BLOCKS)
    kernel = np.ones(SLOW_SLOTS) / SLOW_SLOTS
    padded = np.pad(demand.ravel(), (SLOW_SLOTS // 2, SLOW_SLOTS - SLOW_SLOTS // 2 - 1), mode="edge")
    slow = np.convolve(padded, kernel, mode="valid").reshape(demand.shape)
    excess: Floats = np.log1p(slope * slow / warm)
    return excess


def _slope(use_wh: Floats, cold: Floats) -> float | None:
    """Wh per unit of demand that all blocks of the day share, by least squares with Huber's weights; None if unsure."""
    known = np.isfinite(use_wh)
    if not known.any(axis=0).all():
        return None
    away = np.where(known, use_wh - known_median(use_wh), 0.0)
    degrees = np.where(known, cold - cold.mean(axis=0), 0.0)
    if float((degrees**2).sum()) < 1.0:
        return None
    weights, slope, spread = known.astype(np.float64), 0.0, 1.0
    for _ in range(STEPS):
        slope = float((weights * degrees * away).sum() / (weights * degrees**2).sum())
        rest = np.where(known, away - slope * degrees, np.nan)
        rest = rest - known_median(rest)
        spread = MAD_TO_DEVIATION * float(known_median(np.abs(rest).ravel())) + 1.0
        weights = np.where(known, 1 / np.maximum(1.0, np.nan_to_num(np.abs(rest)) / (1.5 * spread)), 0.0)
    error = spread / float(np.sqrt((weights * degrees**2).sum()))
    return slope if slope > SURE * error else None
