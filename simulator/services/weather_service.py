"""A weather service in Open-Meteo's response shape: forecasts of a street's weather with realistic errors.

A forecast depends only on (seed, hour of issue, lead). Errors grow with the lead and are correlated in time.
Source: Open-Meteo forecast API, response and error shape; `issued` and `run` are additions of ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from simulator.services.loopback_http import LoopbackResponse
from simulator.world.arrays import FloatArray
from simulator.world.streams import fading_sum, random_stream
from simulator.world.weather import Weather

TEMPERATURE_SD_C = 1.5
RADIATION_SD = 0.18
WIND_SD_M_S = 1.3
"""Errors of a day-ahead forecast: standard deviations, radiation as a fraction."""

_ANALYSIS = 0.15
_GROWTH_H = 9.0
_KEEP_PER_HOUR = 0.9
_RELAX_H = -1.0 / float(np.log(_KEEP_PER_HOUR))
_COMMON, _OWN = 0.8, 0.6
MAX_PAST_DAYS, MAX_FORECAST_DAYS = 92, 16
_UNITS = {
    "temperature_2m": "°C",
    "shortwave_radiation": "W/m²",
    "wind_speed_10m": "m/s",
}
_WIND_UNITS = {"kmh": ("km/h", 3.6), "ms": ("m/s", 1.0), "mph": ("mp/h", 2.23694), "kn": ("kn", 1.943844)}
_PARAMETERS = {
    "latitude", "longitude", "hourly", "past_days", "forecast_days", "timezone", "timeformat", "wind_speed_unit", "run",
}  # fmt: skip


class ForecastQueryError(Exception):
    """A request that cannot be answered; the text is the reason."""


@dataclass(frozen=True, slots=True)
class _Asked:
    variables: tuple[str, ...]
    past_days: int
    forecast_days: int
    zone: ZoneInfo
    zone_name: str
    is_unix: bool
    wind_unit: str
    run: int | None


class ForecastService:
    """Answers forecast requests as of `now()`."""

    def __init__(self, weather: Weather, now: Callable[[], float]) -> None:
        self._weather = weather
        self._now = now
        self._forecast = lru_cache(maxsize=64)(self._make_forecast)

    def answer(self, query: Mapping[str, str]) -> LoopbackResponse:
        """The answer to GET /v1/forecast."""
        try:
            asked = _parse(query)
            return LoopbackResponse(200, self._content(asked))
        except ForecastQueryError as reason:
            return LoopbackResponse(400, {"error": True, "reason": str(reason)})

    def forecast(self, issue_hour: int, *, first_hour: int, hours: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Temperature, radiation and wind as forecast at `issue_hour` (hours since 1970).

        Units: degC, W/m2 mean of the hour before, m/s. Shape: `hours` each.
        """
        return self._forecast(issue_hour, first_hour, hours)

    def _content(self, asked: _Asked) -> dict[str, object]:
        now_hour = int(self._now() // 3600)
        issue_hour = now_hour if asked.run is None else asked.run
        if issue_hour > now_hour:
            raise ForecastQueryError("run is in the future")
        issued = datetime.fromtimestamp(issue_hour * 3600, UTC)
        local = issued.astimezone(asked.zone)
        offset = local.utcoffset() or timedelta()
        midnight = issued + offset - timedelta(hours=local.hour)
        first_hour = int((midnight - offset).timestamp()) // 3600 - 24 * asked.past_days
        hours = 24 * (asked.past_days + asked.forecast_days)
        values = dict(zip(_UNITS, self.forecast(issue_hour, first_hour=first_hour, hours=hours), strict=True))
        name, factor = _WIND_UNITS[asked.wind_unit]
        units = {**_UNITS, "wind_speed_10m": name}
        values["wind_speed_10m"] = values["wind_speed_10m"] * factor
        starts = [(first_hour + step) * 3600 for step in range(hours)]
        return {
            "latitude": self._weather.site.latitude,
            "longitude": self._weather.site.longitude,
            "utc_offset_seconds": int(offset.total_seconds()),
            "timezone": asked.zone_name,
            "timezone_abbreviation": local.tzname() or asked.zone_name,
            "elevation": self._weather.site.altitude_m,
            "issued": issued.strftime("%Y-%m-%dT%H:%MZ"),
            "hourly_units": {
                "time": "unixtime" if asked.is_unix else "iso8601",
                **{variable: units[variable] for variable in asked.variables},
            },
            "hourly": {
                "time": starts if asked.is_unix else [_iso(start, offset) for start in starts],
                **{variable: np.round(values[variable], 1).tolist() for variable in asked.variables},
            },
        }

    def _make_forecast(self, issue_hour: int, first_hour: int, hours: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        temperature_c, radiation_w_m2, wind_m_s, clear_w_m2 = self._weather.hourly(first_hour, hours)
        errors = [self._error(name, issue_hour, first_hour=first_hour, hours=hours) for name in ("temp", "sun", "wind")]
        shine = np.clip(radiation_w_m2 * (1 + RADIATION_SD * errors[1]), 0.0, 1.08 * clear_w_m2)
        return (
            temperature_c + TEMPERATURE_SD_C * errors[0],
            np.asarray(shine),
            np.asarray(np.maximum(wind_m_s + WIND_SD_M_S * errors[2], 0.0)),
        )

    def _error(self, name: str, issue_hour: int, *, first_hour: int, hours: int) -> FloatArray:
        """The error in units of the day-ahead standard deviation, partly shared by all forecasts of one hour."""
        lead_h = np.arange(first_hour, first_hour + hours) - issue_hour
        growth = np.sqrt(1 - (1 - _ANALYSIS**2) * np.exp(-2 * np.maximum(lead_h, 0) / _GROWTH_H))
        common = self._common(name, first_hour, hours)
        draw = random_stream(self._weather.seed, "forecast", name, issue_hour).standard_normal(
            24 * MAX_FORECAST_DAYS + 24
        )
        draw[1:] *= np.sqrt(1 - _KEEP_PER_HOUR**2)
        path = fading_sum(draw, _KEEP_PER_HOUR)
        own = np.where(lead_h >= 0, path[np.clip(lead_h, 0, len(path) - 1)], common)
        mixed = np.where(lead_h >= 0, _COMMON * common + _OWN * own, common)
        return np.asarray(growth * mixed)

    def _common(self, name: str, first_hour: int, hours: int) -> FloatArray:
        first_day, last_day = first_hour // 24, (first_hour + hours - 1) // 24
        days = [
            self._weather.process(f"forecast {name}", day, relax_h=_RELAX_H)[::4]
            for day in range(first_day, last_day + 1)
        ]
        return np.concatenate(days)[first_hour - 24 * first_day :][:hours]


def _parse(query: Mapping[str, str]) -> _Asked:
    if unknown := sorted(set(query) - _PARAMETERS):
        raise ForecastQueryError(f"unknown parameter {unknown[0][:40]!r}")
    _within(query, "latitude", 90.0)
    _within(query, "longitude", 180.0)
    variables = tuple(query.get("hourly", "").split(","))
    for variable in variables:
        if variable not in _UNITS:
            raise ForecastQueryError(f"hourly: {variable[:40]!r} is not one of {', '.join(_UNITS)}")
    zone_name = query.get("timezone", "UTC")
    return _Asked(
        variables=variables,
        past_days=_whole(query, "past_days", 0, high=MAX_PAST_DAYS),
        forecast_days=_whole(query, "forecast_days", 7, high=MAX_FORECAST_DAYS),
        zone=_zone(zone_name),
        zone_name=zone_name,
        is_unix=_choice(query, "timeformat", ("iso8601", "unixtime")) == "unixtime",
        wind_unit=_choice(query, "wind_speed_unit", tuple(_WIND_UNITS)),
        run=_run(query.get("run")),
    )


def _within(query: Mapping[str, str], key: str, limit: float) -> None:
    try:
        value = float(query[key])
    except (KeyError, ValueError):
        raise ForecastQueryError(f"{key}: expected a number from -{limit:.0f} to {limit:.0f}") from None
    if not -limit <= value <= limit:
        raise ForecastQueryError(f"{key}: expected a number from -{limit:.0f} to {limit:.0f}")


def _whole(query: Mapping[str, str], key: str, default: int, *, high: int) -> int:
    text = query.get(key, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and int(text) <= high):
        raise ForecastQueryError(f"{key}: expected a whole number from 0 to {high}")
    return int(text)


def _choice(query: Mapping[str, str], key: str, allowed: tuple[str, ...]) -> str:
    found = query.get(key, allowed[0])
    if found not in allowed:
        raise ForecastQueryError(f"{key}: expected one of {', '.join(allowed)}")
    return found


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo("UTC" if name == "GMT" else name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ForecastQueryError("timezone: expected a name like UTC or Europe/Berlin") from None


def _run(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ForecastQueryError("run: expected a time like 2026-06-01T06:00") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) // 3600


def _iso(start_s: int, offset: timedelta) -> str:
    return (datetime.fromtimestamp(start_s, UTC) + offset).strftime("%Y-%m-%dT%H:%M")
