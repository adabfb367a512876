"""Looks through a store's file for damage before anything is written to it. It opens the file for reading only."""

import logging
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Final

from hub.storage.audit_records import FileCheck
from hub.storage.errors import StoreError
from hub.storage.sqlite.schema import lacks_steps
from hub.storage.sqlite.threads.connection import FileConnection
from hub.storage.sqlite.threads.file_thread import FileThread

log = logging.getLogger(__name__)

BEFORE_UPGRADE_S: Final = 30.0
PROGRESS_STEPS: Final = 10_000


async def quick_check(db: FileConnection, *, within_s: float) -> FileCheck:
    """The first damage SQLite's quick check finds in the file within this many seconds."""
    return await db.run(partial(_quick_check, within_s=within_s))


def _quick_check(plain: sqlite3.Connection, *, within_s: float) -> FileCheck:
    ends = time.monotonic() + within_s
    plain.set_progress_handler(lambda: int(time.monotonic() > ends), PROGRESS_STEPS)
    try:
        rows = plain.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.DatabaseError as error:
        return FileCheck(None, False) if "interrupted" in str(error) else FileCheck(str(error), False)
    finally:
        plain.set_progress_handler(None, 0)
    found = " ".join(str(rows[0][0]).split()) if rows else ""
    return FileCheck(None if found == "ok" else found, True)


async def check_file(path: Path, *, within_s: float) -> FileCheck:
    """The same for a file that nobody here has opened yet. Raises: StoreError if there is none."""
    try:
        opened = await open_for_reading(path)
        try:
            return await opened.work(partial(quick_check, within_s=within_s))
        finally:
            await opened.close()
    except sqlite3.DatabaseError as error:
        return FileCheck(str(error), False)


async def open_for_reading(path: Path, *, script: str = "") -> FileThread:
    """The file for reading only, where this script was run. Raises: StoreError if there is none."""
    if not path.exists():
        raise StoreError(f"{path}: no store here; create one with: commonwatt-hub init")
    # A connection that may write would move a write-ahead log into the file when it is closed.
    return await FileThread.open(f"{path.absolute().as_uri()}?mode=ro", script=script, is_uri=True)


async def refuse_damaged_upgrade(reader: FileThread, path: Path) -> None:
    """Before steps of the schema are applied: the file is looked through, because an upgrade rewrites what it reads.

    Raises: StoreError if it is damaged; no byte of it was changed then.
    """
    check = await reader.work(_check_if_behind)
    if check is None:
        return
    if check.problem is not None:
        raise StoreError(
            f"{path}: the store is damaged ({check.problem[:200]}) and was written by an earlier version: it is not"
            " upgraded, and nothing was written to it; restore the folder from a backup"
        )
    if not check.is_whole:
        log.warning("%s: only a part was looked through for damage before the upgrade; that part is sound", path)


async def _check_if_behind(db: FileConnection) -> FileCheck | None:
    return await quick_check(db, within_s=BEFORE_UPGRADE_S) if await lacks_steps(db) else None
