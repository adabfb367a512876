"""Homes whose grid meter began to count more of everything, as after a changed factor or a wrong transformer ratio.

A home's last days are compared with its own weeks before, after what the whole street did in those days is taken off.
Logarithms turn a factor into a shift that all quantities share: low and high draws, the day's import and its export.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hub.core.forecasting.day_grid import Floats

DAYS: Final = 3
DAYS_BEFORE: Final = 42
LEAST_DAYS: Final = 10
LEAST_HOMES: Final = 5
SCORE: Final = 4.5
QUANTILES: Final = (0.15, 0.30, 0.50, 0.75)
LEAST_DRAWS: Final = 16
LEAST_IMPORT_WH: Final = 500
LEAST_EXPORT_WH: Final = 1500
MAD_TO_DEVIATION: Final = 1.4826
DAY_ERROR: Final = 0.04
WINDOW_ERROR: Final = 0.02


@dataclass(frozen=True, slots=True)
class ScaleChange:
    """A home whose last days are about this percentage of what is usual for it; `score` is in standard errors."""

    home: str
    percent: int
    score: float


def find_scale_changes(
    homes: Sequence[str], import_wh: NDArray[np.int64], export_wh: NDArray[np.int64]
) -> tuple[ScaleChange, ...]:
    """The homes that began to count more. Shape: both [days, 96, homes], oldest first; -1 where nothing is known.

    Needs 45 days and five homes; otherwise nothing is found.
    """
    if len(import_wh) < DAYS + DAYS_BEFORE or len(homes) < LEAST_HOMES:
        return ()
    features = day_features(import_wh[-DAYS - DAYS_BEFORE :], export_wh[-DAYS - DAYS_BEFORE :])
    before, last = _without_the_street(features)
    found = []
    for column, home in enumerate(homes):
        shift, score = _shift(before[:, column], last[:, column])
        if score > SCORE:
            found.append(ScaleChange(home, round(100 * float(np.exp(shift))), round(score, 1)))
    return tuple(found)


def day_features(import_wh: NDArray[np.int64], export_wh: NDArray[np.int64]) -> Floats:
    """Each day's quantities as logarithms, NaN where there is too little of them. Shape: [days, homes, quantities]."""
    is_known = (import_wh >= 0) & (export_wh >= 0)
    draws = np.where(is_known & (import_wh > 0) & (export_wh == 0), import_wh, np.nan)
    many = np.isfinite(draws).sum(axis=1) >= LEAST_DRAWS
    ordered = np.sort(draws, axis=1)  # NaN comes last
    count = np.isfinite(draws).sum(axis=1)
    rows = []
    for share in QUANTILES:
        place = np.clip((share * (count - 1)).round().astype(np.int64), 0, draws.shape[1] - 1)
        value = np.take_along_axis(ordered, place[:, None, :], axis=1)[:, 0, :]
        rows.append(np.where(many, np.log(np.where(many, value, 0.0) + 0.5), np.nan))
    whole = is_known.all(axis=1)
    for energy, least in ((import_wh, LEAST_IMPORT_WH), (export_wh, LEAST_EXPORT_WH)):
        total = np.where(is_known, energy, 0).sum(axis=1)
        rows.append(np.where(whole & (total >= least), np.log(np.maximum(total, 1) + 30.0), np.nan))
    return np.stack(rows, axis=-1)


def _without_the_street(features: Floats) -> tuple[Floats, Floats]:
    """The distance of each day from the home's own middle and from what the street's middle home did that day."""
    own = _median(features[:DAYS_BEFORE], least=LEAST_DAYS)
    away = features - own
    street = np.stack([_median(day, least=LEAST_HOMES) for day in away])
    away = away - np.nan_to_num(street)[:, None, :]
    return away[:DAYS_BEFORE], away[DAYS_BEFORE:]


def _median(rows: Floats, *, least: int) -> Floats:
    """The median along the first axis, NaN where fewer than `least` are known."""
    enough = np.isfinite(rows).sum(axis=0) >= least
    return np.where(enough, np.nanmedian(np.where(enough, rows, 0.0), axis=0), np.nan)


def _shift(before: Floats, last: Floats) -> tuple[float, float]:
    """The shift that all quantities of a home share, and how many standard errors it is above zero."""
    middle = _median(before, least=LEAST_DAYS)
    error = np.sqrt((MAD_TO_DEVIATION * _median(np.abs(before - middle), least=LEAST_DAYS)) ** 2 + DAY_ERROR**2)
    usable = np.isfinite(error) & (np.isfinite(last).sum(axis=0) >= (DAYS + 1) // 2)
    if not usable.any():
        return 0.0, 0.0
    scaled = np.clip(np.nan_to_num(before[:, usable] / error[usable]), -3, 3)
    alike = scaled.T @ scaled / np.maximum(np.sqrt(np.outer((scaled**2).sum(axis=0), (scaled**2).sum(axis=0))), 1e-9)
    np.fill_diagonal(alike, 1.15)
    spread = alike * np.outer(error[usable], error[usable])
    weights = np.clip(np.linalg.pinv(spread).sum(axis=1), 0, None)
    weights = weights / weights.sum() if weights.sum() > 0 else np.full(len(weights), 1 / len(weights))
    known = np.ma.masked_invalid(np.clip(last[:, usable], -3, 3))
    shift = float(weights @ known.mean(axis=0).filled(0.0))
    variance = float(weights @ spread @ weights) / DAYS**0.8 + WINDOW_ERROR**2
    return shift, shift / float(np.sqrt(variance))
