"""Days and months on the command line: --from and --to, --month, and the line about days that were left out."""

import argparse
from collections.abc import Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from hub.core.local_dates import parse_day
from protocols.errors import RequestError
from protocols.timeline import Clock


def add_range(parser: argparse.ArgumentParser) -> None:
    """Add --from and --to."""
    parser.add_argument(
        "--from", dest="first", type=parse_day_argument, required=True, metavar="DAY", help="the first day"
    )
    parser.add_argument("--to", dest="last", type=parse_day_argument, required=True, metavar="DAY", help="the last day")


def parse_day_argument(text: str) -> date:
    """A day given on the command line. Raises: ArgumentTypeError."""
    try:
        return parse_day(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a day like 2026-11-21") from None


def parse_month(text: str) -> date:
    """The first day of a month that is written like 2026-05. Raises: RequestError."""
    try:
        return parse_day(f"{text}-01")
    except ValueError:
        raise RequestError(f"--month {text[:20]!r}: expected a month like 2026-05") from None


def local_today(clock: Clock, tz: str) -> date:
    """Today in this time zone."""
    return datetime.fromtimestamp(clock.now(), UTC).astimezone(ZoneInfo(tz)).date()


def left_out_note(days: Sequence[str]) -> str:
    """A line about the days that are not included; empty if all are."""
    return f"not settled and left out: {', '.join(days)}\n" if days else ""
