"""Reads the home's own history, also beside a running agent: for the local page and for `export`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge_agent.home_store.contents import KeptQuarter, MinuteMeans, decode_minutes, decode_quarter
from edge_agent.home_store.store import FILE_NAME, HomeStoreError
from protocols.slots import Slot


def read_quarters(folder: Path, slots: range) -> Iterator[KeptQuarter]:
    """The kept quarter hours among these slots, ascending, without their minutes.

    None of a home that keeps nothing yet. Raises: HomeStoreError; KeptRowError for a damaged row.
    """
    for slot, content in _rows(folder, "quarter", slots):
        yield decode_quarter(slot, content)


def read_minutes(folder: Path, slots: range) -> Iterator[tuple[Slot, dict[str, MinuteMeans]]]:
    """The minute means of these slots by device and role ('meter/grid'), ascending; slots without any are left out.

    Raises: HomeStoreError; KeptRowError for a damaged row.
    """
    for slot, content in _rows(folder, "minute", slots):
        yield slot, decode_minutes(slot, content)


def kept_slots(folder: Path) -> range:
    """From the first kept quarter hour to behind the newest; empty if there is none. Raises: HomeStoreError."""
    with _reading(folder) as db:
        found = db and db.execute("SELECT min(slot), max(slot) FROM quarter").fetchone()
    return range(found[0], found[1] + 1) if found and found[0] is not None else range(0)


def _rows(folder: Path, table: str, slots: range) -> Iterator[tuple[Slot, bytes]]:
    with _reading(folder) as db:
        if db is None:
            return
        sql = f"SELECT slot, content FROM {table} WHERE slot >= ? AND slot < ? ORDER BY slot"  # noqa: S608
        yield from db.execute(sql, (slots.start, slots.stop))


@contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection | None]:
    path = folder / FILE_NAME
    try:
        if not path.exists():
            yield None
            return
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as db:
            yield db
    except OSError as cause:
        raise HomeStoreError(f"{path}: cannot be read: {cause.strerror}: run this as the user it belongs to") from None
    except sqlite3.Error as cause:
        raise HomeStoreError(f"{path}: cannot be read: {cause}") from None
