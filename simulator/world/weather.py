"""The weather over a street: cloud, radiation, wind and temperature as a pure function of seed, site and instant.

The true weather; its forecasts are in `simulator.services.weather_service`.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulator.world.arrays import FloatArray
from simulator.world.site import WEATHER_STEPS_PER_DAY, Site, day_of_year
from simulator.world.streams import fading_sum, random_stream
from simulator.world.sun import beam_and_sky_w_m2, beyond_air_w_m2, clear_sky_w_m2, sun_position

_FORGOTTEN = 6.0
"""After this many relaxation times an AR process has forgotten its start (e^-6 remains)."""
_MEAN_WIND_M_S = 4.6
_HOURS = np.arange(WEATHER_STEPS_PER_DAY) / 4.0


@dataclass(frozen=True, slots=True, eq=False)
class WeatherDay:
    """One UTC day of weather at instants 15 minutes apart, beginning at 00:00.

    Units: degrees, W/m2, m/s at 10 m, degC. `clearness` is the share of clear-sky radiation that arrives.
    Shape: 96 each.
    """

    zenith_deg: FloatArray
    azimuth_deg: FloatArray
    clear_w_m2: FloatArray
    clearness: FloatArray
    ghi_w_m2: FloatArray
    dni_w_m2: FloatArray
    dhi_w_m2: FloatArray
    wind_m_s: FloatArray
    temperature_c: FloatArray


class Weather:
    """The weather of one street. The same seed, site and day give the same arrays, whatever was requested before."""

    def __init__(self, seed: int, site: Site) -> None:
        self.seed = seed
        self.site = site
        self._day = lru_cache(maxsize=160)(self._make_day)
        self._noise = lru_cache(maxsize=2048)(self._make_noise)

    def day(self, day: int) -> WeatherDay:
        """The weather of one UTC day (a day number)."""
        return self._day(day)

    def hourly(self, first_hour: int, hours: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Temperature, radiation, wind and clear-sky radiation as a weather service prints them.

        `first_hour` counts hours since 1970. Temperature and wind are instants, radiation is the mean of the
        hour BEFORE the printed time. Shape: `hours` each.
        """
        first_day, last_day = (first_hour - 1) // 24, (first_hour + hours - 1) // 24
        days = [self.day(day) for day in range(first_day, last_day + 1)]
        at = (first_hour - first_day * 24) * 4 + 4 * np.arange(hours)
        before = at[:, None] - np.arange(4, 0, -1)
        temperature_c = np.concatenate([each.temperature_c for each in days])[at]
        wind_m_s = np.concatenate([each.wind_m_s for each in days])[at]
        ghi_w_m2 = np.concatenate([each.ghi_w_m2 for each in days])[before].mean(axis=1)
        clear_w_m2 = np.concatenate([each.clear_w_m2 for each in days])[before].mean(axis=1)
        return temperature_c, ghi_w_m2, wind_m_s, clear_w_m2

    def _make_day(self, day: int) -> WeatherDay:
        zenith_deg, elevation_deg, azimuth_deg = sun_position(self.site, day)
        beyond_w_m2 = beyond_air_w_m2(day)
        clear_w_m2 = clear_sky_w_m2(elevation_deg, beyond_w_m2)
        clearness = self._clearness(day)
        ghi_w_m2 = clear_w_m2 * clearness
        dni_w_m2, dhi_w_m2 = beam_and_sky_w_m2(ghi_w_m2, zenith_deg, beyond_w_m2)
        return WeatherDay(
            zenith_deg=zenith_deg,
            azimuth_deg=azimuth_deg,
            clear_w_m2=clear_w_m2,
            clearness=clearness,
            ghi_w_m2=ghi_w_m2,
            dni_w_m2=dni_w_m2,
            dhi_w_m2=dhi_w_m2,
            wind_m_s=self._wind(day, clearness),
            temperature_c=self._temperature(day, clearness),
        )

    def _clearness(self, day: int) -> FloatArray:
        """Between a dark overcast sky (0.12) and a clear one (1): slow fronts plus fast broken cloud."""
        fronts = self.process("cloud fronts", day, relax_h=14.0)
        broken = self.process("broken cloud", day, relax_h=0.7)
        latent = 0.35 + 1.15 * fronts + 0.55 * broken * np.exp(-0.5 * fronts**2)
        return np.asarray(0.12 + 0.88 / (1.0 + np.exp(-1.9 * latent)))

    def _wind(self, day: int, clearness: FloatArray) -> FloatArray:
        systems = self.process("wind systems", day, relax_h=20.0)
        gusts = self.process("gusts", day, relax_h=0.6)
        winter = 1.0 + 0.2 * np.cos(2 * np.pi * (day_of_year(day) - 20) / 365.25)
        breeze = 1.0 + 0.22 * clearness * np.sin(2 * np.pi * (_HOURS - 8.0) / 24.0)
        level = _MEAN_WIND_M_S * winter * breeze
        return np.asarray(np.clip(level * np.exp(0.46 * systems + 0.14 * gusts - 0.12), 0.0, 30.0))

    def _temperature(self, day: int, clearness: FloatArray) -> FloatArray:
        season = 10.8 - 9.6 * np.cos(2 * np.pi * (day_of_year(day) - 18) / 365.25)
        swing = (1.5 + 5.0 * clearness) * np.sin(2 * np.pi * (_HOURS - 8.6) / 24.0)
        return np.asarray(season + swing + 3.1 * self.process("air masses", day, relax_h=40.0))

    def process(self, name: str, day: int, *, relax_h: float) -> FloatArray:
        """One day of a stationary AR(1) process with standard deviation 1 that forgets with `relax_h`.

        Always computed from the same earlier days, so a day is the same whatever was requested first.
        """
        warm_up = int(np.ceil(relax_h * _FORGOTTEN / 24))
        keep = float(np.exp(-0.25 / relax_h))
        first = day - warm_up
        noise = np.concatenate([self._noise(name, each) for each in range(first, day + 1)])
        shocks = noise * np.sqrt(1.0 - keep**2)
        shocks[0] = noise[0]
        return fading_sum(shocks, keep)[-WEATHER_STEPS_PER_DAY:]

    def _make_noise(self, name: str, day: int) -> FloatArray:
        return random_stream(self.seed, "weather", name, day).standard_normal(WEATHER_STEPS_PER_DAY)
