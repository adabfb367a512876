"""`commonwatt-hub verify`: rechecks every message, entry and run of a hub. It works while the hub is running.

It goes on from the checkpoint that the last verification of the folder left, or from one that somebody kept.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hub.backups.restoring import unpack_checked
from hub.backups.unlocking import add_lock_arguments, lock_for
from hub.console.progress import Progress, ReportProgress, ignore_progress
from hub.folder.clock import open_clock
from hub.processes.watching.own_use import own_version
from hub.verify.folder_check.checking import (
    BOOKS,
    KEPT,
    MESSAGES,
    PARTS,
    ROWS,
    check_hub,
    taken_over_line,
    usual_processes,
)
from hub.verify.folder_check.checkpoint import Checkpoint
from hub.verify.folder_check.kept import find_checkpoint, keep_checkpoint
from hub.verify.homes.work import MOST_PROCESSES
from protocols.errors import RequestError
from protocols.timeline import Clock

FAILED: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--only", choices=PARTS, help="this part alone, as when several are run at once")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--whole",
        action="store_true",
        help="open every message and compute every run again, whatever was checked before",
    )
    which.add_argument(
        "--since", type=Path, metavar="FILE",
        help="a checkpoint that you kept of an earlier verification: go on from there (default: the folder's own)",
    )  # fmt: skip
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE",
        help="also write this verification's checkpoint to a new file, to keep elsewhere",
    )  # fmt: skip
    parser.add_argument(
        "--processes", type=_process_number, metavar="N",
        help="how many processes may open messages at once (default: one for each processor; 8 at most with a server)",
    )  # fmt: skip
    parser.add_argument(
        "--hub-key", type=public_key, metavar="HEX", help="the hub's public key as you know it: any other is wrong"
    )
    parser.add_argument(
        "--kept", type=Path, action="append", metavar="FILE",
        help="a statement.json that a member kept: the books must still hold the day roots it names (may be repeated)",
    )  # fmt: skip
    parser.add_argument(
        "--backup", type=Path, metavar="FILE",
        help="instead of --data: open this backup in a folder of its own, check all that is in it, and delete it again",
    )  # fmt: skip
    add_lock_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print what was found; returns 1 if something is wrong."""
    if (args.data is None) == (args.backup is None):
        raise RequestError("verify: give --data DIR for a hub's folder, or --backup FILE for a backup")
    if args.only is not None and args.checkpoint is not None:
        raise RequestError("verify: a checkpoint is of all parts: leave out --only or --checkpoint")
    if args.checkpoint is not None and args.checkpoint.exists():
        raise RequestError(f"{args.checkpoint} already exists; nothing checked, choose another name")
    if args.backup is None:
        return _verify(args)
    lock = lock_for(args.backup, key_file=args.key_file, passphrase_file=args.passphrase_file)
    with TemporaryDirectory(prefix="commonwatt-verify-") as folder:  # for its owner alone
        args.data = Path(folder)
        try:
            unpack_checked(args.backup, args.data, lock=lock)
        except OSError as error:
            raise RequestError(
                f"{folder}: cannot hold what is in the backup: {error.strerror}; name a larger place with TMPDIR"
            ) from None
        return _verify(args)


def _verify(args: argparse.Namespace) -> int:
    progress = Progress(sys.stderr)
    clock = open_clock(args.clock)
    since = None if args.whole else find_checkpoint(args.data, args.since, clock=clock)
    verified = asyncio.run(
        check_hub(
            args.data,
            clock=clock,
            program=own_version(),
            only=args.only,
            pinned=args.hub_key,
            kept=args.kept or (),
            since=since,
            processes=args.processes or usual_processes(args.data),
            report=progress.report,
        )
    )
    progress.end()
    found = verified.as_json()
    keep_checkpoint(args.data, verified, copy=args.checkpoint)
    sys.stdout.write(json.dumps(found) + "\n" if args.json else verify_lines(found, since=since))
    return 0 if found["ok"] else FAILED


def _process_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_PROCESSES:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a number of processes from 1 to {MOST_PROCESSES}")
    return int(text)


def public_key(text: str) -> bytes:
    """A public key given on the command line. Raises: ArgumentTypeError."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a public key of 64 hex digits")
    return raw


async def verify_hub(
    folder: Path,
    *,
    clock: Clock,
    only: str | None = None,
    pinned: bytes | None = None,
    kept: Sequence[Path] = (),
    report: ReportProgress = ignore_progress,
) -> dict[str, object]:
    """Check everything again, whatever was checked before; `ok` is true if no contradiction was found.

    Raises: as `check_hub`.
    """
    verified = await check_hub(
        folder, clock=clock, program=own_version(), only=only, pinned=pinned, kept=kept, report=report
    )
    return verified.as_json()


def verify_lines(found: Mapping[str, object], *, since: Checkpoint | None = None) -> str:
    """The result of the verification for people; `since` is the checkpoint from which it went on."""
    rows, messages, books = found.get(ROWS, {}), found.get(MESSAGES, {}), found.get(BOOKS, {})
    kept = found.get(KEPT, {})
    assert isinstance(rows, dict)
    assert isinstance(messages, dict)
    assert isinstance(books, dict)
    assert isinstance(kept, dict)
    lines = []
    if rows:
        lines.append(
            f"rows: {rows['rows']} compared with {rows['lines']} lines of the log of rows, the log with {rows['heads']}"
            f" day roots, {rows['acts']} decisions of people with their roles, {rows['bundles']} bundles of device maps"
            f" with the texts added, {rows['wrong']} wrong"
        )
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
    if kept:
        unnamed = f" ({kept['unnamed']} of them name no document of the books)" if kept["unnamed"] else ""
        lines.append(f"kept roots: {kept['roots']} compared with the books{unnamed}, {kept['wrong']} wrong")
    lines += [f"  {finding}" for half in (rows, messages, books, kept) for finding in half.get("findings", ())]
    if messages.get("wrong_sums"):
        lines.append(
            f"{messages['wrong_sums']} of these are sums of hours, days or months that are not those of the readings;"
            " nothing is settled by them. commonwatt-hub mend-sums makes them again, also while the hub runs"
        )
    if rows.get("taken_over"):
        began = datetime.fromtimestamp(rows["taken_over_at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines.append(
            f"taken over at upgrade: {rows['taken_over']} rows are older than the log of rows and are held by it since"
            f" {began}; what happened to them before, it cannot say"
        )
    if books.get("unsigned"):
        lines.append(
            f"not signed: all {books['unsigned']} runs were booked before this hub signed its books; nothing is wrong"
            " with that, only the chain of hashes holds them. The next settlement signs them"
        )
    lines += [f"erased by rule, not missing: {each}" for each in messages.get("erased", ())]
    if books.get("erased_days"):
        days = books["erased_days"]
        lines.append(
            f"not computed again: {len(days)} days, {days[0]} to {days[-1]}, rest on readings erased by rule; their"
            " records have the hashes that were signed"
        )
    if books.get("late_days"):
        lines.append(f"to be settled again for late readings or decisions: {', '.join(books['late_days'])}")
    if since is not None and (messages or books):
        lines.append(taken_over_line(since, found))
    lines.append("everything holds" if found["ok"] else "something does not hold: see the lines above")
    return "\n".join(lines) + "\n"
