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
from protocols.errors import RequestError
from protocols.timeline import Clock

NOW: Final = "now"
CONFIRM: Final = "confirm"
CHECK_S: Final = 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("what", nargs="?", default=NOW, choices=(NOW, CONFIRM), help="what to do (default: now)")
    parser.add_argument(
        "--from", dest="backup", type=Path, metavar="FILE", help="now: the backup; --data is the new folder"
    )
    parser.add_argument(
        "--by", metavar="ID", help="confirm: the board member who has looked at what happened after the backup"
    )
    add_lock_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Restore and say what comes next. Raises: CommonwattError with a one-line message."""
    if args.what == CONFIRM:
        return _confirm(args)
    if args.backup is None or args.by is not None:
        raise RequestError("restore: give --from FILE, the backup; --by belongs to: commonwatt-hub restore confirm")
    lock = lock_for(args.backup, key_file=args.key_file, passphrase_file=args.passphrase_file)
    clock = open_clock(args.clock)

    def check(folder: Path, found: Restored) -> None:
        asyncio.run(note_restore(folder, backup=args.backup, found=found, clock=clock))

    found = restore(args.backup, args.data, lock=lock, check=check)
    made = datetime.fromtimestamp(found.made_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    sys.stdout.write(
        f"restored the hub of {found.coop} as it was on {made} ({found.files} files) in {args.data}; next:\n"
    )
    sys.stdout.write(f"  commonwatt-hub verify --data {args.data}\n  commonwatt-hub run --data {args.data}\n")
    sys.stdout.write(
        "What happened after the backup is not in it; homes send their readings again. Nothing is published or paid\n"
        f"until a board member has looked and confirmed: commonwatt-hub restore confirm --data {args.data} --by ID\n"
    )
    return 0


def _confirm(args: argparse.Namespace) -> int:
    if args.by is None or args.backup is not None or args.key_file is not None or args.passphrase_file is not None:
        raise RequestError("restore confirm: give --by ID, a board member, and nothing else")
    asyncio.run(confirm(args.data, by=args.by, clock=open_clock(args.clock)))
    sys.stdout.write(
        "confirmed: the hub publishes and pays again; bills of the months until the restore get numbers of their own\n"
    )
    return 0


async def confirm(folder: Path, *, by: str, clock: Clock) -> None:
    """Note that a board member has looked at what happened after the backup. Raises: RequestError."""
    async with opened_hub(folder, clock=clock) as hub:
        if problem := await hub.store.confirm_restores(by=by, at=hub.opened_at):
            raise RequestError(f"restore confirm: {problem}")


async def note_restore(folder: Path, *, backup: Path, found: Restored, clock: Clock) -> None:
    """Look through the store, open the hub, and note in it that it was restored.

    Raises: CommonwattError if it is damaged or does not belong together.
    """
    damage = await check_store(folder, within_s=CHECK_S)
    if damage.problem is not None:
        raise StoreError(f"{backup}: the store inside is damaged ({damage.problem[:200]}): use another backup")
    async with opened_hub(folder, clock=clock) as hub:
        if hub.settings.coop.id != found.coop:
            raise StoreError(f"{backup}: the store inside is of another co-op")
        await hub.store.add_restore(backup_made_at=found.made_at, restored_at=hub.opened_at)
