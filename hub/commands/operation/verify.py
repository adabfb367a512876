"""`commonwatt-hub verify`: rechecks every message, entry and run of a hub. It works while the hub is running."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from hub.console.progress import Progress, ReportProgress, ignore_progress
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.verify.books import check_books
from hub.verify.check_result import CheckResult
from hub.verify.messages import check_messages
from protocols.timeline import Clock

MESSAGES: Final = "messages"
BOOKS: Final = "books"
FAILED: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--only", choices=(MESSAGES, BOOKS), help="this half alone, as when both are run at once")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print what was found; returns 1 if something is wrong."""
    progress = Progress(sys.stderr)
    clock = open_clock(args.clock)
    found = asyncio.run(verify_hub(args.data, clock=clock, only=args.only, report=progress.report))
    progress.end()
    sys.stdout.write(json.dumps(found) + "\n" if args.json else verify_lines(found))
    return 0 if found["ok"] else FAILED


async def verify_hub(
    folder: Path, *, clock: Clock, only: str | None = None, report: ReportProgress = ignore_progress
) -> dict[str, object]:
    """Check every message, entry and run again; `ok` is true if no contradiction was found.

    If `only` is MESSAGES or BOOKS, only that half is checked and returned.
    """
    _, key, store = await open_hub(folder, clock=clock)
    found: dict[str, CheckResult] = {}
    try:
        if only in (None, MESSAGES):
            found[MESSAGES] = await check_messages(store, report=report)
        if only in (None, BOOKS):
            found[BOOKS] = await check_books(store, key.public_key(), report=report)
    finally:
        await store.close()
    ok = not any(each.wrong for each in found.values())
    return {"ok": ok, **{name: asdict(each) for name, each in found.items()}}


def verify_lines(found: Mapping[str, object]) -> str:
    """The result of the verification for people."""
    messages, books = found.get(MESSAGES, {}), found.get(BOOKS, {})
    assert isinstance(messages, dict)
    assert isinstance(books, dict)
    lines = []
    if messages:
        lines.append(
            f"messages: {messages['messages']} checked again, {messages['readings']} readings and"
            f" {messages['consents']} consents compared, {messages['wrong']} wrong"
        )
    if books:
        lines.append(
            f"books: {books['entries']} entries, {books['recomputed']} of {books['runs']} runs computed again,"
            f" {books['attestations']} signed documents,"
            f" {books['wrong']} wrong; sums {books['sums']['Wh']} Wh and {books['sums']['nano']} nano"
        )
    lines += [f"  {finding}" for half in (messages, books) for finding in half.get("findings", ())]
    if books.get("unsigned"):
        lines.append(
            f"not signed: all {books['unsigned']} runs were booked before this hub signed its books; nothing is wrong"
            " with that, only the chain of hashes holds them. The next settlement signs them"
        )
    if books.get("late_days"):
        lines.append(f"to be settled again for late readings or decisions: {', '.join(books['late_days'])}")
    lines.append("everything holds" if found["ok"] else "something does not hold: see the lines above")
    return "\n".join(lines) + "\n"
