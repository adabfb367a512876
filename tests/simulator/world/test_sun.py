"""Sun, clear sky, panels and inverter are what pvlib gives, whose formulas they are, at any site and season."""

import numpy as np
import pandas as pd
import pytest
from pvlib.clearsky import simplified_solis
from pvlib.inverter import pvwatts
from pvlib.irradiance import erbs, get_extra_radiation, get_total_irradiance
from pvlib.solarposition import get_solarposition

from simulator.world import sun
from simulator.world.production import Roof, inverter_power_w, on_panels_w_m2
from simulator.world.site import DAY_S, Site, day_of_year
from simulator.world.weather import Weather

SITES = (Site(), Site(-33.9, 151.2, 20.0, "Australia/Sydney"), Site(67.3, 14.4, 0.0, "Europe/Oslo"))
DAYS = (20454, 20533, 20624, 20716, 21200)


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.tz)
@pytest.mark.parametrize("day", DAYS)
def test_the_sun_is_where_pvlib_has_it(site: Site, day: int) -> None:
    times = pd.date_range(pd.Timestamp(day * DAY_S, unit="s", tz="UTC"), periods=96, freq="900s")
    known = get_solarposition(times, site.latitude, site.longitude, altitude=site.altitude_m)
    ours = sun.sun_position(site, day)
    for name, found in zip(("apparent_zenith", "apparent_elevation", "azimuth"), ours, strict=True):
        assert np.allclose(found, known[name].to_numpy(), rtol=0, atol=1e-9), name


@pytest.mark.parametrize("day", DAYS)
def test_a_clear_sky_and_its_split_are_pvlibs(day: int) -> None:
    elevation = np.linspace(-10, 90, 201)
    beyond = sun.beyond_air_w_m2(day)
    assert beyond == pytest.approx(get_extra_radiation(day_of_year(day)), rel=1e-12)
    clear = simplified_solis(np.maximum(elevation, 0.01), aod700=0.12, precipitable_water=1.6, dni_extra=beyond)
    level = sun.clear_sky_w_m2(elevation, beyond)
    assert np.allclose(level, np.where(elevation > 0, clear["ghi"], 0.0), rtol=1e-12)
    assert not level[elevation <= 0].any()
    for clearness in (0.0, 0.1, 0.3, 0.6, 1.0, 1.4):
        known = erbs(level * clearness, 90 - elevation, day_of_year(day))
        beam, sky = sun.beam_and_sky_w_m2(level * clearness, 90 - elevation, beyond)
        assert np.allclose(beam, known["dni"], rtol=1e-12)
        assert np.allclose(sky, known["dhi"], rtol=1e-12)


@pytest.mark.parametrize(("tilt", "azimuth"), [(0.0, 180.0), (35.0, 180.0), (60.0, 95.0), (90.0, 270.0)])
def test_what_falls_on_panels_is_pvlibs(tilt: float, azimuth: float) -> None:
    sky = Weather(3, Site()).day(20624)
    known = get_total_irradiance(
        tilt, azimuth, sky.zenith_deg, sky.azimuth_deg, dni=sky.dni_w_m2, ghi=sky.ghi_w_m2, dhi=sky.dhi_w_m2
    )
    ours = on_panels_w_m2(Roof(5000.0, 5000.0, tilt, azimuth, 1.0), sky)
    assert np.allclose(ours, known["poa_global"], rtol=1e-9, atol=1e-9)


def test_an_inverter_is_pvlibs() -> None:
    dc_w = np.linspace(0, 8000, 401)
    assert np.allclose(inverter_power_w(dc_w, 5000.0), pvwatts(dc_w, pdc0=5000.0 / 0.96), rtol=1e-12)
