"""When each run of a local month falls due, by the co-op's working days. It reads no clock and makes no run.

D settles a day during the night after it. M1 is due on the fifth working day after the month ends; R1, R2 and RF are
due on the fifth working day after another 2, 6 and 14 months. RF closes the month: after that, only a dispute (X) can
change it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

DAILY: Final = "D"
MONTH_KINDS: Final = ("M1", "R1", "R2", "RF")
DISPUTE: Final = "X"
MONTHS_LATER: Final = {"M1": 0, "R1": 2, "R2": 6, "RF": 14}
WORKING_DAYS: Final = 5


@dataclass(frozen=True, slots=True)
class RunCalendar:
    """The co-op's working days: Monday to Friday except holidays.

    `yearly` are (month, day) pairs that are holidays every year, `holidays` single dates such as Good Friday.

    >>> calendar = RunCalendar(holidays=frozenset({date(2026, 6, 4)}))
    >>> calendar.due_day(date(2026, 5, 1), "M1").isoformat()  # 1, 2, 3, 5 and 8 June are working days
    '2026-06-08'
    >>> calendar.due_kinds(date(2026, 5, 1), today=date(2026, 8, 7))
    ('M1', 'R1')
    """

    holidays: frozenset[date] = field(default_factory=frozenset)
    yearly: frozenset[tuple[int, int]] = field(default_factory=frozenset)

    def is_working(self, day: date) -> bool:
        """Whether this is a working day at the co-op's office."""
        return day.weekday() < 5 and day not in self.holidays and (day.month, day.day) not in self.yearly

    def free_days(self, first: date, last: date) -> tuple[date, ...]:
        """The holidays from `first` to `last`, weekends among them.

        >>> RunCalendar(yearly=frozenset({(12, 25)})).free_days(date(2026, 12, 20), date(2027, 1, 7))
        (datetime.date(2026, 12, 25),)
        """
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return tuple(day for day in days if day in self.holidays or (day.month, day.day) in self.yearly)

    def due_day(self, month: date, kind: str) -> date:
        """The local day on which a run falls due; `month` is its month's first day. Raises: KeyError for D and X."""
        day = _months_after(month, 1 + MONTHS_LATER[kind]) - timedelta(days=1)
        left = WORKING_DAYS
        while left:
            day += timedelta(days=1)
            left -= self.is_working(day)
        return day

    def due_kinds(self, month: date, *, today: date) -> tuple[str, ...]:
        """The runs of the month that are due by `today`, in order."""
        return tuple(kind for kind in MONTH_KINDS if self.due_day(month, kind) <= today)


def month_of(day: date) -> date:
    """The first day of this day's month."""
    return day.replace(day=1)


def month_name(month: date) -> str:
    """The month as in run keys and commands: 2026-05."""
    return f"{month:%Y-%m}"


def days_of(month: date) -> tuple[date, ...]:
    """All days of the month."""
    return tuple(month + timedelta(days=n) for n in range((_months_after(month, 1) - month).days))


def months_between(first: date, last: date) -> Iterator[date]:
    """The first day of each month from the month of `first` to the month of `last`."""
    month = month_of(first)
    while month <= last:
        yield month
        month = _months_after(month, 1)


def _months_after(month: date, count: int) -> date:
    years, index = divmod(month.month - 1 + count, 12)
    return date(month.year + years, index + 1, 1)
