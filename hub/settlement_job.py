"""The nightly settlement: quality checks, then run D for closed days whose month has no run, then months due."""

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from hub.books.days import ACCESS, SettlementStores, settle_day
from hub.books.runs import NO_READINGS, first_day, marked_days, settle_month
from hub.books.stored_rules import read_rule
from hub.books.view import read_books
from hub.core.ledger.month_runs import MonthRun, run_obstacle
from hub.core.ledger.run_calendar import RunCalendar, days_of, month_name, month_of, months_between
from hub.core.ledger.signed_document import Signer
from hub.core.rules.input_checks import RejectedInputError
from hub.quality.findings import QualityCheck
from hub.quality.scale_findings import QualityStores
from hub.timetable import JobError
from protocols.errors import RequestError

__all__ = ["ACCESS", "SettlementJob", "SettlementStores", "days_due", "read_rule", "settle_day"]

log = logging.getLogger(__name__)

EVERY_WEEKDAY: Final = RunCalendar()
MOST_CHECKED_DAYS: Final = 15 * 31


class SettlementJob:
    """Settles, each night, the day just closed, days never settled and days with late readings, then the months due.

    `quality_check` finds problems in the readings of closed days before they are settled. Without a key, days stay
    unsigned until a run that has one, and no month is run.
    """

    def __init__(
        self,
        store: QualityStores,
        *,
        tz: str,
        calendar: RunCalendar = EVERY_WEEKDAY,
        key: Signer | None = None,
        quality_check: QualityCheck | None = None,
    ) -> None:
        self._store, self._tz, self._calendar, self._key = store, tz, calendar, key
        self._quality_check = quality_check

    async def __call__(self, due_s: int) -> None:
        """Idempotent: with the same readings and rule, a second call books nothing.

        Raises: JobError naming the first day or month that was refused; the others are still settled. Also when nothing
        can be signed or read now: then the rest waits.
        """
        try:
            await self._settle(due_s)
        except RequestError as problem:
            raise JobError(str(problem)) from None

    async def _settle(self, due_s: int) -> None:
        today = datetime.fromtimestamp(due_s, UTC).astimezone(ZoneInfo(self._tz)).date()
        if self._quality_check is not None:
            checked = await checked_days(self._store, tz=self._tz, last_day=today - timedelta(days=1))
            await self._quality_check(self._store, checked, at=due_s)
        refused: list[str] = []
        for day in await days_due(self._store, last_day=today - timedelta(days=1)):
            try:
                await settle_day(self._store, day=day, made_at=due_s, key=self._key)
            except RejectedInputError as refusal:
                refused.append(f"{day}: {refusal}")
        if self._key is not None:
            refused += await self._settle_months(today, made_at=due_s, key=self._key)
        if refused:
            others = f" (and {len(refused) - 1} more days or months)" if len(refused) > 1 else ""
            raise JobError(f"the rules refuse {refused[0]}{others}")

    async def _settle_months(self, today: date, *, made_at: int, key: Signer) -> list[str]:
        """Make every run of every month that is due, in order; return those refused."""
        first = await first_day(self._store, self._tz)
        runs = (await read_books(self._store)).month_runs
        refused: list[str] = []
        for month in months_between(first, today) if first is not None else ():
            for kind in self._calendar.due_kinds(month, today=today):
                is_made = any((run.month, run.kind) == (month_name(month), kind) for run in runs)
                if is_made or run_obstacle(kind, month, runs=runs, calendar=self._calendar, today=today):
                    continue
                try:
                    run = await settle_month(self._store, month=month, kind=kind, made_at=made_at, key=key)
                except RejectedInputError as refusal:
                    if refusal.code == NO_READINGS:
                        log.warning("%s waits for the board: %s", kind, refusal.detail)
                        break
                    refused.append(f"{kind} of {month_name(month)}: {refusal}")
                    break
                log.info("run %s of %s is made and waits for the board's approval", run.kind, run.month)
                runs = (await read_books(self._store)).month_runs
        return refused


async def checked_days(store: SettlementStores, *, tz: str, last_day: date) -> tuple[date, ...]:
    """The closed days that a run can still change: those of recent months, as far back as a closing run reaches."""
    first = await first_day(store, tz)
    count = 0 if first is None else min((last_day - first).days + 1, MOST_CHECKED_DAYS)
    return tuple(last_day - timedelta(days=back) for back in range(count - 1, -1, -1))


async def days_due(store: SettlementStores, *, last_day: date) -> tuple[date, ...]:
    """Days up to `last_day` that run D has to settle: marked days in a month that has no run of its own yet."""
    books = await read_books(store)
    first = await first_day(store, books.coop.tz)
    billed = billed_months(books.month_runs)
    due: list[date] = []
    for month in months_between(first, last_day) if first is not None else ():
        if month_name(month) not in billed:
            days = [day for day in days_of(month) if first is not None and first <= day <= last_day]
            due += [marked.day for marked in await marked_days(store, books, days)]
    return tuple(due)


def billed_months(runs: Sequence[MonthRun]) -> frozenset[str]:
    """Months that have a run of their own: late readings for them wait for the next one."""
    return frozenset(run.month for run in runs)


def is_billed(day: date, runs: Sequence[MonthRun]) -> bool:
    """Whether run D no longer settles this day."""
    return month_name(month_of(day)) in billed_months(runs)
