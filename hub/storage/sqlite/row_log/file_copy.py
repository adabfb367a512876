"""Copies a store's file while a hub writes to it: the copy is the store at one moment, with all that was committed."""

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from hub.storage.errors import StoreError

BUSY_TIMEOUT_S: Final = 20.0


def copy_file(path: Path, copy: Path) -> None:
    """Write a consistent copy to a new file for its owner alone, and look through it for damage.

    It waits for no writer and no writer waits for it. Raises: StoreError if the store is damaged; OSError if the copy
    cannot be written.
    """
    if not path.exists():
        raise StoreError(f"{path}: no store here")
    os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as store,
            closing(sqlite3.connect(copy)) as target,
        ):
            target.execute("PRAGMA synchronous = OFF")  # the copy is worth nothing after a power cut
            store.backup(target)  # in one step: a later write does not restart it
            target.execute("PRAGMA journal_mode = DELETE")
            found = " ".join(str(target.execute("PRAGMA quick_check(1)").fetchone()[0]).split())
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL,):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
        raise StoreError(f"{path}: the store is damaged ({error}): it was not backed up") from None
    if found != "ok":
        raise StoreError(f"{path}: the store is damaged ({found[:200]}): it was not backed up")
