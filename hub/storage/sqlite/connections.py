"""One writer with group commit and a few readers over a SQLite file; it knows transactions, not tables.

Writes queued while another commit runs share the next commit and its fsync. Each has its own savepoint, so a failed
write does not undo the others.
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import aiosqlite

from hub.core.ledger.signed_document import Signer
from hub.storage.errors import StoreError
from hub.storage.sqlite.row_log.file_check import refuse_damaged_upgrade
from hub.storage.sqlite.row_log.sealing import install_log, newest_waiting, seal_changes
from hub.storage.sqlite.schema import migrate

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[aiosqlite.Connection], Awaitable[T]]

READERS: Final = 3
MAX_WORKS_PER_COMMIT: Final = 64
BUSY_TIMEOUT_MS: Final = 20_000

_FILE_TROUBLE: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY}
)


@dataclass(slots=True)
class _Queued:
    work: Work[Any]
    done: asyncio.Future[Any]


class SqliteConnections:
    """The open file. `now` returns unix seconds, for rows that record the time of a request (the access log).

    `signer` is the hub's key, which signs the log of rows; without it the log is kept and its head is not signed.
    """

    def __init__(
        self,
        place: str,
        *,
        writer: aiosqlite.Connection,
        readers: list[aiosqlite.Connection],
        now: Callable[[], float],
        signer: Signer | None = None,
    ) -> None:
        self.place = place
        self._writer = writer
        self._all_readers = readers
        self._readers: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        for reader in readers:
            self._readers.put_nowait(reader)
        self._now = now
        self._signer = signer
        self._queue: asyncio.Queue[_Queued | None] = asyncio.Queue()
        self._is_closing = False
        self._task = asyncio.create_task(self._write_until_closed(), name="store-writer")

    @classmethod
    async def open(
        cls, path: Path, *, now: Callable[[], float], create: bool = False, signer: Signer | None = None
    ) -> Self:
        """Open the store (with `create`, create it) and bring its schema up to date.

        Raises: StoreError (one line) if the file is missing, unreadable, damaged or from a newer version.
        """
        # At DEBUG the library logs each statement with its values, such as readings and IBANs (I10).
        logging.getLogger("aiosqlite").setLevel(logging.INFO)
        opened: list[aiosqlite.Connection] = []
        try:
            _ensure_file(path, create=create)
            await refuse_damaged_upgrade(path)
            for is_writer in (True, *([False] * READERS)):
                opened.append(await aiosqlite.connect(path, isolation_level=None, cached_statements=256))
                await _configure(opened[-1], is_writer=is_writer)
                if is_writer:
                    if not create:
                        await _refuse_empty(opened[0], path)
                    begin_log = partial(install_log, opened[0], at=int(now()), signer=signer)
                    await migrate(opened[0], place=str(path), finish=begin_log)
        except (sqlite3.Error, OSError) as error:
            await _close_all(opened)
            hint = ": is the disk full?" if "disk I/O" in str(error) else ""
            if "malformed" in str(error) or "not a database" in str(error):
                hint = ": the file is damaged, restore the folder from a backup"
            raise StoreError(f"{path}: cannot open the store: {error}{hint}") from None
        except BaseException:
            await _close_all(opened)
            raise
        return cls(str(path), writer=opened[0], readers=opened[1:], now=now, signer=signer)

    async def close(self) -> None:
        """Finish the queued writes, then close the file. Safe to call twice."""
        self._is_closing = True
        if not self._task.done():
            self._queue.put_nowait(None)
            await self._task
        await _close_all([self._writer, *self._all_readers])

    async def write(self, work: Work[T]) -> T:
        """Run `work` inside the next commit; returns only when that commit is on disk.

        Raises: any exception from `work` (its changes are undone), or StoreError if the commit itself failed.
        """
        if self._is_closing:
            raise StoreError(f"{self.place}: the store is closed")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Queued(work, done))
        return await done

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[aiosqlite.Connection]:
        """A reader with a consistent snapshot of committed rows. Raises: StoreError if the file cannot be read."""
        reader = await self._readers.get()
        try:
            await reader.execute("BEGIN")
            yield reader
        except sqlite3.Error as error:
            raise StoreError(f"{self.place}: the store could not be read: {error}") from None
        finally:
            try:
                await reader.rollback()
            finally:
                # This is safe even if the await is cancelled: the rollback is queued on the reader before its next use.
                self._readers.put_nowait(reader)

    async def _write_until_closed(self) -> None:
        closing = False
        while not closing:
            works: list[_Queued] = []
            taken = await self._queue.get()
            while taken is not None:
                works.append(taken)
                if len(works) == MAX_WORKS_PER_COMMIT or self._queue.empty():
                    break
                taken = self._queue.get_nowait()
            closing = taken is None
            if works:
                await self._commit(works)

    async def _commit(self, works: list[_Queued]) -> None:
        results: list[tuple[_Queued, Any]] = []
        try:
            if self._writer.in_transaction:  # an earlier rollback failed
                await self._writer.rollback()
            await self._writer.execute("BEGIN IMMEDIATE")
            waiting = await newest_waiting(self._writer)
            for queued in works:
                await self._run_in_savepoint(queued, results)
            await seal_changes(self._writer, after=waiting, at=int(self._now()), signer=self._signer)
            # If power fails before this line returns, nothing was written and no caller has got a result.
            await self._writer.commit()
        except sqlite3.Error as error:
            await self._roll_back()
            for queued in works:
                _fail(queued, StoreError(f"{self.place}: the store could not write: {error}"))
            return
        for queued, result in results:
            if not queued.done.done():
                queued.done.set_result(result)

    async def _roll_back(self) -> None:
        try:
            await self._writer.rollback()
        except sqlite3.Error as error:
            log.error(
                "%s: a failed write could not be undone: %s; trying again before the next write", self.place, error
            )

    async def _run_in_savepoint(self, queued: _Queued, results: list[tuple[_Queued, Any]]) -> None:
        await self._writer.execute("SAVEPOINT work")
        try:
            result = await queued.work(self._writer)
        except Exception as error:
            if not self._writer.in_transaction or _is_trouble_of_the_file(error):
                raise sqlite3.OperationalError(str(error)) from error  # the whole transaction is gone (disk full)
            await self._writer.execute("ROLLBACK TO work")
            await self._writer.execute("RELEASE work")
            # A full disk may spare the transaction: to the caller it is still the store that failed.
            is_store = isinstance(error, sqlite3.OperationalError)
            _fail(queued, StoreError(f"{self.place}: the store could not write: {error}") if is_store else error)
            return
        await self._writer.execute("RELEASE work")
        results.append((queued, result))


def _is_trouble_of_the_file(error: Exception) -> bool:
    """Whether the disk or the file failed, rather than this one piece of work."""
    return isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _FILE_TROUBLE


def _fail(queued: _Queued, error: Exception) -> None:
    if not queued.done.done():
        queued.done.set_exception(error)


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


async def _configure(db: aiosqlite.Connection, *, is_writer: bool) -> None:
    own = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL" if is_writer else "PRAGMA query_only = ON"
    await db.executescript(
        f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; {own}"
    )


async def _refuse_empty(db: aiosqlite.Connection, path: Path) -> None:
    """Refuse an emptied file: with new tables it would look like a hub that has never received anything."""
    if not list(await db.execute_fetchall("SELECT 1 FROM sqlite_master LIMIT 1")):
        raise StoreError(f"{path}: the store is empty, its data is lost: restore it from a backup")


async def _close_all(connections: list[aiosqlite.Connection]) -> None:
    for connection in connections:
        await connection.close()
