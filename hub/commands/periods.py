"""A range of local days on the command line: --from and --to, and the line on days that were left out."""

import argparse
from collections.abc import Sequence
from datetime import date

from hub.core.local_dates import parse_day


def add_range(parser: argparse.ArgumentParser) -> None:
    """--from and --to."""
    parser.add_argument(
        "--from", dest="first", type=parse_day_argument, required=True, metavar="DAY", help="the first day"
    )
    parser.add_argument("--to", dest="last", type=parse_day_argument, required=True, metavar="DAY", help="the last day")


def parse_day_argument(text: str) -> date:
    """A day of the command line. Raises: ArgumentTypeError."""
    try:
        return parse_day(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a day like 2026-11-21") from None


def left_out_note(days: Sequence[str]) -> str:
    """A line on the days that are not in it; empty where all are."""
    return f"not settled and left out: {', '.join(days)}\n" if days else ""
