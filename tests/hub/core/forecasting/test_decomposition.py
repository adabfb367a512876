"""A history in plain sentences: trend, time of day and week of made histories are named as they were made."""

import numpy as np
import pytest

from hub.core.forecasting.day_grid import wall_slots
from hub.core.forecasting.forecaster import History
from protocols.slots import parse_slot

TZ = "Europe/Berlin"
ISSUED = parse_slot("2026-06-29T22:00Z")  # midnight before Tuesday, 30 June


def made(
    *,
    weeks: float = 6,
    peak_hour: int = 19,
    weekend: float = 1.0,
    growth: float = 0.0,
    target: str = "demand",
    level: float = 100.0,
) -> History:
    """A flat level with one hour a day at double, weekends times a factor, and a steady growth per week."""
    slots = int(weeks * 7 * 96)
    first = ISSUED - slots
    walls = wall_slots(first, slots, tz=TZ)
    energy = np.full(slots, level)
    energy[walls % 96 // 4 == peak_hour] *= 2
    energy[(walls // 96 + 3) % 7 >= 5] *= weekend
    return History(target, first, energy * (1 + growth * np.arange(slots) / (7 * 96)))


def described(history: History) -> tuple[str, ...]:
    # Here, because statsmodels takes seconds to load and every worker that runs tests collects this module.
    from hub.core.forecasting.decomposition import describe_history

    return describe_history(history, issued_slot=ISSUED, tz=TZ)


def test_a_steady_history_is_level_with_its_peak_at_the_local_hour() -> None:
    trend, day, week = described(made())
    assert trend == "Demand has stayed level over the last 6 weeks."
    assert day.startswith("Demand is usually highest from 19 to 20 o'clock, ")
    assert week == "Weekends and working days are much the same."


def test_the_height_of_the_peak_is_against_the_mean() -> None:
    """24 hours of which one is double have a mean of 25/24, so the peak is 92 % above it."""
    assert described(made())[1].endswith(" 92 % above the daily average.")


@pytest.mark.parametrize(("growth", "word"), [(0.05, "rising"), (-0.05, "falling")])
def test_a_trend_is_named_by_its_change_a_week(growth: float, word: str) -> None:
    trend = described(made(growth=growth))[0]
    assert trend.startswith(f"Demand has been {word} by about ")
    percent = float(trend.split(" by about ")[1].split(" %")[0])
    assert 3 <= percent <= 6


@pytest.mark.parametrize(("weekend", "word", "share"), [(1.5, "more", 44), (0.6, "less", 45)])
def test_weekends_are_compared_with_working_days(weekend: float, word: str, share: int) -> None:
    """In percent of the mean of all days, which weekends move too."""
    week = described(made(weekend=weekend))[2]
    assert week.startswith("Weekends use about ")
    assert abs(int(week.split(" about ")[1].split(" %")[0]) - share) <= 3
    assert week.endswith(f" % {word} than working days.")


def test_each_target_is_told_what_makes_sense_for_it() -> None:
    sun = described(made(target="pv"))
    assert [sentence.split(" has ")[0].split(" is ")[0] for sentence in sun] == ["Solar supply", "Solar supply"]
    wind = described(made(target="wind"))
    assert wind == ("Wind supply has stayed level over the last 6 weeks.",)


def test_too_short_too_full_of_gaps_or_empty_says_nothing() -> None:
    assert described(made(weeks=2)) == ()
    assert len(described(made(weeks=15 / 7))) == 3
    gaps = made()
    gaps.energy_wh[: len(gaps.energy_wh) // 4] = np.nan
    assert described(gaps) == ()
    assert described(made(level=0.0)) == ()
    assert described(History("demand", ISSUED, np.empty(0))) == ()


def test_some_gaps_do_no_harm() -> None:
    gaps = made()
    gaps.energy_wh[960:1060] = np.nan
    assert described(gaps)[1].startswith("Demand is usually highest from 19 to 20 o'clock")


def test_readings_after_the_issue_are_not_used() -> None:
    history = made()
    later = History("demand", history.first_slot, np.concatenate([history.energy_wh, np.full(960, 9e6)]))
    assert described(later) == described(history)
