"""How high the sun stands over a place. Good to a few hundredths of a degree between 1950 and 2050; no refraction.

Source: The Astronomical Almanac's low-precision formulas, as in J. J. Michalsky, Solar Energy 40 (3), 1988, 227-235.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

J2000_UNIX_S: Final = 946_728_000  # 2000-01-01 12:00 UT


def sun_elevation_deg(unix_s: Floats, *, latitude_deg: float, longitude_deg: float) -> Floats:
    """The elevation of the sun's centre over the horizon. Units: degrees; east and north positive."""
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
