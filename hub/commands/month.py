"""The board's commands on runs of months: preview or book one, approve and publish it, list what stands and is due."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from hub.board.run_approval import approve_run, publish_run
from hub.board.run_service import overview_of
from hub.books.days import SettlementStores
from hub.books.runs import first_day, month_runs, preview_month, settle_month
from hub.core.ledger.month_preview import MarkedDay, MonthPreview
from hub.core.ledger.month_runs import MonthRun, run_obstacle
from hub.core.ledger.run_calendar import RunCalendar, days_of, month_name, months_between
from hub.core.local_dates import parse_day
from hub.core.rules.input_checks import RejectedInputError
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.folder.tax_settings import load_tax_terms
from protocols.errors import RequestError
from protocols.timeline import Clock

NANO_PER_UNIT = 10**9


async def preview_hub(folder: Path, *, month: date, clock: Clock) -> MonthPreview:
    """What a run of the month would book now; the books stay as they are. Raises: RequestError."""
    settings, _, store = await open_hub(folder, clock=clock)
    try:
        _require_closed(month, local_today(clock, settings.coop.tz))
        return await preview_month(store, month=month)
    except RejectedInputError as refusal:
        raise RequestError(f"settle: {month_name(month)} is refused: {refusal}") from None
    finally:
        await store.close()


async def settle_hub_month(folder: Path, *, month: date, kind: str, decision: str, clock: Clock) -> MonthRun:
    """Book a run of the month that is due. Raises: RequestError; then nothing of it is booked."""
    settings, key, store = await open_hub(folder, clock=clock)
    try:
        today = local_today(clock, settings.coop.tz)
        _require_closed(month, today)
        runs = await month_runs(store)
        problem = run_obstacle(kind, month, runs=runs, calendar=settings.calendar, today=today, decision=decision)
        if problem is not None:
            raise RequestError(f"settle: {problem}")
        made_at = int(clock.now())
        return await settle_month(store, month=month, kind=kind, made_at=made_at, key=key, decision=decision)
    except RejectedInputError as refusal:
        raise RequestError(f"settle: {month_name(month)} is refused: {refusal}") from None
    finally:
        await store.close()


async def record_run_decision(folder: Path, *, run: str, member: str, publish: bool, clock: Clock) -> MonthRun:
    """A board member's approval of a run, or its publication. Raises: RequestError."""
    terms = load_tax_terms(folder)
    _, key, store = await open_hub(folder, clock=clock)
    try:
        at = int(clock.now())
        if publish:
            return await publish_run(store, run=run, member=member, at=at, key=key, terms=terms)
        return await approve_run(store, run=run, member=member, at=at, key=key)
    except RequestError as problem:
        raise RequestError(f"approve: {problem}") from None
    finally:
        await store.close()


async def list_runs(folder: Path, *, clock: Clock) -> dict[str, object]:
    """The runs of months, what falls due next and the days marked for them, ready for JSON."""
    settings, _, store = await open_hub(folder, clock=clock)
    try:
        return await runs_and_marks(store, calendar=settings.calendar, today=local_today(clock, settings.coop.tz))
    finally:
        await store.close()


async def runs_and_marks(store: SettlementStores, *, calendar: RunCalendar, today: date) -> dict[str, object]:
    """The same from an open store: reads no value of any home."""
    runs = await month_runs(store)
    first = await first_day(store)
    due, marked = [], []
    for month in months_between(first, today) if first is not None else ():
        overview = await overview_of(store, month, calendar=calendar, today=today)
        if overview.following is None:
            continue
        due_day = calendar.due_day(month, overview.following)
        due.append({"month": overview.name, "kind": overview.following, "due": str(due_day)})
        marked += [_mark(mark, overview.following) for mark in overview.marked]
    return {
        "runs": [run_json(run) for run in runs],
        "due": due,
        "marked_days": marked,
    }


def _mark(mark: MarkedDay, following: str) -> dict[str, object]:
    return {"day": mark.day.isoformat(), "why": mark.why, "next_run": following}


def run_json(run: MonthRun) -> dict[str, object]:
    """One run of a month for programs."""
    return asdict(run) | {"state": run.state, "days": len(run.days)}


def run_line(row: Mapping[str, object]) -> str:
    """The same for people."""
    approvals = ", ".join(str(member) for member, _ in _pairs(row["approvals"])) or "nobody"
    provisional = f", {row['provisional_days']} provisional" if row["provisional_days"] else ""
    return (
        f"{row['month']} {row['kind']:<2}  {row['state']:<10}  {row['days']} days{provisional}"
        f"  approved by {approvals}  {row['run_key']}"
    )


def _pairs(value: object) -> Sequence[tuple[object, object]]:
    return value if isinstance(value, (list, tuple)) else ()


def _require_closed(month: date, today: date) -> None:
    if days_of(month)[-1] >= today:
        raise RequestError(f"settle: {month_name(month)} is not over yet")


def local_today(clock: Clock, tz: str) -> date:
    """The local day it is."""
    return datetime.fromtimestamp(clock.now(), UTC).astimezone(ZoneInfo(tz)).date()


def parse_month(text: str) -> date:
    """The first day of a month written like 2026-05. Raises: RequestError."""
    try:
        return parse_day(f"{text}-01")
    except ValueError:
        raise RequestError(f"--month {text[:20]!r}: expected a month like 2026-05") from None


def run_month(options: argparse.Namespace) -> int:
    """`settle --month` with --kind or --preview."""
    if options.month is None or options.data is None or options.day is not None:
        raise RequestError("settle: --kind, --preview and --decision go with --data DIR and --month MONTH")
    month, clock = parse_month(options.month), open_clock(options.clock)
    if options.preview:
        preview = asyncio.run(preview_hub(options.data, month=month, clock=clock))
        text = json.dumps(asdict(preview)) + "\n" if options.json else preview_lines(preview)
        sys.stdout.write(text)
        return 0
    if options.kind is None:
        raise RequestError("settle: --decision goes with --kind X")
    decision = options.decision or ""
    run = asyncio.run(settle_hub_month(options.data, month=month, kind=options.kind, decision=decision, clock=clock))
    sys.stdout.write((json.dumps(run_json(run)) if options.json else run_line(run_json(run))) + "\n")
    return 0


def preview_lines(preview: MonthPreview) -> str:
    """The preview for people: member by member, kilowatt-hours and money beside what is booked."""
    if not preview.days:
        return f"{preview.month}: the books stand as the inputs have it; a run would change nothing\n"
    lines = [f"{preview.month}: {len(preview.days)} day(s) would change, {preview.entries} entries"]
    lines.append(f"{'member':<12}{'got kWh':>12}{'gave kWh':>12}{'bought kWh':>12}{'sold kWh':>12}{'money':>16}")
    for each in preview.members:
        energy = (each.received_wh, each.sold_wh, each.imported_wh, each.exported_wh)
        cells = "".join(f"{_thousandths(wh):>12}" for wh in energy)
        lines.append(f"{each.member:<12}{cells}{_money(each.money_nano):>16}")
    lines.append(f"the co-op's margin: {_money(preview.margin_nano)}")
    return "\n".join(lines) + "\n"


def _thousandths(wh: int) -> str:
    return f"{'-' if wh < 0 else '+'}{abs(wh) // 1000}.{abs(wh) % 1000:03d}"


def _money(nano: int) -> str:
    return f"{'-' if nano < 0 else '+'}{abs(nano) // NANO_PER_UNIT}.{abs(nano) % NANO_PER_UNIT:09d}"


def runs_lines(found: Mapping[str, object]) -> str:
    """Runs, due dates and marked days for people."""
    lines = [run_line(row) for row in _rows(found["runs"])]
    lines += [f"{row['month']} {row['kind']:<2}  falls due on {row['due']}" for row in _rows(found["due"])]
    lines += [f"marked: {row['day']}  {row['why']}, for run {row['next_run']}" for row in _rows(found["marked_days"])]
    return "\n".join(lines or ["no home has sent a reading yet"]) + "\n"


def _rows(value: object) -> Sequence[Mapping[str, object]]:
    return value if isinstance(value, list) else ()
