"""Findings from comparing a home's solar energy with its neighbours': too little or too much of it, or a wrong clock.

A finding compares a home with the median of at least five others and never shows what any one of them made.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from hub.core.forecasting.day_grid import Floats, Ints
from hub.core.quality.home_checks import Finding, HomeSlots
from protocols.quantities import Measure
from protocols.slots import SLOTS_PER_UTC_DAY, format_slot

YIELD_SLOTS: Final = 14 * SLOTS_PER_UTC_DAY
SHIFT_SLOTS: Final = 8
MAD_TO_DEVIATION: Final = 0.6745


@dataclass(frozen=True, slots=True)
class NeighbourLimits:
    """The limits beyond which a difference is a finding.

    `score` is a robust z: 0.6745 * distance from the median / median of all distances.
    Source: B. Iglewicz and D. C. Hoaglin, How to Detect and Handle Outliers, 1993 (bound 3.5).
    """

    homes: int = 5
    score: float = 3.5
    difference: float = 0.15
    likeness: float = 0.7
    gain: float = 0.1
    days: int = 7


def find_odd_yields(homes: Mapping[str, HomeSlots], limits: NeighbourLimits | None = None) -> Iterator[Finding]:
    """Homes whose solar energy per kW of panels is far from their neighbours' over the last 14 days.

    Each home is compared with the median of the other homes in the slots for which it has values.
    """
    bounds = limits or NeighbourLimits()
    specific = _specific_yields(homes)
    ratios = {home: _ratio_to_middle(home, specific, bounds.homes) for home in specific}
    known = {home: ratio for home, ratio in ratios.items() if ratio is not None}
    if len(known) <= bounds.homes:
        return
    middle = float(np.median(list(known.values())))
    spread = float(np.median([abs(ratio - middle) for ratio in known.values()]))
    for home, ratio in sorted(known.items()):
        away = ratio - middle
        # If more than half agree exactly, the spread is zero and every other home counts as far away.
        is_far = MAD_TO_DEVIATION * abs(away) > bounds.score * spread
        if not is_far or abs(away) <= bounds.difference:
            continue
        series = homes[home]
        count = len(series.energy_wh[Measure.PV_PRODUCTION])
        run = slice(max(0, count - YIELD_SLOTS), count)
        percent = round(100 * ratio)
        yield series.finding(
            "odd_yield",
            Measure.PV_PRODUCTION,
            run=run,
            severity="check",
            sentence=f"For their size the solar panels made {percent} % of what is usual among the neighbours",
            percent_of_usual=percent,
        )


def find_clock_shifts(homes: Mapping[str, HomeSlots], limits: NeighbourLimits | None = None) -> Iterator[Finding]:
    """Homes whose solar weather (the difference from their own mean day) fits the neighbours' only if shifted in time.

    Clouds reach all neighbours together, whichever way their panels face, so an east-facing roof does not look like a
    wrong clock.
    """
    bounds = limits or NeighbourLimits()
    specific = _specific_yields(homes, whole=True)
    weather = {home: _weather(values) for home, values in specific.items()}
    for home in sorted(weather):
        others = [values for name, values in weather.items() if name != home]
        if len(others) < bounds.homes or len(weather[home]) < bounds.days * SLOTS_PER_UTC_DAY:
            continue
        middle = _middle(np.array(others), bounds.homes)
        likeness = {lag: _likeness(weather[home], middle, lag) for lag in range(-SHIFT_SLOTS, SHIFT_SLOTS + 1)}
        best = max(likeness, key=lambda lag: (likeness[lag], -abs(lag)))
        if best == 0 or likeness[best] < bounds.likeness or likeness[best] - likeness[0] < bounds.gain:
            continue
        series = homes[home]
        minutes = 15 * best
        yield series.finding(
            "clock_shift",
            None,
            run=slice(0, len(weather[home])),
            severity="check",
            sentence=f"By the sun the clock is {abs(minutes)} minutes {'ahead' if best > 0 else 'behind'}",
            minutes=minutes,
        )


def _specific_yields(homes: Mapping[str, HomeSlots], *, whole: bool = False) -> dict[str, Floats]:
    """Wh per kW of panels in each slot, by home with panels, for the last 14 days or the whole series; NaN if unknown.

    Raises: ValueError if the homes' series do not cover the same slots.
    """
    with_panels = {
        home: series
        for home, series in homes.items()
        if Measure.PV_PRODUCTION in series.energy_wh and series.nameplate_w.get(Measure.PV_PRODUCTION, 0) > 0
    }
    shapes = {(s.first_slot, len(s.energy_wh[Measure.PV_PRODUCTION])) for s in with_panels.values()}
    if len(shapes) > 1:
        first, count = min(shapes)
        raise ValueError(
            f"neighbours are compared on the same slots; one series has {count} from {format_slot(first)} on"
        )
    return {
        home: _per_kilowatt(
            series.energy_wh[Measure.PV_PRODUCTION][None if whole else -YIELD_SLOTS :],
            series.nameplate_w[Measure.PV_PRODUCTION],
        )
        for home, series in with_panels.items()
    }


def _per_kilowatt(energy_wh: Ints, nameplate_w: int) -> Floats:
    return np.where(energy_wh >= 0, energy_wh * 1000 / nameplate_w, np.nan)


def _ratio_to_middle(home: str, specific: Mapping[str, Floats], least: int) -> float | None:
    """The home's energy as a share of the others' median, in slots where both are known; None if the median is zero."""
    others = np.array([values for name, values in specific.items() if name != home])
    if len(others) < least:
        return None
    middle = _middle(others, least)
    both = np.isfinite(middle) & np.isfinite(specific[home])
    usual = float(middle[both].sum())
    return float(specific[home][both].sum()) / usual if usual > 0 else None


def _middle(rows: Floats, least: int) -> Floats:
    """The median of each column with at least `least` known values, else NaN."""
    enough = np.isfinite(rows).sum(axis=0) >= least
    middle = np.full(rows.shape[1], np.nan)
    if enough.any():
        middle[enough] = np.nanmedian(rows[:, enough], axis=0)
    return middle


def _weather(values: Floats) -> Floats:
    """Each slot's difference from the mean for its quarter hour of the day; NaN where unknown."""
    days = -(-len(values) // SLOTS_PER_UTC_DAY)
    grid = np.full(days * SLOTS_PER_UTC_DAY, np.nan)
    grid[: len(values)] = values
    rows = grid.reshape(days, SLOTS_PER_UTC_DAY)
    known = np.isfinite(rows)
    mean_day = np.where(known, rows, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    weather: Floats = (rows - mean_day).reshape(-1)[: len(values)]
    return weather


def _likeness(home: Floats, middle: Floats, lag: int) -> float:
    """The correlation of the home's values, moved back by `lag` slots, with the median; 0 if it cannot be computed."""
    count = len(home)
    mine = home[max(0, lag) : count + min(0, lag)]
    theirs = middle[max(0, -lag) : count - max(0, lag)]
    both = np.isfinite(mine) & np.isfinite(theirs)
    mine, theirs = mine[both], theirs[both]
    if mine.size < SLOTS_PER_UTC_DAY or not mine.std() or not theirs.std():
        return 0.0
    return float(np.corrcoef(mine, theirs)[0, 1])
