"""The models that compete: which of them a history allows, the naive ones by hand, and nothing from the future."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.core.forecasting.day_grid import DayGrid, day_grid
from hub.core.forecasting.features import clear_sky, last_days
from hub.core.forecasting.models import ModelPrediction, candidates
from hub.core.forecasting.weather_table import KnownWeather

Floats = NDArray[np.float64]
NAN = np.nan


def grid_of(days: int, *, lead: int = 0) -> DayGrid:
    return day_grid(20_000 * 96 - days * 96, issued_slot=20_000 * 96, horizon_slots=(lead + 1) * 96, tz="UTC")


def weather_of(rows: int, *, wind: Floats | None = None) -> KnownWeather:
    rng = np.random.default_rng(3)
    speed = rng.uniform(2, 14, (rows, 96)) if wind is None else wind
    return KnownWeather(rng.normal(10, 5, (rows, 96)), rng.uniform(0, 800, (rows, 96)), speed)


def history(days: int, *, lead: int = 0, seed: int = 1) -> Floats:
    """Days of noise around 100 Wh, then the unknown rows ahead."""
    rows = np.full((days + lead + 1, 96), NAN)
    rows[:days] = np.random.default_rng(seed).uniform(50, 150, (days, 96))
    return rows


def predict(target: str, rows: Floats, *, lead: int = 0, wind: Floats | None = None) -> dict[str, ModelPrediction]:
    return candidates(target, rows, weather_of(len(rows), wind=wind), grid_of(len(rows) - lead - 1, lead=lead), lead)


def names(target: str, days: int) -> list[str]:
    return list(predict(target, history(days)))


NAIVE = ["seven-days", "yesterday"]


@pytest.mark.parametrize(
    ("target", "days", "expected"),
    [
        ("demand", 7, NAIVE),
        ("demand", 8, [*NAIVE, "last-week", "same-weekdays"]),
        ("demand", 13, [*NAIVE, "last-week", "same-weekdays"]),
        ("demand", 14, [*NAIVE, "last-week", "same-weekdays", "ridge", "blend"]),
        ("pv", 13, [*NAIVE, "half-yesterday"]),
        ("pv", 14, [*NAIVE, "half-yesterday", "ridge"]),
        ("wind", 4, ["mean-so-far"]),
        ("wind", 5, ["mean-so-far", "damped-persistence", "power-curve"]),
    ],
)
def test_a_longer_history_allows_more_models_simplest_first(target: str, days: int, expected: list[str]) -> None:
    assert names(target, days) == expected


def test_days_with_gaps_count_for_what_they_hold() -> None:
    rows = history(16)
    rows[:6, ::2] = NAN
    assert "ridge" not in predict("demand", rows)


@pytest.mark.parametrize("lead", [0, 1, 7])
def test_naive_models_by_hand(lead: int) -> None:
    rows = history(20, lead=lead)
    newest = 20 + lead
    found = {name: one.predicted_wh[newest] for name, one in predict("demand", rows, lead=lead).items()}
    assert np.array_equal(found["yesterday"], rows[19])
    assert np.allclose(found["seven-days"], rows[13:20].mean(axis=0))
    same_weekday = newest - 7 if lead < 7 else newest - 14
    assert np.array_equal(found["last-week"], rows[same_weekday])
    assert np.allclose(found["same-weekdays"], rows[same_weekday::-7].mean(axis=0))
    assert np.allclose(found["blend"], (found["ridge"] + found["same-weekdays"]) / 2)
    sun = {name: one.predicted_wh[newest] for name, one in predict("pv", rows, lead=lead).items()}
    assert np.allclose(sun["half-yesterday"], (rows[19] + rows[6:20].mean(axis=0)) / 2)


def test_a_gap_yesterday_is_filled_from_the_week() -> None:
    rows = history(10)
    rows[9, 40:50] = NAN
    found = predict("demand", rows)
    assert np.array_equal(found["yesterday"].predicted_wh[10, 40:50], found["seven-days"].predicted_wh[10, 40:50])
    assert np.array_equal(found["yesterday"].predicted_wh[10, :40], rows[9, :40])


def test_the_sun_never_exceeds_the_clearest_day_by_more_than_a_tenth() -> None:
    rows = history(20)
    rows[:, :30] = 0.0
    rows[20] = NAN
    ridge = predict("pv", rows)["ridge"].predicted_wh[20]
    ceiling = 1.1 * np.max([np.roll(np.nan_to_num(rows), shift, axis=1).max(axis=0) for shift in range(-2, 3)], axis=0)
    assert (ridge >= 0).all()
    assert (ridge <= ceiling + 1e-9).all()
    assert not ridge[2:28].any(), "where it was always dark"


def test_a_sunnier_day_than_any_before_is_bounded_by_a_tenth_above_the_clearest() -> None:
    radiation = np.random.default_rng(3).uniform(100, 800, (21, 96))
    rows = 0.5 * radiation
    rows[20] = NAN
    radiation[20] = 9000.0
    weather = KnownWeather(np.full((21, 96), 15.0), radiation, np.full((21, 96), NAN))
    found = candidates("pv", rows, weather, grid_of(20), 0)["ridge"].predicted_wh[20]
    assert (found == 1.1 * clear_sky(rows, 0)[20]).any()
    assert (found <= 1.1 * clear_sky(rows, 0)[20]).all()


def test_a_regression_learns_how_warmth_moves_demand() -> None:
    """A co-op that uses 20 Wh less for each degree; the day ahead is 10 degrees colder than usual."""
    warmth = np.repeat(np.random.default_rng(8).normal(10, 5, (31, 1)), 96, axis=1)
    rows = 1000.0 - 20.0 * warmth
    rows[30] = NAN
    warmth[30] = 0.0
    weather = KnownWeather(warmth, np.zeros((31, 96)), np.full((31, 96), NAN))
    found = candidates("demand", rows, weather, grid_of(30), 0)["ridge"].predicted_wh[30]
    assert np.abs(found - 1000.0).max() < 50
    week = last_days(rows, 0)[30]
    assert np.abs(week - 1000.0).min() > 100, "the mean of the last days does not know the cold"


def test_wind_is_never_negative_and_its_mean_is_that_of_all_rows_before() -> None:
    rows = history(10)
    found = predict("wind", rows)
    assert np.allclose(found["mean-so-far"].predicted_wh[10], rows[:10].mean())
    assert np.allclose(found["mean-so-far"].predicted_wh[4], rows[:4].mean())
    assert np.isnan(found["mean-so-far"].predicted_wh[0]).all()
    for one in found.values():
        assert np.nanmin(one.predicted_wh) >= 0


def test_without_a_wind_forecast_the_last_value_decides() -> None:
    rows = history(20)
    wind = np.random.default_rng(4).uniform(2, 14, (21, 96))
    wind[20] = NAN
    assert "power-curve" not in predict("wind", rows, wind=wind)
    wind[20, :10] = 8.0
    found = predict("wind", rows, wind=wind)
    curve, memory = found["power-curve"].predicted_wh[20], found["damped-persistence"].predicted_wh[20]
    assert np.array_equal(curve[10:], memory[10:]), "where the wind forecast ends"
    assert not np.array_equal(curve[:10], memory[:10])


def test_a_power_curve_learns_the_wind() -> None:
    wind = np.random.default_rng(4).uniform(2, 14, (31, 96))
    rows = 100.0 * np.maximum(wind - 3.5, 0.0)
    rows[30] = NAN
    found = predict("wind", rows, wind=wind)["power-curve"].predicted_wh[30]
    assert found.min() == 0.0, "a straight line below the cut-in would be negative"
    assert np.abs(found - 100.0 * np.maximum(wind[30] - 3.5, 0.0)).mean() < 10


def test_contributions_and_base_make_up_the_prediction() -> None:
    rows = history(20)
    one = predict("demand", rows)["ridge"]
    assert one.contributions is not None
    base = rows[13:20].mean(axis=0)
    assert np.allclose(base + one.contributions.energy_wh.sum(axis=1), one.predicted_wh[20])
    assert len(one.contributions.names) == one.contributions.energy_wh.shape[1]


@pytest.mark.parametrize("target", ["demand", "pv", "wind"])
@pytest.mark.parametrize("lead", [0, 1])
def test_a_row_is_predicted_by_rows_before_its_issue(target: str, lead: int) -> None:
    """A change of the readings from the issue of row 17 on leaves its prediction by every model as it was."""
    rows = history(20, lead=lead)
    later = rows.copy()
    later[17 - lead : 20] = 1e4
    before, after = predict(target, rows, lead=lead), predict(target, later, lead=lead)
    for name, one in before.items():
        if name in ("ridge", "blend") and target == "demand":
            # The weekend columns are scaled by the level of the whole history, which moves a shrunk fit a little.
            assert np.allclose(after[name].predicted_wh[17], one.predicted_wh[17], rtol=0.1), name
        else:
            assert np.allclose(after[name].predicted_wh[17], one.predicted_wh[17]), name
