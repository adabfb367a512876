"""Weather as it was known: hours become slots, what came later is not used, and radiation follows the sun."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.forecasting.sun_position import sun_elevation_deg
from hub.core.forecasting.weather_table import WeatherTable, WeatherVintages
from protocols.slots import SLOT_S


def test_weather_is_the_newest_known_by_then_else_the_oldest() -> None:
    slot = np.array([10, 10, 10, 11], dtype=np.int64)
    known = np.array([2, 6, 99, 50], dtype=np.int64)
    value = np.array([1.0, 2.0, 3.0, 4.0])
    vintages = WeatherVintages(WeatherTable(slot, known, value, value, value), issued_slot=60)
    for cutoff, expected in ((1, 1.0), (2, 1.0), (5, 1.0), (6, 2.0), (60, 2.0)):
        found = vintages.look_up(9, np.full(4, cutoff, dtype=np.int64))
        assert np.isnan(found.temperature_c[0])
        assert found.temperature_c[1] == expected
        assert found.temperature_c[2] == 4.0
        assert np.isnan(found.temperature_c[3])


def test_hourly_weather_becomes_four_slots_known_after_its_issue() -> None:
    table = WeatherTable.from_hours([(7200, 1000, 5.0, 100.0, 3.0)])
    assert table.slot.tolist() == [8, 9, 10, 11]
    assert table.known_slot.tolist() == [2, 2, 2, 2]
    assert table.wind_m_s.tolist() == [3.0] * 4
    assert len(WeatherTable.from_hours([]).slot) == 0


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.integers(0, 366 * 24), st.sampled_from([(48.2, 16.4), (-33.0, 151.0), (69.6, 18.9), (0.0, 0.0)]))
def test_radiation_follows_the_sun_within_the_hour_and_keeps_its_mean(hour: int, place: tuple[float, float]) -> None:
    start_s = 1_767_225_600 + hour * 3600
    plain = WeatherTable.from_hours([(start_s, 0, 5.0, 400.0, 3.0)])
    shaped = WeatherTable.from_hours([(start_s, 0, 5.0, 400.0, 3.0)], place_deg=place)
    assert shaped.radiation_w_m2.mean() == pytest.approx(400.0)
    assert np.all(shaped.radiation_w_m2 >= 0)
    middle_s = shaped.slot * float(SLOT_S) + SLOT_S / 2
    height = sun_elevation_deg(middle_s, latitude_deg=place[0], longitude_deg=place[1])
    if height.min() > 1:
        assert list(np.argsort(shaped.radiation_w_m2)) == list(np.argsort(height)), "more where the sun is higher"
    for column in ("slot", "known_slot", "temperature_c", "wind_m_s"):
        assert np.array_equal(getattr(plain, column), getattr(shaped, column))


def test_an_hour_issued_within_a_slot_is_known_from_the_next_slot_on() -> None:
    hours = [(0, 900, 1.0, 2.0, 3.0), (0, 901, 1.0, 2.0, 3.0), (0, 0, 1.0, 2.0, 3.0)]
    assert WeatherTable.from_hours(hours).known_slot.tolist() == [1] * 4 + [2] * 4 + [0] * 4


def test_columns_keep_their_order() -> None:
    table = WeatherTable.from_hours([(3600, 0, 5.0, 100.0, 3.0), (7200, 0, 6.0, 200.0, 4.0)])
    assert table.temperature_c.tolist() == [5.0] * 4 + [6.0] * 4
    assert table.radiation_w_m2.tolist() == [100.0] * 4 + [200.0] * 4
    assert table.slot.tolist() == list(range(4, 12))


@pytest.mark.parametrize("name", ["known_slot", "temperature_c", "radiation_w_m2", "wind_m_s"])
def test_columns_of_different_lengths_are_refused(name: str) -> None:
    columns = {key: np.zeros(2) for key in ("temperature_c", "radiation_w_m2", "wind_m_s")}
    columns |= {key: np.zeros(2, dtype=np.int64) for key in ("slot", "known_slot")}
    with pytest.raises(ValueError, match=f"{name} does not have the length"):
        WeatherTable(**{**columns, name: columns[name][:1]})


def test_nothing_known_is_all_gaps() -> None:
    found = WeatherVintages(WeatherTable.empty(), issued_slot=9).look_up(3, np.full(4, 9))
    for column in (found.temperature_c, found.radiation_w_m2, found.wind_m_s):
        assert column.shape == (4,)
        assert np.isnan(column).all()


def test_the_newest_known_slot_is_that_of_the_days_ahead() -> None:
    slot, known = np.array([5, 10, 11, 12]), np.array([9, 4, 6, 99])
    table = WeatherTable(slot, known, *(np.zeros(4) for _ in range(3)))
    assert WeatherVintages(table, issued_slot=10).newest_known_slot == 6
    assert WeatherVintages(table, issued_slot=13).newest_known_slot is None


@given(
    rows=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), max_size=12, unique=True),
    issued=st.integers(0, 9),
    cutoffs=st.lists(st.integers(0, 9), min_size=7, max_size=7),
)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_a_look_up_finds_what_a_plain_search_finds(
    rows: list[tuple[int, int]], issued: int, cutoffs: list[int]
) -> None:
    slot, known = (np.array([row[i] for row in rows], dtype=np.int64) for i in (0, 1))
    value = np.arange(len(rows), dtype=np.float64)
    table = WeatherTable(slot, known, value, value + 100, value + 200)
    found = WeatherVintages(table, issued_slot=issued).look_up(0, np.array(cutoffs))
    for place, cutoff in enumerate(cutoffs):
        usable = sorted((k, n) for n, (s, k) in enumerate(rows) if s == place and k <= issued)
        in_time = [n for k, n in usable if k <= cutoff]
        expected = in_time[-1] if in_time else usable[0][1] if usable else np.nan
        assert np.array_equal(found.temperature_c[place], expected, equal_nan=True)
        assert np.array_equal(found.wind_m_s[place], expected + 200, equal_nan=True)
