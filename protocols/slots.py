"""Settlement slots: the 15-minute UTC intervals in which everything is counted, and the days made up of them.

A slot is an integer, the number of whole quarter hours since 1970-01-01T00:00Z. Nothing here reads a clock.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SLOT_S = 900
SLOTS_PER_HOUR = 4
SLOTS_PER_UTC_DAY = 96

Slot = int

_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})Z", re.ASCII)


def slot_of(unix_s: float) -> Slot:
    """The slot that holds this instant; an instant on a boundary belongs to the slot it begins.

    >>> slot_of(899.999), slot_of(900)
    (0, 1)
    """
    return int(unix_s // SLOT_S)


def start_of(slot: Slot) -> int:
    """The instant a slot begins, in Unix seconds.

    >>> start_of(1)
    900
    """
    return slot * SLOT_S


def slots_of_day(day: date, tz: str) -> range:
    """All slots of one local day: 96 of them, 92 or 100 on the days the clocks change.

    Raises: ValueError for an unknown time zone.

    >>> len(slots_of_day(date(2026, 11, 21), "Europe/Berlin")), len(slots_of_day(date(2026, 10, 25), "Europe/Berlin"))
    (96, 100)
    """
    return range(_slot_of_midnight(day, tz), _slot_of_midnight(day + timedelta(days=1), tz))


def day_of(slot: Slot, tz: str) -> date:
    """The local day a slot begins in.

    >>> day_of(parse_slot("2026-11-20T23:00Z"), "Europe/Berlin")
    datetime.date(2026, 11, 21)
    """
    return datetime.fromtimestamp(start_of(slot), _zone(tz)).date()


def format_slot(slot: Slot) -> str:
    """The start of a slot as 'YYYY-MM-DDTHH:MMZ'.

    >>> format_slot(1_994_729)
    '2026-11-21T10:15Z'
    """
    return datetime.fromtimestamp(start_of(slot), UTC).strftime("%Y-%m-%dT%H:%MZ")


def parse_slot(text: str) -> Slot:
    """The slot that begins at 'YYYY-MM-DDTHH:MMZ'; the exact inverse of `format_slot`.

    Raises: ValueError for any other form, or a minute at which no slot begins.

    >>> parse_slot("2026-11-21T10:15Z")
    1994729
    >>> parse_slot("2026-11-21T10:20Z")
    Traceback (most recent call last):
    ValueError: '2026-11-21T10:20Z' is not the start of a slot: use minute 00, 15, 30 or 45
    """
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time like 2026-11-21T10:15Z")
    try:
        moment = datetime(*(int(part) for part in match.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time like 2026-11-21T10:15Z: {error}") from None
    slot, rest_s = divmod(int(moment.timestamp()), SLOT_S)
    if rest_s:
        raise ValueError(f"{text!r} is not the start of a slot: use minute 00, 15, 30 or 45")
    return slot


@lru_cache(maxsize=4096)
def _slot_of_midnight(day: date, tz: str) -> Slot:
    # Where a clock change skips midnight, the offset before it applies: the day begins at the change.
    return slot_of(datetime(day.year, day.month, day.day, tzinfo=_zone(tz)).timestamp())


@lru_cache(maxsize=64)
def _zone(tz: str) -> ZoneInfo:
    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{tz!r} is not a known time zone: use a name like Europe/Berlin") from None
