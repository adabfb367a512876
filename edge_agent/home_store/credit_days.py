"""What the hub told of the home's settled days, by day, kept for 400 days in one small file of the data folder.

For each day the newest word counts: an older notice, sent again by whoever, changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import astuple
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from protocols.durable_files import write_durably
from protocols.slots import Slot, day_of, slot_of, slots_of_day
from protocols.wire.credits.notices import CreditDay, CreditsNotice, decode_credits, encode_credits
from protocols.wire.refusal_reasons import WireError

log = logging.getLogger("commonwatt.agent")

FILE_NAME: Final = "credits.json"
KEPT_DAYS: Final = 400
MAX_FILE_BYTES: Final = 256 << 10

Told = tuple[int, CreditDay]
"""When the hub said it (its own Unix seconds), and the day."""


class CreditBook:
    """The running agent's: takes in notices, and knows each day."""

    def __init__(self, folder: Path, *, agent: str) -> None:
        self._path = folder / FILE_NAME
        self._agent = agent
        self._days = _read(self._path)
        self._is_stuck = False

    async def note(self, payload: bytes) -> None:
        """Take in a notice whose signature was checked. Raises: WireError for anything else.

        It counts once it is on disk; if it cannot be written, the hub's next one is tried.
        """
        notice = decode_credits(payload)
        if notice.agent != self._agent:
            return
        known = merged(self._days, notice)
        if known != self._days and await asyncio.to_thread(self._is_written, known):
            self._days = known

    def day(self, slots: range) -> CreditDay | None:
        """The local day with exactly these slots; None if the hub has not told it."""
        return _of(self._days, slots)

    @property
    def is_empty(self) -> bool:
        """Whether the hub has never told anything, as an older one never does."""
        return not self._days

    def _is_written(self, days: dict[Slot, Told]) -> bool:
        rows = [[at, *astuple(day)] for at, day in days.values()]
        try:
            # If power fails before this line, the days are as before, and the hub tells them again within hours.
            write_durably(self._path, json.dumps(rows, separators=(",", ":")).encode("ascii"), replace=True)
            self._is_stuck = False
        except OSError as cause:
            if not self._is_stuck:
                log.error("%s: cannot be written: %s: is the disk full?", self._path, cause.strerror or cause)
            self._is_stuck = True
        return not self._is_stuck


def merged(days: dict[Slot, Told], notice: CreditsNotice) -> dict[Slot, Told]:
    """The days after a notice, ascending, the newest KEPT_DAYS of them; a known day only gets a later word."""
    known = days | {
        each.first_slot: (notice.at, each)
        for each in notice.days
        if each.first_slot not in days or days[each.first_slot][0] < notice.at
    }
    return {first: known[first] for first in sorted(known)[-KEPT_DAYS:]}


def read_credit_day(folder: Path, slots: range) -> CreditDay | None:
    """The local day with exactly these slots, also beside a running agent; None if it is not known."""
    return _of(_read(folder / FILE_NAME), slots)


def newest_credit_day(folder: Path) -> CreditDay | None:
    """The newest day that the hub has told; None if there is none."""
    days = _read(folder / FILE_NAME)
    return days[max(days)][1] if days else None


def yesterday(now_s: float, tz: str) -> range:
    """The slots of the local day before this moment's."""
    return slots_of_day(day_of(slot_of(now_s), tz) - timedelta(days=1), tz)


def local_day(day: CreditDay, tz: str) -> date:
    """Which local day it is."""
    return day_of(day.first_slot, tz)


def _of(days: dict[Slot, Told], slots: range) -> CreditDay | None:
    found = days.get(slots.start)
    return found[1] if found is not None and found[1].slots == len(slots) else None


def _read(path: Path) -> dict[Slot, Told]:
    """The days of the file, ascending. One that cannot be used is logged and empty: the hub tells the newest again."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        rows: Any = json.loads(raw) if len(raw) <= MAX_FILE_BYTES else None
        if not isinstance(rows, list):
            raise TypeError("not a list of days")
        days = {row[1]: _checked(*row) for row in rows}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, LookupError, RecursionError, WireError):
        log.error("%s: cannot be used: what the hub told of settled days is unknown until it tells it again", path)
        return {}
    return dict(sorted(days.items()))


def _checked(at: int, *fields: Any) -> Told:
    """The row, if a hub could have told it. Raises: WireError, TypeError."""
    day = CreditDay(*fields)
    encode_credits(CreditsNotice("file", at, (day,)))
    if type(day.is_settled) is not bool:
        raise TypeError("not a row of a settled day")
    return at, day
