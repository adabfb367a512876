"""Erases, by the co-op's rule, the readings of homes that moved out long ago, and then their members' personal data."""

import logging
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from hub.money.open_amounts import open_members
from hub.storage.access_records import ERASED_FIELDS
from hub.storage.contract import Store
from hub.storage.records import Access

log = logging.getLogger(__name__)

ACCESS: Final = Access(actor="job:retention", role="job", purpose="retention", reason="")


class RetentionJob:
    """Runs every night. A second run for the same time changes nothing.

    With `is_paying`, a member's personal data waits until nothing is open between them and the co-op.
    """

    def __init__(self, store: Store, *, months: int, tz: str, is_paying: bool) -> None:
        self._store, self._months, self._tz, self._is_paying = store, months, tz, is_paying

    async def __call__(self, due_s: int) -> None:
        """Erase what became due."""
        before = months_earlier(due_s, self._months, tz=self._tz)
        for home in await self._store.erase_homes(left_before=before, months=self._months):
            await self._store.log_access(ACCESS, [home], fields=ERASED_FIELDS, rows=1)
            log.info("the readings of home %s were erased: its members left %d months ago", home, self._months)
        people = await self._store.people_due(left_before=before)
        waiting = await open_members(self._store) if people and self._is_paying else frozenset[str]()
        held = {each.id: each.person for each in await self._store.members()}
        for person in people:
            if person not in {held[member] for member in waiting if member in held}:
                await self._store.erase_person(person, months=self._months)
                log.info("the personal data of member %s was erased; the books keep the id", person)


def months_earlier(now_s: int, months: int, *, tz: str) -> int:
    """The local midnight at the beginning of the day this many calendar months before.

    >>> moment = datetime(2026, 3, 31, 12, tzinfo=UTC).timestamp()
    >>> datetime.fromtimestamp(months_earlier(int(moment), 16, tz="UTC"), UTC).isoformat()
    '2024-11-28T00:00:00+00:00'
    """
    now = datetime.fromtimestamp(now_s, UTC).astimezone(ZoneInfo(tz))
    place = now.year * 12 + now.month - 1 - months
    # The 28th stands in for days that an earlier month may not have: then it is erased up to three days later.
    day = min(now.day, 28)
    return int(datetime(place // 12, place % 12 + 1, day, tzinfo=ZoneInfo(tz)).timestamp())
