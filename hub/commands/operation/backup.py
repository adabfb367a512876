"""`commonwatt-hub backup`: backs the whole hub up, sealed, while it runs or not; makes or shows the key for that."""

import argparse
import sys
from pathlib import Path
from typing import Final

from hub.backups.keys import key_text, load_backup_key, make_backup_key
from hub.backups.sealed_file import KeyLock, PassphraseLock
from hub.backups.service import BackupWish, back_up
from hub.console.passphrase import OPTION, OPTION_WORDS, read_passphrase
from hub.folder.backup_settings import SftpAddress, parse_place
from hub.folder.clock import open_clock
from hub.folder.settings import load_settings
from hub.trust.invitation_code import terminal_code
from protocols.errors import RequestError

NOW: Final = "now"
KEY: Final = "key"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("what", nargs="?", default=NOW, choices=(NOW, KEY), help="what to do (default: now)")
    parser.add_argument(
        "--to", type=_place, metavar="PLACE",
        help="now: a folder on another disk, or sftp://user@host/folder; without it the one in hub.toml",
    )  # fmt: skip
    parser.add_argument(
        "--passphrase", action="store_true", help="now: seal with a passphrase instead of the backup key"
    )
    parser.add_argument(OPTION, type=Path, metavar="FILE", help=f"now, with --passphrase: {OPTION_WORDS}")
    parser.add_argument(
        "--new-disk", action="store_true", help="now: the place has none of the backups it had, and that is right"
    )
    parser.add_argument("--show", action="store_true", help="key: show the key that the hub has, to write it down")


def run(args: argparse.Namespace) -> int:
    """Make a backup or a key. Raises: CommonwattError with a one-line message."""
    settings = load_settings(args.data)
    if args.what == KEY:
        if args.to is not None or args.passphrase or args.new_disk:
            raise RequestError("backup key: takes --show only")
        sys.stdout.write(_key_lines(args.data, is_shown=args.show))
        return 0
    if settings.store is not None:
        raise RequestError(
            "backup: the store is on a server, which is backed up with its own tools, together with this folder: see"
            " docs/postgres.md, Backups"
        )
    if args.show:
        raise RequestError("backup: --show belongs to: commonwatt-hub backup key --show")
    if args.passphrase_file is not None and not args.passphrase:
        raise RequestError(f"backup: {OPTION} goes with --passphrase")
    lock = None
    if args.passphrase:
        lock = PassphraseLock(read_passphrase(args.passphrase_file, words="the backup", is_new=True))
    made = back_up(
        args.data,
        coop=settings.coop,
        settings=settings.backup,
        made_at=int(open_clock(args.clock).now()),
        wish=BackupWish(args.to, lock, is_new_disk=args.new_disk),
    )
    sys.stdout.write(
        f"{made.name}: {made.files} files, {made.size_bytes / 2**20:.1f} MiB, sealed, read back and found whole\n"
    )
    for name in made.removed:
        sys.stdout.write(f"  no longer kept: {name}\n")
    return 0


def _key_lines(folder: Path, *, is_shown: bool) -> str:
    lock: KeyLock = load_backup_key(folder) if is_shown else make_backup_key(folder)
    code = f"{terminal_code(key_text(lock))}\n" if sys.stdout.isatty() else ""
    return (
        f"backup key {lock.mark}:\n\n  {key_text(lock)}\n\n{code}"
        "Write it down and keep it in a safe, away from this computer: without it no backup can ever be opened,\n"
        "and whoever has it and a backup reads everything in it.\n"
    )


def _place(text: str) -> Path | SftpAddress:
    found = parse_place(text if text.startswith("sftp:") else str(Path(text).absolute()))
    if found is None:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is not a folder or an address like sftp://user@host/folder")
    return found
