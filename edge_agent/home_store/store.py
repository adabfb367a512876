"""Writes the home's own history: a short append each quarter hour, moved into the database once a day; bounded in time.

Blocking: the agent calls it in a thread. `view` reads it, also beside a running agent.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from edge_agent.home_store.contents import KeptQuarter, encode_minutes, encode_quarter
from edge_agent.home_store.recent import append_recent, drop_recent, is_torn, read_recent
from protocols.durable_files import make_private_folder
from protocols.errors import CommonwattError
from protocols.slots import SLOTS_PER_UTC_DAY

FILE_NAME = "history.sqlite"
APPLICATION_ID = 0x63776831  # "cwh1"
VERSION = 1
KEPT_SLOTS = 400 * SLOTS_PER_UTC_DAY
KEPT_MINUTE_SLOTS = 30 * SLOTS_PER_UTC_DAY
MOVED_AT = SLOTS_PER_UTC_DAY
"""How many quarter hours the log holds before they are moved."""

MOST_THINNED = 2 * MOVED_AT

SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE TABLE IF NOT EXISTS quarter (slot INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS minute (slot INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
"""


class HomeStoreError(CommonwattError):
    """The home's own history cannot be written or read; one line that says what to do."""


class HomeStore:
    """The one writer. `aside` is the new name of a damaged file that was found at the start.

    `kept_slots` and `kept_minute_slots`: how much is kept, counted back from the newest slot.
    """

    def __init__(
        self, folder: Path, *, now_s: float, kept_slots: int = KEPT_SLOTS, kept_minute_slots: int = KEPT_MINUTE_SLOTS
    ) -> None:
        """Check it, or create it. Raises: HomeStoreError."""
        self._folder = folder
        self._path = folder / FILE_NAME
        self._turn = threading.Lock()
        self._kept_slots, self._kept_minute_slots = kept_slots, kept_minute_slots
        self.aside: Path | None = None
        with _reported(self._path):
            make_private_folder(folder)
            if not _is_sound(self._path):
                self.aside = _set_aside(self._path, now_s)
                if not _is_sound(self._path):
                    raise HomeStoreError(f"{self._path}: cannot be created: is the SD card full or worn out?")
            self._recent = len(read_recent(folder))
            if is_torn(folder):
                self._move()

    def keep(self, quarters: Sequence[KeptQuarter]) -> None:
        """Store them; a known quarter hour gets the new values. Raises: HomeStoreError."""
        if not quarters:
            return
        with self._turn, _reported(self._path):
            append_recent(self._folder, quarters)
            self._recent += len(quarters)
            if self._recent >= MOVED_AT:
                self._move()

    def close(self) -> None:
        """Wait for a write that is under way."""
        with self._turn:
            return

    def _move(self) -> None:
        """Move the log into the database in one transaction."""
        found = read_recent(self._folder)
        if found:
            with closing(_opened(self._path)) as db:
                db.execute("BEGIN IMMEDIATE")
                _insert(db, found.values())
                self._thin(db, newest=max(found))
                # If power fails before the commit, the log still has it all; after it, what is read from the log again
                # is the same.
                db.execute("COMMIT")
        drop_recent(self._folder)
        self._recent = 0

    def _thin(self, db: sqlite3.Connection, *, newest: int) -> None:
        """Delete what is too old, and what a clock that was ahead has left.

        Each time the oldest few only: a clock that is years ahead must not make the whole history look old.
        """
        for table, kept in (("quarter", self._kept_slots), ("minute", self._kept_minute_slots)):
            old = f"SELECT slot FROM {table} WHERE slot <= ? ORDER BY slot LIMIT ?"  # noqa: S608 - two constant names
            db.execute(f"DELETE FROM {table} WHERE slot IN ({old})", (newest - kept, MOST_THINNED))  # noqa: S608
            db.execute(f"DELETE FROM {table} WHERE slot > ?", (newest + SLOTS_PER_UTC_DAY,))  # noqa: S608


def _insert(db: sqlite3.Connection, quarters: Iterable[KeptQuarter]) -> None:
    rows = list(quarters)
    db.executemany(
        "INSERT OR REPLACE INTO quarter (slot, content) VALUES (?, ?)",
        [(quarter.slot, encode_quarter(quarter)) for quarter in rows],
    )
    db.executemany(
        "INSERT OR REPLACE INTO minute (slot, content) VALUES (?, ?)",
        [(quarter.slot, encode_minutes(quarter.minutes)) for quarter in rows if quarter.minutes],
    )


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=5)
    db.execute("PRAGMA synchronous = FULL")
    return db


def _is_sound(path: Path) -> bool:
    """Whether this is our own, healthy file, or a new one, which is then made."""
    try:
        with closing(_opened(path)) as db:
            (mark,) = db.execute("PRAGMA application_id").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if mark not in (0, APPLICATION_ID) or version > VERSION:
                return False
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                return False
            if (mark, version) != (APPLICATION_ID, VERSION):
                db.executescript(SCHEMA)
            return True
    except sqlite3.OperationalError as cause:
        if "malformed" not in str(cause):
            raise
        return False
    except sqlite3.DatabaseError:
        return False


def _set_aside(path: Path, now_s: float) -> Path:
    """Rename a damaged file and keep it for inspection."""
    aside = path.with_name(f"{path.name}.damaged-{int(now_s)}")
    path.rename(aside)
    path.with_name(path.name + "-journal").unlink(missing_ok=True)
    return aside


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as cause:
        raise HomeStoreError(f"{path}: cannot be written: {cause}: is the disk full?") from None
    except OSError as cause:
        raise HomeStoreError(f"{path}: cannot be written: {cause.strerror or cause}") from None
