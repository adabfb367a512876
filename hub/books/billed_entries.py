"""Which entries of the ledger belong on a month's bills, and how far a month's books reach."""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Final

from hub.core.ledger.entries import read_entry
from hub.core.ledger.month_runs import MonthRun
from hub.core.ledger.run_calendar import days_of
from hub.core.payments.bills import is_billed
from hub.storage.contract import BookStore
from hub.storage.records import EntryRow

AT_A_TIME: Final = 200


async def last_billed(store: BookStore, month: date) -> int:
    """The position of the month's newest entry that belongs on its bills; 0 if there is none.

    Looked for from the newest run back: of a day that has shared energy, a few entries are read and not all homes'.
    """
    days, newest = days_of(month), 0
    booked = await store.booked_runs(days=(days[0].isoformat(), days[-1].isoformat()))
    for run in sorted(booked, key=lambda run: run.position, reverse=True):
        position = run.position
        while position > newest:
            rows = await store.entries_before(run.day, position=position, most=AT_A_TIME)
            rows = tuple(row for row in rows if row.position > newest and row.run_key == run.run_key)
            newest = max(newest, await asyncio.to_thread(_last_billed, rows))
            position = rows[-1].position - 1 if len(rows) == AT_A_TIME else 0
    return newest


def _last_billed(newest_first: Sequence[EntryRow]) -> int:
    return next((row.position for row in newest_first if is_billed(read_entry(row.canonical))), 0)


async def entries_billed(store: BookStore, run: MonthRun) -> tuple[EntryRow, ...]:
    """The entries that the run bills: all those of the month, up to the run's position in the ledger."""
    days = days_of(date.fromisoformat(f"{run.month}-01"))
    rows = await store.entries_of_days(days=(days[0].isoformat(), days[-1].isoformat()))
    return tuple(row for row in rows if row.position <= run.ledger_position)
