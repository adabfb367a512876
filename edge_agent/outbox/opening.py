"""Opening the outbox: one process at a time, a damaged file set aside, the end of the chain found.

Only for the process that writes; `view` shows the outbox from outside.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite

from edge_agent.outbox.messages import ChainLink, OutboxError
from edge_agent.outbox.schema import APPLICATION_ID, FROM_VERSION_1, PAGE_BYTES, SCHEMA, VERSION
from edge_agent.outbox.store import Outbox
from protocols.durable_files import make_private_folder
from protocols.wire.chain import FIRST_PREVIOUS

log = logging.getLogger("commonwatt.agent")

FILE_NAME = "outbox.sqlite"
LOCK_NAME = "outbox.lock"


@asynccontextmanager
async def open_outbox(
    folder: Path, *, max_mb: int, now_s: float, patience_s: float = 5.0
) -> AsyncIterator[tuple[Outbox, Path | None]]:
    """The outbox in this folder, and the new name of a damaged one that was set aside.

    `patience_s`: how long each step waits for another program that reads it.

    Raises: OutboxError when another process has it or it cannot be written.
    """
    lock_fd = _lock(folder)
    try:
        connection, aside = await _sound_connection(folder / FILE_NAME, now_s, patience_s=patience_s)
        try:
            link, boot = await _begin(connection, now_s)
            outbox = Outbox(connection, link=link, boot=boot, max_bytes=max_mb << 20)
            outbox.watch_file(folder / FILE_NAME)
            yield outbox, aside
        finally:
            await connection.close()
    except sqlite3.Error as cause:
        raise OutboxError(f"{folder / FILE_NAME}: cannot be written: {cause}") from None
    finally:
        os.close(lock_fd)


def is_running(folder: Path) -> bool:
    """Whether an agent has this folder's outbox open now."""
    try:
        lock_fd = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock_fd)
    return False


def _lock(folder: Path) -> int:
    try:
        if not (folder / LOCK_NAME).exists():
            make_private_folder(folder)
        lock_fd = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as cause:
        raise OutboxError(f"{folder}: cannot be written: {cause.strerror or cause}") from None
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock_fd)
        raise OutboxError(f"{folder}: another agent is running on this folder: stop it first") from None
    return lock_fd


async def _sound_connection(path: Path, now_s: float, *, patience_s: float) -> tuple[aiosqlite.Connection, Path | None]:
    if connection := await _connected(path, patience_s):
        return connection, None
    aside = _set_aside(path, now_s)
    if connection := await _connected(path, patience_s):
        return connection, aside
    raise OutboxError(f"{path}: cannot create a new outbox: is the SD card full or worn out?")


async def _connected(path: Path, patience_s: float) -> aiosqlite.Connection | None:
    """A connection to a healthy file, None for any other. Leaves no thread behind, whatever goes wrong."""
    connection = await aiosqlite.connect(path, isolation_level=None)
    is_sound = False
    try:
        is_sound = await _is_sound(connection, patience_s)
    finally:
        if not is_sound:
            await connection.close()
    return connection if is_sound else None


def _set_aside(path: Path, now_s: float) -> Path:
    """Rename a damaged file and keep it for inspection."""
    aside = path.with_name(f"{path.name}.damaged-{int(now_s)}")
    path.rename(aside)
    for tail in ("-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)
    return aside


async def _is_sound(connection: aiosqlite.Connection, patience_s: float) -> bool:
    """Whether this is our file (or a new one) and passes SQLite's check."""
    try:
        await connection.execute(f"PRAGMA busy_timeout = {int(1000 * patience_s)}")
        mark = await _first(connection, "PRAGMA application_id")
        if mark not in (0, APPLICATION_ID) or await _first(connection, "PRAGMA quick_check(1)") != "ok":
            return False
        # NORMAL lost committed rows in power cut tests; FULL did not.
        await connection.execute("PRAGMA synchronous = FULL")
        await _bring_up_to_date(connection)
        await _first(connection, "PRAGMA journal_mode = WAL")
        await connection.executescript(SCHEMA)
        return await _first(connection, "SELECT count(*) FROM state WHERE version > ?", VERSION) == 0
    except sqlite3.OperationalError as cause:
        if "malformed" in str(cause) or "no such column" in str(cause):
            return False
        raise
    except sqlite3.DatabaseError:
        return False


async def _bring_up_to_date(connection: aiosqlite.Connection) -> None:
    """Bring an outbox of an older program into today's form and pages."""
    if await _first(connection, "SELECT 1 FROM pragma_table_info('message') WHERE name = 'epoch'") is not None:
        # If power fails before the commit, the old form is whole and this begins again.
        await connection.executescript(f"BEGIN IMMEDIATE; {FROM_VERSION_1} COMMIT;")
    if await _first(connection, "PRAGMA page_size") == PAGE_BYTES:
        return
    is_new = await _first(connection, "SELECT 1 FROM sqlite_master") is None
    try:
        # Pages change their size only outside write-ahead logging.
        await _first(connection, "PRAGMA journal_mode = DELETE")
        await connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        if not is_new:
            await connection.execute("VACUUM")
    except sqlite3.OperationalError as cause:
        log.warning("the outbox keeps its large pages, which wear the SD card more: %s", cause)


async def _first(connection: aiosqlite.Connection, sql: str, *parameters: object) -> object:
    async with connection.execute(sql, parameters) as cursor:
        row = await cursor.fetchone()
    return row[0] if row else None


async def _begin(connection: aiosqlite.Connection, now_s: float) -> tuple[ChainLink, int]:
    """Count this start and find the end of the chain. A new file starts a new epoch, later than any earlier one."""
    await connection.execute("BEGIN IMMEDIATE")
    await connection.execute(
        "INSERT INTO state (one, version, epoch, boot) VALUES (1, ?, ?, 0) ON CONFLICT DO NOTHING",
        (VERSION, max(1, int(now_s))),
    )
    await connection.execute("UPDATE state SET boot = boot + 1")
    async with connection.execute("SELECT epoch, boot, last_seq, last_hash FROM state") as cursor:
        row = await cursor.fetchone()
    await connection.execute("COMMIT")
    assert row is not None, "the state row was just written"
    return ChainLink(row[0], row[2] + 1, row[3] or FIRST_PREVIOUS), row[1]
