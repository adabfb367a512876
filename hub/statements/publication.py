"""What members may see of settled days: which run of a day, beside which street totals, with which open homes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final, Protocol

from hub.books.days import SettlementStores
from hub.books.stored_rules import read_rule
from hub.books.view import Books
from hub.core.homes.consents import open_homes
from hub.core.ledger.run_calendar import days_of, month_name
from hub.core.rules.group_size import GroupRule
from hub.core.settlement.allocation_record import read_record
from hub.core.settlement.pool_series import pool_series
from hub.core.statements.seals import Seals
from hub.core.statements.shown_runs import ShownRuns, VisibleRuns, choose_runs
from hub.storage.records import Access, RunRow
from hub.storage.street_records import StreetStore
from protocols.errors import RequestError
from protocols.quantities import Measure
from protocols.slots import Slot, slots_of_day

MOST_KEPT: Final = 2_000


class PublicationStores(SettlementStores, StreetStore, Protocol):
    """The parts of the store that decide what is shown."""


class RunPublication:
    """Decides it from the books alone, so that the answer for a run never changes. `plants` are nobody's homes."""

    def __init__(self, store: PublicationStores, *, plants: frozenset[str] = frozenset()) -> None:
        self._store, self._plants = store, plants
        self._kept: dict[str, ShownRuns] = {}

    async def shown(self, day: str, run_key: str, *, tz: str) -> ShownRuns:
        """The day's runs up to this one, and which of them members see. Raises: RequestError for a damaged record."""
        if run_key not in self._kept:
            rows = await self._store.runs(days=(day, day), allocations=False)
            place = next(n for n, row in enumerate(rows) if row.run_key == run_key)
            found = await self._choice(day, rows[: place + 1], tz=tz)
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[run_key] = found
        return self._kept[run_key]

    async def _choice(self, day: str, rows: Sequence[RunRow], *, tz: str) -> ShownRuns:
        """Which of these runs is shown. Of a day with one run that one is, and no record is read."""
        if len(rows) == 1 and await self._store.has_run_group(rows[0].run_key):
            return ShownRuns((rows[0].run_key,), 0, ())
        groups = [await self._group(row.run_key, day, tz=tz) for row in rows]
        if len(rows) == 1:
            return ShownRuns((rows[0].run_key,), 0, ())
        whole = [replace(row, allocation=await self._store.run_record(row.run_key)) for row in rows]
        rules = {rule.hash: rule.canonical for rule in await self._store.journal_rules()}
        try:
            return await asyncio.to_thread(_choose, whole, rules, groups)
        except ValueError as error:
            raise RequestError(f"{day}: {error}; run `commonwatt-hub verify`") from None

    async def group(self, run_key: str, day: str, *, tz: str) -> GroupRule:
        """Which members may be seen in this run's numbers; the first call for a run decides it."""
        return (await self._group(run_key, day, tz=tz))[0]

    async def _group(self, run_key: str, day: str, *, tz: str) -> tuple[GroupRule, bool]:
        """The same, and whether an earlier release showed the run."""
        slots = slots_of_day(date.fromisoformat(day), tz)
        now = open_homes(await self._store.consents(), slot=slots.start)
        fixed = await self._store.fix_run_group(run_key, homes=sorted(now), plants=sorted(self._plants))
        members = await self._members()
        seen, plants = (
            frozenset(members[home] for home in homes if home in members) for homes in (fixed.open_homes, fixed.plants)
        )
        return GroupRule(seen, plants, await self.persons()), fixed.was_shown

    async def totals(self, slots: range) -> dict[Slot, frozenset[str]]:
        """The members in each published street total."""
        members = await self._members()
        rows = await self._store.street_totals(slots=slots)
        return {slot: frozenset(members[home] for home in row.homes if home in members) for slot, row in rows.items()}

    async def plants(self) -> frozenset[str]:
        """The members with the co-op's own plants."""
        members = await self._members()
        return frozenset(members[home] for home in self._plants if home in members)

    async def persons(self) -> dict[str, str]:
        """One id for all memberships whose homes somebody knows together: see known_together."""
        members, together = await self._members(), await self._store.known_together()
        return {members[home]: one for home, one in together.items() if home in members}

    async def visible(self, books: Books, member: str) -> VisibleRuns:
        """What this member may see of the days in these books."""
        runs, held_back = {}, set()
        for day, run in books.current.items():
            shown = await self.shown(day, run.run_key, tz=books.coop.tz)
            end = shown.for_member(member) + 1
            runs[day] = shown.keys[:end]
            held_back |= set(shown.keys[end:])
        return VisibleRuns(runs, frozenset(held_back))

    async def _members(self) -> dict[str, str]:
        return {home.id: home.member_id for home in await self._store.homes()}


def _choose(rows: Sequence[RunRow], rules: Mapping[str, bytes], groups: Sequence[tuple[GroupRule, bool]]) -> ShownRuns:
    keys = [row.run_key for row in rows]
    runs = [read_record(row.allocation, read_rule(rules[row.rule_hash])) for row in rows]
    return choose_runs(keys, runs, [group for group, _ in groups], earlier=[was_shown for _, was_shown in groups])


async def complete_series(
    store: SettlementStores, month: date, *, seals: Seals, access: Access, coop: str, tz: str
) -> list[dict[str, object]]:
    """The auditor's series of every run of the month's days; the access is first logged for every home (I12).

    Raises: RequestError if no day is settled, or for a damaged record.
    """
    days = days_of(month)
    rows = await store.runs(days=(days[0].isoformat(), days[-1].isoformat()))
    if not rows:
        raise RequestError(f"no day of {month_name(month)} is settled")
    slots = range(slots_of_day(days[0], tz).start, slots_of_day(days[-1], tz).stop)
    fields = ", ".join(sorted(measure.code for measure in (Measure.GRID_EXPORT, Measure.GRID_IMPORT)))
    homes = [home.id for home in await store.homes()]
    await store.log_access(access, homes, fields=fields, rows=2 * len(slots))
    rules = {rule.hash: rule.canonical for rule in await store.journal_rules()}
    series = []
    for row in rows:
        try:
            settled = read_record(row.allocation, read_rule(rules[row.rule_hash]))
        except ValueError as error:
            raise RequestError(f"{row.day}: {error}; run `commonwatt-hub verify`") from None
        pool = pool_series(settled, coop=coop, day=row.day, run=seals.run(row.run_key))
        series.append(pool.for_auditor(seals.pool(row.run_key)))
    return series
