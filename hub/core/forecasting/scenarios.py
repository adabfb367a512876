"""Whole forecast paths instead of quantiles for each slot.

A path adds one past day's errors to the point forecast, so neighbouring hours stay as correlated as they really were.
Combining the 0.9 quantiles of all slots does not give the 0.9 quantile of the day's peak; the peaks of the paths do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hub.core.forecasting.day_grid import Floats
from hub.core.forecasting.forecaster import Forecast

TOP_HOURS = 3


def every_path(forecast: Forecast) -> Floats:
    """One path for each past day, or one for each quantile while no errors are known. Shape: (paths, slots)."""
    if not len(forecast.error_history_wh):
        return np.ascontiguousarray(forecast.energy_wh.T)
    return np.maximum(forecast.point_wh + forecast.error_history_wh, 0.0)


def net_paths(demand: Forecast, supplies: Sequence[Forecast]) -> Floats:
    """Demand less supply, both with the errors of the same past day, so that a dark, cold day stays dark and cold.

    Shape: (paths, slots). Known at: the issue that all forecasts share. If they have fewer than three past days
    in common, the medians of the supplies are subtracted.
    Raises: ValueError when the forecasts do not cover the same slots.
    """
    parts = (demand, *supplies)
    if len({(part.first_slot, len(part.point_wh)) for part in parts}) != 1:
        raise ValueError("forecasts of demand and supply must cover the same slots")
    common = set(demand.error_origin_slot).intersection(*(part.error_origin_slot for part in supplies))
    if len(common) < TOP_HOURS:
        return every_path(demand) - sum((median(part) for part in supplies), np.zeros(len(demand.point_wh)))
    paths = [_along(part, common) for part in parts]
    return paths[0] - sum(paths[1:], np.zeros_like(paths[0]))


def median(forecast: Forecast) -> Floats:
    """The 0.5 quantile of the forecast, interpolated linearly between its levels. Shape: (slots,)."""
    return np.array([np.interp(0.5, forecast.quantiles, row) for row in forecast.energy_wh])


def _along(forecast: Forecast, origins: set[int]) -> Floats:
    rows = [place for place, origin in enumerate(forecast.error_origin_slot) if origin in origins]
    return np.maximum(forecast.point_wh + forecast.error_history_wh[rows], 0.0)
