"""Paths of a forecast: whole days stay whole, the peak is bounded as often as said, risk is three hours a day."""

import numpy as np
import pytest

from hub.core.forecasting.day_grid import wall_slots
from hub.core.forecasting.forecaster import History, forecast
from hub.core.forecasting.scenarios import every_path, net_paths, peak_risk, scenarios
from hub.core.forecasting.weather_table import WeatherTable
from tests.hub.core.forecasting import simbench_series as series
from tests.hub.core.prompting.prompt_street import NOW, TZ, made, sunny_day


def test_paths_are_drawn_by_the_generator_alone() -> None:
    demand = sunny_day()[0]
    one = scenarios(demand, 50, np.random.default_rng(1))
    assert one.shape == (50, 192)
    assert np.array_equal(one, scenarios(demand, 50, np.random.default_rng(1)))
    assert not np.array_equal(one, scenarios(demand, 50, np.random.default_rng(2)))
    assert np.all(one >= 0)


def test_hours_of_a_path_stay_correlated() -> None:
    paths = scenarios(made("demand", np.full(96, 1000.0), noise=0.2), 400, np.random.default_rng(1)) - 1000
    assert np.corrcoef(paths[:, 10], paths[:, 80])[0, 1] > 0.5


def test_paths_before_any_error_is_known_come_from_the_quantiles() -> None:
    history = History("demand", NOW - 96, np.full(96, 100.0))
    young = forecast(history, WeatherTable.empty(), 96, issued_slot=NOW, tz=TZ)
    paths = scenarios(young, 300, np.random.default_rng(0))
    assert paths.min() >= young.energy_wh.min() - 1e-9
    assert paths.max() <= young.energy_wh.max() + 1e-9
    assert every_path(young).shape == (9, 96)


def test_net_paths_join_the_same_past_day() -> None:
    demand, sun = sunny_day()
    net = net_paths(demand, [sun])
    assert net.shape == (30, 192)
    day = 7
    expected = np.maximum(demand.point_wh + demand.error_history_wh[day], 0) - np.maximum(
        sun.point_wh + sun.error_history_wh[day], 0
    )
    assert np.allclose(net[day], expected)


def test_the_ninety_percent_bound_of_the_days_peak_holds() -> None:
    energy, held = series.semi_urban(), []
    for day in range(50, 195, 3):
        issued = series.midnight(day)
        at = issued - series.FIRST_SLOT
        made_then = forecast(
            History("demand", issued - 3360, energy[at - 3360 : at]),
            WeatherTable.empty(),
            96,
            issued_slot=issued,
            tz=TZ,
        )
        bound = np.quantile(scenarios(made_then, 200, np.random.default_rng(0)).max(axis=1), 0.9)
        held.append(energy[at : at + 96].max() <= bound)
    assert 0.8 <= np.mean(held) <= 1.0


def test_peak_risk_adds_up_to_three_hours_a_day() -> None:
    demand, sun = sunny_day()
    risk = peak_risk(net_paths(demand, [sun]), NOW, tz=TZ)
    assert risk.shape == (192,)
    assert np.all((risk >= 0) & (risk <= 1))
    days = wall_slots(NOW, 192, tz=TZ) // 96
    for day in np.unique(days):
        assert risk[days == day].sum() / 4 == pytest.approx(3)
    evening = wall_slots(NOW, 192, tz=TZ) % 96 // 4 == 19
    assert risk[evening].min() > 0.9


def test_hours_that_have_passed_compete_too() -> None:
    flat = made("demand", np.full(64, 1000.0), first_slot=NOW)  # the 16 hours left of a local day
    risk = peak_risk(every_path(flat), NOW, tz=TZ, before_wh=np.full(32, 5000.0))
    assert risk.max() == 0
    assert peak_risk(every_path(flat), NOW, tz=TZ, before_wh=np.full(32, 1.0)).sum() == pytest.approx(12)
