"""Paths of a forecast: whole days stay whole, and their peaks bound the real peak as often as they promise."""

from dataclasses import replace

import numpy as np
import pytest

from hub.core.forecasting.forecaster import History, forecast
from hub.core.forecasting.scenarios import every_path, median, net_paths
from hub.core.forecasting.weather_table import WeatherTable
from tests.hub.core.forecasting import simbench_series as series
from tests.hub.core.prompting.prompt_street import NOW, TZ, made, sunny_day


def test_hours_of_a_path_stay_correlated() -> None:
    paths = every_path(made("demand", np.full(96, 1000.0), noise=0.2)) - 1000
    assert np.corrcoef(paths[:, 10], paths[:, 80])[0, 1] > 0.5


def test_paths_before_any_error_is_known_come_from_the_quantiles() -> None:
    history = History("demand", NOW - 96, np.full(96, 100.0))
    young = forecast(history, WeatherTable.empty(), 96, issued_slot=NOW, tz=TZ)
    paths = every_path(young)
    assert paths.shape == (9, 96)
    assert (paths == young.energy_wh.T).all()


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
        bound = np.quantile(every_path(made_then).max(axis=1), 0.9)
        held.append(energy[at : at + 96].max() <= bound)
    assert 0.8 <= np.mean(held) <= 1.0


def test_a_path_is_the_point_with_one_days_errors_and_never_below_zero() -> None:
    demand = made("demand", np.full(96, 10.0), noise=2.0)
    paths = every_path(demand)
    assert paths.shape == (30, 96)
    assert (paths == np.maximum(10.0 + demand.error_history_wh, 0)).all()
    assert paths.min() == 0


def test_without_common_days_supply_counts_at_its_median() -> None:
    demand, sun = sunny_day()
    far_away = tuple(origin + 7 for origin in sun.error_origin_slot)
    apart = replace(sun, error_origin_slot=far_away)
    assert np.allclose(net_paths(demand, [apart]), every_path(demand) - median(sun))
    two_days = (*demand.error_origin_slot[:2], *far_away[2:])
    assert np.allclose(net_paths(demand, [replace(sun, error_origin_slot=two_days)]), every_path(demand) - median(sun))
    three_days = (*demand.error_origin_slot[:3], *far_away[3:])
    assert net_paths(demand, [replace(sun, error_origin_slot=three_days)]).shape == (3, 192)
    assert (net_paths(demand, []) == every_path(demand)).all()


def test_the_median_is_between_the_levels() -> None:
    sun = replace(sunny_day()[1], quantiles=(0.25, 0.75), energy_wh=np.tile([100.0, 300.0], (192, 1)))
    assert (median(sun) == 200.0).all()


def test_forecasts_of_other_slots_are_refused() -> None:
    demand, _ = sunny_day()
    with pytest.raises(ValueError, match="same slots"):
        net_paths(demand, [sunny_day(NOW + 4)[1]])
