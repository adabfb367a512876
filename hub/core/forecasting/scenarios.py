"""Whole paths of a forecast instead of single quantiles, and how likely each hour is to be among the day's highest.

A path adds one past day's errors to the point, so neighbouring hours stay as correlated as they really were. The
hourly 0.9 quantiles taken together are not a bound of the day's peak: paths are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hub.core.forecasting.day_grid import SLOTS_PER_DAY, Floats, Ints, wall_slots
from hub.core.forecasting.forecaster import Forecast
from protocols.slots import SLOTS_PER_HOUR

TOP_HOURS = 3


def scenarios(forecast: Forecast, count: int, rng: np.random.Generator) -> Floats:
    """`count` equally likely paths, drawn from the past days' errors. Shape: (count, slots)."""
    past = len(forecast.error_history_wh)
    if not past:
        return _from_quantiles(forecast, rng.random(count))
    drawn = rng.integers(0, past, size=count)
    return np.maximum(forecast.point_wh + forecast.error_history_wh[drawn], 0.0)


def every_path(forecast: Forecast) -> Floats:
    """One path for each past day, or one for each quantile before any error is known. Shape: (paths, slots)."""
    if not len(forecast.error_history_wh):
        return np.ascontiguousarray(forecast.energy_wh.T)
    return np.maximum(forecast.point_wh + forecast.error_history_wh, 0.0)


def net_paths(demand: Forecast, supplies: Sequence[Forecast]) -> Floats:
    """Demand less supply along the same past days, so that a dark, cold day stays one day. Shape: (paths, slots).

    Known at: the common issue of all. Forecasts without enough common past days are joined at their medians.
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
    """The middle of the forecast, between levels by straight lines. Shape: (slots,)."""
    return np.array([np.interp(0.5, forecast.quantiles, row) for row in forecast.energy_wh])


def peak_risk(
    paths: Floats, first_slot: int, *, tz: str, before_wh: Floats | None = None, top_hours: int = TOP_HOURS
) -> Floats:
    """Share of paths in which a slot's hour is among the `top_hours` highest of its local day.

    `before_wh` are the measured slots just before `first_slot`: hours of today that have passed compete too.
    Shape: paths (paths, slots) -> (slots,), each 0 to 1.
    """
    past = np.empty(0) if before_wh is None else before_wh
    whole = np.concatenate([np.broadcast_to(np.nan_to_num(past), (len(paths), len(past))), paths], axis=1)
    start = first_slot - len(past)
    walls = wall_slots(start, whole.shape[1], tz=tz)
    slots = start + np.arange(whole.shape[1])
    hours, hour_of_slot = np.unique(slots // SLOTS_PER_HOUR, return_inverse=True)
    sums = np.zeros((len(paths), len(hours)))
    np.add.at(sums.T, hour_of_slot, whole.T)
    day_of_hour = np.zeros(len(hours), dtype=np.int64)
    day_of_hour[hour_of_slot] = walls // SLOTS_PER_DAY
    risk = np.zeros(len(hours))
    for day in np.unique(day_of_hour):
        risk[day_of_hour == day] = _top_share(sums[:, day_of_hour == day], top_hours)
    return risk[hour_of_slot][len(past) :]


def _top_share(sums: Floats, top_hours: int) -> Floats:
    order: Ints = np.argsort(-sums, axis=1, kind="stable")[:, :top_hours]
    return np.bincount(order.ravel(), minlength=sums.shape[1]) / len(sums)


def _along(forecast: Forecast, origins: set[int]) -> Floats:
    rows = [place for place, origin in enumerate(forecast.error_origin_slot) if origin in origins]
    return np.maximum(forecast.point_wh + forecast.error_history_wh[rows], 0.0)


def _from_quantiles(forecast: Forecast, level: Floats) -> Floats:
    """One level for a whole path: before errors are known, slots are assumed to be wrong together."""
    return np.stack([np.interp(level, forecast.quantiles, row) for row in forecast.energy_wh], axis=1)
