"""The features of the regressions: earlier days, the calendar and the weather, each as a difference from the usual.

Rows are days of 96 slots ending at the issue (see day_grid.py). `lead` is how many days ahead the row is, so a row may
use only rows that are at least `lead + 1` rows older. Nothing here fits or predicts.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from hub.core.forecasting.day_grid import SLOTS_PER_DAY, Bools, Floats, Ints
from hub.core.forecasting.weather_table import KnownWeather
from protocols.slots import SLOTS_PER_HOUR

RECENT_SLOTS = 3 * SLOTS_PER_HOUR
WIND_KNOTS_M_S = (2.0, 3.5, 5.0, 6.5, 8.0, 9.5, 11.0, 13.0)


@dataclass(frozen=True, slots=True)
class Features:
    """A starting point and the columns that explain the rest. Shape: base (rows, 96), columns (rows, 96, names)."""

    base: Floats
    columns: Floats
    names: tuple[str, ...]


def lagged(rows: Floats, days: int) -> Floats:
    """Each row replaced by the row `days` days earlier; NaN where there is none."""
    earlier = np.full_like(rows, np.nan)
    earlier[days:] = rows[: max(0, len(rows) - days)]
    return earlier


def mean_ignoring_gaps(stack: list[Floats]) -> Floats:
    """The mean over the list, ignoring gaps; NaN where every entry is a gap."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(np.stack(stack), axis=0))


def last_days(rows: Floats, lead: int, *, days: int = 7) -> Floats:
    """The mean of the `days` newest rows known at each row's issue."""
    return mean_ignoring_gaps([lagged(rows, lead + 1 + back) for back in range(days)])


def same_weekdays(rows: Floats, lead: int, *, weeks: int = 4) -> Floats:
    """The mean of the same weekday in the `weeks` newest weeks known at each row's issue."""
    first = lead // 7 + 1
    return mean_ignoring_gaps([lagged(rows, 7 * back) for back in range(first, first + weeks)])


def last_of_kind(rows: Floats, is_kind: Bools, lead: int, *, count: int = 4) -> Floats:
    """The mean of the `count` newest values of this kind at each time of day known at each row's issue; NaN if none.

    Shape: rows and is_kind (rows, 96).
    """
    mean = np.full_like(rows, np.nan)
    kind = is_kind[: len(rows)] & np.isfinite(rows)
    for column in range(rows.shape[1]):
        places = np.flatnonzero(kind[:, column])
        known = np.searchsorted(places, np.arange(len(rows)) - lead)
        for row in np.flatnonzero(known):
            newest = places[max(0, known[row] - count) : known[row]]
            mean[row, column] = rows[newest, column].mean()
    return mean


def just_before(rows: Floats, lead: int, *, slots: int) -> Floats:
    """The mean of the last `slots` slots before each row's issue, the same for the whole row."""
    last = mean_ignoring_gaps([rows[:, -back, None] for back in range(1, slots + 1)])
    return np.broadcast_to(lagged(last, lead + 1), rows.shape)


def demand_features(rows: Floats, weather: KnownWeather, weekday: Ints, lead: int) -> Features:
    """Demand as the mean of the last seven days plus what earlier days, the weekday and the weather add.

    Shape: rows and each weather array (rows, 96).
    """
    base, weekdays = last_days(rows, lead), same_weekdays(rows, lead)
    usual = np.where(np.isfinite(weekdays), weekdays, base)
    level = np.nanmean(base) if np.isfinite(base).any() else 0.0
    surprise = rows - usual
    week = 7 * (lead // 7 + 1)
    columns = {
        "constant": np.ones_like(rows),
        "weekday profile": usual - base,
        "last day against its weekday": lagged(surprise, lead + 1),
        "day before against its weekday": lagged(surprise, lead + 2),
        "last week against its weekday": lagged(surprise, week),
        "last hours": just_before(surprise, lead, slots=RECENT_SLOTS),
        "last day": lagged(rows, lead + 1) - base,
        "day before": lagged(rows, lead + 2) - base,
        "last week": lagged(rows, week) - base,
        "saturday": (weekday == 5) * level,
        "sunday": (weekday == 6) * level,
    }
    for name, values in (("temperature", weather.temperature_c), ("radiation", weather.radiation_w_m2)):
        columns[name] = values - last_days(values, lead)
        columns[f"{name} of the last day"] = lagged(values, lead + 1) - last_days(values, lead)
    return _features(base, columns)


def pv_features(rows: Floats, weather: KnownWeather, lead: int) -> Features:
    """Solar supply as the mean of the last seven days plus the effect of changes in radiation, warmth and clear sky.

    The clear-sky curve is the site's own: the highest supply so far at each time of day.
    """
    base = last_days(rows, lead)
    clear = clear_sky(rows, lead)
    radiation, hot = weather.radiation_w_m2, weather.radiation_w_m2 * (weather.temperature_c - 15.0)
    columns = {
        "constant": base,
        "clear sky": clear - base,
        "last day": lagged(rows, lead + 1) - base,
        "day before": lagged(rows, lead + 2) - base,
        "last hours": _cloudiness(rows, base, lead) * base,
        "radiation": radiation - last_days(radiation, lead),
        "strong radiation": np.square(radiation) - last_days(np.square(radiation), lead),
        "heat": hot - last_days(hot, lead),
    }
    return _features(base, columns)


def clear_sky(rows: Floats, lead: int) -> Floats:
    """The highest supply at each time of day (within half an hour of it) over all rows known at the issue."""
    wide = np.where(np.isfinite(rows), rows, 0.0)
    around = np.max([np.roll(wide, shift, axis=1) for shift in (-2, -1, 0, 1, 2)], axis=0)
    return lagged(np.maximum.accumulate(around, axis=0), lead + 1)


def _cloudiness(rows: Floats, base: Floats, lead: int) -> Floats:
    known = np.isfinite(rows) & np.isfinite(base)
    recent = np.where(known, rows, 0.0)[:, -RECENT_SLOTS:].sum(axis=1, keepdims=True)
    usual = np.where(known, base, 0.0)[:, -RECENT_SLOTS:].sum(axis=1, keepdims=True)
    ratio = np.clip(recent / np.where(usual > 0, usual, 1.0) - 1.0, -1.0, 1.0) * (usual > 0)
    return np.broadcast_to(lagged(ratio, lead + 1), rows.shape)


def wind_features(rows: Floats, weather: KnownWeather, lead: int, *, has_curve: bool) -> Features:
    """Wind supply as a curve over forecast wind speed plus a fading last value; without a curve, only the latter."""
    last = just_before(rows, lead, slots=SLOTS_PER_HOUR)
    hours_ahead = lead * 24.0 + (np.arange(SLOTS_PER_DAY) + 0.5) / SLOTS_PER_HOUR
    columns = {"constant": np.ones_like(rows)}
    columns["last hour"] = last * np.exp(-hours_ahead / 3.0)
    columns["last hours"] = last * np.exp(-hours_ahead / 12.0)
    if has_curve:
        wind = weather.wind_m_s
        at_issue = just_before(wind, lead, slots=SLOTS_PER_HOUR)
        columns["wind"] = wind
        for knot in WIND_KNOTS_M_S:
            columns[f"wind above {knot:g} m/s"] = np.maximum(wind - knot, 0.0)
        columns["wind at the issue"] = np.maximum(at_issue - 2.0, 0.0) * np.exp(-hours_ahead / 3.0)
    return _features(np.zeros_like(rows), columns)


def _features(base: Floats, columns: dict[str, Floats]) -> Features:
    stack = np.stack([np.broadcast_to(column, base.shape) for column in columns.values()], axis=-1)
    return Features(base, np.where(np.isfinite(stack), stack, 0.0), tuple(columns))
