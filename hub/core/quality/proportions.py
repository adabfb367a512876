"""Days out of all proportion: far more energy than the home's own past and than any of its neighbours that day.

A wrong factor in a home's settings takes the street's credits. Such a day is held as a whole before any money moves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hub.core.settlement.prepared_readings import Readings

Whole = NDArray[np.int64]

HISTORY_DAYS: Final = 56
WHOLE_DAY_SLOTS: Final = 92
LEAST_NEIGHBOURS: Final = 4
LEAST_DAYS: Final = 14
TIMES: Final = 4
LEAST_HIGH_WH: Final = 5_000
"""No day within four times this much is out of proportion, however little others have."""
NEW_HOME_WH: Final = 40_000
"""The same for a home whose past is not known yet."""


@dataclass(frozen=True)
class PastDays:
    """Each member's energy on earlier days, -1 where nothing is known. Units: Wh. Shape: both (days,) by member."""

    surplus_wh: Mapping[str, Whole]
    demand_wh: Mapping[str, Whole]


def day_totals(energy_wh: Whole) -> Whole:
    """The known energy of each member, -1 for one without any value. Shape: [slots, members] to (members,).

    >>> day_totals(np.array([[5, -1], [7, -1]])).tolist()
    [12, -1]
    """
    known = energy_wh >= 0
    return np.where(known.any(axis=0), np.where(known, energy_wh, 0).sum(axis=0), -1)


def members_far_above(readings: Readings) -> tuple[str, ...]:
    """Members whose day is far above every neighbour's, so that their own past has to be asked."""
    return tuple(sorted({readings.members[column] for _, column, _ in _far_above(readings)}))


def find_out_of_proportion(readings: Readings, past: PastDays | None) -> dict[str, int]:
    """Members whose whole day is out of proportion, with its energy in Wh; nothing in it shows a neighbour's value.

    A day is, if it is more than 4 times the neighbours' largest and more than 4 times the home's own largest before.
    """
    found: dict[str, int] = {}
    for name, column, most_wh in _far_above(readings):
        member = readings.members[column]
        total = int(day_totals(getattr(readings, name))[column])
        earlier = None if past is None else getattr(past, name).get(member)
        own_wh = None if earlier is None else largest_usual(earlier)
        usual_wh = max(most_wh, NEW_HOME_WH if own_wh is None else own_wh, LEAST_HIGH_WH)
        if total > TIMES * usual_wh:
            found.setdefault(member, total)
    return found


def largest_usual(past_wh: Whole) -> int | None:
    """The largest of a home's past days, in order, without those that were out of proportion; None for too few days.

    >>> days = np.array([4000, 6000] * 10 + [90_000, 7000])
    >>> largest_usual(days)
    7000
    """
    days = past_wh[past_wh >= 0].tolist()
    if len(days) < LEAST_DAYS:
        return None
    # The first days are taken as they are, but for a few wrong ones among them.
    largest = sorted(days[:LEAST_DAYS])[LEAST_DAYS * 3 // 4]
    for day in days:
        if day <= TIMES * max(largest, LEAST_HIGH_WH):
            largest = max(largest, day)
    return int(largest)


def _far_above(readings: Readings) -> Sequence[tuple[str, int, int]]:
    """Direction, column, and the largest day of any neighbour."""
    if len(readings.slots) < WHOLE_DAY_SLOTS:
        return ()
    found = []
    for name in ("surplus_wh", "demand_wh"):
        totals = day_totals(getattr(readings, name))
        for column in np.flatnonzero(totals > TIMES * LEAST_HIGH_WH).tolist():
            others = np.delete(totals, column)
            others = others[others >= 0]
            most_wh = int(others.max(initial=0))
            if len(others) >= LEAST_NEIGHBOURS and totals[column] > TIMES * most_wh:
                found.append((name, column, most_wh))
    return found
