"""Every table of a store, in an order in which rows find what they refer to, and the hash of a table's rows."""

import hashlib
import sqlite3
import struct
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from hub.storage.sqlite.schema import known_migrations

# SQLite numbers rows by itself; where the order of such numbers is read, a server has a column of that name.
NUMBERED: Final = frozenset({"mandate", "map_file"})
ROW_NUMBER: Final = "rowid"
LOG: Final = frozenset({"row_log", "row_log_head", "row_log_waiting"})


@dataclass(frozen=True, slots=True)
class TablePlan:
    """A table's columns, in order, and those of its key."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def select(self) -> str:
        """All rows in the order of their keys, the same on both sides."""
        return f"SELECT {', '.join(self.columns)} FROM {self.name} ORDER BY {', '.join(self.key)}"  # noqa: S608


@cache
def table_plans() -> tuple[TablePlan, ...]:
    """The plan of each table, but for the list of the schema's own steps; a table comes after those it refers to."""
    with closing(sqlite3.connect(":memory:")) as db:
        for step in known_migrations():
            db.executescript(step.sql)
        names = [str(row[0]) for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        refers = {
            name: {str(row[2]) for row in db.execute(f"PRAGMA foreign_key_list({name})")} - {name} for name in names
        }
        plans = {name: _plan(db, name) for name in names}
    ordered: list[str] = []
    while len(ordered) < len(names):
        ordered += [name for name in names if name not in ordered and refers[name] <= set(ordered)]
    return tuple(plans[name] for name in ordered)


def _plan(db: sqlite3.Connection, name: str) -> TablePlan:
    found = db.execute(f"PRAGMA table_info({name})").fetchall()
    columns = [str(row[1]) for row in found]
    key = [str(row[1]) for row in sorted(found, key=lambda row: int(row[5])) if row[5]]
    if name in NUMBERED:
        columns.append(ROW_NUMBER)
    return TablePlan(name, tuple(columns), tuple(key))


class RowsHash:
    """The hash and the number of rows that were added, one after the other."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows in their order."""
        for row in rows:
            self._hash.update(b"".join(_cell(value) for value in row) + b"\n")
            self.count += 1

    @property
    def digest(self) -> str:
        """The hash of everything added so far, in hexadecimal."""
        return self._hash.hexdigest()


def _cell(value: object) -> bytes:
    """A value with its type and length, so that no two rows give the same bytes."""
    if value is None:
        return b"n"
    if isinstance(value, str):
        raw, tag = value.encode(), b"t"
    elif isinstance(value, bytes):
        raw, tag = value, b"b"
    elif isinstance(value, float):
        raw, tag = struct.pack(">d", value), b"r"
    elif isinstance(value, int):
        raw, tag = str(value).encode(), b"i"
    else:
        raise TypeError(f"a store holds no {type(value).__name__}")
    return tag + str(len(raw)).encode() + b":" + raw
