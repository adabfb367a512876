"""`commonwatt-hub runs`: the runs of months and the board's word on them, what falls due, and the marked days."""

import argparse
import asyncio
import json
import sys

from hub.commands.month import list_runs, runs_lines
from hub.folder.clock import open_clock


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes besides --data and --clock."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """List them. Raises: RequestError with one line."""
    found = asyncio.run(list_runs(args.data, clock=open_clock(args.clock)))
    sys.stdout.write(json.dumps(found) + "\n" if args.json else runs_lines(found))
    return 0
