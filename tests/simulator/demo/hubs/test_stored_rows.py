"""Rows of the hub's store that the demonstration counts: looks that are logged and sealed meanwhile change nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from simulator.demo.hubs.stored_rows import stored_rows

TABLES = """
CREATE TABLE entry (id INTEGER PRIMARY KEY);
CREATE TABLE access_log (id INTEGER PRIMARY KEY);
CREATE TABLE row_log (id INTEGER PRIMARY KEY, source TEXT NOT NULL);
CREATE TABLE row_log_waiting (id INTEGER PRIMARY KEY, source TEXT NOT NULL);
"""
BOOKED = "INSERT INTO entry DEFAULT VALUES; INSERT INTO row_log_waiting (source) VALUES ('entry');"
LOOKED = "INSERT INTO access_log DEFAULT VALUES; INSERT INTO row_log_waiting (source) VALUES ('access_log');"
SEALED = "INSERT INTO row_log (source) SELECT source FROM row_log_waiting; DELETE FROM row_log_waiting;"


@pytest.mark.parametrize(
    ("meanwhile", "more"),
    [(LOOKED, 0), (SEALED, 0), (LOOKED + SEALED, 0), (BOOKED, 2), (BOOKED + SEALED, 2), (BOOKED + LOOKED + SEALED, 2)],
)
def test_only_what_is_booked_changes_the_count(tmp_path: Path, meanwhile: str, more: int) -> None:
    store = tmp_path / "hub.sqlite"
    with closing(sqlite3.connect(store)) as db:
        db.executescript(TABLES + BOOKED + LOOKED)
        before = stored_rows(store)
        db.executescript(meanwhile)
        assert stored_rows(store) == before + more
