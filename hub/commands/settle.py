"""`commonwatt-hub settle`: settles a case file, closed days on a hub, or a month."""

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from hub.books.days import DayResult, settle_day
from hub.books.view import read_books
from hub.commands.periods import parse_day_argument, parse_month
from hub.commands.settle_month import run_month
from hub.commands.trials.settle_case import run_settle_command
from hub.core.ledger.run_calendar import days_of, month_name, month_of
from hub.core.rules.input_checks import RejectedInputError
from hub.folder.clock import open_clock
from hub.folder.opening import OpenHub, opened_hub
from hub.quality.nameplate_limits import make_quality_check
from hub.settlement_job import is_billed
from protocols.errors import RequestError
from protocols.timeline import Clock

SKIPPED: Final = "skipped"
KINDS: Final = ("M1", "R1", "R2", "RF", "X")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--case", metavar="FILE", help="a case file")
    parser.add_argument("--previous", metavar="FILE", help="with --case: the result printed before, for the difference")
    parser.add_argument(
        "--day",
        type=parse_day_argument,
        nargs="+",
        metavar="DAY",
        help="with --data: settle these closed local days, in this order",
    )
    parser.add_argument("--month", metavar="MONTH", help="with --data: settle all days of a month like 2026-05")
    parser.add_argument("--kind", choices=KINDS, help="with --month: book this run of the month; X: after a dispute")
    parser.add_argument(
        "--preview", action="store_true", help="with --month: say what a run would change, book nothing"
    )
    parser.add_argument(
        "--by",
        metavar="ID",
        help="with --preview: show it member by member, not only sums; the log of every home names this board member",
    )
    parser.add_argument(
        "--decision", metavar="TEXT", help="with --kind X, or for a month without readings: what the board decided"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Settle what is asked for. Raises: RequestError with a one-line message."""
    of_hub = (args.data, args.day, args.month, args.kind, args.decision, args.by)
    if args.case is not None:
        if args.preview or any(part is not None for part in of_hub):
            raise RequestError("settle: use --case FILE alone or with --previous; leave out what belongs to a hub")
        return run_settle_command(args.case, args.previous, as_json=args.json, out=sys.stdout, err=sys.stderr)
    if args.previous is not None:
        raise RequestError("settle: --previous FILE goes with --case FILE")
    if args.kind is not None or args.preview or args.decision is not None or args.by is not None:
        if args.month is None or args.data is None or args.day is not None:
            raise RequestError("settle: --kind, --preview, --by and --decision go with --data DIR and --month MONTH")
        return run_month(args, month=parse_month(args.month), clock=open_clock(args.clock))
    if args.data is None or (args.day is None) == (args.month is None):
        raise RequestError("settle: give --case FILE, or --data DIR with --day DAY or --month MONTH")
    days = tuple(args.day) if args.day is not None else days_of(parse_month(args.month))
    asyncio.run(_print_settled(args, days))
    return 0


async def _print_settled(args: argparse.Namespace, days: Sequence[date]) -> None:
    """Print each day as it is booked, so that a refusal later in the month does not hide the days already booked."""
    async with contextlib.aclosing(settle_days(args.data, days=days, clock=open_clock(args.clock))) as rows:
        async for row in rows:
            sys.stdout.write((json.dumps(row) if args.json else settled_line(row)) + "\n")
            sys.stdout.flush()


async def settle_days(folder: Path, *, days: Sequence[date], clock: Clock) -> AsyncGenerator[dict[str, object], None]:
    """Settle closed local days and book what differs; yields a row, ready for JSON, as each day is booked.

    Days before the first member joined are skipped, unless that is all of them.
    Raises: RequestError for a day that has not closed, before any day is booked; or for a day that is refused, after
    the days before it have been booked.
    """
    async with opened_hub(folder, clock=clock) as hub:
        if days and max(days) >= hub.today:
            last = hub.today - timedelta(days=1)
            raise RequestError(
                f"settle: {max(days)} has not closed yet; days up to {last} can be settled, each with --day"
            )
        runs, check = (await read_books(hub.store)).month_runs, make_quality_check(hub.settings)
        for day in days:
            if is_billed(day, runs):
                month = month_name(month_of(day))
                raise RequestError(f"settle: {month} has a run of its own; book its next with --month {month} --kind")
            await check(hub.store, (day,), at=hub.opened_at)
            yield await _settle_one(hub, day, is_last=day == days[-1])


async def _settle_one(hub: OpenHub, day: date, *, is_last: bool) -> dict[str, object]:
    """Settle the day, or skip it if nobody was a member yet and more days follow. Raises: RequestError."""
    try:
        return _settled_row(await settle_day(hub.store, day=day, made_at=hub.opened_at, key=hub.signer))
    except RejectedInputError as refusal:
        if refusal.code == "no_members" and not is_last:
            return {"day": day.isoformat(), "state": SKIPPED, "why": "nobody was a member yet"}
        if refusal.code == "no_members":
            raise RequestError(f"settle: {day}: no member had readings on that day; nothing was booked") from None
        raise RequestError(f"settle: {day} is refused: {refusal}") from None


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
