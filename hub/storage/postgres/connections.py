"""One writer with group commit and a few readers on a PostgreSQL server; it knows transactions, not tables.

Writers of one co-op take turns, in this process and in every other one: a commit begins by taking the co-op's lock and
the server gives it back after the commit. So a writer sees all that was committed before it, as it does in SQLite, and
the log of rows is one chain. Readers wait for nobody.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Self, TypeVar

import asyncpg

from hub.core.ledger.signed_document import Signer
from hub.storage.errors import StoreAwayError, StoreError
from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.connection import KnownMonths, ServerConnection
from hub.storage.postgres.job_queue.guard import behind_guard
from hub.storage.postgres.outage import Outage, kind_of
from hub.storage.postgres.schema import refuse_other_schema
from hub.storage.postgres.session import LOST, TROUBLE, Pool, Session, connected, pooled
from hub.storage.sql.backends.commit_queue import CommitQueue, Queued
from hub.storage.sql.connection import Transactions, Work
from hub.storage.sql.row_log.sealing import newest_waiting, seal_changes

log = logging.getLogger(__name__)

T = TypeVar("T")

READERS: Final = 3
CONNECT_S: Final = 10.0
STATEMENT_S = 300.0
"""A statement of a running hub that takes longer gets no answer any more; waiting for the co-op's lock is one too."""
CACHED_STATEMENTS: Final = 1024
IDLE_MS: Final = 60_000
"""A process that stops in the middle of a transaction gives the co-op's lock back after this time."""

# A server, a database or a role may have other values for whoever asks for none. A commit that returns before it is on
# disk would be receipted, and a snapshot from before the lock would number rows twice.
_ON_DISK_SQL: Final = """SELECT set_config('synchronous_commit', 'on', true)
WHERE current_setting('synchronous_commit') IN ('off', 'local')"""
_SIZE_SQL: Final = """SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"""
_BEGIN_WRITING: Final = f"BEGIN ISOLATION LEVEL READ COMMITTED; {_ON_DISK_SQL}"
_BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresConnections(Transactions):
    """The open store on a server."""

    def __init__(
        self, address: StoreAddress, *, readers: Pool, writer: Session, now: Callable[[], float], signer: Signer | None
    ) -> None:
        super().__init__(address.place, now=now, signer=signer)
        self._address = address
        self._readers = readers
        self._writer: Session | None = writer
        self._months = KnownMonths(now)
        self._is_closing = False
        self._outage = Outage(address.place)
        self._queue = CommitQueue(self._commit)

    @classmethod
    async def open(cls, address: StoreAddress, *, now: Callable[[], float], signer: Signer | None = None) -> Self:
        """Open a store that was prepared for this program.

        Raises: StoreAwayError if the server cannot be reached now, StoreError if it refuses, or if its schema is
        another one; one line each.
        """
        try:
            writer = await _connect_bounded(address)
            try:
                await refuse_other_schema(writer, address.place)
                readers = await pooled(address.dsn, _bounded(address), most=READERS)
            except BaseException:
                writer.terminate()
                raise
        except TROUBLE as error:
            raise _not_opened(address, error) from None
        return cls(address, readers=readers, writer=writer, now=now, signer=signer)

    @property
    def trouble(self) -> StoreError | None:
        """What keeps the server from serving the store, as the last tries found; None if all is well."""
        return self._outage.trouble

    async def close(self) -> None:
        """Finish the queued writes, then end the sessions. Safe to call twice."""
        self._is_closing = True
        await self._queue.close()
        await self._give_up_writer()
        self._readers.terminate()

    async def size_bytes(self) -> int:
        """All tables and indexes of the schema, as the server says. Raises: StoreError."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_SIZE_SQL)
        return int(rows[0][0])

    async def write(self, work: Work[T]) -> T:
        """Run `work` inside the next commit; returns only when that commit is on disk.

        Raises: any exception from `work` (its changes are undone), or StoreError if the commit itself failed.
        """
        if self._is_closing:
            raise StoreError(f"{self.place}: the store is closed")
        result: T = await self._queue.put(behind_guard(work))
        return result

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a consistent snapshot of committed rows. Raises: StoreError if the server cannot be read."""
        async with self.reading() as db:
            return await work(db)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[ServerConnection]:
        """A consistent snapshot of committed rows. Raises: StoreError if the server cannot be read."""
        try:
            async with self._readers.acquire(timeout=CONNECT_S) as session:
                try:
                    await session.execute(_BEGIN_READING)
                    yield ServerConnection(session, self._months)
                except (*LOST, asyncio.CancelledError):
                    session.terminate()  # it may not answer a ROLLBACK either
                    raise
                except BaseException:
                    await _roll_back(session)
                    raise
                await _roll_back(session)
        except TROUBLE as error:
            raise self._outage.error("be read", error, told=told(error)) from None
        self._outage.note_done("be read")

    @asynccontextmanager
    async def reading_at_length(self) -> AsyncIterator[ServerConnection]:
        """The same in a session of its own, for statements that go through whole tables, however long they take."""
        try:
            session = await connect(self._address)
            try:
                await session.execute(_BEGIN_READING)
                yield ServerConnection(session, self._months)
            finally:
                session.terminate()
        except TROUBLE as error:
            raise self._outage.error("be read", error, told=told(error)) from None

    async def _commit(self, works: list[Queued]) -> None:
        try:
            if self._writer is None or self._writer.is_closed():
                self._writer = await _connect_bounded(self._address)
            await self._write_all(self._writer, works)
        except TROUBLE as error:
            # The next commit begins with a session of its own: what this one's transaction was is the server's matter.
            await self._give_up_writer()
            raise self._outage.error("write", error, told=told(error)) from None
        except BaseException:
            await self._give_up_writer()
            raise
        self._outage.note_done("write")

    async def _write_all(self, session: Session, works: list[Queued]) -> None:
        await session.execute(f"{_BEGIN_WRITING}; SELECT pg_advisory_xact_lock({lock_number(self._address.schema)})")
        db = ServerConnection(session, self._months)
        waiting = await newest_waiting(db)
        for queued in works:
            await self._run_in_savepoint(queued, db, session)
        await seal_changes(db, after=waiting, at=int(self._now()), signer=self._signer)
        # If power fails before this line returns, no caller has got a result. The server may have committed even so:
        # then the agent sends its messages again, and they are found to be stored.
        await _commit_everywhere(session)

    async def _run_in_savepoint(self, queued: Queued, db: ServerConnection, session: Session) -> None:
        lines = db.own_lines_count
        await session.execute("SAVEPOINT work")
        try:
            queued.result = await queued.work(db)
        except Exception as error:
            # A server that became a standby meanwhile: the next session looks for one that takes writes.
            if isinstance(error, LOST) or kind_of(error) is StoreAwayError or session.is_closed():
                raise
            self._months.clear()  # what was made in this piece of work is undone too
            db.undo_own_lines(lines)
            await session.execute("ROLLBACK TO SAVEPOINT work")
            is_server = isinstance(error, asyncpg.PostgresError)
            queued.error = self._outage.error("write", error, told=told(error)) if is_server else error
        await session.execute("RELEASE SAVEPOINT work")

    async def _give_up_writer(self) -> None:
        self._months.clear()
        if self._writer is not None:
            self._writer.terminate()
            self._writer = None


async def _commit_everywhere(session: Session) -> None:
    """A commit that somebody cancelled while it waited for its standby is called done by the server, with a warning."""
    warnings: list[Any] = []

    def hear(_session: object, message: Any) -> None:
        warnings.append(message)

    session.add_log_listener(hear)
    try:
        await session.execute("COMMIT")
    finally:
        session.remove_log_listener(hear)
    if warnings:
        raise asyncpg.InterfaceError(f"a commit may be missing at the standby: {warnings[0].message}")


async def _roll_back(session: Session) -> None:
    with suppress(*LOST):  # the session is gone, and its transaction with it
        await session.execute("ROLLBACK")


async def _connect_bounded(address: StoreAddress) -> Session:
    return await connected(address.dsn, _bounded(address))


def _bounded(address: StoreAddress) -> dict[str, Any]:
    return {**session_settings(address), "command_timeout": STATEMENT_S}


async def connect(address: StoreAddress) -> Session:
    """A session of its own. Raises: one of TROUBLE."""
    return await connected(address.dsn, session_settings(address))


async def failover_warning(address: StoreAddress) -> str | None:
    """What may be lost if the server's power fails, or a standby takes its place; None if it guards against both.

    Raises: StoreAwayError if the server is not there, else StoreError.
    """
    try:
        session = await connect(address)
        try:
            names, fsync = [await session.fetchval(f"SHOW {name}") for name in ("synchronous_standby_names", "fsync")]
        finally:
            session.terminate()
    except TROUBLE as error:
        raise _not_opened(address, error) from None
    found = []
    if fsync == "off":
        found.append(
            "the database server has fsync = off: a power failure may lose readings that homes were receipted for"
        )
    if not names:
        found.append(
            "the database server waits for no standby: if another server takes its place, the last readings that homes"
            " were receipted for may be missing there"
        )
    return f"{'; '.join(found)} (docs/postgres.md)" if found else None


def _not_opened(address: StoreAddress, error: BaseException) -> StoreError:
    return kind_of(error)(f"{address.place}: cannot open the store: {told(error)}")


def lock_number(schema: str) -> int:
    """The number of the lock that writers of this co-op take. Two co-ops whose numbers are the same only take turns."""
    return int.from_bytes(schema.encode().ljust(8, b"\0")[:7], "big")


def told(error: BaseException) -> str:
    """One line of what the server said."""
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return "no server there takes writes: it is a standby, or was made read-only"
    first = (str(error) or type(error).__name__).strip().splitlines()[0]
    if isinstance(error, TimeoutError):
        return f"no answer in time ({CONNECT_S:.0f} s for a session, {STATEMENT_S:.0f} s for a statement)"
    if isinstance(error, asyncpg.InterfaceError) and first.startswith("cannot call "):
        return "the server has ended the session"  # the driver names its own function that noticed it
    if isinstance(error, asyncpg.UndefinedTableError):
        return f"{first[:300]}, or this role may not see it"  # the server says no more of a schema without the right
    return first[:300]


def session_settings(address: StoreAddress) -> dict[str, Any]:
    return {
        "timeout": CONNECT_S,
        "statement_cache_size": CACHED_STATEMENTS,
        "target_session_attrs": "read-write",
        "server_settings": {
            "search_path": f"{address.schema}, pg_temp",  # unnamed, pg_temp would be looked at first
            "application_name": "commonwatt-hub",
            "timezone": "UTC",
            "idle_in_transaction_session_timeout": str(IDLE_MS),
            "default_transaction_isolation": "read committed",
        },
    }
