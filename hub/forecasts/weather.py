"""Fetches open weather forecasts (Open-Meteo's response shape) and brings them to UTC hour starts and plain units.

Any server of that shape will do: the address is a setting, the public one or one the co-op runs itself.
"""

import asyncio
import itertools
import json
import math
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from hub.storage.contract import ForecastStore
from hub.timetable import JobError
from protocols.errors import CommonwattError

RESPONSE_BYTES_MAX = 4 * 1024 * 1024
FORECAST_DAYS = 3
PAST_DAYS_AT_FIRST = 36
"""How far back the first request reaches, so that a young hub has weather to learn from."""

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
    """The weather service gave nothing usable; one line saying what and what the hub does."""


@dataclass(frozen=True, slots=True)
class WeatherSource:
    """Where the neighbourhood is, and who answers for its weather."""

    url: str
    latitude: float
    longitude: float
    timeout_s: float = 10.0


def parse_hours(text: bytes) -> tuple[WeatherHour, ...]:
    """(hour start unix s, temperature_c, radiation_w_m2, wind_m_s) in time order; hours with a null are left out.

    Open-Meteo gives radiation as the mean of the PRECEDING hour: the value printed at 11:00 belongs to the hour that
    starts at 10:00. Temperature and wind are instants; the hour gets the mean of its two ends.

    Raises: WeatherError naming the key that is wrong.
    Source: Open-Meteo forecast documentation, hourly parameter definition.
    """
    hourly, units, offset_s = _hourly_of(text)
    times = [_unix(value, offset_s) for value in _column(hourly, "time")]
    if any(later - earlier != HOUR_S for earlier, later in itertools.pairwise(times)):
        raise WeatherError("weather: hourly.time does not go up by one hour each")
    wind_unit = str(units.get("wind_speed_10m", "km/h"))
    if wind_unit not in _TO_M_S:
        raise WeatherError(f"weather: hourly_units.wind_speed_10m is {wind_unit[:20]!r}, expected m/s or km/h")
    columns = [
        _numbers(hourly, name, len(times)) for name in ("temperature_2m", "shortwave_radiation", "wind_speed_10m")
    ]
    temperature_c, radiation_w_m2, wind = columns
    rows = []
    for i, end_s in enumerate(times[1:], start=1):
        parts = (temperature_c[i - 1], temperature_c[i], radiation_w_m2[i], wind[i - 1], wind[i])
        if any(part is None for part in parts):
            continue
        before_c, after_c, radiation, before, after = cast(tuple[float, float, float, float, float], parts)
        wind_m_s = (before + after) / 2 * _TO_M_S[wind_unit]
        rows.append((end_s - HOUR_S, (before_c + after_c) / 2, max(0.0, radiation), max(0.0, wind_m_s)))
    if not rows:
        raise WeatherError("weather: the answer holds no complete hour")
    return tuple(rows)


async def fetch_weather(place: WeatherSource, *, past_days: int) -> tuple[WeatherHour, ...]:
    """One request, off the event loop.

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
    """Stores the newest forecast under the hour it was asked for. Without it the hub forecasts from habit alone."""

    def __init__(self, store: ForecastStore, *, place: WeatherSource | None) -> None:
        self._store = store
        self._place = place

    async def __call__(self, due_s: int) -> None:
        """Idempotent: the same hour asked again replaces nothing and adds nothing.

        Raises: JobError when the service did not answer usefully.
        """
        if self._place is None:
            return
        known = await self._store.weather_known_at(due_s, first_s=due_s - 2 * 86400, until_s=due_s)
        try:
            rows = await fetch_weather(self._place, past_days=1 if known else PAST_DAYS_AT_FIRST)
        except WeatherError as problem:
            raise JobError(f"{problem}; forecasts go on without new weather") from None
        await self._store.add_weather(due_s - due_s % HOUR_S, rows=rows)


def _get(url: str, timeout_s: float) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise WeatherError("weather: the address in hub.toml must begin with http:// or https://")
    request = urllib.request.Request(url, headers={"User-Agent": "commonwatt-hub", "Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            text = cast(bytes, answer.read(RESPONSE_BYTES_MAX + 1))
    except urllib.error.HTTPError as error:
        raise WeatherError(f"weather: the service answered {error.code}") from None
    except (OSError, ValueError) as error:
        raise WeatherError(f"weather: the service cannot be reached ({type(error).__name__})") from None
    if len(text) > RESPONSE_BYTES_MAX:
        raise WeatherError(f"weather: the answer is over {RESPONSE_BYTES_MAX} bytes")
    return text


def _hourly_of(text: bytes) -> tuple[dict[str, object], dict[str, object], int]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        raise WeatherError("weather: the answer is not JSON") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("hourly"), dict):
        raise WeatherError("weather: the answer has no table 'hourly'")
    units, offset_s = answer.get("hourly_units", {}), answer.get("utc_offset_seconds", 0)
    if not isinstance(units, dict) or not isinstance(offset_s, int):
        raise WeatherError("weather: hourly_units must be a table and utc_offset_seconds a whole number")
    return cast(dict[str, object], answer["hourly"]), cast(dict[str, object], units), offset_s


def _column(hourly: dict[str, object], name: str) -> list[object]:
    values = hourly.get(name)
    if not isinstance(values, list) or len(values) < 2:
        raise WeatherError(f"weather: hourly.{name} is missing or too short")
    return cast(list[object], values)


def _numbers(hourly: dict[str, object], name: str, length: int) -> list[float | None]:
    values = _column(hourly, name)
    if len(values) != length:
        raise WeatherError(f"weather: hourly.{name} has {len(values)} values for {length} times")
    for value in values:
        good = value is None or (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        )
        if not good:
            raise WeatherError(f"weather: hourly.{name} holds something that is no number")
    return cast(list[float | None], values)


def _unix(value: object, offset_s: int) -> int:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise WeatherError(
            f"weather: hourly.time holds {str(value)[:30]!r}, expected a time like 2026-06-16T10:00"
        ) from None
    if moment.tzinfo is not None:
        return int(moment.timestamp())
    return int(moment.replace(tzinfo=UTC).timestamp()) - offset_s
