"""Books a month run's bills when the run is published: documents in the record, taxes and rounding as entries.

One transaction, signed like every run. hub.core.payments.bills decides what each document says; an issued document is
never changed; a later run's document replaces it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import msgspec

from hub.books.after_restore import forgotten_mark
from hub.books.billed_entries import entries_billed
from hub.books.days import SettlementStores
from hub.books.view import Books
from hub.core.ledger.entries import read_entry
from hub.core.ledger.fee_records import FEES_KIND, RECORD_TAG, FeePart, read_fee_record
from hub.core.ledger.month_runs import PUBLISHED, MonthRun
from hub.core.ledger.run_calendar import days_of
from hub.core.ledger.signed_document import Signer
from hub.core.payments.bills import BILL_LINES, Bill, MonthMoney, bill_members, newest_bills, tally_month, target_bills
from hub.core.payments.tax_terms import TaxTerms
from hub.money.funds import FundPlan, FundResult, MakeAttestation, book_after
from hub.storage.audit_records import RestoreStore
from hub.storage.contract import BookStore
from hub.storage.records import EntryRow, RunRow

BILL_KIND: Final = "fund:bill"
BILL_RUNS_KEPT: Final = 8
"""About a megabyte each at a thousand homes."""

Documents = Mapping[str, Mapping[str, Bill]]
"""Bills by member, then by side: received or sold."""


class BillStores(BookStore, RestoreStore, Protocol):
    """The parts of the store that bills are made from."""


@dataclass(frozen=True, slots=True)
class BilledRun:
    """The documents issued with one run of a month."""

    month_run: str
    documents: Documents


class _BillInputs(msgspec.Struct, frozen=True):
    month_run: str
    documents: dict[str, dict[str, Bill]]


class _BillRecord(msgspec.Struct, frozen=True):
    """The part of a bill run's record that holds its documents."""

    inputs: _BillInputs


async def billed_runs(store: BookStore, month: date) -> tuple[BilledRun, ...]:
    """The documents of each of the month's runs in the order booked; for a run booked twice, only the last."""
    day = days_of(month)[-1].isoformat()
    rows = await store.fund_runs(days=(day, day), kinds=(BILL_KIND,))
    return await asyncio.to_thread(_read_billed, rows)


class _BillInputsOfMany(msgspec.Struct, frozen=True):
    month_run: str
    documents: dict[str, msgspec.Raw]


class _BillRecordOfMany(msgspec.Struct, frozen=True):
    """The same part, of which no member's documents are decoded."""

    inputs: _BillInputsOfMany


class KeptBills:
    """A member's own documents: each run's record is split into its members' parts once, and kept as bytes."""

    def __init__(self, store: BookStore) -> None:
        self._store = store
        self._kept: OrderedDict[str, _BillInputsOfMany] = OrderedDict()

    async def of_member(self, member: str, month: date) -> dict[str, Mapping[str, Bill]]:
        """By month run, in the order booked, the member's documents by side; for a run booked twice, only the last."""
        day, found = days_of(month)[-1].isoformat(), dict[str, Mapping[str, Bill]]()
        for run in await self._store.fund_runs(days=(day, day), kinds=(BILL_KIND,), records=False):
            split = await self._split(run.run_key)
            found.pop(split.month_run, None)
            own = split.documents.get(member)
            found[split.month_run] = {} if own is None else msgspec.json.decode(own, type=dict[str, Bill])
        return found

    async def _split(self, run_key: str) -> _BillInputsOfMany:
        if run_key not in self._kept:
            record = (await self._store.run_record(run_key)).removeprefix(RECORD_TAG)
            read = await asyncio.to_thread(msgspec.json.decode, record, type=_BillRecordOfMany)
            self._kept[run_key] = read.inputs
            if len(self._kept) > BILL_RUNS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(run_key)
        return self._kept[run_key]


def _read_billed(runs: Sequence[RunRow]) -> tuple[BilledRun, ...]:
    found: dict[str, BilledRun] = {}
    for run in runs:
        record = msgspec.json.decode(run.allocation.removeprefix(RECORD_TAG), type=_BillRecord)
        found.pop(record.inputs.month_run, None)
        found[record.inputs.month_run] = BilledRun(record.inputs.month_run, record.inputs.documents)
    return tuple(found.values())


def run_money(run: MonthRun, rows: Sequence[EntryRow]) -> MonthMoney:
    """What the run bills, given these rows for the month."""
    last_day = days_of(date.fromisoformat(f"{run.month}-01"))[-1].isoformat()
    return tally_month([read_entry(row.canonical) for row in rows], last_day=last_day)


async def plan_bills(store: BillStores, run: MonthRun, *, books: Books, terms: TaxTerms | None, at: int) -> FundPlan:
    """The documents that publishing the run now would issue, and what the books should then hold.

    They bill everything booked for the month up to the run's position in the ledger.
    """
    rows = await entries_billed(store, run)
    billed = await billed_runs(store, date.fromisoformat(f"{run.month}-01"))
    parts = await _fee_parts(store, run, rows)
    mark = await forgotten_mark(store, run.month, tz=books.coop.tz)
    return await asyncio.to_thread(
        _plan, run, rows=rows, billed=billed, books=books, terms=terms, at=at, parts=parts, mark=mark
    )


async def run_documents(
    store: BillStores, run: MonthRun, *, books: Books, terms: TaxTerms | None, at: int
) -> Documents:
    """The documents issued with the run, or those that publishing it now would issue."""
    billed = await billed_runs(store, date.fromisoformat(f"{run.month}-01"))
    if run.state == PUBLISHED:
        return next((each.documents for each in billed if each.month_run == run.run_key), {})
    rows = await entries_billed(store, run)
    money, current = run_money(run, rows), _current(run, billed=billed, books=books)
    parts = await _fee_parts(store, run, rows)
    mark = await forgotten_mark(store, run.month, tz=books.coop.tz)
    return await asyncio.to_thread(
        _new_documents, run, money, current=current, books=books, terms=terms, at=at, parts=parts, mark=mark
    )


async def _fee_parts(store: BookStore, run: MonthRun, rows: Sequence[EntryRow]) -> Mapping[str, FeePart]:
    """The members whose fee on this run's bills is for a part of the month, from the newest fees among its entries."""
    day, keys = days_of(date.fromisoformat(f"{run.month}-01"))[-1].isoformat(), {row.run_key for row in rows}
    booked = [each for each in await store.fund_runs(days=(day, day), kinds=(FEES_KIND,)) if each.run_key in keys]
    return read_fee_record(booked[-1].allocation.removeprefix(RECORD_TAG)).parts() if booked else {}


def _plan(
    run: MonthRun,
    *,
    rows: Sequence[EntryRow],
    billed: Sequence[BilledRun],
    books: Books,
    terms: TaxTerms | None,
    at: int,
    parts: Mapping[str, FeePart],
    mark: str,
) -> FundPlan:
    money, current = run_money(run, rows), _current(run, billed=billed, books=books)
    documents = _new_documents(run, money, current=current, books=books, terms=terms, at=at, parts=parts, mark=mark)
    wanted = target_bills(money, newest_bills(current, documents))
    plan: dict[str, Any] = {"terms": None if terms is None else terms.plain()}
    inputs = {"month_run": run.run_key, "documents": documents}
    last_day = days_of(date.fromisoformat(f"{run.month}-01"))[-1]
    return FundPlan(BILL_KIND, last_day, BILL_LINES, plan, inputs, wanted)


def _current(run: MonthRun, *, billed: Sequence[BilledRun], books: Books) -> Documents:
    """The newest document for each member and side among those issued with the month's published runs."""
    published = {each.run_key for each in _published(run, books)}
    current: Documents = {}
    for each in billed:
        if each.month_run in published:
            current = newest_bills(current, each.documents)
    return current


def _published(run: MonthRun, books: Books) -> list[MonthRun]:
    return [each for each in books.runs_of(run.month) if each.state == PUBLISHED]


def _new_documents(
    run: MonthRun,
    money: MonthMoney,
    *,
    current: Documents,
    books: Books,
    terms: TaxTerms | None,
    at: int,
    parts: Mapping[str, FeePart],
    mark: str,
) -> Documents:
    day = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(books.coop.tz)).date().isoformat()
    series = series_of(run, _published(run, books)) + mark
    return bill_members(money, terms=terms, series=series, day=day, current_bills=current, fee_parts=parts)


async def book_bills(
    store: SettlementStores,
    run: MonthRun,
    *,
    books: Books,
    terms: TaxTerms | None,
    at: int,
    key: Signer,
    publish: MakeAttestation,
) -> FundResult:
    """Book the bills and the publication in one transaction: if power fails before the commit, neither is stored.

    Raises: StoreConflictError if anything was booked or signed after the heads of `books`.
    """
    plan = await plan_bills(store, run, books=books, terms=terms, at=at)
    return await book_after(store, plan, heads=books, made_at=at, key=key, decide=publish)


def series_of(run: MonthRun, published: Sequence[MonthRun]) -> str:
    """The series in which a run's documents are numbered, such as 2026-05-M1; a second dispute run has 2026-05-X2."""
    earlier = sum(each.kind == run.kind and each.run_key != run.run_key for each in published)
    return f"{run.month}-{run.kind}{earlier + 1 if earlier else ''}"
