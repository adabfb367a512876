"""A forecast explained in plain sentences: why this model, and what moved the result. No forecast is made here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hub.core.forecasting.day_grid import Floats
from hub.core.forecasting.errors import ModelChoice
from hub.core.forecasting.models import Contributions

MODEL_WORDS: Mapping[str, str] = {
    "profile": "a typical day",
    "mean-so-far": "the mean so far",
    "yesterday": "same as the last known day",
    "seven-days": "the mean of the last seven days",
    "last-week": "same as a week before",
    "same-weekdays": "the mean of the last four same weekdays",
    "half-yesterday": "half the last known day, half the mean of two weeks",
    "damped-persistence": "the last value fading to the mean",
    "ridge": "a regression on earlier days, the calendar and the weather",
    "blend": "half a regression on earlier days, calendar and weather, half the last four same weekdays",
    "power-curve": "this site's own curve of supply over forecast wind",
}
# What the same models are when no weather is known for the days ahead.
WORDS_WITHOUT_WEATHER: Mapping[str, str] = {
    **MODEL_WORDS,
    "ridge": "a regression on earlier days and the calendar",
    "blend": "half a regression on earlier days and the calendar, half the last four same weekdays",
}
_BASELINES = ("yesterday", "seven-days", "mean-so-far")
_GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "weekday": ("The day of the week", ("weekday profile", "saturday", "sunday")),
    "recent": (
        "What the last few days and hours showed",
        (
            "last day",
            "day before",
            "last week",
            "last hours",
            "last hour",
            "last day against its weekday",
            "day before against its weekday",
            "last week against its weekday",
        ),
    ),
    "temperature": ("The forecast temperature", ("temperature", "temperature of the last day")),
    "sun": (
        "The forecast sunshine",
        ("radiation", "radiation of the last day", "strong radiation", "heat"),
    ),
    "clear sky": ("The highest supply so far at these times of day", ("clear sky",)),
}
_OF_WEATHER = ("temperature", "sun")
NAMED_SHARE_MIN = 0.01
HOLIDAY_SENTENCE = "A public holiday in the next 24 hours is forecast like the last four Sundays and holidays."


def reason_sentence(model: str, choice: ModelChoice | None, *, days: float, has_weather: bool = True) -> str:
    """Why this model was used, in one sentence; it names the weather only if some is known for the days ahead.

    >>> choice = ModelChoice("last-week", {"yesterday": 0.2, "last-week": 0.15}, scored_days=28)
    >>> reason_sentence("last-week", choice, days=60.0)
    "Used same as a week before: 25 % less error over the last 28 days than 'same as the last known day'."
    """
    named = MODEL_WORDS if has_weather else WORDS_WITHOUT_WEATHER
    words = named[model]
    if choice is None:
        return f"Used {words}: with {days:.1f} days of readings no model could be tested yet."
    tested = f"over the last {choice.scored_days} days"
    baseline = next((name for name in _BASELINES if name in choice.loss and name != model), None)
    if baseline is None or choice.loss[baseline] <= 0:
        return f"Used {words}: it did best {tested}."
    change = 100 * (choice.loss[model] / choice.loss[baseline] - 1)
    if change <= -0.5:
        return f"Used {words}: {-change:.0f} % less error {tested} than '{named[baseline]}'."
    return f"Used {words}: nothing more elaborate did clearly better {tested}."


def driver_sentences(
    target: str,
    contributions: Contributions | None,
    point_wh: Floats,
    *,
    has_weather: bool = True,
    has_free_day: bool = False,
) -> tuple[str, ...]:
    """What raises or lowers the next 24 hours compared with the last seven days, strongest first.

    Shape: point_wh (96,). For models without contributions, at most the sentence on a public holiday.
    """
    total = float(point_wh.sum())
    holiday = (HOLIDAY_SENTENCE,) if has_free_day else ()
    if contributions is None or total <= 0:
        return holiday
    if target == "wind":
        return (_wind_sentence(contributions, total),)
    added = {name: float(wh) for name, wh in zip(contributions.names, contributions.energy_wh.sum(axis=0), strict=True)}
    groups = {group: names for group, (_, names) in _GROUPS.items() if has_weather or group not in _OF_WEATHER}
    sums = {group: sum(added.get(name, 0.0) for name in names) for group, names in groups.items()}
    ranked = sorted(sums.items(), key=lambda item: (-abs(item[1]), item[0]))
    return holiday + tuple(
        f"{_GROUPS[group][0]} {'adds' if wh > 0 else 'removes'} {_energy(abs(wh))} over the next 24 hours, "
        "compared with the last seven days."
        for group, wh in ranked
        if abs(wh) >= NAMED_SHARE_MIN * total
    )


def _wind_sentence(contributions: Contributions, total: float) -> str:
    if "wind" not in contributions.names:
        return "There was no wind forecast, so the last value fades to this site's mean."
    remembered = [place for place, name in enumerate(contributions.names) if name in ("last hour", "last hours")]
    share = float(np.abs(contributions.energy_wh[:, remembered].sum())) / total
    return f"Forecast wind through this site's own curve; the last measured output makes up {100 * share:.0f} %."


def _energy(energy_wh: float) -> str:
    return f"{energy_wh / 1000:.1f} kWh" if energy_wh >= 1000 else f"{energy_wh:.0f} Wh"
