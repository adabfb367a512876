"""Gathers all money stated to members, for payment orders. hub.core.payments.due decides how much of it is due."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from hub.books.billed_entries import entries_billed
from hub.books.view import MoneyBooks
from hub.core.ledger.entries import read_entry
from hub.core.ledger.month_runs import PUBLISHED, MonthRun
from hub.core.ledger.run_calendar import days_of
from hub.core.payments.bills import Bill, newest_bills
from hub.core.payments.due import MoneyTally, OpenObjection
from hub.money.bills import BilledRun, billed_runs, run_money
from hub.storage.contract import BookStore
from hub.storage.records import EntryRow


@dataclass(frozen=True, slots=True)
class _MonthStated:
    """A published month: its newest run, its bills and, if it has no bills, the entries that the run bills."""

    newest: MonthRun
    billed: Sequence[BilledRun]
    rows: Sequence[EntryRow]


async def tally_money(store: BookStore, books: MoneyBooks, objected: Sequence[OpenObjection]) -> MoneyTally:
    """Add up the bills from each month's published runs and the funds that the board has approved.

    A month published before bills existed counts with its newest run's plain cents, just as in its statements. For each
    month that a member has objected to, that member's days are included as they are in the newest published run.
    """
    months = {month: await _read_month(store, runs) for month, runs in _published(books).items()}
    waiting: list[EntryRow] = []
    for member, month in sorted({(each.member, each.month) for each in objected if each.month in months}):
        days = days_of(date.fromisoformat(f"{month}-01"))
        rows = await store.entries_of_member(member, days=(days[0].isoformat(), days[-1].isoformat()))
        waiting += [row for row in rows if row.position <= months[month].newest.ledger_position]
    funds: list[EntryRow] = []
    for fund in books.fund_runs:
        if fund.is_due:
            funds += await store.entries_of_run(fund.run_key)
    return await asyncio.to_thread(_tally, months, waiting=waiting, funds=funds)


def _published(books: MoneyBooks) -> dict[str, list[MonthRun]]:
    """Each month's published runs, in order."""
    published: dict[str, list[MonthRun]] = {}
    for run in sorted(books.month_runs, key=lambda run: run.month):
        if run.state == PUBLISHED:
            published.setdefault(run.month, []).append(run)
    return published


async def _read_month(store: BookStore, runs: Sequence[MonthRun]) -> _MonthStated:
    keys, newest = {run.run_key for run in runs}, runs[-1]
    known = await billed_runs(store, date.fromisoformat(f"{newest.month}-01"))
    billed = [each for each in known if each.month_run in keys]
    return _MonthStated(newest, billed, () if billed else await entries_billed(store, newest))


def _tally(months: Mapping[str, _MonthStated], *, waiting: Sequence[EntryRow], funds: Sequence[EntryRow]) -> MoneyTally:
    tally = MoneyTally()
    for month, stated in months.items():
        if stated.billed:
            current: dict[str, dict[str, Bill]] = {}
            for each in stated.billed:
                current = newest_bills(current, each.documents)
            tally.add_bills(month, current)
        else:
            tally.add_plain(month, run_money(stated.newest, stated.rows))
    for row in waiting:
        if row.unit == "nano":
            tally.add_objected(read_entry(row.canonical))
    for row in funds:
        tally.add_fund(read_entry(row.canonical))
    return tally
