"""Forecasts against measured profiles: better than yesterday, honest about how wrong they are, robust to gaps."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.core.forecasting.forecaster import Forecast, History, forecast
from hub.core.forecasting.weather_table import WeatherTable
from tests.hub.core.forecasting import simbench_series as series

Floats = NDArray[np.float64]
HISTORY_SLOTS = 35 * 96


@dataclass
class Trial:
    made: Forecast
    truth_wh: Floats
    yesterday_wh: Floats


def trials(
    target: str, energy_wh: Floats, *, has_weather: bool = True, hour: int = 0, count: int = 16, holes: bool = False
) -> list[Trial]:
    """Day-ahead forecasts at `count` origins over half a year, each from 35 days of history."""
    found = []
    rng = np.random.default_rng(5)
    for day in np.linspace(37, series.DAYS - 4, count).astype(int):
        issued = series.midnight(int(day)) + 4 * hour
        at = issued - series.FIRST_SLOT
        known = energy_wh[at - HISTORY_SLOTS : at].copy()
        if holes:
            known[rng.random(len(known)) < 0.1] = np.nan
            known[1000 : 1000 + 3 * 96] = np.nan
        table = series.weather(issued - HISTORY_SLOTS, HISTORY_SLOTS + 96) if has_weather else WeatherTable.empty()
        made = forecast(History(target, issued - HISTORY_SLOTS, known), table, 96, issued_slot=issued, tz=series.TZ)
        found.append(Trial(made, energy_wh[at : at + 96], energy_wh[at - 96 : at]))
    return found


def skill(found: list[Trial]) -> float:
    """Error of the median against the error of yesterday repeated; below 1 is better."""
    ours = sum(np.abs(one.made.energy_wh[:, 4] - one.truth_wh).sum() for one in found)
    naive = sum(np.abs(one.yesterday_wh - one.truth_wh).sum() for one in found)
    return float(ours / naive)


def coverage(found: list[Trial]) -> float:
    """Share of slots inside the 0.1 to 0.9 band, of slots with something to forecast."""
    inside = [
        ((one.truth_wh >= one.made.energy_wh[:, 0]) & (one.truth_wh <= one.made.energy_wh[:, -1]))[
            one.made.point_wh > 1.0
        ]
        for one in found
    ]
    return float(np.concatenate(inside).mean())


@pytest.mark.parametrize("hour", [0, 14])
def test_semi_urban_demand_beats_yesterday(hour: int) -> None:
    found = trials("demand", series.semi_urban(), hour=hour)
    assert skill(found) < 0.8
    assert 0.72 < coverage(found) < 0.92


def test_a_street_of_twelve_homes_beats_yesterday() -> None:
    found = trials("demand", series.street())
    assert skill(found) < 0.9
    assert 0.7 < coverage(found) < 0.92


def test_pv_uses_the_forecast_sunshine() -> None:
    with_weather, without = trials("pv", series.pv()), trials("pv", series.pv(), has_weather=False)
    assert skill(with_weather) < 0.65
    assert skill(without) < 1.0
    assert skill(with_weather) < 0.8 * skill(without)
    assert 0.7 < coverage(with_weather) < 0.92


def test_wind_uses_its_own_curve_and_is_never_naive() -> None:
    with_weather, without = trials("wind", series.wind()), trials("wind", series.wind(), has_weather=False)
    assert skill(with_weather) < 0.65
    assert skill(without) < 1.0
    assert {one.made.model for one in with_weather} <= {"power-curve", "mean-so-far", "damped-persistence"}
    assert "power-curve" in {one.made.model for one in with_weather}
    assert "power-curve" not in {one.made.model for one in without}
    assert 0.68 < coverage(with_weather) < 0.92


def test_gaps_cost_little() -> None:
    whole = trials("demand", series.semi_urban())
    holed = trials("demand", series.semi_urban(), holes=True)
    assert skill(holed) < 1.12 * skill(whole)
    assert all(np.isfinite(one.made.energy_wh).all() for one in holed)


@pytest.mark.parametrize("days", [2, 5, 9, 13, 16])
def test_a_short_history_is_never_much_worse_than_yesterday(days: int) -> None:
    energy_wh, ours, naive, week = series.semi_urban(), 0.0, 0.0, 0.0
    for day in range(40, 160, 5):
        issued = series.midnight(day)
        at = issued - series.FIRST_SLOT
        history = History("demand", issued - days * 96, energy_wh[at - days * 96 : at])
        made = forecast(history, WeatherTable.empty(), 96, issued_slot=issued, tz=series.TZ)
        truth = energy_wh[at : at + 96]
        ours += np.abs(made.energy_wh[:, 4] - truth).sum()
        naive += np.abs(energy_wh[at - 96 : at] - truth).sum()
        week += np.abs(energy_wh[at - days * 96 : at].reshape(days, 96)[-7:].mean(axis=0) - truth).sum()
    assert ours < 1.08 * min(naive, week)


@pytest.mark.parametrize("hours_known", [0, 10, 24, 36])
def test_a_short_weather_forecast_never_reads_as_calm(hours_known: int) -> None:
    energy_wh = series.wind()
    issued = series.midnight(90)
    at = issued - series.FIRST_SLOT
    history = History("wind", issued - HISTORY_SLOTS, energy_wh[at - HISTORY_SLOTS : at])
    table = series.weather(issued - HISTORY_SLOTS, HISTORY_SLOTS + 4 * hours_known)
    made = forecast(history, table, 192, issued_slot=issued, tz=series.TZ)
    assert np.isfinite(made.energy_wh).all()
    unknown = made.point_wh[max(4 * hours_known, 96) :]
    assert np.all(unknown > 0.2 * np.nanmean(history.energy_wh))
    whole = series.weather(issued - HISTORY_SLOTS, HISTORY_SLOTS + 192)
    if hours_known >= 24:
        best = forecast(history, whole, 192, issued_slot=issued, tz=series.TZ)
        assert made.model == best.model == "power-curve"
        assert np.allclose(made.point_wh[:96], best.point_wh[:96])
