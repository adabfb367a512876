"""The columns of the regressions: by hand on small histories, and nothing newer than the issue in any of them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.core.forecasting.features import (
    Features,
    clear_sky,
    demand_features,
    just_before,
    lagged,
    last_days,
    mean_ignoring_gaps,
    pv_features,
    same_weekdays,
    wind_features,
)
from hub.core.forecasting.weather_table import KnownWeather

Floats = NDArray[np.float64]
NAN = np.nan
ROWS = 24


def days(values: list[float]) -> Floats:
    """Rows that hold one value all day."""
    return np.repeat(np.array(values)[:, None], 96, axis=1)


def column(features: Features, name: str) -> Floats:
    return features.columns[:, :, features.names.index(name)]


def random_world(seed: int = 1) -> tuple[Floats, KnownWeather]:
    rng = np.random.default_rng(seed)
    energy = rng.uniform(50, 150, (ROWS, 96))
    return energy, KnownWeather(*(rng.uniform(0, 20, (ROWS, 96)) for _ in range(3)))


def test_lagged_rows_are_older_and_gaps_where_there_are_none() -> None:
    rows = days([1.0, 2.0, 3.0, 4.0])
    assert np.array_equal(lagged(rows, 1)[:, 0], [NAN, 1.0, 2.0, 3.0], equal_nan=True)
    assert np.array_equal(lagged(rows, 3)[:, 0], [NAN, NAN, NAN, 1.0], equal_nan=True)
    assert np.isnan(lagged(rows, 9)).all()


def test_a_mean_ignores_gaps_and_is_one_where_all_are() -> None:
    found = mean_ignoring_gaps([np.array([1.0, NAN, NAN]), np.array([3.0, 5.0, NAN])])
    assert np.array_equal(found, [2.0, 5.0, NAN], equal_nan=True)


@pytest.mark.parametrize(("lead", "expected"), [(0, 40.0), (1, 30.0), (2, 25.0)])
def test_the_last_seven_days_end_before_the_issue(lead: int, expected: float) -> None:
    """Row 8 of 0, 10, ... 80: without a lead it knows rows 1 to 7, with one day 0 to 6, with two only 0 to 5."""
    rows = days([10.0 * n for n in range(9)])
    assert last_days(rows, lead)[8, 0] == expected
    assert last_days(rows, 0, days=2)[8, 0] == 65.0


@pytest.mark.parametrize(("lead", "weeks"), [(0, (1, 2, 3, 4)), (6, (1, 2, 3, 4)), (7, (2, 3, 4, 5))])
def test_same_weekdays_are_whole_weeks_before_and_known(lead: int, weeks: tuple[int, ...]) -> None:
    rows = days([float(n * n) for n in range(40)])
    assert same_weekdays(rows, lead)[39, 0] == np.mean([rows[39 - 7 * back, 0] for back in weeks])


def test_just_before_is_the_mean_of_the_last_slots_before_the_issue() -> None:
    rows = np.arange(3 * 96.0).reshape(3, 96)
    found = just_before(rows, 0, slots=4)
    assert np.isnan(found[0]).all()
    assert (found[1] == np.mean([92, 93, 94, 95])).all()
    assert (just_before(rows, 1, slots=4)[2] == np.mean([92, 93, 94, 95])).all()


def test_demand_columns_by_hand() -> None:
    """Twenty equal days of 100 Wh and then one of 130 Wh: the day after has a surprise of 30 Wh."""
    rows = days([100.0] * 20 + [130.0, NAN])
    weekday = np.repeat((np.arange(22) % 7)[:, None], 96, axis=1)
    weather = KnownWeather(days([10.0] * 21 + [3.0]), days([0.0] * 22), days([NAN] * 22))
    found = demand_features(rows, weather, weekday, 0)
    last = {name: column(found, name)[21, 0] for name in found.names}
    base = (6 * 100 + 130) / 7
    assert found.base[21, 0] == pytest.approx(base)
    assert last["constant"] == 1.0
    assert last["last day against its weekday"] == pytest.approx(30.0)
    assert last["day before against its weekday"] == 0.0
    assert last["last hours"] == pytest.approx(30.0)
    assert last["last day"] == pytest.approx(130 - base)
    assert last["day before"] == pytest.approx(100 - base)
    assert last["weekday profile"] == pytest.approx(100 - base)
    assert last["temperature"] == pytest.approx(-7.0)
    assert last["temperature of the last day"] == 0.0
    assert last["saturday"] == last["sunday"] == 0.0
    level = np.nanmean(found.base)
    assert column(found, "saturday")[19, 0] == pytest.approx(level)
    assert column(found, "sunday")[20, 0] == pytest.approx(level)


def test_the_clear_sky_is_the_best_of_each_half_hour_so_far() -> None:
    rows = np.zeros((4, 96))
    rows[0, 50], rows[1, 50], rows[2, 50] = 300.0, 200.0, 400.0
    sky = clear_sky(rows, 0)
    assert np.isnan(sky[0]).all()
    assert sky[1, 47:54].tolist() == [0.0, 300.0, 300.0, 300.0, 300.0, 300.0, 0.0]
    assert sky[2, 50] == 300.0
    assert sky[3, 50] == 400.0


def test_pv_columns_by_hand() -> None:
    rows = days([100.0] * 8 + [50.0, NAN])
    weather = KnownWeather(days([15.0] * 9 + [25.0]), days([500.0] * 9 + [700.0]), days([NAN] * 10))
    found = pv_features(rows, weather, 0)
    last = {name: column(found, name)[9, 0] for name in found.names}
    base = (6 * 100 + 50) / 7
    assert last["constant"] == pytest.approx(base)
    assert last["clear sky"] == pytest.approx(100 - base)
    assert last["radiation"] == pytest.approx(200.0)
    assert last["strong radiation"] == pytest.approx(700**2 - 500**2)
    assert last["heat"] == pytest.approx(700 * 10.0)
    assert last["last hours"] == pytest.approx((50 / 100 - 1) * base), "half the usual sun in the last hours"


def test_an_issue_in_the_dark_says_nothing_about_clouds() -> None:
    rows = np.full((10, 96), 100.0)
    rows[:, 80:] = 0.0
    rows[9] = NAN
    weather = KnownWeather(days([15.0] * 10), days([500.0] * 10), days([NAN] * 10))
    assert not column(pv_features(rows, weather, 0), "last hours")[9].any()


def test_wind_columns_fade_with_the_hours_ahead() -> None:
    rows = days([80.0, NAN])
    weather = KnownWeather(days([NAN] * 2), days([NAN] * 2), days([6.0, 9.0]))
    found = wind_features(rows, weather, 0, has_curve=True)
    first = {name: column(found, name)[1, 0] for name in found.names}
    assert not found.base.any()
    assert first["last hour"] == pytest.approx(80 * np.exp(-0.125 / 3))
    assert first["last hours"] == pytest.approx(80 * np.exp(-0.125 / 12))
    assert first["wind"] == 9.0
    assert first["wind above 6.5 m/s"] == 2.5
    assert first["wind above 11 m/s"] == 0.0
    assert first["wind at the issue"] == pytest.approx(4.0 * np.exp(-0.125 / 3))
    assert (np.diff(column(found, "last hour")[1]) < 0).all()
    assert wind_features(rows, weather, 0, has_curve=False).names == ("constant", "last hour", "last hours")


@pytest.mark.parametrize("target", ["demand", "pv", "wind"])
@pytest.mark.parametrize("lead", [0, 1, 7])
def test_no_column_uses_readings_after_the_issue_of_its_row(target: str, lead: int) -> None:
    """Row 15 is unchanged by any reading from row 15 - lead on, and it does use the row just before."""
    energy, weather = random_world()
    weekday = np.repeat((np.arange(ROWS) % 7)[:, None], 96, axis=1)

    def features(rows: Floats) -> Features:
        if target == "demand":
            return demand_features(rows, weather, weekday, lead)
        return (
            pv_features(rows, weather, lead) if target == "pv" else wind_features(rows, weather, lead, has_curve=True)
        )

    seen, later, earlier = features(energy), energy.copy(), energy.copy()
    later[15 - lead :] *= 7
    earlier[15 - lead - 1] *= 7
    changed = features(later)
    # The size of the weekend columns is the mean level of the whole history; a row's own fit does not depend on it.
    kept = [place for place, name in enumerate(seen.names) if name not in ("saturday", "sunday")]
    assert np.array_equal(changed.base[15], seen.base[15])
    assert np.array_equal(changed.columns[15][:, kept], seen.columns[15][:, kept])
    assert not np.array_equal(features(earlier).columns[15], seen.columns[15])


def test_gaps_become_zero_columns() -> None:
    rows = days([NAN] * 5)
    weather = KnownWeather(days([NAN] * 5), days([NAN] * 5), days([NAN] * 5))
    found = demand_features(rows, weather, np.zeros((5, 96), dtype=np.int64), 0)
    assert np.isfinite(found.columns).all()
    assert np.isnan(found.base).all()
