"""Forecasts: what one costs against a seasonal naive one, and how much better it is, on measured profiles.

Errors are day-ahead, issued at local midnight from 35 days of history; below 1 is better than yesterday repeated.
"""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hub.core.forecasting.errors import by_time_of_day
from hub.core.forecasting.forecaster import QUANTILES, Forecast, History, forecast
from tests.hub.core.forecasting import simbench_series as series

DAYS = 35
HORIZON_SLOTS = 192
ORIGINS = 24
REPEATS = 10
LEVELS = np.array(QUANTILES)
Floats = NDArray[np.float64]


def measure() -> dict[str, float]:
    """Cost ratios from CPU time of the same run, skill ratios, coverage of the 80 % band, pinball over mean."""
    figures: dict[str, float] = {}
    for name, target, energy_wh in (
        ("semi_urban_demand", "demand", series.semi_urban()),
        ("street_of_12_demand", "demand", series.street()),
        ("pv", "pv", series.pv()),
        ("wind", "wind", series.wind()),
    ):
        figures |= {f"{name}_{key}": value for key, value in _accuracy(target, energy_wh).items()}
    for target, energy_wh in (("demand", series.semi_urban()), ("pv", series.pv()), ("wind", series.wind())):
        issued = series.midnight(100)
        history, ours = _request(target, energy_wh, issued)
        cost, naive = _cpu_s(ours), _cpu_s(lambda history=history: _seasonal_naive(history))
        figures[f"{target}_cpu_s_per_48_h_forecast"] = cost
        figures[f"{target}_cpu_over_seasonal_naive"] = cost / naive
    return figures


def _request(target: str, energy_wh: Floats, issued: int) -> tuple[History, Callable[[], Forecast]]:
    at = issued - series.FIRST_SLOT
    history = History(target, issued - DAYS * 96, energy_wh[at - DAYS * 96 : at])
    weather = series.weather(history.first_slot, DAYS * 96 + HORIZON_SLOTS)
    return history, lambda: forecast(history, weather, HORIZON_SLOTS, issued_slot=issued, tz=series.TZ)


def _seasonal_naive(history: History) -> Floats:
    """Yesterday twice, with quantiles from its own past errors: what ours must be worth more than."""
    rows = history.energy_wh.reshape(DAYS, 96)
    spread = by_time_of_day(rows[1:] - rows[:-1], LEVELS)
    return np.tile(np.sort(rows[-1][:, None] + spread, axis=1), (2, 1))


def _accuracy(target: str, energy_wh: Floats) -> dict[str, float]:
    errors, naive_errors, losses, level, inside = 0.0, 0.0, 0.0, 0.0, []
    for day in np.linspace(DAYS + 3, series.DAYS - 4, ORIGINS).astype(int):
        issued = series.midnight(int(day))
        _, ours = _request(target, energy_wh, issued)
        made = ours().energy_wh[:96]
        at = issued - series.FIRST_SLOT
        truth, yesterday = energy_wh[at : at + 96], energy_wh[at - 96 : at]
        errors += float(np.abs(made[:, 4] - truth).sum())
        naive_errors += float(np.abs(yesterday - truth).sum())
        gap = truth[:, None] - made
        losses += float(np.maximum(LEVELS * gap, (LEVELS - 1) * gap).mean(axis=1).sum())
        level += float(truth.sum())
        inside.append(((truth >= made[:, 0]) & (truth <= made[:, -1]))[made[:, -1] > 1.0])
    return {
        "nmae_over_yesterday": errors / naive_errors,
        "nmae": errors / level,
        "pinball_over_mean": losses / level,
        "coverage_of_80_percent_band": float(np.concatenate(inside).mean()),
    }


def _cpu_s(work: Callable[[], object]) -> float:
    work()
    started = time.process_time()
    for _ in range(REPEATS):
        work()
    return (time.process_time() - started) / REPEATS
