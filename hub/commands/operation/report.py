"""`commonwatt-hub report`: the board's report on local days, as JSON. It works while the hub is running."""

import argparse
import asyncio
import json
import sys
from datetime import date
from pathlib import Path

from hub.board.report import make_report
from hub.commands.members.named_look import add_by, look_at_all
from hub.commands.operation.status import certificates_line
from hub.commands.periods import parse_day_argument
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.storage.access_records import REPORT_FIELDS
from protocols.errors import RequestError
from protocols.timeline import Clock


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument(
        "--from", dest="first", type=parse_day_argument, required=True, metavar="DAY", help="the first local day"
    )
    parser.add_argument("--to", type=parse_day_argument, metavar="DAY", help="the last local day; the first without it")
    add_by(parser)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Print the report. Raises: RequestError with a one-line message."""
    last = args.to or args.first
    report = asyncio.run(report_hub(args.data, first=args.first, last=last, by=args.by, clock=open_clock(args.clock)))
    sys.stdout.write(json.dumps(report, indent=None if args.json else 2) + "\n")
    return 0


async def report_hub(folder: Path, *, first: date, last: date, by: str, clock: Clock) -> dict[str, object]:
    """The board's report on these local days. Raises: RequestError if the days are in the wrong order."""
    if last < first:
        raise RequestError(f"report: --to {last} is before --from {first}")
    settings, _, store = await open_hub(folder, clock=clock)
    try:
        access = await look_at_all(
            store, by, command="report", purpose="settle.share", reason="what is missing and why"
        )
        homes = [home.id for home in await store.homes()]
        await store.log_access(access, homes, fields=REPORT_FIELDS, rows=(last - first).days + 1)
        report = await make_report(store, first=first, last=last, plants=settings.plants)
        return {**report, "certificates": certificates_line(folder)}
    finally:
        await store.close()
