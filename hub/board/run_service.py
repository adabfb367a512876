"""What the board can do with month runs: see what is booked and due, preview, book, approve and publish.

The rules are in hub.core.ledger.month_runs; this module applies them for pages and commands. A refusal is returned as
a one-line text; nothing has then been written. Heavy computations run in a thread, one at a time.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date
from typing import Final, Protocol

from hub.board.run_approval import approve_run, publish_run
from hub.books.billed_entries import last_billed
from hub.books.billed_meters import BilledMeterStores, uncertified_in_run
from hub.books.days import SettlementStores
from hub.books.kept.arrivals import KeptArrivals
from hub.books.membership_days import KeptMembership, MembershipDays
from hub.books.runs import (
    PREVIEW_ACCESS,
    StalePreviewError,
    first_day,
    has_readings,
    marked_days,
    month_run_key,
    preview_month,
    settle_month,
)
from hub.books.view import Books, read_books
from hub.core.ledger.entries import read_entry
from hub.core.ledger.month_overview import MonthOverview, month_overview
from hub.core.ledger.month_preview import BoardPreview, MonthPreview, board_preview, sum_changes
from hub.core.ledger.month_runs import APPROVED, DRAFT, PUBLISHED, MonthRun, run_obstacle
from hub.core.ledger.run_calendar import DISPUTE, RunCalendar, days_of, month_name, months_between
from hub.core.ledger.signed_document import Signer
from hub.core.payments.tax_terms import TaxTerms
from hub.core.rules.input_checks import RejectedInputError
from hub.storage.errors import StoreConflictError
from hub.storage.records import EntryRow
from protocols.errors import RequestError, SettingsError
from protocols.maps.model import Metrology

BUSY: Final = "a run is being booked at this moment; try again when it is done"
STALE: Final = "something has changed since the preview, such as new readings; preview it again"
CROSSED: Final = "another run was booked at the same moment; check it and try again"

LoadTaxTerms = Callable[[], TaxTerms | None]


class RunStores(SettlementStores, BilledMeterStores, Protocol):
    """The parts of the store that the service reads and writes."""


class RunService:
    """What the board's pages need from settlement. It reveals nothing about a member's consumption."""

    def __init__(
        self,
        store: RunStores,
        *,
        calendar: RunCalendar,
        key: Signer,
        terms: LoadTaxTerms = lambda: None,
    ) -> None:
        """`terms` reads the tax terms that apply when a run is published."""
        self._store, self._calendar, self._key, self._terms = store, calendar, key, terms
        self._one = asyncio.Lock()
        self._one_decision = asyncio.Lock()
        self._is_booking = False
        self._membership = KeptMembership(store)
        self._arrivals = KeptArrivals(store)

    async def months(self, *, today: date, most: int, before: date | None = None) -> tuple[MonthOverview, ...]:
        """The newest months, newest first; with `before`, those before that month."""
        first = await first_day(self._store, (await self._store.coop()).tz)
        months = [] if first is None else list(months_between(first, today))
        shown = [month for month in months if before is None or month < before][-most:]
        if not shown:
            return ()
        days = (shown[0].isoformat(), days_of(shown[-1])[-1].isoformat())
        books = await read_books(self._store, days=days)
        members = await self._membership.now()
        return tuple(
            [
                await overview_of(
                    self._store,
                    books,
                    month,
                    calendar=self._calendar,
                    today=today,
                    first=first,
                    members=members,
                    arrivals=self._arrivals,
                )
                for month in reversed(shown)
            ]
        )

    async def month(self, month: date, *, today: date) -> MonthOverview | None:
        """One month; None if it is before the first reading or after today."""
        days = days_of(month)
        books = await read_books(self._store, days=(days[0].isoformat(), days[-1].isoformat()))
        first = await first_day(self._store, books.coop.tz)
        if first is None or not first.replace(day=1) <= month <= today:
            return None
        members = await self._membership.now()
        return await overview_of(
            self._store, books, month, calendar=self._calendar, today=today, first=first,
            members=members, arrivals=self._arrivals,
        )  # fmt: skip

    async def preview(self, month: date, *, kind: str, today: date) -> tuple[BoardPreview, str] | str:
        """What a run of this kind would book now and the key it would have, or why the month cannot be settled.

        The access to the homes' readings is logged.
        """
        if self._is_booking:
            return BUSY
        try:
            async with self._one:
                preview = await preview_run(self._store, month, today=today)
                days = days_of(month)
                books = await read_books(self._store, days=(days[0].isoformat(), days[-1].isoformat()))
                last_booked = await last_billed(self._store, month)
        except (RequestError, RejectedInputError) as refusal:
            return str(refusal)
        digests = (preview.rules, preview.inputs)
        run_key = month_run_key(books, month=month_name(month), kind=kind, digests=digests, last_booked=last_booked)
        return board_preview(preview), run_key

    async def needs_decision(self, month: date, *, kind: str) -> bool:
        """Whether a run of this kind states a decision: after a dispute, or because no home has a reading."""
        return kind == DISPUTE or not await has_readings(self._store, month, access=PREVIEW_ACCESS)

    async def uncertified(self, run: MonthRun) -> dict[str, Metrology]:
        """The homes that the run bills by a meter which is not known to be certified, with its class."""
        return await uncertified_in_run(self._store, run)

    async def booked(self, run: MonthRun) -> BoardPreview:
        """What the run bills, compared with the month's last published run if there is one. The access is logged."""
        homes = [home.id for home in await self._store.homes()]
        days = [day for day, _ in run.days]
        rows_most = len(days) * len(homes)
        await self._store.log_access(PREVIEW_ACCESS, homes, fields="what a month's run books", rows=rows_most)
        books = await read_books(self._store, days=(days[0], days[-1]))
        before = [each.ledger_position for each in books.runs_of(run.month) if each.state == PUBLISHED]
        keys = {each.run_key for each in books.runs}
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
        """Book the run to which a preview gave this key. Returns the reason if refused; none of it is then booked."""
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
        try:
            return await book_run(
                self._store,
                month,
                kind=kind,
                decision=decision,
                calendar=self._calendar,
                key=self._key,
                at=at,
                today=today,
                previewed=previewed,
            )
        except StalePreviewError:
            return STALE
        except (RequestError, RejectedInputError) as refusal:
            return str(refusal)
        except StoreConflictError:
            return CROSSED

    async def approve(self, run_key: str, *, member: str, at: int) -> MonthRun | str:
        """Record a board member's approval of the run with this key. Returns the reason if it does not count."""
        async with self._one_decision:
            try:
                return await approve_run(self._store, run=run_key, member=member, at=at, key=self._key)
            except RequestError as problem:
                return str(problem)
            except StoreConflictError:
                return CROSSED

    async def publish(self, run_key: str, *, member: str, at: int) -> MonthRun | str:
        """Publish the run with this key, or return why not. One decision at a time, so its bills are booked once."""
        async with self._one_decision:
            try:
                terms = self._terms()
                return await publish_run(self._store, run=run_key, member=member, at=at, key=self._key, terms=terms)
            except (RequestError, SettingsError) as problem:
                return str(problem)
            except StoreConflictError:
                return CROSSED


def check_closed(month: date, *, today: date) -> None:
    """Raises: RequestError if the month is not over yet."""
    if days_of(month)[-1] >= today:
        raise RequestError(f"{month_name(month)} is not over yet")


async def preview_run(store: SettlementStores, month: date, *, today: date) -> MonthPreview:
    """What a run for the month would book now. Raises: RequestError before the month ends, or RejectedInputError."""
    check_closed(month, today=today)
    return await preview_month(store, month=month)


async def book_run(
    store: SettlementStores,
    month: date,
    *,
    kind: str,
    decision: str,
    calendar: RunCalendar,
    key: Signer,
    at: int,
    today: date,
    previewed: str | None = None,
) -> MonthRun:
    """Book a run for the month, if one may be made now; `previewed` is the key that a preview gave it.

    Raises: RequestError naming the rule that forbids it, StalePreviewError or RejectedInputError; nothing is booked.
    """
    check_closed(month, today=today)
    days = days_of(month)
    runs = (await read_books(store, days=(days[0].isoformat(), days[-1].isoformat()))).month_runs
    if problem := run_obstacle(kind, month, runs=runs, calendar=calendar, today=today, decision=decision):
        raise RequestError(problem)
    return await settle_month(
        store, month=month, kind=kind, made_at=at, key=key, decision=decision, previewed=previewed
    )


async def overview_of(
    store: SettlementStores,
    books: Books,
    month: date,
    *,
    calendar: RunCalendar,
    today: date,
    first: date | None,
    members: MembershipDays | None = None,
    arrivals: KeptArrivals | None = None,
) -> MonthOverview:
    """One month as it is booked now; `books` must hold the runs of all its days, which begin with the books' `first`.

    Reads no value of any home.
    """
    days = [day for day in days_of(month) if first is not None and first <= day < today]
    current = books.current
    return month_overview(
        month,
        runs=books.month_runs,
        days=days,
        settled=[current[day.isoformat()].state for day in days if day.isoformat() in current],
        marked=await marked_days(store, books, days, members=members, arrivals=arrivals),
        calendar=calendar,
        today=today,
        last_booked=await last_billed(store, month) if _is_waiting(books, month) else 0,
    )


def _is_waiting(books: Books, month: date) -> bool:
    return any(run.state in (DRAFT, APPROVED) for run in books.runs_of(month_name(month)))


def _sum_rows(run: MonthRun, rows: Sequence[EntryRow]) -> MonthPreview:
    entries = (read_entry(row.canonical) for row in rows)
    days = tuple(sorted({row.day for row in rows}))
    return sum_changes(entries, month=run.month, days=days, digests=(run.rules, run.inputs))
