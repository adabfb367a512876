"""The sun's elevation at a place, accurate to a few hundredths of a degree from 1950 to 2050, without refraction.

Source: The Astronomical Almanac's low-precision formulas, as in J. J. Michalsky, Solar Energy 40 (3), 1988, 227-235.
"""

from typing import Final

import numpy as np

from hub.core.forecasting.day_grid import Floats

J2000_UNIX_S: Final = 946_728_000  # 2000-01-01 12:00 UT


def sun_elevation_deg(unix_s: Floats, *, latitude_deg: float, longitude_deg: float) -> Floats:
    """The elevation of the sun's centre above the horizon. Units: degrees; east and north are positive.

    Greenwich at noon and at midnight (UTC) on 21 June 2026:

    >>> unix_s = np.array([1_782_043_200.0, 1_782_000_000.0])
    >>> sun_elevation_deg(unix_s, latitude_deg=51.48, longitude_deg=0).round(1).tolist()
    [62.0, -15.1]
    """
    days = (np.asarray(unix_s, dtype=np.float64) - J2000_UNIX_S) / 86_400
    mean_longitude = 280.460 + 0.985_647_4 * days
    anomaly = np.radians(357.528 + 0.985_600_3 * days)
    longitude = np.radians(mean_longitude + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    obliquity = np.radians(23.439 - 0.000_000_4 * days)
    right_ascension = np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))
    declination = np.arcsin(np.sin(obliquity) * np.sin(longitude))
    hour_of_day = (days + 0.5) % 1 * 24
    sidereal_hours = 6.697_375 + 0.065_709_824_2 * days + hour_of_day
    hour_angle = np.radians(15 * sidereal_hours + longitude_deg) - right_ascension
    latitude = np.radians(latitude_deg)
    height = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    elevation: Floats = np.degrees(np.arcsin(np.clip(height, -1, 1)))
    return elevation
