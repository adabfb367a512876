"""When each run of a local month falls due, by a community's working days. It knows no clock and makes no run.

D settles a day in the night after it. M1 is due on the fifth working day after the month, R1, R2 and RF on the fifth
working day after 2, 6 and 14 months more; RF closes the month, and after it only the decision of a dispute (X) counts.
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
    """A community's working days: Monday to Friday without its holidays.

    `yearly` are (month, day) pairs that are holidays each year, `holidays` single days such as Good Friday of a year.
    """

    holidays: frozenset[date] = field(default_factory=frozenset)
    yearly: frozenset[tuple[int, int]] = field(default_factory=frozenset)

    def is_working(self, day: date) -> bool:
        """Whether the co-op's office works on this day."""
        return day.weekday() < 5 and day not in self.holidays and (day.month, day.day) not in self.yearly

    def due_day(self, month: date, kind: str) -> date:
        """The local day on which the run of this month (its first day) falls due. Raises: KeyError for D and X."""
        day = _months_after(month, 1 + MONTHS_LATER[kind]) - timedelta(days=1)
        left = WORKING_DAYS
        while left:
            day += timedelta(days=1)
            left -= self.is_working(day)
        return day

    def due_kinds(self, month: date, *, today: date) -> tuple[str, ...]:
        """The runs of the month that are due by today, in their order."""
        return tuple(kind for kind in MONTH_KINDS if self.due_day(month, kind) <= today)


def month_of(day: date) -> date:
    """A month by its first day."""
    return day.replace(day=1)


def month_name(month: date) -> str:
    """The month as it stands in run keys and commands: 2026-05."""
    return f"{month:%Y-%m}"


def days_of(month: date) -> tuple[date, ...]:
    """All days of the month."""
    return tuple(month + timedelta(days=n) for n in range((_months_after(month, 1) - month).days))


def months_between(first: date, last: date) -> Iterator[date]:
    """The months from the one of `first` to the one of `last`."""
    month = month_of(first)
    while month <= last:
        yield month
        month = _months_after(month, 1)


def _months_after(month: date, count: int) -> date:
    years, index = divmod(month.month - 1 + count, 12)
    return date(month.year + years, index + 1, 1)
