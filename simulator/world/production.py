"""What a home's roof and its small turbine make of the weather. Pure; the weather itself is in `weather`."""

from dataclasses import dataclass

import numpy as np
from pvlib.inverter import pvwatts
from pvlib.irradiance import get_total_irradiance
from pvlib.pvsystem import pvwatts_dc
from pvlib.temperature import faiman
from windpowerlib.power_output import power_curve
from windpowerlib.wind_speed import hellman

from simulator.world.site import STEPS_PER_DAY, Floats
from simulator.world.streams import random_stream
from simulator.world.weather import Weather, WeatherDay

_STEPS_PER_QUARTER = 3
_CURVE_M_S = np.array([0.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 14.0, 16.0, 20.0, 25.0])
_CURVE_SHARE = np.array([0, 0, 0.02, 0.05, 0.1, 0.17, 0.27, 0.4, 0.55, 0.7, 0.85, 1, 1, 0.8, 0.45, 0.25])
"""The shape of a small turbine with blade or furling control: share of rated power by wind at the hub."""


@dataclass(frozen=True, slots=True)
class Roof:
    """Solar panels and their inverter. `peak_w` is the panels' rating, `inverter_w` the most that leaves as AC."""

    peak_w: float
    inverter_w: float
    tilt_deg: float
    azimuth_deg: float
    soiling: float


@dataclass(frozen=True, slots=True)
class Turbine:
    """A small wind turbine on a mast."""

    rated_w: float
    hub_m: float
    exposure: float


def solar_power_w(roof: Roof, weather: Weather, *, seed: int, home: str, day: int) -> Floats:
    """AC power of the roof on one UTC day. Shape: 288 steps. Units: W."""
    sky = weather.day(day)
    plane = get_total_irradiance(
        roof.tilt_deg,
        roof.azimuth_deg,
        sky.zenith_deg,
        sky.azimuth_deg,
        dni=sky.dni_w_m2,
        ghi=sky.ghi_w_m2,
        dhi=sky.dhi_w_m2,
    )
    poa_w_m2 = np.clip(np.nan_to_num(np.asarray(plane["poa_global"], dtype=np.float64)), 0.0, 1400.0)
    cell_c = faiman(poa_w_m2, sky.temperature_c, sky.wind_m_s)
    dc_w = np.maximum(pvwatts_dc(poa_w_m2, cell_c, pdc0=roof.peak_w, gamma_pdc=-0.0037), 0.0) * roof.soiling
    dc_steps_w = _own_sky(_steps(dc_w), sky, seed=seed, home=home, day=day)
    ac_w = pvwatts(dc_steps_w, pdc0=roof.inverter_w / 0.96)
    # Below this an inverter sleeps: its own use would exceed what the panels give.
    return np.where(dc_steps_w < 0.006 * roof.peak_w, 0.0, np.clip(ac_w, 0.0, roof.inverter_w))


def wind_power_w(turbine: Turbine, weather: Weather, *, seed: int, home: str, day: int) -> Floats:
    """Power of the turbine on one UTC day. Shape: 288 steps. Units: W."""
    gusts = np.exp(0.12 * random_stream(seed, home, "gusts", day).standard_normal(STEPS_PER_DAY))
    at_hub_m_s = hub_wind_m_s(turbine, weather, day=day) * gusts
    curve_w = turbine.rated_w * _CURVE_SHARE
    return np.asarray(power_curve(at_hub_m_s, _CURVE_M_S, curve_w))


def hub_wind_m_s(turbine: Turbine, weather: Weather, *, day: int) -> Floats:
    """Mean wind at the turbine's hub on one UTC day. Shape: 288 steps."""
    at_hub = hellman(weather.day(day).wind_m_s, 10.0, turbine.hub_m, hellman_exponent=0.2)
    return _steps(np.asarray(at_hub) * turbine.exposure)


def _steps(quarters: Floats) -> Floats:
    """Instants 15 minutes apart to steps of 5 minutes: straight lines between, level after the day's last."""
    at = (np.arange(STEPS_PER_DAY) + 0.5) / _STEPS_PER_QUARTER
    return np.asarray(np.interp(at, np.arange(len(quarters)), quarters))


def _own_sky(dc_w: Floats, sky: WeatherDay, *, seed: int, home: str, day: int) -> Floats:
    """Clouds do not cover every roof in the same minute: most difference under half-clear skies."""
    draw = random_stream(seed, home, "own sky", day).standard_normal(STEPS_PER_DAY + 2)
    smooth = (draw[:-2] + draw[1:-1] + draw[2:]) / np.sqrt(3.0)
    spread = 0.28 * 4 * np.repeat(sky.clearness * (1 - sky.clearness), _STEPS_PER_QUARTER)
    return np.asarray(dc_w * np.clip(1.0 + spread * smooth, 0.3, 1.25))
