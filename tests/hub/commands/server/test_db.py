"""`commonwatt-hub db`: a hub moves to a server and back, every row is there, and it settles to the same hashes."""

import asyncio
import json
import secrets
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from hub.__main__ import main
from hub.core.ledger.run_calendar import days_of
from hub.folder.elsewhere.store_settings import ADDRESS_NAME
from hub.storage.postgres.connections import connect
from hub.storage.postgres.names import owner_of
from hub.storage.sqlite.store import SqliteStore
from protocols.slots import slots_of_day
from protocols.timeline import Timeline
from tests.hub.postgres_server import Server, the_server
from tests.hub.settled_street import COOP, fill_street

DAYS = days_of(date(2026, 5, 1))[:5]


class Moved:
    """A hub's folder, and a database of its own on this process's server."""

    def __init__(self, folder: Path, clock: Path, server: Server, database: str) -> None:
        self.folder, self.server, self.database = folder, server, database
        self.place = ["--data", str(folder), "--clock", str(clock)]
        self.schema = f"s{secrets.token_hex(4)}"
        self.dsn = server.admin(database, schema=self.schema).dsn

    def db(self, *words: str) -> int:
        return main(["db", *self.place, *words])

    def moves(self) -> None:
        assert self.db("prepare", "--to", self.dsn, "--schema", self.schema) == 0
        assert self.db("copy", "--from", "sqlite", "--to", self.dsn, "--schema", self.schema) == 0
        with (self.folder / "hub.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[store]\nschema = "{self.schema}"\naddress_file = "{ADDRESS_NAME}"\n')
        (self.folder / "hub.sqlite").rename(self.folder / "was.sqlite")

    def ask(self, sql: str) -> object:
        """What the server's superuser is told."""

        async def asked() -> object:
            session = await connect(self.server.admin(self.database, schema=self.schema))
            try:
                return await session.fetchval(sql)
            finally:
                session.terminate()

        return asyncio.run(asked())


@pytest.fixture
def hub(tmp_path: Path) -> Moved:
    """A hub with a street and five days of readings, on a day in June."""
    folder, clock = tmp_path / "hub", tmp_path / "clock.json"
    at_s = int(datetime(2026, 6, 20, tzinfo=ZoneInfo(COOP.tz)).timestamp())
    clock.write_text(Timeline(0, at_s, 0, None).text())
    place = ["--data", str(folder), "--clock", str(clock)]
    assert main(["init", *place, "--name", "Street", "--coop", COOP.id, "--tz", COOP.tz]) == 0

    async def fill() -> tuple[Server, str]:
        store = await SqliteStore.open(folder / "hub.sqlite", now=lambda: 1_800_000_000.0)
        street = await fill_street(store, joined_at=0)
        await street.arrive_days(DAYS)
        await store.close()
        server, name = (await the_server())[0], f"t{secrets.token_hex(8)}"
        admin = await server.ask()
        await admin.execute(f"CREATE DATABASE {name}")
        admin.terminate()
        return server, name

    server, database = asyncio.run(fill())
    # The row log of a store that a test filled without the hub's key has no signed head: the next commit signs it.
    assert main(["members", *place]) == 0
    return Moved(folder, clock, server, database)


def settled(
    place: list[str], capsys: pytest.CaptureFixture[str], *, days: Sequence[date] = DAYS
) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main(["settle", *place, "--day", *map(str, days), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def verified(place: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    capsys.readouterr()
    main(["verify", *place, "--whole", "--json"])
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    rows = found["rows"]
    assert isinstance(rows, dict)
    # Whoever verifies leaves lines in the access log: the next count is higher.
    return {**found, "rows": {name: rows[name] for name in ("wrong", "findings")}}


def test_a_hub_on_a_server_settles_the_same_days_to_the_same_hashes(
    hub: Moved, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(hub.folder, tmp_path / "stays")
    hub.moves()
    stays = ["--data", str(tmp_path / "stays"), *hub.place[2:]]
    here, there = settled(stays, capsys), settled(hub.place, capsys)
    assert len(here) == len(DAYS)
    assert all(row["entries_booked"] for row in here)
    assert here == there
    assert verified(hub.place, capsys) == verified(stays, capsys)
    assert not (hub.folder / "hub.sqlite").exists(), "nothing made a second store"


def test_there_and_back_every_row_is_as_it_was(hub: Moved, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settled(hub.place, capsys)
    before = verified(hub.place, capsys)
    hub.moves()
    back = tmp_path / "back.sqlite"
    capsys.readouterr()
    assert hub.db("copy", "--from", "postgres", "--to", str(back)) == 0
    said = capsys.readouterr().out
    assert "both sides were read again and are equal" in said
    with closing(sqlite3.connect(back)) as copy, closing(sqlite3.connect(hub.folder / "was.sqlite")) as was:
        tables = [row[0] for row in was.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            sql = f"SELECT * FROM {table} ORDER BY 1, 2"
            assert copy.execute(sql).fetchall() == was.execute(sql).fetchall(), table
        schema = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY 1, 2"
        assert copy.execute(schema).fetchall() == was.execute(schema).fetchall(), "its triggers are there again"
    assert verified(hub.place, capsys) == before
    assert hub.db("copy", "--from", "postgres", "--to", str(back)) == 1
    assert "there is a file here already" in capsys.readouterr().err


def test_a_copy_that_differs_leaves_nothing_on_the_server(hub: Moved, capsys: pytest.CaptureFixture[str]) -> None:
    assert hub.db("prepare", "--to", hub.dsn, "--schema", hub.schema) == 0
    hub.ask(
        f"CREATE FUNCTION {hub.schema}.spoil() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.energy_wh := NEW.energy_wh + 1; RETURN NEW; END $$"
    )
    # On the month's own part, where the copy does not switch it off.
    hub.ask(f"SELECT {hub.schema}.make_month({slots_of_day(DAYS[2], COOP.tz).start})")
    part = f"{hub.schema}.reading_2026_05"
    hub.ask(f"CREATE TRIGGER spoil BEFORE INSERT ON {part} FOR EACH ROW EXECUTE FUNCTION {hub.schema}.spoil()")
    capsys.readouterr()
    code = hub.db("copy", "--from", "sqlite", "--to", hub.dsn, "--schema", hub.schema)
    said = capsys.readouterr().err
    assert (code, "table reading" in said) == (1, True), said
    assert hub.ask(f"SELECT count(*) FROM {hub.schema}.member") == 0


def test_a_password_in_a_command_and_what_is_missing_are_refused_in_one_line(
    hub: Moved, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "open"
    secret.write_text("postgresql://admin:hush@127.0.0.1/x\n")
    secret.chmod(0o644)
    for words, said in (
        (("prepare", "--to", "postgresql://a:hush@127.0.0.1/x"), "anybody on this computer sees a password"),
        (("prepare", "--to-file", str(secret)), "other users can read the server's address"),
        (("prepare",), "give the server with --to DSN"),
        (("prepare", "--to", "mysql://127.0.0.1/x"), "is not postgresql://"),
        (("prepare", "--to", hub.dsn, "--schema", "pg_x"), "cannot be the name of a schema"),
        (("copy", "--to", hub.dsn), "give --from sqlite or --from postgres"),
        (("copy", "--from", "postgres", "--to", "x"), "hub.toml has no [store]"),
        (("copy", "--from", "sqlite", "--to", hub.dsn, "--schema", "nowhere"), 'role "nowhere_owner" does not exist'),
    ):
        capsys.readouterr()
        assert hub.db(*words) == 1, words
        told = capsys.readouterr().err
        assert said in told, told
        assert len(told.splitlines()) == 1
        assert "hush" not in told


def test_a_second_copy_and_a_used_schema_are_refused(hub: Moved, capsys: pytest.CaptureFixture[str]) -> None:
    hub.moves()
    (hub.folder / "was.sqlite").rename(hub.folder / "hub.sqlite")
    capsys.readouterr()
    assert hub.db("copy", "--from", "sqlite", "--to", hub.dsn, "--schema", hub.schema) == 1
    assert "has rows already" in capsys.readouterr().err


def test_the_hubs_role_reaches_no_other_co_op_and_changes_no_table(hub: Moved) -> None:
    hub.moves()
    other = Moved(hub.folder, Path(hub.place[3]), hub.server, hub.database)
    shutil.copy(hub.folder / ADDRESS_NAME, hub.folder / "first")
    assert other.db("prepare", "--to", other.dsn, "--schema", other.schema) == 0
    own, theirs = hub.schema, other.schema

    async def said(address: str, sql: str) -> str:
        session = await asyncpg.connect(address)
        try:
            await session.execute(sql)
        except asyncpg.PostgresError as error:
            return str(error)
        finally:
            session.terminate()
        return "done"

    async def asked() -> None:
        first = (hub.folder / "first").read_text().strip()
        assert await said(first, f"SELECT count(*) FROM {own}.member") == "done"
        denied = f"permission denied for schema {theirs}"
        for table in ("member", "reading", "message", "row_log", "account"):
            assert await said(first, f"SELECT * FROM {theirs}.{table}") == denied
        assert await said(first, f"SELECT {theirs}.make_month(2000000)") == denied
        for sql, refused in (
            (f"SET ROLE {owner_of(own)}", "permission denied to set role"),
            (f"CREATE TABLE {own}.more (a int)", f"permission denied for schema {own}"),
            (f"DROP TABLE {own}.job", "must be owner of table job"),
            (f"ALTER TABLE {own}.entry DISABLE TRIGGER ALL", "must be owner of table entry"),
            (f"TRUNCATE {own}.row_log", "permission denied for table row_log"),
            (f"UPDATE {own}.entry SET day = ''", "permission denied for table entry"),
            (f"DELETE FROM {own}.message", "permission denied for table message"),
            (f"UPDATE {own}.message SET hash = ''", "permission denied for table message"),
            (f"INSERT INTO {own}.migration VALUES (99, '', '')", "permission denied for table migration"),
            ("COPY (SELECT 1) TO PROGRAM 'true'", "permission denied to COPY to or from an external program"),
        ):
            assert (await said(first, sql)).startswith(refused), sql

    asyncio.run(asked())


def test_verify_finds_what_was_changed_past_the_hub(hub: Moved, capsys: pytest.CaptureFixture[str]) -> None:
    settled(hub.place, capsys)
    hub.moves()
    s = hub.schema
    for sql in (
        f"ALTER TABLE {s}.home DISABLE TRIGGER USER",
        f"UPDATE {s}.home SET name = 'x' WHERE id = 'h02'",
        f"ALTER TABLE {s}.run DISABLE TRIGGER ALL",
        f"DELETE FROM {s}.run WHERE day = '{DAYS[0]}'",
        f"ALTER TABLE {s}.run ENABLE TRIGGER ALL",
        f"CREATE OR REPLACE FUNCTION {s}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$",
        f"CREATE TABLE {s}.hidden (a bigint)",
        f"DROP INDEX {s}.entry_day",
    ):
        hub.ask(sql)
    rows = verified(hub.place, capsys)["rows"]
    assert isinstance(rows, dict)
    found = "\n".join(rows["findings"])
    for said in (
        "h02",
        "rows refer to a row of run that is not there",
        "trigger home.row_log_home_changed: its definition is not the one this program makes",
        "function refuse(): its definition is not the one this program makes",
        "column hidden.a: the store has it, and this program never made it",
        "index entry_day: this program makes it, and the store lacks it",
    ):
        assert said in found, found
