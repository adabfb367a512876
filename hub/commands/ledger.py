"""`commonwatt-hub ledger`: exports the hub's whole ledger as beancount, CSV or JSON, checking its chain."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from hub.commands.members.named_look import add_by, look_at_all
from hub.console.output_files import new_file
from hub.core.ledger.entries import GENESIS, verify_chain
from hub.core.ledger.export import BeancountExport, CsvExport, JsonExport, LedgerExport
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.storage.access_records import LEDGER_FIELDS
from hub.storage.contract import BookStore
from protocols.errors import RequestError
from protocols.timeline import Clock

PAGE: Final = 2000
FORMS: Final[Mapping[str, Callable[[str, str], LedgerExport]]] = {
    "beancount": BeancountExport,
    "csv": lambda _title, currency: CsvExport(currency),
    "json": JsonExport,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--format", choices=sorted(FORMS), required=True, help="which form")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write; not there yet")
    add_by(parser)


def run(args: argparse.Namespace) -> int:
    """Write the ledger, whole or not at all. Raises: RequestError with a one-line message."""
    count = asyncio.run(export_hub(args.data, args.out, form=args.format, by=args.by, clock=open_clock(args.clock)))
    sys.stdout.write(f"{args.out}: {count} entries\n")
    return 0


async def export_hub(folder: Path, out: Path, *, form: str, by: str, clock: Clock) -> int:
    """Write the ledger of the hub in `folder` to `out`; returns the number of entries. Raises: RequestError."""
    settings, _, store = await open_hub(folder, clock=clock)
    try:
        coop = settings.coop
        # The export reads every member's entries, so the access is first recorded in each home's log (I12).
        homes = [home.id for home in await store.homes()]
        access = await look_at_all(
            store, by, command="ledger", purpose="settle.share", reason="the ledger was exported"
        )
        await store.log_access(access, homes, fields=LEDGER_FIELDS, rows=(await store.ledger_head())[0])
        return await export_books(store, FORMS[form](coop.name, coop.currency), out=out)
    finally:
        await store.close()


async def export_books(store: BookStore, export: LedgerExport, *, out: Path) -> int:
    """Export every entry in the store. Raises: RequestError if the chain is broken."""
    count, previous = 0, GENESIS
    with new_file(out) as file:
        file.write(export.head().encode("utf-8"))
        while rows := await store.entries(after_position=count, limit=PAGE):
            if broken := verify_chain(rows, previous=previous, first_position=count + 1):
                raise RequestError(f"the ledger is broken at position {broken}: run `commonwatt-hub verify`")
            for row in rows:
                file.write(export.add(row).encode("utf-8"))
            count, previous = rows[-1].position, rows[-1].hash
        file.write(export.foot().encode("utf-8"))
    return count
