"""Queues mail about silence and trouble: to a household whose home is silent, and to the board what needs a hand.

It reads when something last arrived and what the hub says of itself, and no reading.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from hub.notices.alerts import (
    BoardAlert,
    Surroundings,
    home_alerts,
    hub_alerts,
    is_street_silent,
    key_of,
    named_home,
    silent_since,
)
from hub.notices.choosers import ChooserStores, choosers
from hub.storage.contract import ReadingStore
from hub.storage.fleet_records import FleetRow
from hub.storage.household_records import HouseholdStore
from hub.storage.jobs.records import JobStore
from hub.storage.notice_records import NewNotice, NoticeKind
from protocols.slots import slot_of
from protocols.timeline import Clock

SETTLING_S: Final = 3600
"""After its own start the hub waits this long: what it missed while it was off is arriving."""

TRIED_S: Final = 86_400


class WatchStores(ChooserStores, HouseholdStore, ReadingStore, JobStore, Protocol):
    """The parts of the store that mail about trouble reads and writes."""


class WatchNotices:
    """Queues each piece of trouble once; trouble of the hub itself once a week while it lasts."""

    def __init__(
        self,
        store: WatchStores,
        *,
        folder: Path,
        plans_backup: bool,
        clock: Clock,
        verifies_every_days: int = 1,
        server_backup: str | None = None,
    ) -> None:
        self._store, self._folder, self._plans_backup, self._clock = store, folder, plans_backup, clock
        self._verifies_every_days, self._server_backup = verifies_every_days, server_backup
        self._started_s = clock.now()

    async def __call__(self, due_s: int) -> None:
        """Look around, and queue what is new."""
        now_s = int(self._clock.now())
        found: list[NewNotice] = []
        if now_s - self._started_s >= SETTLING_S:
            fleet = await self._store.fleet(slots=range(slot_of(now_s) - 1, slot_of(now_s)))
            found += await self._to_households(fleet, now_s=now_s)
            found += await self._to_board(NoticeKind.HOMES, home_alerts(fleet, now_s=now_s), now_s=now_s)
        jobs = await self._store.jobs()
        around = Surroundings(
            self._folder, now_s, jobs, self._plans_backup, self._verifies_every_days, self._server_backup
        )
        found += await self._to_board(NoticeKind.HUB, hub_alerts(around), now_s=now_s)
        await self._store.add_notices(found)

    async def _to_households(self, fleet: tuple[FleetRow, ...], *, now_s: int) -> list[NewNotice]:
        wanted = {each.id for each in await choosers(self._store, NoticeKind.SILENT)}
        if not wanted or is_street_silent(fleet, now_s=now_s):
            return []
        several = {row.home for row in fleet if not row.is_first}
        residents = await self._store.residents()
        return [
            NewNotice(
                NoticeKind.SILENT,
                person,
                f"{key_of(row, several)} {since_s}",
                last_try_at=now_s + TRIED_S,
                facts={"since": str(since_s), "home": named_home(row, several)},
            )
            for row in fleet
            if (since_s := silent_since(row, now_s=now_s)) is not None
            for person in sorted(residents.get(row.home, frozenset()) & wanted)
        ]

    async def _to_board(self, kind: NoticeKind, alerts: list[BoardAlert], *, now_s: int) -> list[NewNotice]:
        if not alerts:
            return []
        year, week, _ = datetime.fromtimestamp(now_s, UTC).isocalendar()
        return [
            NewNotice(
                kind,
                member.id,
                alert.key if alert.is_once else f"{alert.key} {year}-W{week:02}",
                last_try_at=now_s + TRIED_S,
                facts=alert.facts,
            )
            for member in await choosers(self._store, kind)
            for alert in alerts
        ]
