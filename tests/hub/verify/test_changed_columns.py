"""Each column of each table changed once: `verify` is silent only for the written list of hints."""

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hub.storage.sql.row_log.protection import COMPARED, HINTS, LOGGED
from tests.hub.verify.tampering import STORE, change_value, columns_of, findings_of, row_count, tables_of, tampering

WHAT_TO_DO = (
    "name the table in hub/storage/sqlite/row_log/protection.py: in LOGGED, so that each change of a row is logged and"
    " signed; in COMPARED, if verify recomputes it from signed bytes; or each of its columns in HINTS, with the reason"
    " why nobody is harmed when it is changed"
)


def hinted(table: str) -> set[str]:
    """The columns of a table whose change goes unnoticed."""
    return {name.split(".")[1] for name in HINTS if name.split(".")[0] == table}


def test_every_table_says_how_it_is_protected(kept_hub: Path) -> None:
    with closing(sqlite3.connect(kept_hub / STORE)) as db:
        for table in tables_of(db):
            columns = {name for name, _ in columns_of(db, table)}
            named = (table in LOGGED) + (table in COMPARED) + (hinted(table) == columns)
            assert named == 1, f"the table {table} is not protected: {WHAT_TO_DO}"
            assert hinted(table) <= columns, f"a hint names a column that {table} does not have"
        assert LOGGED.keys() | COMPARED.keys() <= set(tables_of(db))


def test_every_hint_has_its_reason_also_in_the_documents() -> None:
    assert all(len(reason) > 7 for reason in HINTS.values())
    page = (Path(__file__).parents[3] / "docs" / "verifying.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z_.0-9]+)` \|", page, re.MULTILINE)) == set(HINTS)


def silent_columns(hub: Path, tables: list[str], *, only: str | None) -> set[str]:
    """The columns whose change nothing says. In each round one column of every table is changed, each in one row."""
    shutil.copy(hub / STORE, hub / "kept")
    with closing(sqlite3.connect(hub / STORE)) as db:
        columns = {table: [name for name, _ in columns_of(db, table)] for table in tables}
    silent = set()
    for number in range(max(map(len, columns.values()))):
        changed = {}
        with tampering(hub) as db:
            for table, names in columns.items():
                if number < len(names) and row_count(db, table):
                    changed[table, names[number]] = change_value(db, table, names[number])
        findings = findings_of(hub, only=only)
        for (table, column), key in changed.items():
            if not any(f"{table} {key}:" in finding for finding in findings):
                silent.add(f"{table}.{column}")
        shutil.copy(hub / "kept", hub / STORE)
    return silent


def test_a_changed_column_of_a_logged_table_is_noticed_but_for_the_hints(hub: Path) -> None:
    silent = silent_columns(hub, sorted(LOGGED), only="rows")
    # The bytes themselves are compared with their hash by the check of the messages: see the whole scan.
    assert silent - {"message.sealed"} == {name for name in HINTS if name.split(".")[0] in LOGGED}


@pytest.mark.campaign
def test_what_a_person_looked_at_is_noticed_whole(hub: Path) -> None:
    with closing(sqlite3.connect(hub / STORE)) as db:
        (role,) = db.execute("SELECT role FROM access_log ORDER BY position DESC LIMIT 1").fetchone()
        names = [name for name, _ in columns_of(db, "access_log")]
    assert role == "board"
    shutil.copy(hub / STORE, hub / "kept")
    for name in names:
        with tampering(hub) as db:
            change_value(db, "access_log", name, last=True)
        assert findings_of(hub, only="rows"), name
        shutil.copy(hub / "kept", hub / STORE)


SIGNED = ("reading", "long_interval", "device", "consent", "chain_head", "message")


@pytest.mark.campaign
@pytest.mark.parametrize("table", SIGNED)
def test_a_changed_column_of_what_homes_signed_is_noticed(hub: Path, table: str) -> None:
    assert alone(hub, [table], only=None if table == "message" else "messages") == set()


def alone(hub: Path, tables: list[str], *, only: str | None) -> set[str]:
    """The columns whose change, alone in an otherwise whole store, leaves verify without a word."""
    shutil.copy(hub / STORE, hub / "kept")
    silent = set()
    with closing(sqlite3.connect(hub / STORE)) as db:
        columns = [(table, name) for table in tables for name, _ in columns_of(db, table)]
    for table, name in columns:
        with tampering(hub) as db:
            if row_count(db, table):
                change_value(db, table, name)
        if not findings_of(hub, only=only):
            silent.add(f"{table}.{name}")
        shutil.copy(hub / "kept", hub / STORE)
    return silent


@pytest.mark.campaign
@pytest.mark.timeout(1200)
def test_each_column_of_each_table_alone(hub: Path) -> None:
    with closing(sqlite3.connect(hub / STORE)) as db:
        tables = [table for table in tables_of(db) if table != "row_log_waiting"]
    silent = alone(hub, tables, only=None)
    assert silent == set(HINTS)


STRUCTURE: list[Callable[[sqlite3.Connection], object]] = [
    lambda db: db.execute("UPDATE agent SET public_key = x'0102' WHERE home_id = 'h01'"),
    lambda db: db.execute("UPDATE home SET member_id = 'nobody' WHERE id = 'h01'"),
    lambda db: db.execute("UPDATE reading SET mark = 77, measure = measure + 90 WHERE slot % 5 = 0"),
    lambda db: db.execute("UPDATE rule SET canonical = x'00'"),
    lambda db: db.execute("UPDATE run SET allocation = x'00', day = 'never'"),
    lambda db: db.execute("UPDATE finding SET measure = 99, numbers = '{'"),
    lambda db: db.execute("UPDATE message SET kind = 'nothing', epoch = -5"),
    lambda db: db.execute("UPDATE consent SET document = x''"),
    lambda db: db.execute("UPDATE attestation SET document = x'', signature = x''"),
    lambda db: db.execute("UPDATE row_log SET says = '[', row_key = 'x'"),
    lambda db: db.execute("UPDATE coop SET tz = 'Nowhere/Town'"),
    lambda db: db.execute("UPDATE member SET name = CAST(x'ff' AS TEXT)"),
]


@pytest.mark.parametrize(
    "number", [pytest.param(n, marks=pytest.mark.campaign) if n % 3 else n for n in range(len(STRUCTURE))]
)
def test_rows_that_cannot_be_read_are_findings(hub: Path, number: int) -> None:
    with tampering(hub) as db:
        STRUCTURE[number](db)
    assert findings_of(hub)
