"""`commonwatt-hub privacy-notice`: writes what members must be told about their data, as this hub is set up."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from hub.folder.clock import open_clock
from hub.folder.opening import opened_hub
from hub.notices.privacy import privacy_notice
from protocols.errors import RequestError
from protocols.timeline import Clock

MAX_CONTACT_CHARS = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument(
        "--contact", required=True, metavar="TEXT", help="whom members ask: a name and an address of the co-op"
    )


def run(args: argparse.Namespace) -> int:
    """Print the notice. Raises: RequestError."""
    if not args.contact.strip() or not args.contact.isprintable() or len(args.contact) > MAX_CONTACT_CHARS:
        raise RequestError(f"--contact: expected 1 to {MAX_CONTACT_CHARS} printable characters")
    sys.stdout.write(asyncio.run(_notice(args.data, contact=args.contact.strip(), clock=open_clock(args.clock))))
    return 0


async def _notice(folder: Path, *, contact: str, clock: Clock) -> str:
    async with opened_hub(folder, clock=clock) as hub:
        book = await hub.store.rulebook(hub.today.isoformat())
        rule = book.in_force
        method = (
            str(json.loads(rule.canonical)["method"]) if rule is not None else "of the first rule, once the hub has run"
        )
        return privacy_notice(hub.settings, method=method, contact=contact)
