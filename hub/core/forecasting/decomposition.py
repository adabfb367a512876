"""Describes a history in plain words: its trend, its usual day and its usual week.

Only the forecast worker imports this module, because importing statsmodels takes seconds and over 100 MB. Its MSTL
separates the trend and the daily and weekly patterns well enough to describe them to people. For forecasting it is
slower than the regressions and no better, so it is not used for that.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from statsmodels.tsa.seasonal import MSTL

from hub.core.forecasting.day_grid import EPOCH_WEEKDAY, Floats, Ints, day_grid
from hub.core.forecasting.forecaster import HISTORY_DAYS_MAX, History
from protocols.slots import SLOTS_PER_HOUR

HOURS_PER_DAY = 24
HOURS_PER_WEEK = 168
DAYS_MIN = 15
KNOWN_SHARE_MIN = 0.8
# LOESS runs at every 3rd (seasonal) or 24th (trend) hour, with straight lines between: 20 times faster, same sentences.
_STL_STEPS: Mapping[str, int] = {"seasonal_jump": 3, "trend_jump": 24, "low_pass_jump": 24}
_SUBJECT = {"demand": "Demand", "pv": "Solar supply", "wind": "Wind supply"}


def describe_history(history: History, *, issued_slot: int, tz: str) -> tuple[str, ...]:
    """Up to three sentences on trend, time of day and week; none if there are fewer than 15 days or too many gaps.

    Known at: history before issued_slot.
    """
    hours, first_wall_hour = _hourly(history, issued_slot=issued_slot, tz=tz)
    known = np.isfinite(hours)
    if len(hours) < DAYS_MIN * HOURS_PER_DAY or known.mean() < KNOWN_SHARE_MIN:
        return ()
    level = float(hours[known].mean())
    if level <= 0:
        return ()
    filled = np.interp(np.arange(len(hours)), np.flatnonzero(known), hours[known])
    parts = MSTL(filled, periods=(HOURS_PER_DAY, HOURS_PER_WEEK), stl_kwargs=dict(_STL_STEPS)).fit()
    wall_hour = first_wall_hour + np.arange(len(hours), dtype=np.int64)
    clock: Ints = wall_hour % HOURS_PER_DAY
    weekday: Ints = (wall_hour // HOURS_PER_DAY + EPOCH_WEEKDAY) % 7
    subject = _SUBJECT[history.target]
    sentences = [_trend_words(subject, np.asarray(parts.trend), level)]
    if history.target != "wind":
        sentences.append(_day_words(subject, np.asarray(parts.seasonal)[:, 0], clock, level=level))
    if history.target == "demand":
        sentences.append(_week_words(np.asarray(parts.seasonal)[:, 1], weekday, level))
    return tuple(sentence for sentence in sentences if sentence)


def _hourly(history: History, *, issued_slot: int, tz: str) -> tuple[Floats, int]:
    """Energy per local hour, NaN where a quarter hour is missing, and the wall-clock number of the first hour."""
    first_slot = max(history.first_slot, issued_slot - HISTORY_DAYS_MAX * HOURS_PER_DAY * SLOTS_PER_HOUR)
    known = history.energy_wh[first_slot - history.first_slot : max(issued_slot - history.first_slot, 0)]
    if not len(known):
        return np.empty(0), 0
    grid = day_grid(first_slot, issued_slot=issued_slot, horizon_slots=1, tz=tz)
    quarters = grid.lay_out(known)[: grid.past_rows].ravel()
    skip = int(grid.cell[0]) + (-(grid.start_wall + int(grid.cell[0]))) % SLOTS_PER_HOUR
    whole = (len(quarters) - skip) // SLOTS_PER_HOUR
    hours = quarters[skip : skip + whole * SLOTS_PER_HOUR].reshape(whole, SLOTS_PER_HOUR).sum(axis=1)
    return hours, (grid.start_wall + skip) // SLOTS_PER_HOUR


def _trend_words(subject: str, trend: Floats, level: float) -> str:
    weeks = len(trend) / HOURS_PER_WEEK
    week = HOURS_PER_WEEK
    change = 100 * float(trend[-week:].mean() - trend[:week].mean()) / level / max(weeks - 1, 1)
    span = f"over the last {weeks:.0f} weeks"
    if abs(change) < 0.5:
        return f"{subject} has stayed level {span}."
    return f"{subject} has been {'rising' if change > 0 else 'falling'} by about {abs(change):.0f} % a week {span}."


def _day_words(subject: str, daily: Floats, clock: Ints, *, level: float) -> str:
    recent = slice(-14 * HOURS_PER_DAY, None)
    shape = np.array([daily[recent][clock[recent] == hour].mean() for hour in range(HOURS_PER_DAY)])
    top = int(np.argmax(shape))
    if shape[top] < 0.1 * level:
        return ""
    share = 100 * shape[top] / level
    return f"{subject} is usually highest from {top} to {top + 1} o'clock, {share:.0f} % above the daily average."


def _week_words(weekly: Floats, weekday: Ints, level: float) -> str:
    weekend = float(weekly[weekday >= 5].mean() - weekly[weekday < 5].mean())
    share = 100 * weekend / level
    if abs(share) < 3:
        return "Weekends and working days are much the same."
    return f"Weekends use about {abs(share):.0f} % {'more' if share > 0 else 'less'} than working days."
