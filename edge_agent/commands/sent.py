"""`sent`: what was sent of a month, to check a statement against it."""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.commands.arguments import add_command
from edge_agent.settings import read_settings

if TYPE_CHECKING:
    from edge_agent.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Name the command and its arguments."""
    words = "write what was sent of a month, to check a statement against it"
    parser = add_command(commands, "sent", run=_sent, words=words)
    parser.add_argument("--month", type=_month, required=True, metavar="YYYY-MM", help="the month")
    parser.add_argument("--member", required=True, metavar="ID", help="your member id, as the statement shows it")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the file to write; must not be there yet"
    )


def _sent(options: argparse.Namespace) -> int:
    from edge_agent.outbox.sent_readings import sent_record, write_sent
    from edge_agent.outbox.view import read_sent
    from edge_agent.uplink.identity import load_enrolment
    from protocols.slots import slots_of_day

    settings = read_settings(options.config)
    tz = load_enrolment(settings.data).tz
    last = (options.month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    slots = range(slots_of_day(options.month, tz).start, slots_of_day(last, tz).stop)
    found = read_sent(settings.data, slots)
    write_sent(options.out, sent_record(options.member, found))
    print(f"{options.out}: {len(found)} of {len(slots)} quarter hours; give it to verify_statement.py with --own")
    return 0


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a month like 2026-05") from None
