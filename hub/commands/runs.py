"""`commonwatt-hub runs`: lists month runs with the board's decisions, what falls due, and the marked days."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

from hub.board.run_service import overview_of
from hub.books.days import SettlementStores
from hub.books.membership_days import read_member_days
from hub.books.runs import first_day
from hub.books.view import read_books
from hub.core.ledger.month_overview import MonthOverview
from hub.core.ledger.month_preview import MarkedDay
from hub.core.ledger.month_runs import MonthRun
from hub.core.ledger.run_calendar import RunCalendar, months_between
from hub.folder.clock import open_clock
from hub.folder.opening import opened_hub
from protocols.timeline import Clock


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """List them. Raises: RequestError with a one-line message."""
    found = asyncio.run(list_runs(args.data, clock=open_clock(args.clock)))
    sys.stdout.write(json.dumps(found) + "\n" if args.json else runs_lines(found))
    return 0


async def list_runs(folder: Path, *, clock: Clock) -> dict[str, object]:
    """The month runs, what falls due next and the days marked for settling again, ready for JSON."""
    async with opened_hub(folder, clock=clock) as hub:
        return await runs_and_marks(hub.store, calendar=hub.settings.calendar, today=hub.today)


async def runs_and_marks(store: SettlementStores, *, calendar: RunCalendar, today: date) -> dict[str, object]:
    """The same from an open store. Reads no value of any home."""
    books = await read_books(store)
    first = await first_day(store, books.coop.tz)
    members = await read_member_days(store)
    due, marked = [], []
    outdated: dict[str, str] = {}
    for month in months_between(first, today) if first is not None else ():
        overview = await overview_of(store, books, month, calendar=calendar, today=today, first=first, members=members)
        for run in (run for run in overview.runs if run.run_key in overview.outdated):
            later = overview.in_place_of(run)
            outdated[run.run_key] = "make it again" if later is None else f"{later.kind} takes its place"
        if overview.next_run is not None:
            marked += [_mark(mark, overview) for mark in overview.marked]
        if overview.following is None:
            continue
        due_day = calendar.due_day(month, overview.following)
        due.append({"month": overview.name, "kind": overview.following, "due": str(due_day)})
    return {
        "runs": [
            run_json(run) | {"is_outdated": run.run_key in outdated, "way_on": outdated.get(run.run_key)}
            for run in books.month_runs
        ],
        "due": due,
        "marked_days": marked,
    }


def _mark(mark: MarkedDay, overview: MonthOverview) -> dict[str, object]:
    is_again = overview.next_run in {run.kind for run in overview.runs}
    return {"day": mark.day.isoformat(), "why": mark.why, "next_run": overview.next_run, "is_made_again": is_again}


def run_json(run: MonthRun) -> dict[str, object]:
    """A month run for programs."""
    return asdict(run) | {"state": run.state, "days": len(run.days)}


def run_line(row: Mapping[str, object]) -> str:
    """A month run for people."""
    approvals = ", ".join(str(member) for member, _ in _pairs(row["approvals"])) or "nobody"
    outdated = f", older than the books: {row['way_on']}" if row.get("is_outdated") else ""
    provisional = f", {row['provisional_days']} provisional" if row["provisional_days"] else ""
    return (
        f"{row['month']} {row['kind']:<2}  {row['state']:<10}  {row['days']} days{provisional}"
        f"  approved by {approvals}{outdated}  {row['run_key']}"
    )


def _pairs(value: object) -> Sequence[tuple[object, object]]:
    return value if isinstance(value, (list, tuple)) else ()


def runs_lines(found: Mapping[str, object]) -> str:
    """Runs, due dates and marked days for people."""
    lines = [run_line(row) for row in _rows(found["runs"])]
    lines += [f"{row['month']} {row['kind']:<2}  falls due on {row['due']}" for row in _rows(found["due"])]
    lines += [
        f"marked: {row['day']}  {row['why']}, for {row['next_run']}{', made again' if row['is_made_again'] else ''}"
        for row in _rows(found["marked_days"])
    ]
    return "\n".join(lines or ["no home has sent a reading yet"]) + "\n"


def _rows(value: object) -> Sequence[Mapping[str, object]]:
    return value if isinstance(value, list) else ()
