"""Statements in PostgreSQL's spelling: each of the slices' own is understood by a server."""

import pkgutil
import sqlite3
from contextlib import closing
from importlib import import_module
from pathlib import Path

import asyncpg
import pytest

import hub.storage.sql
from hub.storage.postgres.connections import connect
from hub.storage.postgres.statements import POSTGRES, listed, spelled
from tests.hub.postgres_server import the_server
from tests.hub.storage.statement_texts import Statement, statements_of


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ("SELECT a FROM t WHERE b = ? AND c = ?", "SELECT a FROM t WHERE b = $1 AND c = $2"),
        ("SELECT ?2, ?1, ?2", "SELECT $2, $1, $2"),
        ("SELECT '?' || ? || 'it''s ?'", "SELECT '?' || $1 || 'it''s ?'"),
        ("SELECT x'' FROM run INDEXED BY run_head WHERE a = ?", "SELECT ''::bytea FROM run WHERE a = $1"),
        ("SELECT CAST(p.hash AS BLOB), CAST(? AS TEXT)", "SELECT convert_to(p.hash, 'UTF8'), CAST($1 AS TEXT)"),
        ("SELECT json_array(d.id) WHERE a IN ()", "SELECT row_key(d.id) WHERE a IN (NULL)"),
    ],
)
def test_a_statement_is_respelled(said: str, becomes: str) -> None:
    assert spelled(said) == becomes


def named_statements() -> list[str]:
    found = []
    for module in pkgutil.walk_packages(hub.storage.sql.__path__, "hub.storage.sql."):
        for name, value in vars(import_module(module.name)).items():
            if name.endswith("_SQL"):
                found += [each for each in ([value] if isinstance(value, str) else value) if "{" not in each]
    return [*sorted(set(found)), POSTGRES.metered_sql]


async def test_every_named_statement_is_understood() -> None:
    server, _ = await the_server()
    session = await connect(server.admin("made"))
    statements = named_statements()
    assert len(statements) > 60
    for number, sql in enumerate(statements):
        await session.execute(f"PREPARE s{number} AS {spelled(sql)}")
    session.terminate()


def test_a_statement_for_lists_of_values() -> None:
    sql = "INSERT INTO t VALUES ($1, $2) ON CONFLICT (a) DO UPDATE SET b = excluded.b"
    assert listed(sql, ["text", "int8"]) == (
        "INSERT INTO t SELECT * FROM unnest($1::text[], $2::int8[]) ON CONFLICT (a) DO UPDATE SET b = excluded.b"
    )
    made = "INSERT INTO t\nSELECT a, $2 FROM u WHERE b = $1 AND c > $2\nON CONFLICT (a) DO UPDATE SET b = excluded.b"
    assert listed(made, ["text", "int8"]) == (
        "INSERT INTO t SELECT made.* FROM unnest($1::text[], $2::int8[]) AS given (v1, v2) CROSS JOIN LATERAL"
        " (SELECT a, given.v2 FROM u WHERE b = given.v1 AND c > given.v2) AS made"
        "\nON CONFLICT (a) DO UPDATE SET b = excluded.b"
    )
    with pytest.raises(ValueError, match="not an INSERT of one row"):
        listed("UPDATE t SET a = $1", ["text"])


def is_beginning(text: str) -> bool:
    """Whether this is only the beginning of a statement, which is completed elsewhere."""
    with closing(sqlite3.connect(":memory:")) as db:
        try:
            db.execute(text)
        except sqlite3.Error as error:
            return "incomplete input" in str(error)
    return False


async def test_every_statement_of_the_slices_is_understood() -> None:
    """Also those that a function puts together, as the test of their plans in SQLite finds them."""
    server, _ = await the_server()
    session = await connect(server.admin("made"))
    room = Path(hub.storage.sql.__file__).parent
    found: list[Statement] = []
    for path in sorted(room.rglob("*.py")):
        name = ".".join(path.relative_to(room.parents[2]).with_suffix("").parts).removesuffix(".__init__")
        found += statements_of(path.read_text(encoding="utf-8"), import_module(name), name=path.stem)
    assert len(found) > 150
    wrong = []
    for number, each in enumerate(found):
        if is_beginning(each.text):
            continue
        try:
            await session.execute(f"PREPARE e{number} AS {spelled(each.text)}")
        except asyncpg.PostgresError as error:
            wrong.append(f"{each.place}: {error}")
    session.terminate()
    assert not wrong, "\n".join(wrong)
