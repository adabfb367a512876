"""A log of rows begins only once: a store whose log was removed is wrong."""

import asyncio
import logging
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hub.folder.opening import open_store
from hub.processes import running
from hub.storage.sql.row_log.protection import LOGGED
from hub.storage.sqlite.schema import known_migrations
from tests.hub.verify.tampering import CLOCK, STORE, findings_of

GONE = "log of rows: its beginning is gone; this store's log was begun, and a log is never begun again"


FIRST_AGAIN = 22


def take_back_steps(db: sqlite3.Connection) -> None:
    """Leave the store as if the schema's newest steps had never been applied, so that the hub applies them again."""
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f'DROP TRIGGER "{name}"')  # they name tables and columns that go
    steps = known_migrations()
    for step in reversed(steps[FIRST_AGAIN - 1 :]):
        earlier = "".join(each.sql for each in steps[: step.number - 1])
        for name in re.findall(r"^CREATE (?:UNIQUE )?INDEX (\w+)", step.sql, re.MULTILINE):
            db.execute(f"DROP INDEX {name}")
        for name in re.findall(r"^DROP INDEX (\w+);", step.sql, re.MULTILINE):
            (older,) = re.findall(rf"^CREATE (?:UNIQUE )?INDEX {name} [^;]*;", earlier, re.MULTILINE)
            db.execute(older)
        for table in re.findall(r"^CREATE TABLE (\w+)", step.sql, re.MULTILINE):
            # A table that took an older one's place keeps its new form: the step copies from it as from the older one.
            if f"ALTER TABLE {table} RENAME" not in step.sql:
                db.execute(f"DROP TABLE {table}")
        for table, column in re.findall(r"^ALTER TABLE (\w+) ADD COLUMN (\w+)", step.sql, re.MULTILINE):
            db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        db.execute("DELETE FROM migration WHERE number = ?", (step.number,))
    older = "".join(each.sql for each in steps[: FIRST_AGAIN - 1])
    triggers = dict(re.findall(r"^(?=CREATE TRIGGER (\w+))(CREATE TRIGGER .*?END;)$", older, re.MULTILINE | re.DOTALL))
    for sql in triggers.values():
        db.execute(sql)


def remove_log(hub: Path, *, more: str = "") -> None:
    """The log, its head and every trigger of it; `more` is SQL."""
    with closing(sqlite3.connect(hub / STORE, isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            if name.startswith("row_log_"):
                db.execute(f'DROP TRIGGER "{name}"')
        db.execute("DELETE FROM row_log")
        db.execute("DELETE FROM row_log_head")
        db.executescript(more)


def write_something(hub: Path) -> None:
    async def write() -> None:
        store = await open_store(hub, clock=CLOCK)
        await store.add_sign_in(b"link", member_id="m03", expires_at=2_000_000_000)
        await store.close()

    asyncio.run(write())


@pytest.mark.parametrize("is_again", [False, True], ids=["no step", "steps of the schema are applied again"])
def test_a_removed_log_is_not_begun_again(hub: Path, caplog: pytest.LogCaptureFixture, is_again: bool) -> None:
    remove_log(hub, more="UPDATE home SET name = 'x' WHERE id = 'h02';")
    if is_again:
        with closing(sqlite3.connect(hub / STORE, isolation_level=None)) as db:
            take_back_steps(db)
    with caplog.at_level(logging.ERROR):
        write_something(hub)
    (line,) = caplog.messages
    assert line.startswith("the log of rows was begun before and lacks coop, member, home, ")
    findings = findings_of(hub, only="rows")
    assert GONE in findings
    assert any(finding.endswith("the row was added past the hub") for finding in findings)
    with closing(sqlite3.connect(hub / STORE)) as db:
        assert db.execute("SELECT DISTINCT change FROM row_log").fetchall() == [("added",)]


def test_lines_with_which_a_table_began_are_missed(hub: Path) -> None:
    with closing(sqlite3.connect(hub / STORE, isolation_level=None)) as db:
        db.executescript("DROP TRIGGER row_log_is_kept; DELETE FROM row_log WHERE source = 'account'")
    findings = findings_of(hub, only="rows")
    assert "log of rows: it has no line with which it begins to hold the table account" in findings


def test_a_hub_whose_signed_head_is_gone_goes_on_writing_and_stays_wrong(hub: Path) -> None:
    with closing(sqlite3.connect(hub / STORE, isolation_level=None)) as db:
        db.execute("DELETE FROM row_log_head")
    write_something(hub)
    assert any("a line was changed" in finding for finding in findings_of(hub, only="rows"))


def test_every_logged_table_is_taken_over_once(hub: Path) -> None:
    with closing(sqlite3.connect(hub / STORE)) as db:
        begun = [name for (name,) in db.execute("SELECT source FROM row_log WHERE change = 'form' ORDER BY source")]
    assert begun == sorted(LOGGED)


async def test_a_start_that_looked_through_a_part_only_says_so(
    hub: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await running.refuse_damage(hub)
    assert caplog.messages == []
    monkeypatch.setattr(running, "CHECK_AT_START_S", -1.0)
    with caplog.at_level(logging.WARNING):
        await running.refuse_damage(hub)
    (line,) = caplog.messages
    assert line.startswith("only a part of the store was looked through for damage")
