"""`commonwatt-hub restore`: makes a hub's folder from a backup, in a new folder, whole or not at all."""

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hub.backups.restoring import Restored, restore
from hub.backups.unlocking import add_lock_arguments, lock_for
from hub.folder.clock import open_clock
from hub.folder.opening import check_store, opened_hub
from hub.storage.errors import StoreError
from protocols.timeline import Clock

CHECK_S: Final = 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument(
        "--from", dest="backup", type=Path, required=True, metavar="FILE", help="the backup; --data is the new folder"
    )
    add_lock_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Restore and say what comes next. Raises: CommonwattError with a one-line message."""
    lock = lock_for(args.backup, key_file=args.key_file, passphrase_file=args.passphrase_file)
    clock = open_clock(args.clock)

    def check(folder: Path, found: Restored) -> None:
        asyncio.run(check_restored(folder, backup=args.backup, found=found, clock=clock))

    found = restore(args.backup, args.data, lock=lock, check=check)
    made = datetime.fromtimestamp(found.made_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    sys.stdout.write(
        f"restored the hub of {found.coop} as it was on {made} ({found.files} files) in {args.data}; next:\n"
    )
    sys.stdout.write(f"  commonwatt-hub verify --data {args.data}\n  commonwatt-hub run --data {args.data}\n")
    return 0


async def check_restored(folder: Path, *, backup: Path, found: Restored, clock: Clock) -> None:
    """Look through the store and open the hub. Raises: CommonwattError if it is damaged or does not belong together."""
    damage = await check_store(folder, within_s=CHECK_S)
    if damage.problem is not None:
        raise StoreError(f"{backup}: the store inside is damaged ({damage.problem[:200]}): use another backup")
    async with opened_hub(folder, clock=clock) as hub:
        if hub.settings.coop.id != found.coop:
            raise StoreError(f"{backup}: the store inside is of another co-op")
