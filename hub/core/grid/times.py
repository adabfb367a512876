"""Converts local times in grid operators' files to slots and back, including on the two days when the clocks change.

Where a local time occurs twice in autumn, the order in the file decides; one that is skipped in spring is refused.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from hub.core.grid.tables import GridFileError
from protocols.slots import SLOT_S, Slot, slot_of, start_of

QUARTER: Final = timedelta(seconds=SLOT_S)

Stamp = datetime  # naive: a local time; aware: an instant

CLOCK: Final = r"(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.0+)?)?"
ISO = re.compile(
    rf"(?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})[T ]{CLOCK}(?P<offset>Z|[+-]\d{{2}}:?\d{{2}})?", re.A
)
DAY_FIRST = re.compile(rf"(?P<day>\d{{2}})[./](?P<month>\d{{2}})[./](?P<year>\d{{4}})[T ]{CLOCK}(?P<offset>)", re.A)


def read_stamp(text: str, where: str) -> Stamp:
    """A time as files write it: ISO with or without offset, or day first with dots or slashes; 24:00 ends a day.

    Raises: GridFileError.

    >>> read_stamp("25.10.2026 24:00", "line 2").isoformat()
    '2026-10-26T00:00:00'
    """
    match = ISO.fullmatch(text) or DAY_FIRST.fullmatch(text)
    if match is None:
        raise GridFileError(f"{where}: {text[:40]!a} is not a time like 2026-10-25T02:15 or 25.10.2026 02:15")
    year, month, day, hour, minute, second = (
        int(match[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    try:
        if not 2000 <= year <= 2199:
            raise ValueError("not a year of a smart meter")
        ends_day = hour == 24 and minute == second == 0
        stamp = datetime(year, month, day, 0 if ends_day else hour, minute, second) + timedelta(days=ends_day)  # noqa: DTZ001
        if match["offset"]:
            stamp = datetime.fromisoformat(stamp.isoformat() + match["offset"]).astimezone(UTC)
    except (ValueError, OverflowError):
        raise GridFileError(f"{where}: {text[:40]!a} is not a date and time from 2000 to 2199") from None
    return stamp


def slots_of_stamps(stamps: Sequence[Stamp], tz: str, *, marks_end: bool = False, span: int = 1) -> list[Slot | None]:
    """The slot each stamp begins (or, with `marks_end`, ends), for one series in file order.

    Ends are instants, or the starts plus a quarter hour by the wall clock: the file's own clock changes show which.
    Of values that are for several slots each (`span`), it is the first slot.
    None where a local time in the repeated hour appears only once: nobody can tell which of the two it is.
    Raises: GridFileError for a time that appears too often, never existed, or is not the beginning of a slot.
    """
    if not marks_end:
        return _slots(stamps, tz, back=0)
    if all(stamp.tzinfo is None for stamp in stamps) and _is_end_by_wall_clock(stamps, tz, length=span * QUARTER):
        return _slots([stamp - span * QUARTER for stamp in stamps], tz, back=0)
    return _slots(stamps, tz, back=span)


def _is_end_by_wall_clock(stamps: Sequence[Stamp], tz: str, *, length: timedelta) -> bool:
    """Whether the ends are the starts plus their length by the wall clock, shown on a day when the clocks change.

    Such a file has the end 02:00 in spring, which never was, and in autumn the end of the repeated hour twice.
    """
    return any(
        len(_instants(stamp, tz)) < count == len(_instants(stamp - length, tz))
        for stamp, count in Counter(stamps).items()
    )


def _slots(stamps: Sequence[Stamp], tz: str, *, back: int) -> list[Slot | None]:
    places: dict[Stamp, list[int]] = defaultdict(list)
    for place, stamp in enumerate(stamps):
        places[stamp].append(place)
    runs_down = bool(stamps) and _first_instant(stamps[0], tz) > _first_instant(stamps[-1], tz)
    slots: list[Slot | None] = [None] * len(stamps)
    for stamp, where in places.items():
        instants = _instants(stamp, tz)
        if not instants:
            raise GridFileError(f"the local time {stamp:%Y-%m-%d %H:%M} never existed: the clocks went forward over it")
        if len(where) > len(instants):
            raise GridFileError(f"the time {stamp:%Y-%m-%d %H:%M} appears {len(where)} times in one series")
        if len(where) == len(instants):
            for place, instant_s in zip(where, reversed(instants) if runs_down else instants, strict=True):
                slots[place] = _slot(instant_s, stamp, back=back)
    return slots


def local_time(slot: Slot, tz: str) -> datetime:
    """The beginning of a slot as an aware local time."""
    return datetime.fromtimestamp(start_of(slot), ZoneInfo(tz))


def _slot(instant_s: int, stamp: Stamp, *, back: int) -> Slot:
    if instant_s % SLOT_S:
        raise GridFileError(f"the time {stamp:%Y-%m-%d %H:%M:%S} is not the beginning of a quarter hour")
    return slot_of(instant_s) - back


def _first_instant(stamp: Stamp, tz: str) -> int:
    return int((stamp if stamp.tzinfo else stamp.replace(tzinfo=ZoneInfo(tz))).timestamp())


@lru_cache(maxsize=65536)
def _instants(stamp: Stamp, tz: str) -> tuple[int, ...]:
    """The possible instants of this stamp, earliest first: one, two in the repeated hour, none in the skipped one."""
    if stamp.tzinfo is not None:
        return (int(stamp.timestamp()),)
    zone = ZoneInfo(tz)
    first, second = (int(stamp.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (0, 1))
    if first == second:
        return (first,)
    return (first, second) if first < second else ()
