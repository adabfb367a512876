"""`commonwatt-hub auditor-file`: the complete pool series of a month's runs, for the elected auditor alone."""

import argparse
import asyncio
import sys
from datetime import date
from pathlib import Path
from typing import Final

from hub.commands.periods import parse_month
from hub.console.output_files import write_new
from hub.core.ledger.signed_document import canonical_bytes
from hub.folder.clock import open_clock
from hub.folder.keys.salt_key import load_seals
from hub.folder.opening import open_hub
from hub.statements.publication import complete_series
from hub.storage.records import Access
from protocols.errors import RequestError
from protocols.timeline import Clock

REASON_CHARS_MAX: Final = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--month", required=True, metavar="MONTH", help="a month like 2026-05")
    parser.add_argument("--by", required=True, metavar="ID", help="the board member who hands the file to the auditor")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; each home's access log shows it")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to make; not there yet")


def run(args: argparse.Namespace) -> int:
    """Write the file. Raises: RequestError with a one-line message; then nothing is written."""
    reason = args.reason.strip()
    if not 0 < len(reason) <= REASON_CHARS_MAX or not reason.isprintable():
        raise RequestError(f"--reason: expected 1 to {REASON_CHARS_MAX} printable characters")
    if args.out.exists():
        raise RequestError(f"{args.out} already exists; nothing written, choose another name")
    month, clock = parse_month(args.month), open_clock(args.clock)
    series = asyncio.run(_series(args.data, month=month, by=args.by, reason=reason, clock=clock))
    newest = {each["day"]: each for each in series}
    document = {"days": list(newest.values()), "earlier": [each for each in series if each is not newest[each["day"]]]}
    try:
        write_new(args.out, canonical_bytes(document) + b"\n")
    except OSError as error:
        raise RequestError(f"cannot write {args.out}: {error.strerror or error}") from None
    sys.stdout.write(f"{args.out}: {len(series)} runs of days in {month:%Y-%m}, for the auditor alone\n")
    return 0


async def _series(folder: Path, *, month: date, by: str, reason: str, clock: Clock) -> list[dict[str, object]]:
    settings, _, store = await open_hub(folder, clock=clock)
    try:
        member = await store.member(by)
        if member is None or not member.is_board:
            raise RequestError(f"--by {by[:40]}: not a member of the board")
        access = Access(actor=by, role="board", purpose="settle.share", reason=reason)
        return await complete_series(
            store, month, seals=load_seals(folder), access=access, tz=settings.coop.tz, coop=settings.coop.id
        )
    finally:
        await store.close()
