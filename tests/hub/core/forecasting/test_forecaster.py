"""What always holds of a forecast: nothing from the future, sorted quantiles, local clocks, reasons, refusals."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hub.core.forecasting.day_grid import wall_slots
from hub.core.forecasting.forecaster import Forecast, ForecastInputError, History, forecast
from hub.core.forecasting.weather_table import WeatherTable
from protocols.slots import SLOT_S, slots_of_day

Floats = NDArray[np.float64]
TZ = "Europe/Berlin"
VIENNA = "Europe/Vienna"
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
    with pytest.raises(ForecastInputError, match="no readings of demand yet"):
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
        ({"profile_wh": np.zeros(24)}, "typical day must have 96"),
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


def test_panels_without_any_weather_are_forecast_without_a_word_on_it() -> None:
    dice, first, quarter = np.random.default_rng(3), slots_of_day(date(2026, 5, 1), VIENNA).start, np.arange(96)
    sun = np.maximum(0, np.sin((quarter - 24) / 48 * np.pi)) * ((quarter > 24) & (quarter < 72))
    energy = np.concatenate([900 * sun * dice.uniform(0.15, 1) for _ in range(50)])
    history = History("pv", first, energy)
    found = forecast(history, WeatherTable.empty(), 96, issued_slot=first + 96 * 50, tz=VIENNA)
    assert found.weather_known_slot is None
    told = " ".join((found.reason, *found.drivers))
    assert "sunshine" not in told
    assert "weather" not in told


def street_with_holidays(last: date, free: set[date]) -> tuple[History, NDArray[np.float64], int]:
    """Demand whose Sundays and holidays differ from its working days, up to `last`, and that day's own values."""
    dice, day, rows, quarter = np.random.default_rng(5), date(2026, 2, 1), [], np.arange(96)
    first = slots_of_day(day, VIENNA).start
    work = 200 + 150 * np.exp(-(((quarter - 30) / 6) ** 2)) + 300 * np.exp(-(((quarter - 76) / 10) ** 2))
    rest = 220 + 350 * np.exp(-(((quarter - 48) / 14) ** 2)) + 200 * np.exp(-(((quarter - 78) / 10) ** 2))
    while day <= last:
        row = (rest if day.weekday() == 6 or day in free else work) * (1 + 0.05 * dice.standard_normal(96))
        rows.append(np.delete(row, range(8, 12)) if len(slots_of_day(day, VIENNA)) == 92 else row)
        day += timedelta(days=1)
    return History("demand", first, np.concatenate(rows[:-1])), rows[-1], slots_of_day(last, VIENNA).start


@pytest.mark.parametrize("issued_before", [0, 24, 60])
def test_a_public_holiday_is_forecast_like_the_sunday_it_resembles(issued_before: int) -> None:
    ascension = date(2026, 5, 14)
    free = {date(2026, 4, 6), date(2026, 5, 1), ascension}
    history, actual, start = street_with_holidays(ascension, free)
    issued, horizon = start - issued_before, 96 + issued_before
    found = forecast(history, WeatherTable.empty(), horizon, issued_slot=issued, tz=VIENNA, free_days=sorted(free))
    made = found.energy_wh[issued_before:, 4]
    assert np.abs(made - actual).mean() / actual.mean() < 0.08
    assert abs(int(made.argmax()) - 48) <= 4
    assert found.drivers[0].startswith("A public holiday")


def test_working_days_around_holidays_are_forecast_as_working_days() -> None:
    friday = date(2026, 5, 15)
    free = {date(2026, 4, 6), date(2026, 5, 1), date(2026, 5, 14)}
    history, actual, start = street_with_holidays(friday, free)
    errors = []
    for known in ((), sorted(free)):
        found = forecast(history, WeatherTable.empty(), 96, issued_slot=start, tz=VIENNA, free_days=known)
        errors.append(np.abs(found.energy_wh[:, 4] - actual).mean() / actual.mean())
    assert errors[1] < 0.08
    assert errors[1] < errors[0], "a holiday yesterday teaches nothing about today"
