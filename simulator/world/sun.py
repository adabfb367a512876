"""The sun over a site: where it stands, what a clear sky lets through, and how clouds split that into beam and sky.

The position comes from pvlib's module of NREL's algorithm, loaded by itself: all of pvlib takes two seconds to load.
Sources: I. Reda and A. Andreas, Solar Energy 76 (2004) 577, the position; P. Ineichen, Solar Energy 82 (2008) 758, the
clear sky; J. W. Spencer, Search 2 (1971) 172, the distance; D. G. Erbs, S. A. Klein and J. A. Duffie, Solar Energy 28
(1982) 293, the split.
"""

from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np

from simulator.world.arrays import FloatArray
from simulator.world.site import DAY_S, WEATHER_STEP_S, WEATHER_STEPS_PER_DAY, Site, day_of_year

_SOLAR_CONSTANT_W_M2 = 1366.1
_AIR_C = 12.0
_REFRACTION_DEG = 0.5667
"""The air through which the sun is seen near the horizon."""
_DELTA_T_S = 67.0
_AEROSOL = 0.12
_WATER_CM = 1.6
"""Aerosol optical depth at 700 nm and precipitable water of the clear sky."""
_LOWEST_COS, _LOWEST_DEG = 0.065, 87.0
"""Near the horizon the split is not defined: this least cosine, and no beam beyond this zenith angle."""


def sun_position(site: Site, day: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Zenith angle, elevation and azimuth of the sun as seen through air. Units: degrees. Shape: 96 each."""
    unix_s = day * DAY_S + np.arange(WEATHER_STEPS_PER_DAY) * float(WEATHER_STEP_S)
    pressure_hpa = ((44331.514 - site.altitude_m) / 11880.516) ** (1 / 0.1902632)
    seen = _algorithm().solar_position(
        unix_s, site.latitude, site.longitude, site.altitude_m, pressure_hpa, _AIR_C, _DELTA_T_S, _REFRACTION_DEG
    )
    return np.asarray(seen[0]), np.asarray(seen[2]), np.asarray(seen[4])


def beyond_air_w_m2(day: int) -> float:
    """Radiation on a plane towards the sun above the atmosphere."""
    angle = 2 * np.pi / 365 * (day_of_year(day) - 1)
    nearness = (
        1.00011
        + 0.034221 * np.cos(angle)
        + 0.00128 * np.sin(angle)
        + 0.000719 * np.cos(2 * angle)
        + 7.7e-05 * np.sin(2 * angle)
    )
    return float(_SOLAR_CONSTANT_W_M2 * nearness)


def clear_sky_w_m2(elevation_deg: FloatArray, beyond_w_m2: float) -> FloatArray:
    """Radiation on level ground under a clear sky at sea level; 0 while the sun is down."""
    log_water = np.log(_WATER_CM)
    enhanced = (
        0.12 * _WATER_CM**0.56 * _AEROSOL**2 + 0.97 * _WATER_CM**0.032 * _AEROSOL + 1.08 * _WATER_CM**0.0051
    ) * beyond_w_m2
    depth = (1.24 + 0.047 * log_water + 0.0061 * log_water**2) * _AEROSOL + (
        0.27 + 0.043 * log_water + 0.0090 * log_water**2
    )
    bend = -0.0147 * log_water - 0.3079 * _AEROSOL**2 + 0.2846 * _AEROSOL + 0.3798
    height = np.sin(np.radians(np.maximum(elevation_deg, 0.01)))
    level = enhanced * np.exp(-depth / height**bend) * height
    return np.where(elevation_deg > 0, level, 0.0)


def beam_and_sky_w_m2(
    level_w_m2: FloatArray, zenith_deg: FloatArray, beyond_w_m2: float
) -> tuple[FloatArray, FloatArray]:
    """What of the radiation on level ground comes straight from the sun (towards it), and what from the sky."""
    cosine = np.cos(np.radians(zenith_deg))
    clear = np.clip(level_w_m2 / (beyond_w_m2 * np.maximum(cosine, _LOWEST_COS)), 0.0, 1.0)
    middle = 0.9511 - 0.1604 * clear + 4.388 * clear**2 - 16.638 * clear**3 + 12.336 * clear**4
    share = np.where(clear > 0.8, 0.165, np.where(clear > 0.22, middle, 1 - 0.09 * clear))
    beam = (level_w_m2 - share * level_w_m2) / cosine
    no_beam = (zenith_deg > _LOWEST_DEG) | (beam < 0)
    return np.where(no_beam, 0.0, beam), np.where(no_beam, level_w_m2, share * level_w_m2)


@cache
def _algorithm() -> ModuleType:
    """pvlib's module of the sun's position, without the package around it. Raises: ModuleNotFoundError."""
    package = find_spec("pvlib")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the package pvlib is missing", name="pvlib")
    spec = spec_from_file_location("pvlib_spa", Path(package.origin).with_name("spa.py"))
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("the package pvlib has no spa.py", name="pvlib")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
