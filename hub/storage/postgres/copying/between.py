"""Copies a store from a SQLite file into a prepared schema on a server, or from there into a new file.

Everything is copied, the log of rows with it, so that `verify` holds on the copy what it held before. Both sides are
read again and compared before the copy counts: until then a server keeps nothing of it, and a file is removed.
"""

# ruff: noqa: S608 - only names of the store's own tables are put into SQL here.

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hub.storage.errors import StoreError
from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.connections import connect, lock_number, told
from hub.storage.postgres.copying.tables import LOG, NUMBERED, ROW_NUMBER, RowsHash, TablePlan, table_plans
from hub.storage.postgres.names import owner_of
from hub.storage.postgres.outage import kind_of
from hub.storage.postgres.schema import refuse_other_schema
from hub.storage.postgres.session import TROUBLE, Session
from hub.storage.sqlite.store import SqliteStore
from protocols.slots import start_of

PAGE: Final = 5_000
Report = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: rows, tables, and one hash over the hashes of all tables."""

    rows: int
    tables: int
    digest: str


async def copy_to_server(path: Path, admin: StoreAddress, *, report: Report) -> Copied:
    """Copy a file's store into a prepared, empty schema, signed in as who prepared it.

    Raises: StoreError if the file cannot be read, the schema is in use already, or the two sides differ.
    """
    with _server_trouble(admin), closing(_opened(path)) as file:
        async with _owned(admin) as session, session.transaction():
            await session.execute(f"SELECT pg_advisory_xact_lock({lock_number(admin.schema)})")
            await refuse_other_schema(session, admin.place)
            await _refuse_used(session, admin)
            plans = table_plans()
            for plan in plans:
                await session.execute(f"ALTER TABLE {plan.name} DISABLE TRIGGER USER")
            for name in LOG:  # an empty store's log has lines too
                await session.execute(f"DELETE FROM {name}")
            hashes: dict[str, RowsHash] = {}
            for number, plan in enumerate(plans):
                report("tables copied", number, len(plans))
                hashes[plan.name] = await _fill_table(session, plan, _pages_of_file(file, plan), admin.schema)
            for plan in plans:
                await _compare(plan, hashes[plan.name], _pages_of_server(session, plan))
                await session.execute(f"ALTER TABLE {plan.name} ENABLE TRIGGER USER")
            report("tables copied", len(plans), len(plans))
    return _copied(hashes)


async def copy_to_file(address: StoreAddress, path: Path, *, now: Callable[[], float], report: Report) -> Copied:
    """Copy a server's store, as it is at one moment, into a new file; signed in as the hub.

    Raises: StoreError if the file is there, the server cannot be read, or the two sides differ.
    """
    if path.exists():
        raise StoreError(f"{path}: there is a file here already: give a new one")
    hashes: dict[str, RowsHash] = {}
    try:
        await (await SqliteStore.open(path, now=now, create=True)).close()
        with _server_trouble(address), closing(_opened(path, is_writer=True)) as file:
            session = await connect(address)
            try:
                await refuse_other_schema(session, address.place)
                await session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                await _fill_file(file, session, hashes, report)
            finally:
                session.terminate()
    except BaseException:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        raise
    return _copied(hashes)


async def _fill_file(file: sqlite3.Connection, session: Session, hashes: dict[str, RowsHash], report: Report) -> None:
    plans = table_plans()
    triggers = file.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    file.execute("BEGIN IMMEDIATE")
    for name, _ in triggers:
        file.execute(f"DROP TRIGGER {name}")
    for name in LOG:
        file.execute(f"DELETE FROM {name}")
    for number, plan in enumerate(plans):
        report("tables copied", number, len(plans))
        hashes[plan.name] = RowsHash()
        sql = f"INSERT INTO {plan.name} ({', '.join(plan.columns)}) VALUES ({', '.join('?' for _ in plan.columns)})"
        async for page in _pages_of_server(session, plan):
            hashes[plan.name].add(page)
            file.executemany(sql, page)
    for _, sql in triggers:
        file.execute(sql)
    for plan in plans:
        await _compare(plan, hashes[plan.name], _pages_of_file(file, plan))
    if file.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise StoreError("a copied row refers to a row that is not there: nothing was copied")
    file.execute("COMMIT")
    report("tables copied", len(plans), len(plans))


async def _fill_table(session: Session, plan: TablePlan, pages: AsyncIterator[list[Any]], schema: str) -> RowsHash:
    found, months = RowsHash(), set[tuple[int, int]]()
    slot = plan.columns.index("slot") if plan.name == "reading" else None
    async for page in pages:
        found.add(page)
        if slot is not None:
            await _make_months(session, {row[slot] for row in page}, months)
        await session.copy_records_to_table(plan.name, records=page, columns=list(plan.columns), schema_name=schema)
    if plan.name in NUMBERED:
        newest = f"(SELECT max({ROW_NUMBER}) FROM {plan.name})"
        await session.execute(f"SELECT setval(pg_get_serial_sequence('{plan.name}', '{ROW_NUMBER}'), {newest})")
    return found


async def _make_months(session: Session, slots: set[int], known: set[tuple[int, int]]) -> None:
    for slot in slots:
        began = datetime.fromtimestamp(start_of(slot), UTC)
        if (began.year, began.month) not in known:
            await session.execute("SELECT make_month($1)", slot)
            known.add((began.year, began.month))


async def _compare(plan: TablePlan, wanted: RowsHash, pages: AsyncIterator[list[Any]]) -> None:
    held = RowsHash()
    async for page in pages:
        held.add(page)
    if (held.count, held.digest) != (wanted.count, wanted.digest):
        raise StoreError(f"table {plan.name}: {held.count} rows arrived of {wanted.count}, or they differ: not copied")


def _copied(hashes: dict[str, RowsHash]) -> Copied:
    whole = RowsHash()
    whole.add([(name, found.count, found.digest) for name, found in sorted(hashes.items())])
    return Copied(sum(found.count for found in hashes.values()), len(hashes), whole.digest)


async def _refuse_used(session: Session, admin: StoreAddress) -> None:
    for plan in table_plans():
        if plan.name not in LOG and await session.fetchval(f"SELECT EXISTS (SELECT 1 FROM {plan.name})"):
            raise StoreError(f"{admin.place}: table {plan.name} has rows already: copy into a schema of its own")


async def _pages_of_file(file: sqlite3.Connection, plan: TablePlan) -> AsyncIterator[list[Any]]:
    cursor = file.execute(plan.select)
    while page := cursor.fetchmany(PAGE):
        yield page


async def _pages_of_server(session: Session, plan: TablePlan) -> AsyncIterator[list[Any]]:
    # A cursor that is closed by name: one that the driver leaves open would keep the table from being altered.
    await session.execute(f"DECLARE {plan.name}_pages NO SCROLL CURSOR FOR {plan.select}")
    while page := await session.fetch(f"FETCH {PAGE} FROM {plan.name}_pages"):
        yield [tuple(row) for row in page]
    await session.execute(f"CLOSE {plan.name}_pages")


def _opened(path: Path, *, is_writer: bool = False) -> sqlite3.Connection:
    if not path.exists():
        raise StoreError(f"{path}: no store here")
    mode = "rw" if is_writer else "ro"
    file = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
    if not is_writer:
        file.execute("BEGIN")
    return file


@asynccontextmanager
async def _owned(admin: StoreAddress) -> AsyncIterator[Session]:
    session = await connect(admin)
    try:
        await session.execute(f"SET ROLE {owner_of(admin.schema)}")
        yield session
    finally:
        session.terminate()


@contextmanager
def _server_trouble(address: StoreAddress) -> Iterator[None]:
    """Turns what a server or a file said into one line."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"the file could not be read or written: {error}") from None
    except TROUBLE as error:
        words = f"{address.place}: cannot copy: {told(error)}"
        if kind_of(error) is StoreError:
            raise StoreError(words) from None
        raise kind_of(error)(f"{words}; nothing was copied: see the server's log, then copy again") from None
