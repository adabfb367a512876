"""The books at one moment, read in one transaction and decoded once. Read them once and pass them down.

The view holds heads, runs and decisions, but no entries. Anything booked or signed after its heads is checked against
the store's own heads on writing: if somebody else wrote in the meantime, the store refuses and the caller reads again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

from hub.core.ledger.attestations import (
    APPROVAL,
    FIRST_PREVIOUS,
    MONTH_RUN,
    PUBLICATION,
    AttestedDocument,
    Head,
    document_digest,
    read_attestation,
)
from hub.core.ledger.fund_approvals import FUND_KINDS, FundRunStatus, read_fund_runs
from hub.core.ledger.month_runs import MonthRun, read_month_runs
from hub.core.payments.order_history import (
    BOOKED_KIND,
    ORDER_KINDS,
    RETURNED_KIND,
    PaymentOrderRecord,
    read_bank_report,
    read_orders,
)
from hub.storage.contract import BookStore
from hub.storage.records import BookRows, Coop, RunRow

MONTH_DECISIONS: Final = (MONTH_RUN, APPROVAL, PUBLICATION)
BANK_KINDS: Final = (BOOKED_KIND, RETURNED_KIND)
MONTH_CHARS: Final = len("2026-06")


@dataclass(frozen=True, slots=True, kw_only=True)
class BookHeads:
    """What the next booking follows on from: the last attestation and the last ledger entry, with some days' runs.

    `access_line` is the number of the newest line of the access log, and `log` the head of the log of rows.
    """

    coop: Coop
    attestation: Head
    ledger: Head
    log: Head
    access_line: int
    runs: tuple[RunRow, ...]

    @property
    def current(self) -> Mapping[str, RunRow]:
        """The newest settlement run of each day."""
        return {run.day: run for run in self.runs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Books(BookHeads):
    """The books with month runs and the board's decisions on each of them."""

    month_runs: tuple[MonthRun, ...]

    def runs_of(self, month: str) -> tuple[MonthRun, ...]:
        """This month's runs in the order in which they were made."""
        return tuple(run for run in self.month_runs if run.month == month)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyBooks(Books):
    """The books with the runs of the funds that members voted on, and every payment order."""

    fund_runs: tuple[FundRunStatus, ...]
    orders: tuple[PaymentOrderRecord, ...]


async def read_heads(store: BookStore, *, days: tuple[str, str] | None = None) -> BookHeads:
    """The heads; `days` limits the settlement runs to these days, both included."""
    return BookHeads(**_heads(await store.book_rows(days=days)))


async def read_books(store: BookStore, *, days: tuple[str, str] | None = None) -> Books:
    """The books; `days` limits the settlement runs to these days, and the month runs to the months of these days."""
    months = None if days is None else (days[0][:MONTH_CHARS], days[1][:MONTH_CHARS])
    rows = await store.book_rows(decisions=MONTH_DECISIONS, days=days, subjects=months)
    return await asyncio.to_thread(_books, rows)


async def read_money_books(store: BookStore) -> MoneyBooks:
    """The books with funds and payments."""
    rows = await store.book_rows(decisions=(*MONTH_DECISIONS, *ORDER_KINDS), funds=(*FUND_KINDS, *BANK_KINDS))
    return await asyncio.to_thread(_money_books, rows)


class _Heads(TypedDict):
    coop: Coop
    attestation: Head
    ledger: Head
    log: Head
    access_line: int
    runs: tuple[RunRow, ...]


def _heads(rows: BookRows) -> _Heads:
    return {
        "coop": rows.coop,
        "attestation": _head(rows),
        "ledger": rows.ledger,
        "log": rows.log,
        "access_line": rows.access_line,
        "runs": rows.runs,
    }


def _books(rows: BookRows) -> Books:
    return Books(**_heads(rows), month_runs=read_month_runs(_decided(rows)))


def _money_books(rows: BookRows) -> MoneyBooks:
    decided = _decided(rows)
    reports = [read_bank_report(run.allocation) for run in rows.fund_runs if run.kind in BANK_KINDS]
    return MoneyBooks(
        **_heads(rows),
        month_runs=read_month_runs(decided),
        fund_runs=read_fund_runs(rows.fund_runs, decided),
        orders=read_orders(decided, reports),
    )


def _head(rows: BookRows) -> Head:
    last = rows.last_attestation
    return (0, FIRST_PREVIOUS) if last is None else (last.position, document_digest(last.document))


def _decided(rows: BookRows) -> Sequence[AttestedDocument]:
    return [read_attestation(row.document) for row in rows.decisions]
