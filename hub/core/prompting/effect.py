"""What a prompt achieved: a home's use in both windows against its own last ten comparable days, with uncertainty.

The result is not adjusted for use in the hours before the event: that would overstate the effect, and a home could
raise it by using more just before.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from hub.core.forecasting.day_grid import EPOCH_WEEKDAY, SLOTS_PER_DAY, Floats, Ints, wall_slots
from hub.core.forecasting.forecaster import History

BASELINE_DAYS = 10
BASELINE_DAYS_MIN = 4
LOOK_BACK_DAYS = 45
CONFIDENCE = 0.9


@dataclass(frozen=True, slots=True)
class MeasuredEffect:
    """Energy moved from the usual to the proposed window, and the half width of its 90 % interval.

    Units: Wh. None if it cannot be measured; `words` says in one sentence what was compared, or why there is no result.
    `placebo_wh` is what the same arithmetic gives on the comparable days, when nobody was asked: its mean is zero by
    construction, and its spread is the uncertainty.
    """

    moved_wh: int | None
    uncertainty_wh: int | None
    placebo_wh: tuple[int, ...]
    words: str


def measured_effect(
    demand: History,
    *,
    usual_slot: int,
    proposed_slot: int,
    duration_slots: int,
    tz: str,
    event_days: Set[int] = frozenset(),
) -> MeasuredEffect:
    """Mean of the energy leaving the usual window and the energy entering the proposed one, against ten similar days.

    Working days are compared with working days, Saturdays with Saturdays, Sundays with Sundays. Days in `event_days`
    (numbered as by local_day) are left out, as they were not usual. Both windows must be fully measured.
    """
    walls = wall_slots(demand.first_slot, len(demand.energy_wh), tz=tz)
    outside = len(demand.energy_wh) - duration_slots
    places = [usual_slot - demand.first_slot, proposed_slot - demand.first_slot]
    if min(places) < 0 or max(places) > outside:
        return _unmeasured("the readings do not cover both windows yet")
    today = _moved(demand.energy_wh, places[0], places[1], duration_slots=duration_slots)
    if not np.isfinite(today):
        return _unmeasured("readings are missing in one of the two windows")
    event_day = int(walls[places[0]]) // SLOTS_PER_DAY
    days = _comparable_days(event_day, event_days)
    usual_days = np.array([_moved_on(demand, walls, places, back=event_day - d, duration=duration_slots) for d in days])
    known = usual_days[np.isfinite(usual_days)][:BASELINE_DAYS]
    if len(known) < BASELINE_DAYS_MIN:
        return _unmeasured(f"only {len(known)} comparable days have readings, {BASELINE_DAYS_MIN} are needed")
    moved = today - float(known.mean())
    spread = float(known.std(ddof=1)) * (1 + 1 / len(known)) ** 0.5
    uncertainty = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * spread
    placebo = tuple(round(float(one - known.mean())) for one in known)
    return MeasuredEffect(round(moved), round(uncertainty), placebo, _words(moved, uncertainty, len(known)))


def local_day(slot: int, *, tz: str) -> int:
    """The number of a slot's local day, counted from 1 January 1970.

    >>> from protocols.slots import parse_slot
    >>> local_day(parse_slot("1970-01-01T23:00Z"), tz="Europe/Berlin")
    1
    """
    return int(wall_slots(slot, 1, tz=tz)[0]) // SLOTS_PER_DAY


def _comparable_days(event_day: int, event_days: Set[int]) -> list[int]:
    """Days of the same type before the event, newest first."""
    kind = _day_type(event_day)
    earlier = range(event_day - 1, event_day - 1 - LOOK_BACK_DAYS, -1)
    return [day for day in earlier if _day_type(day) == kind and day not in event_days]


def _day_type(day: int) -> int:
    return max(0, (day + EPOCH_WEEKDAY) % 7 - 4)


def _moved_on(demand: History, walls: Ints, places: list[int], *, back: int, duration: int) -> float:
    """Energy moved in the same two windows `back` days earlier by the clock; NaN unless both are fully measured."""
    found = []
    for place in places:
        at = np.flatnonzero(walls[: place + 1] == walls[place] - back * SLOTS_PER_DAY)
        if not len(at):
            return float("nan")
        found.append(int(at[0]))
    return _moved(demand.energy_wh, found[0], found[1], duration_slots=duration)


def _moved(energy_wh: Floats, usual: int, proposed: int, *, duration_slots: int) -> float:
    """(Use in the proposed window less use in the usual one) / 2: a run that moved changes this by its energy."""
    inside = energy_wh[proposed : proposed + duration_slots].sum()
    return float(inside - energy_wh[usual : usual + duration_slots].sum()) / 2


def _unmeasured(why: str) -> MeasuredEffect:
    return MeasuredEffect(None, None, (), f"Not measured: {why}.")


def _words(moved_wh: float, uncertainty_wh: float, days: int) -> str:
    low, high = (moved_wh - uncertainty_wh) / 1000, (moved_wh + uncertainty_wh) / 1000
    against = f"against the mean of the last {days} comparable days"
    if low <= 0 <= high:
        return (
            f"{moved_wh / 1000:.1f} kWh {against}, but between {low:.1f} and {high:.1f} kWh is within this home's "
            "usual ups and downs: one prompt alone proves nothing."
        )
    return f"{moved_wh / 1000:.1f} kWh moved {against}, between {low:.1f} and {high:.1f} kWh."
