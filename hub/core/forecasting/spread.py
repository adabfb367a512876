"""A chosen model's past errors as a spread around its newest prediction, and as whole paths of errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hub.core.forecasting.day_grid import SLOTS_PER_DAY, Floats
from hub.core.forecasting.errors import ERROR_ROWS, ERROR_ROWS_MIN, by_level, by_time_of_day, sorted_quantiles
from hub.core.forecasting.models import ModelPrediction

GUESSED_SPREAD = 1.25  # while no errors are known, the band from 0.1 to 0.9 is the point plus or minus half of it
PATH_KNOWN_MIN = 0.75
BIAS_DAYS = 20.0  # after this many days of errors, half of the bias they show is believed


@dataclass(frozen=True, slots=True)
class DayAhead:
    """One day of the horizon. Shape: point_wh (96,), spread_wh (96, levels), errors_wh (past rows, 96)."""

    point_wh: Floats
    spread_wh: Floats
    errors_wh: Floats


def day_ahead(target: str, rows: Floats, candidate: ModelPrediction, levels: Floats, *, past_rows: int) -> DayAhead:
    """A model's newest row with error quantiles around it, taken from the latest rows only."""
    past = candidate.predicted_wh[:past_rows]
    errors = rows[:past_rows] - past
    point = np.maximum(_filled(candidate.predicted_wh[-1], rows), 0.0)
    recent = errors[-ERROR_ROWS:]
    if np.isfinite(recent).any(axis=1).sum() < ERROR_ROWS_MIN:
        return DayAhead(point, guessed_spread(point, levels), errors)
    if target == "wind":
        spread = by_level(recent, past[-ERROR_ROWS:], point, levels=levels)
    else:
        spread = by_time_of_day(recent, levels)
        spread = np.where(np.isfinite(spread), spread, sorted_quantiles(recent.ravel(), levels))
    days_known = int(np.isfinite(recent).any(axis=1).sum())
    return DayAhead(point, _steadied(spread, levels, days_known=days_known), errors)


def _steadied(spread: Floats, levels: Floats, *, days_known: int) -> Floats:
    """The spread with its middle moved towards zero: a few days are not enough to show that a model is biased."""
    middle = np.array([np.interp(0.5, levels, row) for row in spread])
    return np.asarray(spread - middle[:, None] * (BIAS_DAYS / (BIAS_DAYS + days_known)))


def guessed_spread(point_wh: Floats, levels: Floats) -> Floats:
    """A wide spread for the first days, before any error is known. Shape: (slots, levels)."""
    return point_wh[:, None] * GUESSED_SPREAD * (levels - 0.5)


def error_paths(days: Sequence[DayAhead], *, past_rows: int) -> tuple[Floats, list[int]]:
    """Errors over the whole horizon from each past origin, oldest first, and how many days back each began.

    A path with too many gaps is left out; other gaps are bridged by straight lines. Shape: (paths, days * 96).
    """
    paths, days_back = [], []
    newest = past_rows - len(days)
    for origin in range(max(0, newest - ERROR_ROWS + 1), newest + 1):
        path = np.concatenate([day.errors_wh[origin + lead] for lead, day in enumerate(days)])
        known = np.isfinite(path)
        if known.mean() >= PATH_KNOWN_MIN:
            at = np.arange(len(path))
            paths.append(np.interp(at, at[known], path[known]))
            days_back.append(past_rows - origin)
    return np.array(paths).reshape(len(paths), len(days) * SLOTS_PER_DAY), days_back


def _filled(row: Floats, rows: Floats) -> Floats:
    """A prediction without gaps: what the model could not predict becomes the mean of everything known."""
    return np.where(np.isfinite(row), row, np.nanmean(rows))
