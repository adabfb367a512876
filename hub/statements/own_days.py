"""What settled days came to for each home, as its member sees them on the Credits page: for the home's own agents.

The same runs as a statement's: a correction that would tell another home's energy is left out here too.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Final

from hub.books.view import read_books
from hub.core.ledger.entries import Entry, read_entry
from hub.core.ledger.run_calendar import days_of, month_of
from hub.core.statements.month import booked_amounts
from hub.core.statements.shown_runs import ShownRuns
from hub.statements.months import StatementEdition, editions
from hub.statements.publication import PublicationStores, RunPublication
from hub.storage.records import Access, Coop, EntryRow
from protocols.slots import slots_of_day
from protocols.wire.credits.notices import MAX_ENERGY_WH, CreditDay

FIELDS: Final = "credits by day"


class OwnDays:
    """Reads them for all members at once. `plants` are the co-op's own plants."""

    def __init__(self, store: PublicationStores, *, plants: frozenset[str] = frozenset()) -> None:
        self._store = store
        self._publication = RunPublication(store, plants=plants)

    async def read(self, days: Sequence[date], *, access: Access) -> dict[str, tuple[CreditDay, ...]]:
        """The days on which energy is booked, by member; the access is first recorded in every home's log (I12).

        Raises: RequestError for a damaged record.
        """
        homes = [home.id for home in await self._store.homes()]
        await self._store.log_access(access, homes, fields=FIELDS, rows=len(days))
        found: dict[str, list[CreditDay]] = defaultdict(list)
        for month in sorted({month_of(day) for day in days}):
            whole = [each.isoformat() for each in days_of(month)]
            books = await read_books(self._store, days=(whole[0], whole[-1]))
            made = editions(books, month.isoformat()[: len("2026-06")])
            for day in sorted(each for each in days if month_of(each) == month):
                if made and day.isoformat() in made[-1].runs:
                    for member, own in (await self._day(books.coop, day, made[-1])).items():
                        found[member].append(own)
        return {member: tuple(own) for member, own in found.items()}

    async def _day(self, coop: Coop, day: date, edition: StatementEdition) -> dict[str, CreditDay]:
        name = day.isoformat()
        shown = await self._publication.shown(name, edition.runs[name], tz=coop.tz)
        rows = await self._store.entries_of_day(name)
        return await asyncio.to_thread(_own_days, slots_of_day(day, coop.tz), rows, edition, shown)


def _own_days(
    slots: range, rows: Sequence[EntryRow], edition: StatementEdition, shown: ShownRuns
) -> dict[str, CreditDay]:
    found = {}
    for member, entries in _by_member(rows, edition.ledger_position).items():
        hidden = set(shown.keys[shown.for_member(member) + 1 :])
        own = [entry for entry in entries if entry.run not in hidden]
        amounts = booked_amounts(own, member)
        energies = [amounts[line] for line in ("received", "sold", "imported", "exported")]
        if any(entry.unit == "Wh" for entry in own) and all(0 <= each <= MAX_ENERGY_WH for each in energies):
            found[member] = CreditDay(slots.start, len(slots), bool(edition.month_run), *energies)
    return found


def _by_member(rows: Sequence[EntryRow], until_position: int | None) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = defaultdict(list)
    for row in rows:
        if until_position is None or row.position <= until_position:
            found[row.member].append(read_entry(row.canonical))
    return found
