"""What always holds of a forecast: nothing from the future, sorted quantiles, local clocks, reasons, refusals."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hub.core.forecasting.day_grid import day_grid, wall_slots
from hub.core.forecasting.forecaster import Forecast, ForecastInputError, History, forecast
from hub.core.forecasting.sun_position import sun_elevation_deg
from hub.core.forecasting.weather_table import WeatherTable, WeatherVintages
from protocols.slots import SLOT_S, slots_of_day

Floats = NDArray[np.float64]
TZ = "Europe/Berlin"
NOON_JULY = int(datetime(2026, 7, 15, 12, tzinfo=ZoneInfo(TZ)).timestamp()) // SLOT_S


def pattern(first_slot: int, slots: int, *, peak_slot_of_day: int = 72, seed: int = 0) -> Floats:
    """100 Wh with a local evening peak of 500 Wh over an hour, and a little noise."""
    clock = wall_slots(first_slot, slots, tz=TZ) % 96
    inside = (clock >= peak_slot_of_day) & (clock < peak_slot_of_day + 4)
    return np.where(inside, 500.0, 100.0) + np.random.default_rng(seed).normal(0, 3, slots)


def make(days: int, *, issued: int = NOON_JULY, horizon: int = 192, target: str = "demand", **more: object) -> Forecast:
    history = History(target, issued - days * 96, pattern(issued - days * 96, days * 96))
    return forecast(history, WeatherTable.empty(), horizon, issued_slot=issued, tz=TZ, **more)  # type: ignore[arg-type]


def same(one: Forecast, other: Forecast) -> bool:
    return (
        one.energy_wh.tobytes() == other.energy_wh.tobytes()
        and one.error_history_wh.tobytes() == other.error_history_wh.tobytes()
        and (one.model, one.reason, one.drivers) == (other.model, other.reason, other.drivers)
    )


def test_the_same_inputs_give_the_same_bits() -> None:
    assert same(make(35), make(35))


@pytest.mark.parametrize("target", ["demand", "pv", "wind"])
@pytest.mark.parametrize("days", [1, 3, 8, 15, 35])
def test_quantiles_rise_and_energy_is_never_negative(target: str, days: int) -> None:
    made = make(days, target=target)
    assert made.energy_wh.shape == (192, 9)
    assert np.all(np.diff(made.energy_wh, axis=1) >= 0)
    assert np.all(made.energy_wh >= 0)
    assert made.first_slot == made.issued_slot == NOON_JULY
    assert made.reason


@settings(max_examples=15, deadline=None)
@given(
    target=st.sampled_from(["demand", "pv", "wind"]),
    days=st.integers(2, 30),
    offset=st.integers(0, 95),
    seed=st.integers(0, 2**31),
)
def test_nothing_after_the_issue_can_change_it(target: str, days: int, offset: int, seed: int) -> None:
    issued = NOON_JULY + offset
    first = issued - days * 96
    rng = np.random.default_rng(seed)
    later = 150
    energy = np.abs(rng.normal(100, 30, days * 96 + later))
    slot = np.tile(np.arange(first, issued + 192), 2)
    known = np.concatenate([np.full(len(slot) // 2, first), issued + rng.integers(1, 100, len(slot) // 2)])
    columns = [rng.normal(10, 5, len(slot)) for _ in range(3)]
    made = forecast(History(target, first, energy), WeatherTable(slot, known, *columns), 192, issued_slot=issued, tz=TZ)
    energy[days * 96 :] = rng.normal(9e5, 1, later)
    changed = [np.where(known > issued, rng.normal(0, 99, len(slot)), column) for column in columns]
    again = forecast(
        History(target, first, energy), WeatherTable(slot, known, *changed), 192, issued_slot=issued, tz=TZ
    )
    assert same(made, again)


def test_past_errors_are_those_a_forecast_would_have_made_then() -> None:
    rng = np.random.default_rng(3)
    days = 40
    first = NOON_JULY - days * 96
    energy = pattern(first, days * 96) + rng.normal(0, 20, days * 96)
    now = forecast(History("demand", first, energy), WeatherTable.empty(), 96, issued_slot=NOON_JULY, tz=TZ)
    for back in (1, 3, 9):
        origin = NOON_JULY - back * 96
        then = forecast(History("demand", first, energy), WeatherTable.empty(), 96, issued_slot=origin, tz=TZ)
        if then.model != now.model:
            continue
        error = energy[origin - first : origin - first + 96] - then.point_wh
        assert np.allclose(now.error_history_wh[now.error_origin_slot.index(origin)], error, atol=1e-6)
    assert now.error_origin_slot == tuple(sorted(now.error_origin_slot))


@pytest.mark.parametrize(
    ("change", "slots"), [(datetime(2026, 3, 29), 92), (datetime(2026, 10, 25), 100)], ids=["spring", "autumn"]
)
@pytest.mark.parametrize("days", [5, 20, 35])
def test_people_keep_their_hours_when_the_clock_changes(change: datetime, slots: int, days: int) -> None:
    changed_day = slots_of_day(change.date(), TZ)
    assert len(changed_day) == slots
    for issued in (changed_day.start - 40, changed_day.start, changed_day.start + 9, changed_day.start + 60):
        made = make(days, issued=issued, horizon=192)
        truth = pattern(issued, 192, seed=9)
        at_peak = truth > 300
        assert np.all(made.energy_wh[at_peak, 4] > 400), "the evening peak slipped"
        assert np.all(made.energy_wh[~at_peak, 4] < 200), "a peak at the wrong hour"


def test_the_week_after_a_clock_change_has_no_slip() -> None:
    start = slots_of_day(datetime(2026, 3, 29).date(), TZ).start
    for day in range(1, 8):
        made = make(35, issued=start + 92 + 96 * (day - 1), horizon=96)
        truth = pattern(made.first_slot, 96)
        assert np.abs(made.energy_wh[:, 4] - truth).mean() < 10


def test_wall_slots_are_the_local_clock() -> None:
    for first in (NOON_JULY, slots_of_day(datetime(2026, 10, 25).date(), TZ).start - 30):
        for offset, wall in enumerate(wall_slots(first, 200, tz=TZ)):
            local = datetime.fromtimestamp((first + offset) * SLOT_S, UTC).astimezone(ZoneInfo(TZ))
            assert wall % 96 == local.hour * 4 + local.minute // 15
            assert wall // 96 == local.toordinal() - datetime(1970, 1, 1).toordinal()


@given(days=st.integers(0, 40), offset=st.integers(0, 95), horizon=st.integers(1, 300))
@settings(max_examples=50, deadline=None)
def test_every_slot_has_a_cell_and_the_issue_begins_a_row(days: int, offset: int, horizon: int) -> None:
    issued = slots_of_day(datetime(2026, 10, 26).date(), TZ).start + offset
    grid = day_grid(issued - days * 96, issued_slot=issued, horizon_slots=horizon, tz=TZ)
    assert grid.cell[days * 96] == grid.past_rows * 96
    assert grid.cell.min() >= 0
    assert grid.cell.max() < grid.rows * 96
    assert np.all(grid.origin_slot(0) <= issued)


def test_pv_is_dark_at_night() -> None:
    clock = np.arange(NOON_JULY - 35 * 96, NOON_JULY + 192) % 96
    sun = np.maximum(0, np.sin((clock - 20) / 56 * np.pi)) * 400
    sun[(clock < 20) | (clock > 76)] = 0
    cloud = np.repeat(np.random.default_rng(1).uniform(0.3, 1, 37), 96)
    energy = (sun * cloud)[: 35 * 96]
    made = forecast(History("pv", NOON_JULY - 35 * 96, energy), WeatherTable.empty(), 192, issued_slot=NOON_JULY, tz=TZ)
    night = (clock[35 * 96 :] < 16) | (clock[35 * 96 :] > 80)
    assert np.all(made.energy_wh[night] == 0)
    assert made.energy_wh[~night].max() > 100


def test_the_first_day_needs_a_typical_day() -> None:
    nothing = History("demand", NOON_JULY, np.empty(0))
    with pytest.raises(ForecastInputError, match="no reading of demand yet"):
        forecast(nothing, WeatherTable.empty(), 96, issued_slot=NOON_JULY, tz=TZ)
    profile = np.arange(96.0)
    made = forecast(nothing, WeatherTable.empty(), 96, issued_slot=NOON_JULY, tz=TZ, profile_wh=profile)
    assert made.model == "profile"
    assert made.point_wh[0] == 48  # noon by the local clock
    assert made.energy_wh[0, 0] < 48 < made.energy_wh[0, -1]


def test_only_gaps_is_no_history() -> None:
    gaps = History("pv", NOON_JULY - 960, np.full(960, np.nan))
    with pytest.raises(ForecastInputError):
        forecast(gaps, WeatherTable.empty(), 96, issued_slot=NOON_JULY, tz=TZ)


def test_the_model_grows_with_the_history_and_says_why() -> None:
    assert "no model could be tested yet" in make(2).reason
    rng = np.random.default_rng(0)
    first = NOON_JULY - 60 * 96
    level = np.repeat(rng.normal(0, 60, 62), 96)  # each day has its own level, which the morning gives away
    energy = pattern(first, 60 * 96) + level[: 60 * 96] + 200
    weather = WeatherTable(
        np.arange(first, first + 62 * 96), np.zeros(62 * 96, dtype=np.int64), level, level * 0, level * 0
    )
    made = forecast(History("demand", first, energy), weather, 96, issued_slot=NOON_JULY, tz=TZ)
    assert made.model == "ridge"
    assert "less error over the last" in made.reason
    assert any("temperature" in driver for driver in made.drivers)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": "gas"}, "target 'gas' is not one of demand, pv, wind"),
        ({"horizon": 0}, "horizon of 0 slots"),
        ({"horizon": 10_000}, "horizon of 10000 slots"),
        ({"quantiles": (0.5, 0.2)}, "quantiles must rise"),
        ({"quantiles": (0.0, 0.5)}, "quantiles must rise"),
        ({"profile_wh": np.zeros(24)}, "typical day must hold 96"),
    ],
)
def test_what_cannot_be_forecast_is_refused_in_one_line(change: dict[str, object], words: str) -> None:
    with pytest.raises(ForecastInputError, match=words) as refused:
        make(3, **change)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_an_unknown_time_zone_is_refused() -> None:
    history = History("demand", 0, np.ones(960))
    for tz in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(ForecastInputError, match="time zone"):
            forecast(history, WeatherTable.empty(), 96, issued_slot=960, tz=tz)


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
