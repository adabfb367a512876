"""Where a street lies, and the calendar its people live by: day numbers, local clock times and steps of the grid.

Only arithmetic; the time itself comes from a clock handed to those who serve.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DAY_S = 86400
STEP_S = 300
"""One step of the physics, and how often a simulated device renews its registers."""
STEPS_PER_DAY = DAY_S // STEP_S
WEATHER_STEP_S = 900
WEATHER_STEPS_PER_DAY = DAY_S // WEATHER_STEP_S


@dataclass(frozen=True, slots=True)
class Site:
    """Coordinates and time zone of a street."""

    latitude: float = 48.14
    longitude: float = 7.75
    altitude_m: float = 190.0
    tz: str = "Europe/Berlin"


def day_number(unix_s: float) -> int:
    """The UTC day that holds this instant, counted from 1970-01-01."""
    return int(unix_s // DAY_S)


def unix_of(day: date, local_s: int, tz: str) -> int:
    """The instant at which the local clock of `day` shows `local_s` seconds after midnight.

    `local_s` may lie outside the day; a time the clock skips counts with the offset before the change.
    """
    moment = datetime(day.year, day.month, day.day) + timedelta(seconds=local_s)  # noqa: DTZ001 - zone set below
    return int(moment.replace(tzinfo=_zone(tz)).timestamp())


@lru_cache(maxsize=512)
def local_clock(day: int, tz: str) -> tuple[tuple[date, ...], Ints]:
    """Per hour of a UTC day: the local date, and the second of that date at which the hour begins."""
    zone = _zone(tz)
    moments = [datetime.fromtimestamp(day * DAY_S + hour * 3600, zone) for hour in range(24)]
    seconds = np.array([each.hour * 3600 + each.minute * 60 for each in moments], dtype=np.int64)
    return tuple(each.date() for each in moments), seconds


def day_of_year(day: int) -> int:
    """1 on the first of January (UTC)."""
    return datetime.fromtimestamp(day * DAY_S, UTC).timetuple().tm_yday


@lru_cache(maxsize=32)
def _zone(tz: str) -> ZoneInfo:
    return ZoneInfo(tz)
