"""Hours, days and months as ranges of slots: hours in UTC, days and months local to the co-op's time zone.

A day has 92 or 100 slots where the clocks change. Where an offset is not of whole hours, a day begins inside an hour.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from enum import IntEnum
from functools import lru_cache

from protocols.slots import SLOTS_PER_HOUR, Slot, day_of, slots_of_day


class PeriodKind(IntEnum):
    """How long a period is."""

    HOUR = 1
    DAY = 2
    MONTH = 3


def period_of(kind: PeriodKind, slot: Slot, tz: str) -> range:
    """The slots of the period in which this slot lies.

    >>> period_of(PeriodKind.HOUR, 1_994_729, "Europe/Berlin")
    range(1994728, 1994732)
    >>> len(period_of(PeriodKind.MONTH, 1_994_729, "Europe/Berlin")) // 96
    30
    """
    if kind is PeriodKind.HOUR:
        return _hour(slot)
    return _days(day_of(slot, tz), tz) if kind is PeriodKind.DAY else _month(day_of(slot, tz).replace(day=1), tz)


def periods_ending(kind: PeriodKind, ends: range, tz: str) -> Iterator[range]:
    """The periods whose last slot is one of these, in order."""
    if ends:
        period = period_of(kind, ends.start, tz)
        while period.stop - 1 < ends.stop:
            yield period
            period = period_of(kind, period.stop, tz)


def days_in(month: range, tz: str) -> tuple[range, ...]:
    """The days of a month."""
    return tuple(periods_ending(PeriodKind.DAY, month, tz))


def _hour(slot: Slot) -> range:
    first = slot - slot % SLOTS_PER_HOUR
    return range(first, first + SLOTS_PER_HOUR)


@lru_cache(maxsize=4096)
def _days(day: date, tz: str) -> range:
    return slots_of_day(day, tz)


@lru_cache(maxsize=256)
def _month(first: date, tz: str) -> range:
    following = (first + timedelta(days=31)).replace(day=1)
    return range(slots_of_day(first, tz).start, slots_of_day(following, tz).start)
