"""`commonwatt-hub approve`: a board member's word on a run of a month, and its publication."""

import argparse
import asyncio
import json
import sys

from hub.clock import open_clock
from hub.month_command import run_json, run_line, say_of_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes besides --data and --clock."""
    parser.add_argument("--run", dest="key", required=True, metavar="KEY", help="the run's key, or its first 8 digits")
    parser.add_argument(
        "--member", required=True, metavar="ID", help="who approves: a member of the board, such as m01"
    )
    parser.add_argument("--publish", action="store_true", help="publish the run that two members have approved")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Give the word and say how the run stands. Raises: CommandError with one line."""
    clock = open_clock(args.clock)
    said = asyncio.run(say_of_run(args.data, run=args.key, member=args.member, publish=args.publish, clock=clock))
    sys.stdout.write((json.dumps(run_json(said)) if args.json else run_line(run_json(said))) + "\n")
    return 0
