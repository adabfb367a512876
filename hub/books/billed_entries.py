"""Which entries of the ledger belong on a month's bills, and how far a month's books reach."""

import asyncio
from collections.abc import Sequence
from datetime import date

from hub.core.ledger.entries import read_entry
from hub.core.ledger.month_runs import MonthRun
from hub.core.ledger.run_calendar import days_of
from hub.core.payments.bills import is_billed
from hub.storage.contract import BookStore
from hub.storage.records import EntryRow


async def last_billed(store: BookStore, month: date) -> int:
    """The position of the month's newest entry that belongs on its bills; 0 if there is none."""
    days = days_of(month)
    rows = await store.entries_of_days(days=(days[0].isoformat(), days[-1].isoformat()))
    return await asyncio.to_thread(_last_billed, rows)


def _last_billed(rows: Sequence[EntryRow]) -> int:
    newest_first = sorted(rows, key=lambda row: row.position, reverse=True)
    return next((row.position for row in newest_first if is_billed(read_entry(row.canonical))), 0)


async def entries_billed(store: BookStore, run: MonthRun) -> tuple[EntryRow, ...]:
    """The entries that the run bills: all those of the month, up to the run's position in the ledger."""
    days = days_of(date.fromisoformat(f"{run.month}-01"))
    rows = await store.entries_of_days(days=(days[0].isoformat(), days[-1].isoformat()))
    return tuple(row for row in rows if row.position <= run.ledger_position)
