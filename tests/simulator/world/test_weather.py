"""The weather over a street is plausible, the same whatever was asked before, and has no seams at midnight."""

import numpy as np
import pytest

from simulator.world.site import Site
from simulator.world.weather import Weather

JUNE, DECEMBER = 20615, 20790


def test_a_day_is_the_same_in_whatever_order_days_are_asked() -> None:
    forward, backward = Weather(3, Site()), Weather(3, Site())
    days = range(JUNE, JUNE + 4)
    asked = {day: forward.day(day) for day in days}
    for day in reversed(days):
        for name in ("ghi_w_m2", "wind_m_s", "temperature_c"):
            assert np.array_equal(getattr(asked[day], name), getattr(backward.day(day), name))


@pytest.mark.parametrize("start", [JUNE, DECEMBER])
def test_values_are_those_of_a_middle_european_site(start: int) -> None:
    weather = Weather(3, Site())
    days = [weather.day(start + each) for each in range(20)]
    ghi, clear = (np.concatenate([getattr(day, name) for day in days]) for name in ("ghi_w_m2", "clear_w_m2"))
    wind = np.concatenate([day.wind_m_s for day in days])
    mean_c = float(np.concatenate([day.temperature_c for day in days]).mean())
    assert ghi.min() == 0
    assert np.all(ghi <= clear + 1e-9)
    assert (850 < clear.max() < 1050) if start == JUNE else (200 < clear.max() < 400)
    assert 0.3 < ghi.sum() / clear.sum() < 0.85
    assert 2.5 < wind.mean() < 8
    assert wind.max() <= 30
    assert (13 < mean_c < 25) if start == JUNE else (-4 < mean_c < 8)


def test_dark_at_night_and_split_into_beam_and_sky_by_day() -> None:
    day = Weather(3, Site()).day(JUNE)
    night = day.zenith_deg > 90
    assert night.any()
    assert not day.ghi_w_m2[night].any()
    by_day = ~night & (day.zenith_deg < 85)
    beam = day.dni_w_m2[by_day] * np.cos(np.radians(day.zenith_deg[by_day]))
    assert np.allclose(beam + day.dhi_w_m2[by_day], day.ghi_w_m2[by_day], atol=1.0)


def test_no_seam_at_midnight() -> None:
    weather = Weather(3, Site())
    inside, across = [], []
    for day in range(JUNE, JUNE + 60):
        today, tomorrow = weather.day(day).temperature_c, weather.day(day + 1).temperature_c
        inside += np.abs(np.diff(today)).tolist()
        across.append(abs(tomorrow[0] - today[-1]))
    assert np.mean(across) < 2.5 * np.mean(inside)


def test_processes_have_unit_spread_and_remember() -> None:
    weather = Weather(3, Site())
    path = np.concatenate([weather.process("test", day, relax_h=3.0) for day in range(JUNE, JUNE + 120)])
    assert abs(path.mean()) < 0.2
    assert 0.85 < path.std() < 1.15
    assert np.corrcoef(path[:-4], path[4:])[0, 1] == pytest.approx(np.exp(-1 / 3), abs=0.06)


def test_hourly_radiation_is_the_mean_of_the_hour_before() -> None:
    weather = Weather(3, Site())
    temperature_c, ghi_w_m2, wind_m_s, _ = weather.hourly(JUNE * 24, 24)
    day = weather.day(JUNE)
    assert ghi_w_m2[12] == pytest.approx(day.ghi_w_m2[44:48].mean())
    assert temperature_c[12] == day.temperature_c[48]
    assert wind_m_s[12] == day.wind_m_s[48]
