"""Fetches open weather forecasts in Open-Meteo's format and converts them to UTC hours and plain units.

Any server that uses this format will do, public or run by the co-op: its address is a setting.
"""

import asyncio
import itertools
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from hub.storage.contract import ForecastStore
from hub.timetable import JobError
from protocols.errors import CommonwattError

RESPONSE_BYTES_MAX = 4 * 1024 * 1024
FORECAST_DAYS = 3
PAST_DAYS_AT_FIRST = 36
"""How far back the first request goes, so that a new hub has weather to learn from."""

HOUR_S = 3600
_TO_M_S = {
    "m/s": 1.0,
    "ms": 1.0,
    "km/h": 1 / 3.6,
    "kmh": 1 / 3.6,
    "mph": 0.44704,
    "mp/h": 0.44704,
    "kn": 0.514444,
}

WeatherHour = tuple[int, float, float, float]


class WeatherError(CommonwattError):
    """The weather service returned nothing usable; the one-line message says what is wrong."""


@dataclass(frozen=True, slots=True)
class WeatherSource:
    """The neighbourhood's location and the service that provides its weather."""

    url: str
    latitude: float
    longitude: float
    timeout_s: float = 10.0


class _Hourly(msgspec.Struct, frozen=True):
    """The hourly table in the response: one entry per hour in each list, null where a value is missing."""

    time: list[str]
    temperature_2m: list[float | None]
    shortwave_radiation: list[float | None]
    wind_speed_10m: list[float | None]


class _Units(msgspec.Struct, frozen=True):
    wind_speed_10m: str = "km/h"


class _Answer(msgspec.Struct, frozen=True):
    """The parts of Open-Meteo's response that are used; other keys are ignored."""

    hourly: _Hourly
    hourly_units: _Units = _Units()
    utc_offset_seconds: int = 0


def parse_hours(text: bytes) -> tuple[WeatherHour, ...]:
    """(hour start unix s, temperature_c, radiation_w_m2, wind_m_s) in order of time; hours with a null are left out.

    Open-Meteo gives radiation as the mean of the PRECEDING hour: the value at 11:00 belongs to the hour that
    starts at 10:00. Temperature and wind are instantaneous; an hour gets the mean of the values at its two ends.

    Raises: WeatherError naming the key that is wrong.
    Source: Open-Meteo forecast documentation, hourly parameter definition.
    """
    answer = _decode(text)
    hourly, wind_unit = answer.hourly, answer.hourly_units.wind_speed_10m
    times = [_unix(value, answer.utc_offset_seconds) for value in hourly.time]
    if any(later - earlier != HOUR_S for earlier, later in itertools.pairwise(times)):
        raise WeatherError("weather: hourly.time does not go up by one hour each")
    if wind_unit not in _TO_M_S:
        raise WeatherError(f"weather: hourly_units.wind_speed_10m is {wind_unit[:20]!r}, expected m/s or km/h")
    rows = []
    for i, end_s in enumerate(times[1:], start=1):
        temperature_c = _mean(hourly.temperature_2m[i - 1], hourly.temperature_2m[i])
        wind = _mean(hourly.wind_speed_10m[i - 1], hourly.wind_speed_10m[i])
        radiation = hourly.shortwave_radiation[i]
        if temperature_c is None or radiation is None or wind is None:
            continue
        rows.append((end_s - HOUR_S, temperature_c, max(0.0, radiation), max(0.0, wind * _TO_M_S[wind_unit])))
    if not rows:
        raise WeatherError("weather: the answer contains no complete hour")
    return tuple(rows)


async def fetch_weather(place: WeatherSource, *, past_days: int) -> tuple[WeatherHour, ...]:
    """Make one request, off the event loop.

    Raises: WeatherError when nothing usable came back.
    """
    query = urllib.parse.urlencode(
        {
            "latitude": place.latitude,
            "longitude": place.longitude,
            "hourly": "temperature_2m,shortwave_radiation,wind_speed_10m",
            "wind_speed_unit": "ms",
            "timezone": "UTC",
            "past_days": past_days,
            "forecast_days": FORECAST_DAYS,
        }
    )
    return parse_hours(await asyncio.to_thread(_get, f"{place.url.rstrip('/')}?{query}", place.timeout_s))


class WeatherJob:
    """Stores the newest forecast under the hour of the request. Without it, the hub uses readings alone."""

    def __init__(self, store: ForecastStore, *, place: WeatherSource | None) -> None:
        self._store = store
        self._place = place

    async def __call__(self, due_s: int) -> None:
        """Idempotent: a second request in the same hour replaces nothing and adds nothing.

        Raises: JobError when the service returned nothing usable.
        """
        if self._place is None:
            return
        known = await self._store.weather_known_at(due_s, first_s=due_s - 2 * 86400, until_s=due_s)
        try:
            rows = await fetch_weather(self._place, past_days=1 if known else PAST_DAYS_AT_FIRST)
        except WeatherError as problem:
            raise JobError(f"{problem}; forecasts continue without new weather") from None
        await self._store.add_weather(due_s - due_s % HOUR_S, rows=rows)


def _get(url: str, timeout_s: float) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise WeatherError("weather: weather.url in hub.toml must begin with http:// or https://")
    request = urllib.request.Request(url, headers={"User-Agent": "commonwatt-hub", "Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            text: bytes = answer.read(RESPONSE_BYTES_MAX + 1)
    except urllib.error.HTTPError as error:
        raise WeatherError(f"weather: the service answered {error.code}") from None
    except (OSError, ValueError) as error:
        raise WeatherError(f"weather: the service cannot be reached: {_why(error)}") from None
    if len(text) > RESPONSE_BYTES_MAX:
        raise WeatherError(f"weather: the answer is over {RESPONSE_BYTES_MAX} bytes")
    return text


def _why(error: Exception) -> str:
    """What the system says, not the library."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, socket.gaierror):
        return "no such host name"
    if isinstance(cause, ssl.SSLError):
        return "its certificate is not valid"
    return (isinstance(cause, OSError) and cause.strerror) or "it did not answer like a web server"


def _decode(text: bytes) -> _Answer:
    try:
        answer = msgspec.json.decode(text, type=_Answer)
    except msgspec.ValidationError as error:
        raise WeatherError(f"weather: the answer does not have the expected form: {error}") from None
    except (ValueError, RecursionError):
        raise WeatherError("weather: the answer is not JSON") from None
    hourly = answer.hourly
    for name in ("temperature_2m", "shortwave_radiation", "wind_speed_10m"):
        count = len(getattr(hourly, name))
        if count != len(hourly.time):
            raise WeatherError(f"weather: hourly.{name} has {count} values for {len(hourly.time)} times")
    return answer


def _mean(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else (before + after) / 2


def _unix(value: str, offset_s: int) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise WeatherError(f"weather: hourly.time has {value[:30]!r}, expected a time like 2026-06-16T10:00") from None
    if moment.tzinfo is not None:
        return int(moment.timestamp())
    return int(moment.replace(tzinfo=UTC).timestamp()) - offset_s
