"""Shows the log of rows on a server, and what only the server can tell: its schema, its pages, its references."""

# ruff: noqa: S608 - only names from the schema are put into SQL here; values are bound.

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib import resources
from typing import Final

import asyncpg

from hub.storage.audit_records import FileCheck, RowLogView, row_digest
from hub.storage.postgres.connection import ServerConnection
from hub.storage.postgres.connections import PostgresConnections, told
from hub.storage.postgres.row_log.install import table_forms
from hub.storage.postgres.row_log.triggers import spelled_row
from hub.storage.postgres.schema import applied_steps, known_migrations
from hub.storage.postgres.session import Session
from hub.storage.sql.connection import Connection
from hub.storage.sql.row_log.forms import TableForm
from hub.storage.sql.row_log.view import PAGE, LogView

_HERE: Final = "current_schema()::regnamespace"
# The parts of the readings are made month by month, so they are no part of what this program makes.
_DEFINITIONS_SQL: Final = f"""WITH held AS (
    SELECT oid, relname FROM pg_class WHERE relnamespace = {_HERE} AND relkind IN ('r', 'p') AND NOT relispartition
)
SELECT 'column', h.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull::text
    || ' ' || a.attcollation::regcollation::text
    || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), a.attidentity::text)
FROM held AS h JOIN pg_attribute AS a ON a.attrelid = h.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = h.oid AND d.adnum = a.attnum
UNION ALL SELECT 'constraint', h.relname || '.' || c.conname, pg_get_constraintdef(c.oid)
FROM held AS h JOIN pg_constraint AS c ON c.conrelid = h.oid AND c.contype IN ('c', 'f', 'p', 'u')
UNION ALL SELECT 'index', c.relname, replace(pg_get_indexdef(c.oid), current_schema() || '.', '')
FROM held AS h JOIN pg_index AS i ON i.indrelid = h.oid JOIN pg_class AS c ON c.oid = i.indexrelid
UNION ALL SELECT 'trigger', h.relname || '.' || t.tgname,
    replace(pg_get_triggerdef(t.oid), current_schema() || '.', '') || ' ' || t.tgenabled::text
FROM held AS h JOIN pg_trigger AS t ON t.tgrelid = h.oid AND NOT t.tgisinternal
UNION ALL SELECT 'function', proname || '(' || pg_get_function_identity_arguments(oid) || ')',
    prosrc || coalesce(' ' || replace(array_to_string(proconfig, ' '), '=' || current_schema(), '='), '')
FROM pg_proc WHERE pronamespace = {_HERE}"""
_REFERENCES_SQL: Final = f"""SELECT c.conrelid::regclass::text, c.confrelid::regclass::text,
    (SELECT array_agg(attname ORDER BY number) FROM unnest(c.conkey) WITH ORDINALITY AS k (attnum, number)
        JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.attnum),
    (SELECT array_agg(attname ORDER BY number) FROM unnest(c.confkey) WITH ORDINALITY AS k (attnum, number)
        JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.attnum)
FROM pg_constraint AS c WHERE c.connamespace = {_HERE} AND c.contype = 'f' AND c.conparentid = 0"""
_TABLES_SQL: Final = f"""SELECT relname FROM pg_class
WHERE relnamespace = {_HERE} AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname"""
_CHECKSUMS_SQL: Final = "SELECT coalesce(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database()"


class PostgresRowLog(PostgresConnections):
    """The RowLogStore slice."""

    @asynccontextmanager
    async def row_log(self) -> AsyncIterator[RowLogView]:
        """The log and its tables at one moment. Raises: StoreError if a page cannot be read."""
        async with self.reading_at_length() as db:
            yield _ServerView(db)

    async def quick_check(self, *, within_s: float) -> FileCheck:
        """Whether the server has met a damaged page of this database. It looks at pages as it reads them, so that this
        takes no time; what it has not read since its start is not looked at.
        """
        async with self.reading() as db:
            found = await _failed_checksums(db)
        return FileCheck(f"{found} pages have a wrong checksum" if found else None, is_whole=False)


class _ServerView(LogView):
    """The view of a schema on a server."""

    def __init__(self, db: ServerConnection) -> None:
        super().__init__(db)
        self._session = db.session

    async def table_forms(self) -> list[TableForm]:
        return await table_forms(self._db)

    async def rows(self, table: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        forms = {form.table: form for form in await table_forms(self._db)}
        key, content, _ = spelled_row(forms[table], table)
        cursor = await self._session.cursor(f"SELECT {key}, {content} FROM {table}")
        while page := await cursor.fetch(PAGE):
            yield [(str(row[0]), row_digest(str(row[1]).encode())) for row in page]

    async def differing_definitions(self) -> tuple[str, ...]:
        held, wanted = await held_definitions(self._session), wanted_definitions()
        found = [f"{name}: this program makes it, and the store lacks it" for name in wanted.keys() - held]
        found += [f"{name}: the store has it, and this program never made it" for name in held.keys() - wanted]
        found += [
            f"{name}: its definition is not the one this program makes"
            for name in wanted.keys() & held.keys()
            if wanted[name] != held[name]
        ]
        steps = {(step.number, step.name, step.checksum) for step in known_migrations()}
        for line in await applied_steps(self._session):
            if line not in steps:
                found.append(f"migration {line[0]}: it is not a step of this program")
        return tuple(sorted(found))

    async def broken_references(self) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for table, parent, columns, theirs in await self._db.execute_fetchall(_REFERENCES_SQL):
            known = " AND ".join(f"p.{other} = t.{own}" for own, other in zip(columns, theirs, strict=True))
            given = " AND ".join(f"t.{own} IS NOT NULL" for own in columns)
            there = f"EXISTS (SELECT 1 FROM {parent} AS p WHERE {known})"
            sql = f"SELECT count(*) FROM {table} AS t WHERE {given} AND NOT {there}"
            ((count,),) = await self._db.execute_fetchall(sql)
            if count:
                found[str(table), str(parent)] = found.get((str(table), str(parent)), 0) + int(count)
        return found

    async def damaged_pages(self) -> tuple[str, ...]:
        found: list[str] = []
        for (table,) in await self._db.execute_fetchall(_TABLES_SQL):
            await self._session.execute("SAVEPOINT page")
            try:
                await self._session.execute(f"SELECT count(*) FROM {table} AS each WHERE each IS NULL")
            except asyncpg.PostgresError as error:
                found.append(f"{table}: {told(error)}")
                await self._session.execute("ROLLBACK TO SAVEPOINT page")
        if failed := await _failed_checksums(self._db):
            found.append(f"{failed} pages have a wrong checksum")
        return tuple(found)


async def _failed_checksums(db: Connection) -> int:
    ((count,),) = await db.execute_fetchall(_CHECKSUMS_SQL)
    return int(count)


async def held_definitions(session: Session) -> dict[str, str]:
    """The hash of each column, constraint, index, trigger and function of this session's schema, by kind and name."""
    rows = await session.fetch(_DEFINITIONS_SQL)
    return {f"{kind} {name}": hashlib.sha256(str(text).encode()).hexdigest()[:32] for kind, name, text in rows}


@cache
def wanted_definitions() -> dict[str, str]:
    """The same of a schema that this program has made; a test compares the two."""
    text = (resources.files("hub.storage.postgres") / "definitions.json").read_text(encoding="utf-8")
    return {str(name): str(digest) for name, digest in json.loads(text).items()}
