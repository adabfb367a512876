"""What backups are called, and which of them are kept for how long. Names only; nothing is read or deleted here."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

SUFFIX: Final = ".cwbackup"
_NAME = re.compile(r"(?P<coop>[a-z0-9-]{1,32})-(?P<time>[0-9]{8}T[0-9]{6}Z)\.cwbackup", re.ASCII)
_TIME: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Keeping:
    """How many days, weeks and months back one backup each is kept; the newest is always kept."""

    daily: int = 7
    weekly: int = 5
    monthly: int = 12


def snapshot_name(coop: str, made_at: int) -> str:
    """The name of a co-op's backup: they sort by time. Units: unix s; the name says UTC."""
    return f"{coop}-{datetime.fromtimestamp(made_at, UTC).strftime(_TIME)}{SUFFIX}"


def made_at_of(name: str, *, coop: str) -> int | None:
    """When this backup of the co-op was made, by its name; None for any other name."""
    found = _NAME.fullmatch(name)
    if found is None or found["coop"] != coop:
        return None
    try:
        return int(datetime.strptime(found["time"], _TIME).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None


def own_snapshots(names: Iterable[str], *, coop: str) -> tuple[str, ...]:
    """The co-op's backups among these names, oldest first."""
    return tuple(sorted(name for name in names if made_at_of(name, coop=coop) is not None))


def no_longer_kept(names: Iterable[str], *, coop: str, keeping: Keeping, tz: str) -> tuple[str, ...]:
    """The co-op's backups that none of the rules keeps, oldest first.

    As in restic: the newest backup of each of the last `daily` days that have one, of the last `weekly` weeks, and of
    the last `monthly` months. Days are the co-op's own.
    """
    zone, newest_first = ZoneInfo(tz), own_snapshots(names, coop=coop)[::-1]
    days = {
        name: datetime.fromtimestamp(made_at_of(name, coop=coop) or 0, UTC).astimezone(zone).date()
        for name in newest_first
    }
    kept = set(newest_first[:1])
    for count, period in ((keeping.daily, _day), (keeping.weekly, _week), (keeping.monthly, _month)):
        kept |= _newest_of_each(newest_first, {name: period(days[name]) for name in newest_first}, count=count)
    return tuple(name for name in reversed(newest_first) if name not in kept)


def _newest_of_each(newest_first: Iterable[str], periods: Mapping[str, str], *, count: int) -> set[str]:
    found: dict[str, str] = {}
    for name in newest_first:
        found.setdefault(periods[name], name)
    return set(list(found.values())[:count])


def _day(day: date) -> str:
    return day.isoformat()


def _week(day: date) -> str:
    return f"{day.isocalendar().year}-{day.isocalendar().week}"


def _month(day: date) -> str:
    return day.isoformat()[:7]
