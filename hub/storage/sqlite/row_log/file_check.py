"""Looks through a store's file for damage before anything is written to it. It opens the file for reading only."""

import logging
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiosqlite

from hub.storage.audit_records import FileCheck
from hub.storage.errors import StoreError
from hub.storage.sqlite.schema import lacks_steps

log = logging.getLogger(__name__)

BEFORE_UPGRADE_S: Final = 30.0
PROGRESS_STEPS: Final = 10_000


async def quick_check(db: aiosqlite.Connection, *, within_s: float) -> FileCheck:
    """The first damage SQLite's quick check finds in the file within this many seconds."""
    ends = time.monotonic() + within_s
    await db.set_progress_handler(lambda: int(time.monotonic() > ends), PROGRESS_STEPS)
    try:
        rows = list(await db.execute_fetchall("PRAGMA quick_check(1)"))
    except sqlite3.DatabaseError as error:
        return FileCheck(None, False) if "interrupted" in str(error) else FileCheck(str(error), False)
    finally:
        await db.set_progress_handler(None, 0)  # type: ignore[arg-type]
    found = " ".join(str(rows[0][0]).split()) if rows else ""
    return FileCheck(None if found == "ok" else found, True)


async def check_file(path: Path, *, within_s: float) -> FileCheck:
    """The same for a file that nobody here has opened yet. Raises: StoreError if there is none."""
    try:
        async with _opened_for_reading(path) as db:
            return await quick_check(db, within_s=within_s)
    except sqlite3.DatabaseError as error:
        return FileCheck(str(error), False)


async def refuse_damaged_upgrade(path: Path) -> None:
    """Before steps of the schema are applied: the file is looked through, because an upgrade rewrites what it reads.

    Raises: StoreError if it is damaged; no byte of it was changed then.
    """
    async with _opened_for_reading(path) as db:
        if not await lacks_steps(db):
            return
        check = await quick_check(db, within_s=BEFORE_UPGRADE_S)
    if check.problem is not None:
        raise StoreError(
            f"{path}: the store is damaged ({check.problem[:200]}) and was written by an earlier version: it is not"
            " upgraded, and nothing was written to it; restore the folder from a backup"
        )
    if not check.is_whole:
        log.warning("%s: only a part was looked through for damage before the upgrade; that part is sound", path)


@asynccontextmanager
async def _opened_for_reading(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    if not path.exists():
        raise StoreError(f"{path}: no store here; create one with: commonwatt-hub init")
    # A connection that may write would move a write-ahead log into the file when it is closed.
    db = await aiosqlite.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        yield db
    finally:
        await db.close()
