"""One writer with group commit and a few readers over a SQLite file; it knows transactions, not tables.

Writes queued while another commit runs share the next commit and its fsync. Each has its own savepoint, so a failed
write does not undo the others. A whole commit is one crossing to the file's thread.
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

from hub.core.ledger.signed_document import Signer
from hub.storage.errors import StoreError, StoreLockedError, StoreRefusedError
from hub.storage.sql.backends.commit_queue import CommitQueue, Queued
from hub.storage.sql.connection import Connection, Transactions, Work
from hub.storage.sql.row_log.owner import refuse_foreign
from hub.storage.sql.row_log.sealing import newest_waiting, seal_changes
from hub.storage.sqlite.row_log.file_check import open_for_reading, refuse_damaged_upgrade
from hub.storage.sqlite.row_log.install import install_log
from hub.storage.sqlite.schema import lacks_steps, migrate
from hub.storage.sqlite.threads.connection import FileConnection, FileWork, Snapshot, read_through, run_through
from hub.storage.sqlite.threads.file_thread import FileThread

log = logging.getLogger(__name__)

T = TypeVar("T")

READERS: Final = 3
BUSY_TIMEOUT_MS: Final = 20_000

_FILE_TROUBLE: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY}
)

_LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_NO_ACCESS: Final = frozenset(
    {sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL}
)


class SqliteConnections(Transactions):
    """The open file."""

    def __init__(
        self,
        place: str,
        *,
        writer: FileThread,
        readers: list[FileThread],
        now: Callable[[], float],
        signer: Signer | None = None,
    ) -> None:
        super().__init__(place, now=now, signer=signer)
        self._writer = writer
        self._all_readers = readers
        self._readers: asyncio.LifoQueue[FileThread] = asyncio.LifoQueue()
        for reader in readers:
            self._readers.put_nowait(reader)
        self._is_closing = False
        self._queue = CommitQueue(self._commit)
        self.commits = 0
        """How many have been made, each of one or more writes that waited together."""

    @classmethod
    async def open(
        cls, path: Path, *, now: Callable[[], float], create: bool = False, signer: Signer | None = None
    ) -> Self:
        """Open the store (with `create`, create it) and bring its schema up to date.

        Raises: StoreError (one line) if the file is missing, unreadable, damaged or from a newer version.
        """
        opened: list[FileThread] = []
        try:
            _ensure_file(path, create=create)
            opened.append(await open_for_reading(path, script=_configuration(is_writer=False)))
            await refuse_damaged_upgrade(opened[0], path)
            opened.append(await FileThread.open(path, script=_configuration(is_writer=True)))
            await opened[1].work(partial(_bring_up_to_date, path=path, create=create, at=int(now()), signer=signer))
            while len(opened) <= READERS:
                opened.append(await FileThread.open(path, script=_configuration(is_writer=False)))
        except (sqlite3.Error, OSError) as error:
            await _close_all(opened)
            hint = ": is the disk full?" if "disk I/O" in str(error) else ""
            if "malformed" in str(error) or "not a database" in str(error):
                hint = ": the file is damaged, restore the folder from a backup"
            raise _kind_of(error)(f"{path}: cannot open the store: {error}{hint}") from None
        except BaseException:
            await _close_all(opened)
            raise
        # The first to read is the one that knows the schema already: to learn it takes longer than most reads.
        readers = [*opened[2:], opened[0]]
        return cls(str(path), writer=opened[1], readers=readers, now=now, signer=signer)

    async def close(self) -> None:
        """Finish the queued writes, then close the file. Safe to call twice."""
        self._is_closing = True
        await self._queue.close()
        # The last to be closed empties the write-ahead log, which takes one that may write.
        await _close_all([*self._all_readers, self._writer])

    async def size_bytes(self) -> int:
        """The file and its write-ahead log, as they lie in the folder."""
        return sum(_size_bytes(Path(f"{self.place}{end}")) for end in ("", "-wal", "-shm"))

    async def write(self, work: Work[T] | FileWork[T]) -> T:
        """Run `work` inside the next commit; returns only when that commit is on disk.

        Raises: any exception from `work` (its changes are undone), or StoreError if the commit itself failed.
        """
        if self._is_closing:
            raise StoreError(f"{self.place}: the store is closed")
        result: T = await self._queue.put(work)
        return result

    async def read(self, work: Work[T] | FileWork[T]) -> T:
        """Run `work` on a consistent snapshot of committed rows, all of it in one crossing to a reader's thread.

        Raises: StoreError if the file cannot be read, StoreLockedError if it is locked for too long.
        """
        reader = await self._readers.get()
        try:
            return await reader.run(partial(read_through, work))
        except sqlite3.Error as error:
            raise self._unread(error) from None
        finally:
            self._readers.put_nowait(reader)  # safe even if this await is cancelled: the thread ends one step first

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[FileConnection]:
        """A reader with a consistent snapshot of committed rows. Raises: StoreError if the file cannot be read."""
        reader = await self._readers.get()
        try:
            yield Snapshot(reader.run)
        except sqlite3.Error as error:
            raise self._unread(error) from None
        finally:
            # Not waited for: it is done before the reader's next use, which would undo it once more if it failed.
            reader.run_later(_end_snapshot)
            self._readers.put_nowait(reader)

    def _unread(self, error: sqlite3.Error) -> StoreError:
        return _kind_of(error)(f"{self.place}: the store could not be read: {error}")

    async def _commit(self, works: list[Queued]) -> None:
        try:
            await self._writer.work(partial(self._write_all, works))
        except sqlite3.Error as error:
            await self._roll_back()
            raise StoreError(f"{self.place}: the store could not write: {error}") from None
        self.commits += 1

    async def _roll_back(self) -> None:
        try:
            await self._writer.run(lambda plain: plain.rollback())
        except sqlite3.Error as error:
            log.error(
                "%s: a failed write could not be undone: %s; trying again before the next write", self.place, error
            )

    async def _write_all(self, works: list[Queued], db: FileConnection) -> None:
        await db.run(_begin_writing)
        waiting = await newest_waiting(db)
        for queued in works:
            await self._run_in_savepoint(queued, db)
        await seal_changes(db, after=waiting, at=int(self._now()), signer=self._signer)
        # If power fails before this line returns, nothing was written and no caller has got a result.
        await db.run(lambda plain: plain.commit())

    async def _run_in_savepoint(self, queued: Queued, db: FileConnection) -> None:
        await db.execute("SAVEPOINT work")
        try:
            queued.result = await db.run(partial(run_through, queued.work))
        except Exception as error:
            if not await db.run(lambda plain: plain.in_transaction) or _is_trouble_of_the_file(error):
                raise sqlite3.OperationalError(str(error)) from error  # the whole transaction is gone (disk full)
            await db.execute("ROLLBACK TO work")
            # A full disk may spare the transaction: to the caller it is still the store that failed.
            is_store = isinstance(error, sqlite3.OperationalError)
            queued.error = StoreError(f"{self.place}: the store could not write: {error}") if is_store else error
        await db.execute("RELEASE work")


def _kind_of(error: sqlite3.Error | OSError) -> type[StoreError]:
    """Whether this says that the file is out of reach, or something of what is in it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _LOCKED:
        return StoreLockedError
    return StoreRefusedError if code in _NO_ACCESS or isinstance(error, PermissionError) else StoreError


def _begin_writing(plain: sqlite3.Connection) -> None:
    if plain.in_transaction:  # an earlier rollback failed
        plain.rollback()
    plain.execute("BEGIN IMMEDIATE")


def _end_snapshot(plain: sqlite3.Connection) -> None:
    plain.rollback()


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # a file beside the store that has just gone


def _is_trouble_of_the_file(error: Exception) -> bool:
    """Whether the disk or the file failed, rather than this one piece of work."""
    return isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _FILE_TROUBLE


def _ensure_file(path: Path, *, create: bool) -> None:
    if path.exists():
        # Refuse an unreadable file here: a connection that fails to open would leave its thread behind.
        with path.open("rb"):
            return
    if not create:
        raise StoreError(f"{path}: no store here; create one with: commonwatt-hub init")
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _configuration(*, is_writer: bool) -> str:
    own = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL" if is_writer else "PRAGMA query_only = ON"
    return f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; {own}"


async def _bring_up_to_date(db: FileConnection, *, path: Path, create: bool, at: int, signer: Signer | None) -> None:
    if not create:
        await _refuse_empty(db, path)
        await _refuse_foreign_upgrade(db, path, signer)
    await migrate(db, place=str(path), finish=partial(install_log, db, at=at, signer=signer))


async def _refuse_empty(db: Connection, path: Path) -> None:
    """Refuse an emptied file: with new tables it would look like a hub that has never received anything."""
    if not list(await db.execute_fetchall("SELECT 1 FROM sqlite_master LIMIT 1")):
        raise StoreError(f"{path}: the store is empty, its data is lost: restore it from a backup")


async def _refuse_foreign_upgrade(db: FileConnection, path: Path, signer: Signer | None) -> None:
    """An upgrade signs the log of rows: that of another hub's file is left to that hub."""
    has_log = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'row_log_head'"
    if await lacks_steps(db) and list(await db.execute_fetchall(has_log)):
        await refuse_foreign(db, signer, place=str(path))


async def _close_all(connections: list[FileThread]) -> None:
    for connection in connections:
        await connection.close()
