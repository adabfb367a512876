"""What a home's roof and small turbine produce in given weather. Pure; the weather itself is in `weather`.

Sources: D. Faiman, Progress in Photovoltaics 16 (2008) 307, how warm the panels are; A. P. Dobos, PVWatts Version 5
Manual, NREL/TP-6A20-62641 (2014), panels and inverter.
"""

from dataclasses import dataclass

import numpy as np

from simulator.world.arrays import FloatArray
from simulator.world.site import STEPS_PER_DAY
from simulator.world.streams import random_stream
from simulator.world.weather import Weather, WeatherDay

_STEPS_PER_QUARTER = 3
_EFFICIENCY = 0.96
_CURVE_M_S = np.array([0.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 14.0, 16.0, 20.0, 25.0])
_CURVE_SHARE = np.array([0, 0, 0.02, 0.05, 0.1, 0.17, 0.27, 0.4, 0.55, 0.7, 0.85, 1, 1, 0.8, 0.45, 0.25])
"""The shape of a small turbine with blade or furling control: share of rated power by wind at the hub."""


@dataclass(frozen=True, slots=True)
class Roof:
    """Solar panels and their inverter. `peak_w` is the panels' rating, `inverter_w` the maximum AC output."""

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


def solar_power_w(roof: Roof, weather: Weather, *, seed: int, home: str, day: int) -> FloatArray:
    """AC power of the roof on one UTC day. Shape: 288 steps. Units: W."""
    sky = weather.day(day)
    plane_w_m2 = np.clip(on_panels_w_m2(roof, sky), 0.0, 1400.0)
    cell_c = sky.temperature_c + plane_w_m2 / (25.0 + 6.84 * sky.wind_m_s)
    dc_w = np.maximum(plane_w_m2 * 0.001 * roof.peak_w * (1 - 0.0037 * (cell_c - 25.0)), 0.0) * roof.soiling
    dc_steps_w = _own_sky(_steps(dc_w), sky, seed=seed, home=home, day=day)
    ac_w = inverter_power_w(dc_steps_w, roof.inverter_w)
    # Below this an inverter sleeps: it would use more than the panels produce.
    return np.where(dc_steps_w < 0.006 * roof.peak_w, 0.0, ac_w)


def on_panels_w_m2(roof: Roof, sky: WeatherDay) -> FloatArray:
    """Radiation on the panels: straight from the sun, evenly from the sky, and a quarter of what the ground gets."""
    tilt, zenith = np.radians(roof.tilt_deg), np.radians(sky.zenith_deg)
    apart = np.radians(sky.azimuth_deg - roof.azimuth_deg)
    facing = np.cos(tilt) * np.cos(zenith) + np.sin(tilt) * np.sin(zenith) * np.cos(apart)
    beam = np.maximum(sky.dni_w_m2 * facing, 0.0)
    diffuse = sky.dhi_w_m2 * (1 + np.cos(tilt)) * 0.5 + sky.ghi_w_m2 * 0.25 * (1 - np.cos(tilt)) * 0.5
    return np.asarray(beam + diffuse)


def inverter_power_w(dc_w: FloatArray, most_w: float) -> FloatArray:
    """AC power of an inverter that gives `most_w` at most and converts 96 % there."""
    load = dc_w / (most_w / _EFFICIENCY)
    idle = np.divide(0.0059, load, out=np.zeros_like(load), where=load != 0)
    return np.clip(_EFFICIENCY / 0.9637 * (-0.0162 * load - idle + 0.9858) * dc_w, 0.0, most_w)


def wind_power_w(turbine: Turbine, weather: Weather, *, seed: int, home: str, day: int) -> FloatArray:
    """Power of the turbine on one UTC day. Shape: 288 steps. Units: W."""
    gusts = np.exp(0.12 * random_stream(seed, home, "gusts", day).standard_normal(STEPS_PER_DAY))
    at_hub_m_s = hub_wind_m_s(turbine, weather, day=day) * gusts
    return np.interp(at_hub_m_s, _CURVE_M_S, turbine.rated_w * _CURVE_SHARE, left=0.0, right=0.0)


def hub_wind_m_s(turbine: Turbine, weather: Weather, *, day: int) -> FloatArray:
    """Mean wind at the turbine's hub on one UTC day. Shape: 288 steps."""
    higher = (turbine.hub_m / 10.0) ** 0.2
    return _steps(weather.day(day).wind_m_s * higher * turbine.exposure)


def _steps(quarters: FloatArray) -> FloatArray:
    """Values 15 minutes apart to steps of 5 minutes: linear in between, constant after the day's last."""
    at = (np.arange(STEPS_PER_DAY) + 0.5) / _STEPS_PER_QUARTER
    return np.asarray(np.interp(at, np.arange(len(quarters)), quarters))


def _own_sky(dc_w: FloatArray, sky: WeatherDay, *, seed: int, home: str, day: int) -> FloatArray:
    """Clouds do not cover every roof in the same minute; roofs differ most under half-clear skies."""
    draw = random_stream(seed, home, "own sky", day).standard_normal(STEPS_PER_DAY + 2)
    smooth = (draw[:-2] + draw[1:-1] + draw[2:]) / np.sqrt(3.0)
    spread = 0.28 * 4 * np.repeat(sky.clearness * (1 - sky.clearness), _STEPS_PER_QUARTER)
    return np.asarray(dc_w * np.clip(1.0 + spread * smooth, 0.3, 1.25))
