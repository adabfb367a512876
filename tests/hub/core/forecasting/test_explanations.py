"""The sentences about a forecast: which model and why, and what moved the next day, the strongest first."""

import numpy as np
import pytest

from hub.core.forecasting.errors import ModelChoice
from hub.core.forecasting.explanations import MODEL_WORDS, driver_sentences, reason_sentence
from hub.core.forecasting.models import Contributions

POINT = np.full(96, 100.0)  # 9.6 kWh


def parts(**wh: float) -> Contributions:
    """Contributions that add up to so many Wh over the day."""
    names = tuple(name.replace("_", " ") for name in wh)
    return Contributions(names, np.tile(np.array(list(wh.values())) / 96, (96, 1)))


def test_a_young_co_op_is_told_how_little_is_known() -> None:
    assert reason_sentence("yesterday", None, days=1.26) == (
        "Used same as the last known day: with 1.3 days of readings no model could be tested yet."
    )


@pytest.mark.parametrize(
    ("loss", "end"),
    [
        (
            {"yesterday": 0.20, "ridge": 0.15},
            "25 % less error over the last 28 days than 'same as the last known day'.",
        ),
        (
            {"yesterday": 0.20, "ridge": 0.198},
            "1 % less error over the last 28 days than 'same as the last known day'.",
        ),
        ({"yesterday": 0.20, "ridge": 0.1991}, "nothing more elaborate did clearly better over the last 28 days."),
        ({"yesterday": 0.20, "ridge": 0.30}, "nothing more elaborate did clearly better over the last 28 days."),
        ({"ridge": 0.15}, "it did best over the last 28 days."),
        ({"yesterday": 0.0, "ridge": 0.0}, "it did best over the last 28 days."),
        ({"seven-days": 0.2, "yesterday": 0.3, "ridge": 0.15}, "than 'same as the last known day'."),
    ],
)
def test_the_reason_compares_with_a_naive_model(loss: dict[str, float], end: str) -> None:
    sentence = reason_sentence("ridge", ModelChoice("ridge", loss, 28), days=60)
    assert sentence.startswith("Used a regression on earlier days, the calendar and the weather: ")
    assert sentence.endswith(end)


def test_a_naive_model_is_compared_with_another_one() -> None:
    sentence = reason_sentence("yesterday", ModelChoice("yesterday", {"seven-days": 0.4, "yesterday": 0.2}, 9), days=20)
    assert sentence.endswith("50 % less error over the last 9 days than 'the mean of the last seven days'.")


@pytest.mark.parametrize("model", MODEL_WORDS)
def test_every_model_has_words(model: str) -> None:
    assert MODEL_WORDS[model] in reason_sentence(model, None, days=3)


def test_drivers_come_strongest_first_with_their_sign() -> None:
    found = driver_sentences("demand", parts(temperature=1500, saturday=-2000, last_day=300), POINT)
    assert found == (
        "The day of the week removes 2.0 kWh over the next 24 hours, compared with the last seven days.",
        "The forecast temperature adds 1.5 kWh over the next 24 hours, compared with the last seven days.",
        "What the last few days and hours showed adds 300 Wh over the next 24 hours,"
        " compared with the last seven days.",
    )


def test_columns_of_one_group_add_up() -> None:
    (only,) = driver_sentences("demand", parts(saturday=700, sunday=600, weekday_profile=-100), POINT)
    assert only.startswith("The day of the week adds 1.2 kWh")
    assert driver_sentences("demand", parts(saturday=500, sunday=-500), POINT) == ()


@pytest.mark.parametrize(("wh", "count"), [(95.9, 0), (96.1, 1), (-96.1, 1)])
def test_less_than_a_hundredth_of_the_day_is_not_named(wh: float, count: int) -> None:
    assert len(driver_sentences("demand", parts(temperature=wh), POINT)) == count


def test_the_constant_is_not_a_driver() -> None:
    assert driver_sentences("demand", parts(constant=5000.0), POINT) == ()


def test_models_without_parts_and_days_without_energy_have_no_drivers() -> None:
    assert driver_sentences("demand", None, POINT) == ()
    assert driver_sentences("pv", parts(temperature=50), np.zeros(96)) == ()


def test_wind_says_how_much_is_remembered() -> None:
    remembered = parts(wind=5000, last_hour=-960, last_hours=1920)
    assert driver_sentences("wind", remembered, POINT) == (
        "Forecast wind through this site's own curve; the last measured output makes up 10 %.",
    )
    assert driver_sentences("wind", parts(last_hour=960), POINT) == (
        "There was no wind forecast, so the last value fades to this site's mean.",
    )


def test_without_weather_no_sentence_names_the_weather() -> None:
    found = parts(temperature=1500, radiation=2000, heat=500, clear_sky=900, last_day=300)
    for sentence in driver_sentences("pv", found, POINT, has_weather=False):
        assert "forecast" not in sentence.lower().replace("forecast like", "")
        assert "sunshine" not in sentence
    assert any("sunshine" in sentence for sentence in driver_sentences("pv", found, POINT))
    for model in ("ridge", "blend"):
        choice = ModelChoice(model, {"yesterday": 0.2, model: 0.15}, 28)
        assert "weather" in reason_sentence(model, choice, days=60)
        assert "weather" not in reason_sentence(model, choice, days=60, has_weather=False)


def test_a_public_holiday_is_named_first() -> None:
    found = driver_sentences("demand", parts(saturday=-2000), POINT, has_free_day=True)
    assert found[0].startswith("A public holiday in the next 24 hours")
    assert len(found) == 2
    assert driver_sentences("demand", None, POINT, has_free_day=True) == found[:1]
