"""The board's commands on a hub's books: settle days, verify everything, report. They work while the hub runs."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from hub.board.report import make_report
from hub.books.days import DayResult, settle_day
from hub.books.runs import month_runs
from hub.console.progress import ReportProgress, ignore_progress
from hub.core.ledger.run_calendar import month_name, month_of
from hub.core.local_dates import parse_day
from hub.core.rules.input_checks import RejectedInputError
from hub.folder.opening import open_hub
from hub.quality.nameplate_limits import make_quality_check
from hub.settlement_job import is_billed
from hub.verify.books import check_books
from hub.verify.check_result import CheckResult
from hub.verify.messages import check_messages
from protocols.errors import RequestError
from protocols.timeline import Clock

SKIPPED: Final = "skipped"
MESSAGES: Final = "messages"
BOOKS: Final = "books"


async def settle_days(folder: Path, *, days: Sequence[date], clock: Clock) -> AsyncGenerator[dict[str, object], None]:
    """Settle closed local days and book what differs; one row as each day is booked, ready for JSON.

    Days before there was any member are skipped, unless all are.
    Raises: RequestError for a day that has not closed, before any is booked, or for one that is refused; the days
    before that one are booked.
    """
    settings, key, store = await open_hub(folder, clock=clock)
    now_s, look = int(clock.now()), make_quality_check(settings)
    today = datetime.fromtimestamp(now_s, UTC).astimezone(ZoneInfo(settings.coop.tz)).date()
    try:
        if days and max(days) >= today:
            raise RequestError(
                f"settle: {max(days)} has not closed yet; days up to {today - timedelta(days=1)} can be settled,"
                " each with --day"
            )
        runs = await month_runs(store)
        for day in days:
            if is_billed(day, runs):
                month = month_name(month_of(day))
                raise RequestError(f"settle: {month} has a run of its own; book its next with --month {month} --kind")
            await look(store, (day,), at=now_s)
            try:
                result = await settle_day(store, day=day, made_at=now_s, key=key)
            except RejectedInputError as refusal:
                if refusal.code == "no_members" and day != days[-1]:
                    yield {"day": day.isoformat(), "state": SKIPPED, "why": "nobody was a member yet"}
                    continue
                raise RequestError(f"settle: {day} is refused: {refusal}") from None
            yield _settled_row(result)
    finally:
        await store.close()


def _settled_row(result: DayResult) -> dict[str, object]:
    return {
        "day": result.day,
        "run": result.run_key,
        "result_hash": result.result_hash,
        "state": "provisional" if result.settled.provisional.any() else "complete",
        "shared_wh": sum(result.settled.totals_wh["alloc"]),
        "entries_booked": result.booked,
    }


def settled_line(row: Mapping[str, object]) -> str:
    """One day for people."""
    if row["state"] == SKIPPED:
        return f"{row['day']}  skipped: {row['why']}"
    plain = f"{row['day']}  {row['state']}  shared {row['shared_wh']} Wh  {row['entries_booked']} new entries"
    return f"{plain}  result {row['result_hash']}"


async def verify_hub(
    folder: Path, *, clock: Clock, only: str | None = None, tell: ReportProgress = ignore_progress
) -> dict[str, object]:
    """Every message, every entry and every run checked again; `ok` says whether nothing contradicts.

    `only` is MESSAGES or BOOKS for that half alone: the other half is not in the answer then.
    """
    _, key, store = await open_hub(folder, clock=clock)
    found: dict[str, CheckResult] = {}
    try:
        if only in (None, MESSAGES):
            found[MESSAGES] = await check_messages(store, tell=tell)
        if only in (None, BOOKS):
            found[BOOKS] = await check_books(store, key.public_key(), tell=tell)
    finally:
        await store.close()
    ok = not any(each.wrong for each in found.values())
    return {"ok": ok, **{name: asdict(each) for name, each in found.items()}}


def verify_lines(found: Mapping[str, object]) -> str:
    """The verification for people."""
    messages, books = found.get(MESSAGES, {}), found.get(BOOKS, {})
    assert isinstance(messages, dict)
    assert isinstance(books, dict)
    lines = []
    if messages:
        lines.append(
            f"messages: {messages['messages']} opened again, {messages['readings']} readings and"
            f" {messages['consents']} consents compared, {messages['wrong']} wrong"
        )
    if books:
        lines.append(
            f"books: {books['entries']} entries, {books['recomputed']} of {books['runs']} runs computed again,"
            f" {books['attestations']} signed documents,"
            f" {books['wrong']} wrong; sums {books['sums']['Wh']} Wh and {books['sums']['nano']} nano"
        )
    lines += [f"  {finding}" for half in (messages, books) for finding in half.get("findings", ())]
    if books.get("unsigned"):
        lines.append(
            f"not signed: all {books['unsigned']} runs were booked before this hub signed its books; nothing is wrong"
            " with that, only the chain of hashes holds them. The next settlement signs them"
        )
    if books.get("late_days"):
        lines.append(f"to be settled again for late readings or decisions: {', '.join(books['late_days'])}")
    lines.append("everything holds" if found["ok"] else "something does not hold: see the lines above")
    return "\n".join(lines) + "\n"


async def report_hub(folder: Path, *, first: date, last: date, clock: Clock) -> dict[str, object]:
    """The board's report of these local days. Raises: RequestError for days in the wrong order."""
    if last < first:
        raise RequestError(f"report: --to {last} lies before --from {first}")
    _, _, store = await open_hub(folder, clock=clock)
    try:
        return await make_report(store, first=first, last=last)
    finally:
        await store.close()


def days_of_month(text: str) -> tuple[date, ...]:
    """All days of a month like 2026-05. Raises: RequestError."""
    try:
        first = parse_day(f"{text}-01")
    except ValueError:
        raise RequestError(f"--month {text[:20]!r}: expected a month like 2026-05") from None
    following = (first + timedelta(days=32)).replace(day=1)
    return tuple(first + timedelta(days=n) for n in range((following - first).days))
