"""The board's desk for runs of months: what stands and is due, a preview, booking, approval, publication.

The rules are in hub.core.ledger.month_runs; here they only meet the pages. A refusal is returned as one line, and then
nothing was written. Heavy sums are computed beside the event loop, one at a time.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date
from typing import Final, Protocol

from hub.board.run_approval import approve_run, publish_run
from hub.books.days import SettlementStores
from hub.books.runs import (
    PREVIEW_ACCESS,
    StalePreviewError,
    first_day,
    marked_days,
    month_runs,
    preview_month,
    preview_run_key,
    settle_month,
)
from hub.core.ledger.entries import read_entry
from hub.core.ledger.month_overview import MonthOverview, month_overview
from hub.core.ledger.month_preview import BoardPreview, MonthPreview, board_preview, sum_changes
from hub.core.ledger.month_runs import PUBLISHED, MonthRun, run_obstacle
from hub.core.ledger.run_calendar import RunCalendar, days_of, month_name, months_between
from hub.core.ledger.signed_document import Signer
from hub.core.payments.tax_terms import TaxTerms
from hub.core.rules.input_checks import RejectedInputError
from hub.storage.contract import AccessLog
from hub.storage.errors import StoreConflictError
from hub.storage.records import EntryRow
from protocols.errors import RequestError, SettingsError

BUSY: Final = "a run is being booked at this moment; look again when it is done"
STALE: Final = "something has changed since you looked at it, such as new readings; look again"
CROSSED: Final = "another run was booked at the same moment; look again"

LoadTaxTerms = Callable[[], TaxTerms | None]


class RunStores(SettlementStores, AccessLog, Protocol):
    """The slices the desk reads and writes."""


class RunService:
    """What the board's pages ask of settlement. Nothing of a member's consumption leaves it."""

    def __init__(
        self,
        store: RunStores,
        *,
        calendar: RunCalendar,
        key: Signer,
        terms: LoadTaxTerms = lambda: None,
    ) -> None:
        """`terms` reads the tax terms as they are when a run is published."""
        self._store, self._calendar, self._key, self._terms = store, calendar, key, terms
        self._one = asyncio.Lock()
        self._one_word = asyncio.Lock()
        self._is_booking = False

    async def months(self, *, today: date, most: int) -> tuple[MonthOverview, ...]:
        """The newest months, the newest first."""
        first = await first_day(self._store)
        months = [] if first is None else list(months_between(first, today))
        return tuple([await self._overview(month, today=today) for month in reversed(months[-most:])])

    async def month(self, month: date, *, today: date) -> MonthOverview | None:
        """One month; None before the first reading and after today."""
        first = await first_day(self._store)
        if first is None or not first.replace(day=1) <= month <= today:
            return None
        return await self._overview(month, today=today)

    async def preview(self, month: date, *, kind: str, today: date) -> tuple[BoardPreview, str] | str:
        """What a run of this kind would book now and the key it would have; or why it cannot be settled.

        The looks at the homes' readings are logged.
        """
        if self._is_booking:
            return BUSY
        if days_of(month)[-1] >= today:
            return f"{month_name(month)} is not over yet"
        async with self._one:
            try:
                preview = await preview_month(self._store, month=month)
            except RejectedInputError as refusal:
                return str(refusal)
            digests = (preview.rules, preview.inputs)
            run_key = await preview_run_key(self._store, month=month, kind=kind, digests=digests)
        return board_preview(preview), run_key

    async def booked(self, run: MonthRun) -> BoardPreview:
        """What the run bills beside the month's last published run, or beside nothing. The looks are logged."""
        homes = [home.id for home in await self._store.homes()]
        days = [day for day, _ in run.days]
        rows_most = len(days) * len(homes)
        await self._store.log_access(PREVIEW_ACCESS, homes, fields="what a month's run books", rows=rows_most)
        runs = await month_runs(self._store)
        before = [each.ledger_position for each in runs if each.month == run.month and each.state == PUBLISHED]
        ends = (days[0], days[-1])
        keys = {each.run_key for each in await self._store.runs(days=ends, allocations=False)}
        start = max((position for position in before if position < run.ledger_position), default=0)
        rows: list[EntryRow] = []
        for day in days:  # day by day, so that the hub's other work goes on in between
            booked = await self._store.entries_of_day(day)
            rows += [row for row in booked if start < row.position <= run.ledger_position and row.run_key in keys]
        async with self._one:
            return board_preview(await asyncio.to_thread(_sum_rows, run, rows))

    async def book(
        self, month: date, *, kind: str, previewed: str, decision: str, at: int, today: date
    ) -> MonthRun | str:
        """Book the run that a preview gave this key; or why not, and then nothing of it is booked."""
        if self._is_booking:
            return BUSY
        self._is_booking = True
        try:
            async with self._one:
                return await self._book(month, kind=kind, previewed=previewed, decision=decision, at=at, today=today)
        finally:
            self._is_booking = False

    async def _book(
        self, month: date, *, kind: str, previewed: str, decision: str, at: int, today: date
    ) -> MonthRun | str:
        if days_of(month)[-1] >= today:
            return f"{month_name(month)} is not over yet"
        runs = await month_runs(self._store)
        if problem := run_obstacle(kind, month, runs=runs, calendar=self._calendar, today=today, decision=decision):
            return problem
        try:
            return await settle_month(
                self._store,
                month=month,
                kind=kind,
                made_at=at,
                key=self._key,
                decision=decision,
                previewed=previewed,
            )
        except StalePreviewError:
            return STALE
        except RejectedInputError as refusal:
            return str(refusal)
        except StoreConflictError:
            return CROSSED

    async def approve(self, run_key: str, *, member: str, at: int) -> MonthRun | str:
        """A board member's approval of the run with this key; or why it does not count."""
        async with self._one_word:
            try:
                return await approve_run(self._store, run=run_key, member=member, at=at, key=self._key)
            except RequestError as problem:
                return str(problem)
            except StoreConflictError:
                return CROSSED

    async def publish(self, run_key: str, *, member: str, at: int) -> MonthRun | str:
        """Publish the run with this key; or why not. One word at a time: its bills are booked once."""
        async with self._one_word:
            try:
                terms = self._terms()
                return await publish_run(self._store, run=run_key, member=member, at=at, key=self._key, terms=terms)
            except (RequestError, SettingsError) as problem:
                return str(problem)
            except StoreConflictError:
                return CROSSED

    async def _overview(self, month: date, *, today: date) -> MonthOverview:
        return await overview_of(self._store, month, calendar=self._calendar, today=today)


async def overview_of(store: SettlementStores, month: date, *, calendar: RunCalendar, today: date) -> MonthOverview:
    """One month as it stands. Reads no value of any home."""
    first = await first_day(store)
    days = [day for day in days_of(month) if first is not None and first <= day < today]
    ends = (month.isoformat(), days_of(month)[-1].isoformat())
    standing = {run.day: run.state for run in await store.runs(days=ends, allocations=False)}
    return month_overview(
        month,
        runs=await month_runs(store),
        days=days,
        settled=[standing[day.isoformat()] for day in days if day.isoformat() in standing],
        marked=await marked_days(store, days),
        calendar=calendar,
        today=today,
    )


def _sum_rows(run: MonthRun, rows: Sequence[EntryRow]) -> MonthPreview:
    entries = (read_entry(row.canonical) for row in rows)
    days = tuple(sorted({row.day for row in rows}))
    return sum_changes(entries, month=run.month, days=days, digests=(run.rules, run.inputs))
