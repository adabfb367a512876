"""Shows the log of rows in a SQLite file, and what only SQLite tells: its schema, pages and references."""

# ruff: noqa: S608 - only names from the schema are put into SQL here; values are bound.

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Final

from hub.storage.audit_records import FileCheck, RowLogView, row_digest
from hub.storage.sql.row_log.forms import TableForm, form_of
from hub.storage.sql.row_log.protection import LOGGED
from hub.storage.sql.row_log.view import PAGE, LogView, as_text
from hub.storage.sqlite.connections import SqliteConnections
from hub.storage.sqlite.row_log.file_check import quick_check
from hub.storage.sqlite.row_log.install import TABLE_INFO, table_forms
from hub.storage.sqlite.row_log.triggers import triggers_of
from hub.storage.sqlite.schema import LEDGER_SQL, known_migrations
from hub.storage.sqlite.threads.connection import FileConnection

MOST_PROBLEMS: Final = 20
_SCHEMA_SQL = "SELECT type, name, CAST(sql AS BLOB) FROM sqlite_master WHERE sql IS NOT NULL"


class SqliteRowLog(SqliteConnections):
    """The RowLogStore slice."""

    @asynccontextmanager
    async def row_log(self) -> AsyncIterator[RowLogView]:
        """The log and its tables at one moment. Raises: StoreError if a page cannot be read."""
        async with self.reading() as db:
            yield _FileView(db)

    async def quick_check(self, *, within_s: float) -> FileCheck:
        """The first damage SQLite's quick check finds in the file within this many seconds."""
        return await self.read(partial(quick_check, within_s=within_s))


class _FileView(LogView):
    """The view of a file."""

    def __init__(self, db: FileConnection) -> None:
        super().__init__(db)
        self._file = db

    async def table_forms(self) -> list[TableForm]:
        return await table_forms(self._db)

    async def rows(self, table: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        forms = {form.table: form for form in await table_forms(self._db)}
        key, content, _ = forms[table].parts("")
        sql = f"SELECT CAST({key} AS BLOB), CAST({content} AS BLOB) FROM {table}"
        cursor = await self._file.run(lambda plain: plain.execute(sql))
        while page := await self._file.run(lambda _: cursor.fetchmany(PAGE)):
            yield [(as_text(row_key), row_digest(text)) for row_key, text in page]

    async def differing_definitions(self) -> tuple[str, ...]:
        held = {
            (str(kind), str(name)): as_text(sql) for kind, name, sql in await self._db.execute_fetchall(_SCHEMA_SQL)
        }
        wanted = expected_definitions()
        found = [f"{kind} {name}: this program makes it, and the store lacks it" for kind, name in wanted.keys() - held]
        found += [
            f"{kind} {name}: the store has it, and this program never made it" for kind, name in held.keys() - wanted
        ]
        found += [
            f"{kind} {name}: its definition is not the one this program makes"
            for kind, name in wanted.keys() & held.keys()
            if wanted[kind, name] != held[kind, name]
        ]
        steps = {(step.number, step.name, step.checksum) for step in known_migrations()}
        for number, name, checksum in await self._db.execute_fetchall("SELECT number, name, checksum FROM migration"):
            if (number, name, checksum) not in steps:
                found.append(f"migration {number}: it is not a step of this program")
        return tuple(sorted(found))

    async def broken_references(self) -> dict[tuple[str, str], int]:
        return Counter((row[0], row[2]) for row in await self._db.execute_fetchall("PRAGMA foreign_key_check"))

    async def damaged_pages(self) -> tuple[str, ...]:
        rows = await self._db.execute_fetchall(f"PRAGMA integrity_check({MOST_PROBLEMS})")
        found = [str(row[0]) for row in rows]
        return () if found == ["ok"] else tuple(found)


def expected_definitions() -> dict[tuple[str, str], str]:
    """(kind, name) and SQL of every table, index and trigger in a store of this program."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(LEDGER_SQL)
        for step in known_migrations():
            db.executescript(step.sql)
        for table in LOGGED:
            columns = [(str(name), str(kind), int(place)) for name, kind, place in db.execute(TABLE_INFO, (table,))]
            for sql in triggers_of(form_of(table, columns)).values():
                db.execute(sql)
        return {(str(kind), str(name)): as_text(sql) for kind, name, sql in db.execute(_SCHEMA_SQL)}
