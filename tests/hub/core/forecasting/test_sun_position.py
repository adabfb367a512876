"""The sun's elevation against an established algorithm, and at hours everybody knows."""

from datetime import UTC, datetime

import numpy as np
import pytest

from hub.core.forecasting.sun_position import sun_elevation_deg


def at(*moment: int) -> np.ndarray:
    return np.array([datetime(*moment, tzinfo=UTC).timestamp()])  # type: ignore[misc]


@pytest.mark.parametrize(("latitude", "longitude"), [(48.2, 16.4), (-33.0, 151.0), (65.0, -18.0), (0.0, 0.0)])
def test_the_sun_is_where_an_established_algorithm_has_it(latitude: float, longitude: float) -> None:
    import pandas as pd  # takes a second, as pvlib does
    import pvlib

    times = pd.date_range("2020-01-01", "2035-01-01", freq="53h", tz="UTC")
    reference = pvlib.solarposition.get_solarposition(times, latitude, longitude)["elevation"].to_numpy()
    unix_s = np.array([moment.timestamp() for moment in times])
    ours = sun_elevation_deg(unix_s, latitude_deg=latitude, longitude_deg=longitude)
    assert np.abs(ours - reference).max() < 0.03


def test_at_the_equinox_the_equator_has_the_sun_overhead_at_noon() -> None:
    # The sun crossed the equator on 20 March 2024 at 03:06 UTC; true noon at Greenwich was about 7 minutes after 12.
    assert sun_elevation_deg(at(2024, 3, 20, 12, 7), latitude_deg=0, longitude_deg=0)[0] > 89.5
    assert sun_elevation_deg(at(2024, 3, 20, 0, 7), latitude_deg=0, longitude_deg=0)[0] < -89.5


def test_east_is_positive() -> None:
    """At 06:00 UTC the sun is up in Vienna and not yet in New York."""
    vienna = sun_elevation_deg(at(2026, 6, 21, 6), latitude_deg=48.2, longitude_deg=16.4)
    new_york = sun_elevation_deg(at(2026, 6, 21, 6), latitude_deg=40.7, longitude_deg=-74.0)
    assert vienna[0] > 25
    assert new_york[0] < -10


def test_north_of_the_circle_the_sun_does_not_set_in_june_nor_rise_in_december() -> None:
    hours = np.arange(24) * 3600.0
    june = sun_elevation_deg(at(2026, 6, 21) + hours, latitude_deg=69.6, longitude_deg=18.9)
    december = sun_elevation_deg(at(2026, 12, 21) + hours, latitude_deg=69.6, longitude_deg=18.9)
    south = sun_elevation_deg(at(2026, 12, 21) + hours, latitude_deg=-69.6, longitude_deg=18.9)
    assert june.min() > 0
    assert december.max() < 0
    assert south.min() > 0
