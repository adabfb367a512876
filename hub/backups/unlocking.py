"""How a person gives the backup key or the passphrase that opens a backup: a file, standard input, or typed unseen."""

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import Final

from hub.backups.keys import parse_key
from hub.backups.sealed_file import KeyLock, Lock, PassphraseLock, read_header
from hub.console.passphrase import OPTION, OPTION_WORDS, STANDARD_INPUT, can_ask, read_passphrase
from protocols.errors import RequestError

MAX_BYTES: Final = 1024


def add_lock_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what opens a backup."""
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE",
        help="read the backup key from this file; - reads standard input; asked at the terminal without it",
    )  # fmt: skip
    parser.add_argument(OPTION, type=Path, metavar="FILE", help=OPTION_WORDS)


def lock_for(backup: Path, *, key_file: Path | None, passphrase_file: Path | None) -> Lock:
    """What opens this backup: from a file, or typed if the program runs on a terminal.

    Raises: SealedFileError if it is no backup; RequestError or InputError if the key or passphrase cannot be used.
    """
    if key_file is not None and passphrase_file is not None:
        raise RequestError("give --key-file or --passphrase-file, not both")
    try:
        with backup.open("rb") as file:
            header = read_header(file, name=str(backup))
    except OSError as error:
        raise RequestError(f"{backup}: cannot be read: {error.strerror}") from None
    if key_file is not None:
        return _read_key(key_file)
    if header.kind == "passphrase" or passphrase_file is not None:
        return PassphraseLock(read_passphrase(passphrase_file, words="the backup", is_new=False))
    if not can_ask():
        raise RequestError(f"{backup}: sealed with backup key {header.mark}: give it with --key-file FILE")
    return parse_key(getpass.getpass(f"backup key {header.mark}: "), source="what was typed")


def _read_key(path: Path) -> KeyLock:
    try:
        if path == STANDARD_INPUT:
            raw = sys.stdin.buffer.readline(MAX_BYTES)
        else:
            with path.open("rb") as file:
                mode, raw = os.fstat(file.fileno()).st_mode, file.readline(MAX_BYTES)
            if mode & 0o077:
                raise RequestError(f"{path}: other users can read the backup key; fix it with: chmod 600 {path}")
    except OSError as error:
        raise RequestError(f"{path}: cannot read the backup key: {error.strerror}") from None
    return parse_key(raw.decode("utf-8", "replace"), source=str(path))
