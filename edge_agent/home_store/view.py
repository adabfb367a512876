"""Reads the home's own history, also beside a running agent: for the local page and for `export`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge_agent.home_store.contents import KeptQuarter, MinuteMeans, decode_minutes, decode_quarter
from edge_agent.home_store.recent import read_recent
from edge_agent.home_store.store import FILE_NAME, HomeStoreError
from protocols.slots import Slot


def read_quarters(folder: Path, slots: range) -> Iterator[KeptQuarter]:
    """The kept quarter hours among these slots, ascending; only the newest of them with their minutes.

    None of a home that keeps nothing yet. Raises: HomeStoreError; KeptRowError for a damaged row.
    """
    recent = _recent(folder, slots)
    for slot, content in _rows(folder, "quarter", slots):
        if slot not in recent:
            yield decode_quarter(slot, content)
    for slot in sorted(recent):
        yield recent[slot]


def read_minutes(folder: Path, slots: range) -> Iterator[tuple[Slot, dict[str, MinuteMeans]]]:
    """The minute means of these slots by device and role ('meter/grid'), ascending; slots without any are left out.

    Raises: HomeStoreError; KeptRowError for a damaged row.
    """
    recent = _recent(folder, slots)
    for slot, content in _rows(folder, "minute", slots):
        if slot not in recent:
            yield slot, decode_minutes(slot, content)
    for slot in sorted(recent):
        if minutes := dict(recent[slot].minutes):
            yield slot, minutes


def kept_slots(folder: Path) -> range:
    """From the first kept quarter hour to behind the newest; empty if there is none. Raises: HomeStoreError."""
    recent = _recent(folder, None)
    with _reading(folder) as db:
        found = None if db is None else db.execute("SELECT min(slot), max(slot) FROM quarter").fetchone()
    known = [*recent, *(slot for slot in found or () if slot is not None)]
    return range(min(known), max(known) + 1) if known else range(0)


def _recent(folder: Path, slots: range | None) -> dict[Slot, KeptQuarter]:
    # Read before the database: what is moved in between is then seen twice, and not missed.
    try:
        found = read_recent(folder)
    except OSError as cause:
        raise HomeStoreError(
            f"{folder}: cannot be read: {cause.strerror}: run this as the user it belongs to"
        ) from None
    return found if slots is None else {slot: quarter for slot, quarter in found.items() if slot in slots}


def _rows(folder: Path, table: str, slots: range) -> list[tuple[Slot, bytes]]:
    sql = f"SELECT slot, content FROM {table} WHERE slot >= ? AND slot < ? ORDER BY slot"  # noqa: S608
    with _reading(folder) as db:
        return [] if db is None else db.execute(sql, (slots.start, slots.stop)).fetchall()


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
