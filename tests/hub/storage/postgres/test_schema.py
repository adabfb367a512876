"""The schema on a server: the tables that SQLite has, what verify compares it with, and steps that wait for a lock."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from hub.storage.errors import StoreError
from hub.storage.postgres import schema
from hub.storage.postgres.connections import connect
from hub.storage.postgres.row_log.install import table_forms as forms_on_server
from hub.storage.postgres.row_log.view import wanted_definitions
from hub.storage.postgres.schema import known_migrations, migrate
from hub.storage.postgres.store import PostgresStore
from hub.storage.sql.backends.numbered_steps import Migration
from hub.storage.sql.row_log.forms import form_of
from hub.storage.sql.row_log.protection import LOGGED
from hub.storage.sqlite.row_log.install import TABLE_INFO
from hub.storage.sqlite.schema import known_migrations as sqlite_migrations
from tests.hub.postgres_server import Databases
from tests.hub.storage.postgres.definitions import made_definitions

_COLUMNS = """SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attnotnull
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
AND a.attname <> 'rowid' AND c.relname <> 'migration' ORDER BY c.relname, a.attnum"""
_TYPES = {"INTEGER": "bigint", "TEXT": "text", "BLOB": "bytea", "REAL": "double precision"}


def in_sqlite() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    for step in sqlite_migrations():
        db.executescript(step.sql)
    return db


async def test_both_backends_have_the_same_tables_columns_and_forms(databases: Databases) -> None:
    server, name, _ = await databases.fresh()
    session = await connect(server.admin(name))
    held = [tuple(row) for row in await session.fetch(_COLUMNS)]
    session.terminate()
    with closing(in_sqlite()) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        wanted = [
            (table, column, _TYPES[kind], bool(is_needed or place))
            for table in tables
            for _, column, kind, is_needed, _, place in db.execute(f"PRAGMA table_info({table})")
        ]
        forms = {table: form_of(table, db.execute(TABLE_INFO, (table,)).fetchall()).form for table in LOGGED}
    assert held == wanted, "a table of one backend is not in the other: both need a step"
    store = await PostgresStore.open((await databases.fresh())[2], now=lambda: 0.0)
    async with store.reading() as seen:
        assert {form.table: form.form for form in await forms_on_server(seen)} == forms
    await store.close()


async def test_what_verify_compares_with_is_what_this_program_makes() -> None:
    assert await made_definitions() == wanted_definitions(), "run python -m tests.hub.storage.postgres.definitions"


async def test_a_schema_of_another_program_is_refused_with_what_to_do(databases: Databases) -> None:
    server, name, address = await databases.fresh()
    session = await connect(server.admin(name))
    last = len(known_migrations())
    for change, said in (
        (f"DELETE FROM migration WHERE number = {last}", f"its schema is {last - 1}, and this program needs {last}"),
        (f"INSERT INTO migration VALUES ({last}, 'x', 'y')", "schema step x differs from"),
        (f"INSERT INTO migration VALUES ({last + 1}, 'newer', 'y')", "newer version of this program"),
        ("DROP TABLE migration", "no store here"),
    ):
        await session.execute(change)
        with pytest.raises(StoreError, match=said):
            await PostgresStore.open(address, now=lambda: 0.0)
    session.terminate()


async def test_a_step_gives_way_to_who_holds_a_table_and_then_gets_its_turn(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "LOCK_TIMEOUT_MS", 50)
    server, name, _ = await databases.fresh()
    holder, changer = await connect(server.admin(name)), await connect(server.admin(name))
    step = Migration(len(known_migrations()) + 1, "next.sql", "ALTER TABLE job ADD COLUMN note text")
    steps = (*known_migrations(), step)
    await holder.execute("BEGIN; SELECT * FROM job")
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            await holder.execute("COMMIT")

    monkeypatch.setattr(schema, "pause", pause)
    assert await migrate(changer, place="x", steps=steps) == range(step.number, step.number + 1)
    assert len(pauses) == 2, "it gave way twice"
    more = Migration(step.number + 1, "another.sql", "ALTER TABLE job ADD COLUMN more text")
    await holder.execute("BEGIN; SELECT * FROM job")
    monkeypatch.setattr(schema, "pause", lambda _: asyncio.sleep(0))
    with pytest.raises(StoreError, match=r"step another\.sql got no lock in 5 tries"):
        await migrate(changer, place="x", steps=(*steps, more))
    assert await changer.fetchval("SELECT count(*) FROM migration") == step.number, "nothing of the step is left"
    holder.terminate()
    changer.terminate()
