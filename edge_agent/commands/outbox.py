"""`outbox`: what has left the home and what is waiting."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.commands.arguments import add_command, add_json, count
from edge_agent.settings import read_settings

if TYPE_CHECKING:
    from edge_agent.commands.arguments import Commands

MAX_LISTED = 100_000


def add(commands: Commands) -> None:
    """Name the command and its arguments."""
    words = "show what has left the home and what is waiting"
    parser = add_command(commands, "outbox", run=_outbox, words=words)
    parser.add_argument(
        "--limit", type=count, default=20, metavar="N", help="how many messages to list, newest first (default: 20)"
    )
    parser.add_argument(
        "--message", type=_message, metavar="NUMBER", help="show all that one message says, by its number in the list"
    )
    add_json(parser)


def _outbox(options: argparse.Namespace) -> int:
    from edge_agent.outbox.text import outbox_record, outbox_table
    from edge_agent.outbox.view import read_overview
    from edge_agent.uplink.identity import load_enrolment

    settings = read_settings(options.config)
    if options.message is not None:
        return _message_shown(settings.data, options.message)
    found = read_overview(settings.data, limit=min(options.limit, MAX_LISTED))
    print(outbox_record(found) if options.json else outbox_table(found, load_enrolment(settings.data).tz))
    return 0


def _message_shown(data: Path, number: tuple[int, int]) -> int:
    from edge_agent.outbox.contents import message_text
    from edge_agent.outbox.messages import OutboxError
    from edge_agent.outbox.view import read_message
    from edge_agent.uplink.identity import load_enrolment
    from protocols.wire.refusal_reasons import WireError

    kind, sealed = read_message(data, *number)
    try:
        print(message_text(kind, sealed, load_enrolment(data).tz))
    except WireError as error:
        raise OutboxError(f"message {number[0]}/{number[1]} cannot be read: {error.detail}") from None
    return 0


def _message(text: str) -> tuple[int, int]:
    epoch, _, seq = text.partition("/")
    if not all(part.isascii() and part.isdigit() and len(part) <= 10 for part in (epoch, seq)):
        raise argparse.ArgumentTypeError(f"{text[:30]!r} is not a message's number like 1/42")
    return int(epoch), int(seq)
