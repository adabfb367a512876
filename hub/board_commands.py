"""The board's commands on a hub's books: settle days, verify everything, report. They work while the hub runs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from hub.commands import CommandError
from hub.core.refusal import Refusal
from hub.core.run_calendar import month_name, month_of
from hub.program import open_hub
from hub.report import make_report
from hub.settlement_days import settle_day
from hub.settlement_job import is_billed
from hub.settlement_runs import month_runs
from hub.verify_books import check_books
from hub.verify_messages import check_messages
from hub.written_days import read_day
from protocols.timeline import Clock


async def settle_days(folder: Path, *, days: Sequence[date], clock: Clock) -> list[dict[str, object]]:
    """Settle closed local days and book what differs; one row a day, ready for JSON.

    Raises: CommandError for a day that has not closed, before any is booked, or for one that is refused; the days
    before that one are booked.
    """
    settings, key, store = await open_hub(folder, clock=clock)
    now_s = int(clock.now())
    today = datetime.fromtimestamp(now_s, UTC).astimezone(ZoneInfo(settings.coop.tz)).date()
    rows: list[dict[str, object]] = []
    try:
        if days and max(days) >= today:
            raise CommandError(
                f"settle: {max(days)} has not closed yet; days up to {today - timedelta(days=1)} can be settled,"
                " each with --day"
            )
        runs = await month_runs(store)
        for day in days:
            if is_billed(day, runs):
                month = month_name(month_of(day))
                raise CommandError(f"settle: {month} has a run of its own; book its next with --month {month} --kind")
            try:
                result = await settle_day(store, day=day, made_at=now_s, key=key)
            except Refusal as refusal:
                raise CommandError(f"settle: {day} is refused: {refusal}") from None
            totals = result.settled.totals_wh
            rows.append(
                {
                    "day": result.day,
                    "run": result.run_key,
                    "result_hash": result.result_hash,
                    "state": "provisional" if result.settled.provisional.any() else "complete",
                    "shared_wh": sum(totals["alloc"]),
                    "entries_booked": result.booked,
                }
            )
        return rows
    finally:
        await store.close()


async def verify_hub(folder: Path, *, clock: Clock) -> dict[str, object]:
    """Every message, every entry and every run checked again; `ok` says whether nothing contradicts."""
    _, key, store = await open_hub(folder, clock=clock)
    try:
        messages = await check_messages(store)
        books = await check_books(store, key.public_key())
    finally:
        await store.close()
    return {"ok": messages.wrong + books.wrong == 0, "messages": asdict(messages), "books": asdict(books)}


def verify_lines(found: Mapping[str, object]) -> str:
    """The verification for people."""
    messages, books = found["messages"], found["books"]
    assert isinstance(messages, dict)
    assert isinstance(books, dict)
    lines = [
        f"messages: {messages['messages']} opened again, {messages['readings']} readings compared,"
        f" {messages['wrong']} wrong",
        f"books: {books['entries']} entries, {books['recomputed']} of {books['runs']} runs computed again,"
        f" {books['attestations']} signed documents,"
        f" {books['wrong']} wrong; sums {books['sums']['Wh']} Wh and {books['sums']['nano']} nano",
        *(f"  {finding}" for finding in (*messages["findings"], *books["findings"])),
    ]
    if books["late_days"]:
        lines.append(f"to be settled again for late readings: {', '.join(books['late_days'])}")
    lines.append("everything holds" if found["ok"] else "something does not hold: see the lines above")
    return "\n".join(lines) + "\n"


async def report_hub(folder: Path, *, first: date, last: date, clock: Clock) -> dict[str, object]:
    """The board's report of these local days. Raises: CommandError for days in the wrong order."""
    if last < first:
        raise CommandError(f"report: --to {last} lies before --from {first}")
    _, _, store = await open_hub(folder, clock=clock)
    try:
        return await make_report(store, first=first, last=last)
    finally:
        await store.close()


def days_of_month(text: str) -> tuple[date, ...]:
    """All days of a month like 2026-05. Raises: CommandError."""
    try:
        first = read_day(f"{text}-01")
    except ValueError:
        raise CommandError(f"--month {text[:20]!r}: expected a month like 2026-05") from None
    following = (first + timedelta(days=32)).replace(day=1)
    return tuple(first + timedelta(days=n) for n in range((following - first).days))
