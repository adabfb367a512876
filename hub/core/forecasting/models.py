"""The models competing for a forecast: each predicts the days ahead, and every past day as it would have at the time.

Nothing here chooses among them or measures how wrong they are; errors.py does that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hub.core.forecasting.day_grid import SLOTS_PER_DAY, Bools, DayGrid, Floats
from hub.core.forecasting.features import (
    Features,
    clear_sky,
    demand_features,
    lagged,
    last_days,
    last_of_kind,
    pv_features,
    same_weekdays,
    wind_features,
)
from hub.core.forecasting.ridge import RidgeSettings, rolling_ridge
from hub.core.forecasting.weather_table import KnownWeather

RIDGE_DAYS_MIN = 14
CURVE_DAYS_MIN = 5
DEMAND_RIDGE = RidgeSettings(groups=24, share_columns=8, half_life_rows=60.0, penalty=0.2, rows_min=5)
PV_RIDGE = RidgeSettings(groups=24, share_columns=8, half_life_rows=60.0, penalty=0.02, rows_min=5)
WIND_CURVE = RidgeSettings(groups=1, share_columns=96, half_life_rows=120.0, penalty=0.003, rows_min=2)
WIND_MEMORY = RidgeSettings(groups=1, share_columns=96, half_life_rows=120.0, penalty=0.01, rows_min=2)


@dataclass(frozen=True, slots=True)
class Contributions:
    """What each feature of a regression adds to each slot of the newest row. Shape: energy_wh (96, names)."""

    names: tuple[str, ...]
    energy_wh: Floats


@dataclass(frozen=True, slots=True)
class ModelPrediction:
    """One model's predictions of all rows for one lead. Shape: (rows, 96), NaN where it could not predict."""

    predicted_wh: Floats
    contributions: Contributions | None = None


def candidates(
    target: str, rows: Floats, weather: KnownWeather, grid: DayGrid, lead: int
) -> dict[str, ModelPrediction]:
    """Every model that the target and the length of its history allow, simplest first.

    Known at: a row's prediction uses rows at least `lead + 1` rows older, and weather as known at its origin.
    """
    days = int(np.isfinite(rows).sum()) / SLOTS_PER_DAY
    if target == "wind":
        return _wind_candidates(rows, weather, lead, days=days)
    if target == "pv":
        return _pv_candidates(rows, weather, lead, days=days)
    return _demand_candidates(rows, weather, grid, lead=lead, days=days)


def on_free_days(
    found: dict[str, ModelPrediction], rows: Floats, *, free: Bools, alike: Bools, lead: int
) -> dict[str, ModelPrediction]:
    """The predictions with every free day predicted as the mean of the last four days `alike` before it.

    Where none is known, the model's own prediction remains. Known at: as in `candidates`.
    Shape: rows (rows, 96) holds the readings of free days too; free and alike (at least as many rows, 96).
    """
    here = free[: len(rows)]
    if not here.any():
        return found
    mean_wh = last_of_kind(rows, alike, lead)
    is_used = here & np.isfinite(mean_wh)
    return {
        name: ModelPrediction(
            np.where(is_used, mean_wh, one.predicted_wh),
            None if one.contributions is None else _except(one.contributions, is_used[-1]),
        )
        for name, one in found.items()
    }


def _except(contributions: Contributions, cells: Bools) -> Contributions:
    return Contributions(contributions.names, np.where(cells[:, None], 0.0, contributions.energy_wh))


def _demand_candidates(
    rows: Floats, weather: KnownWeather, grid: DayGrid, *, lead: int, days: float
) -> dict[str, ModelPrediction]:
    week = last_days(rows, lead)
    found = {"seven-days": ModelPrediction(week), "yesterday": ModelPrediction(_or_else(lagged(rows, lead + 1), week))}
    if days >= 8:
        found["last-week"] = ModelPrediction(_or_else(lagged(rows, 7 * (lead // 7 + 1)), week))
        found["same-weekdays"] = ModelPrediction(_or_else(same_weekdays(rows, lead), week))
    if days >= RIDGE_DAYS_MIN:
        ridge = _regress(demand_features(rows, weather, grid.weekday()[: len(rows)], lead), rows, lead, DEMAND_RIDGE)
        found["ridge"] = ridge
        blend = 0.5 * (ridge.predicted_wh + found["same-weekdays"].predicted_wh)
        found["blend"] = ModelPrediction(blend, ridge.contributions)
    return found


def _pv_candidates(rows: Floats, weather: KnownWeather, lead: int, *, days: float) -> dict[str, ModelPrediction]:
    week = last_days(rows, lead)
    yesterday = _or_else(lagged(rows, lead + 1), week)
    fortnight = last_days(rows, lead, days=14)
    found = {
        "seven-days": ModelPrediction(week),
        "yesterday": ModelPrediction(yesterday),
        "half-yesterday": ModelPrediction(0.5 * (yesterday + fortnight)),
    }
    if days >= RIDGE_DAYS_MIN:
        ridge = _regress(pv_features(rows, weather, lead), rows, lead, PV_RIDGE)
        ceiling = 1.1 * clear_sky(rows, lead)
        bounded = np.clip(ridge.predicted_wh, 0.0, np.where(np.isfinite(ceiling), ceiling, np.inf))
        found["ridge"] = ModelPrediction(bounded, ridge.contributions)
    return found


def _wind_candidates(rows: Floats, weather: KnownWeather, lead: int, *, days: float) -> dict[str, ModelPrediction]:
    so_far = lagged(_mean_so_far(rows), lead + 1)
    found = {"mean-so-far": ModelPrediction(np.broadcast_to(so_far, rows.shape))}
    if days >= CURVE_DAYS_MIN:
        memory = _regress(wind_features(rows, weather, lead, has_curve=False), rows, lead, WIND_MEMORY)
        found["damped-persistence"] = memory
        wind_known = np.isfinite(weather.wind_m_s)
        if wind_known[-1].any():
            curve = wind_features(rows, weather, lead, has_curve=True)
            fitted = _regress(curve, np.where(wind_known, rows, np.nan), lead, WIND_CURVE)
            # Beyond the end of the weather forecast a missing speed would look like calm.
            whole = np.where(wind_known, fitted.predicted_wh, memory.predicted_wh)
            found["power-curve"] = ModelPrediction(whole, fitted.contributions)
    return {name: ModelPrediction(np.maximum(c.predicted_wh, 0.0), c.contributions) for name, c in found.items()}


def _mean_so_far(rows: Floats) -> Floats:
    known = np.isfinite(rows)
    count = known.sum(axis=1).cumsum()
    total = np.where(known, rows, 0.0).sum(axis=1).cumsum()
    mean = np.full(len(rows), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean[:, None]


def _or_else(rows: Floats, fallback: Floats) -> Floats:
    return np.where(np.isfinite(rows), rows, fallback)


def _regress(features: Features, rows: Floats, lead: int, settings: RidgeSettings) -> ModelPrediction:
    added, coefficients = rolling_ridge(features.columns, rows - features.base, lead=lead, settings=settings)
    by_column = coefficients[np.arange(SLOTS_PER_DAY) * settings.groups // SLOTS_PER_DAY]
    return ModelPrediction(features.base + added, Contributions(features.names, features.columns[-1] * by_column))
