"""Writes the home's own history: one small transaction a quarter hour, bounded in time, a damaged file set aside.

Blocking: the agent calls it in a thread. `view` reads it, also beside a running agent.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from edge_agent.home_store.contents import KeptQuarter, encode_minutes, encode_quarter
from protocols.durable_files import make_private_folder
from protocols.errors import CommonwattError
from protocols.slots import SLOTS_PER_UTC_DAY

FILE_NAME = "history.sqlite"
APPLICATION_ID = 0x63776831  # "cwh1"
VERSION = 1
KEPT_SLOTS = 400 * SLOTS_PER_UTC_DAY
KEPT_MINUTE_SLOTS = 30 * SLOTS_PER_UTC_DAY
THIN_EVERY_SLOTS = SLOTS_PER_UTC_DAY

# Rows lie in the order of time, so that a quarter hour touches the last page of each table and few others.
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
        """Open or create it. Raises: HomeStoreError."""
        self._path = folder / FILE_NAME
        self._turn = threading.Lock()
        self._kept_slots, self._kept_minute_slots = kept_slots, kept_minute_slots
        self._thinned_at = 0
        self.aside: Path | None = None
        try:
            make_private_folder(folder)
            connection = _sound_connection(self._path)
            if connection is None:
                self.aside = _set_aside(self._path, now_s)
                connection = _sound_connection(self._path)
        except (sqlite3.Error, OSError) as cause:
            raise HomeStoreError(f"{self._path}: cannot be written: {cause}: is the disk full?") from None
        if connection is None:
            raise HomeStoreError(f"{self._path}: cannot be created: is the SD card full or worn out?")
        self._db = connection

    def keep(self, quarters: Sequence[KeptQuarter]) -> None:
        """Store them, all or nothing; a known quarter hour gets the new values. Raises: HomeStoreError."""
        if not quarters:
            return
        newest = max(quarter.slot for quarter in quarters)
        with self._turn:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    self._insert(quarters)
                    if not self._thinned_at <= newest < self._thinned_at + THIN_EVERY_SLOTS:
                        self._thin(newest)
                    self._db.execute("COMMIT")
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as cause:
                raise HomeStoreError(f"{self._path}: cannot be written: {cause}: is the disk full?") from None

    def set_patience(self, wait_s: float) -> None:
        """How long a write waits for another program that holds the file."""
        self._db.execute(f"PRAGMA busy_timeout = {int(wait_s * 1000)}")

    def close(self) -> None:
        """Close the file, after a write that is under way."""
        with self._turn:
            self._db.close()

    def _insert(self, quarters: Sequence[KeptQuarter]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO quarter (slot, content) VALUES (?, ?)",
            [(quarter.slot, encode_quarter(quarter)) for quarter in quarters],
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO minute (slot, content) VALUES (?, ?)",
            [(quarter.slot, encode_minutes(quarter.minutes)) for quarter in quarters if quarter.minutes],
        )

    def _thin(self, newest: int) -> None:
        """Delete what is too old, once a day, and what a clock that was ahead has left."""
        for table, kept in (("quarter", self._kept_slots), ("minute", self._kept_minute_slots)):
            self._db.execute(
                f"DELETE FROM {table} WHERE slot <= ? OR slot > ?",  # noqa: S608 - two constant names
                (newest - kept, newest + SLOTS_PER_UTC_DAY),
            )
        self._thinned_at = newest


def _sound_connection(path: Path) -> sqlite3.Connection | None:
    """A connection to our own, healthy file (or a new one); None for any other."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    is_sound = False
    try:
        is_sound = _prepare(connection)
    except sqlite3.OperationalError as cause:
        if "malformed" not in str(cause):
            raise
    except sqlite3.DatabaseError:
        is_sound = False
    finally:
        if not is_sound:
            connection.close()
    return connection if is_sound else None


def _prepare(connection: sqlite3.Connection) -> bool:
    # Small pages: a quarter hour's values are less than one, and an SD card wears with every page written.
    connection.execute("PRAGMA page_size = 1024")
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if mark not in (0, APPLICATION_ID) or version > VERSION:
        return False
    if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        return False
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    # NORMAL: a power cut may cost the last quarter hour here, never the file. The outbox has what counts.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(SCHEMA)
    return True


def _set_aside(path: Path, now_s: float) -> Path:
    """Rename a damaged file and keep it for inspection."""
    aside = path.with_name(f"{path.name}.damaged-{int(now_s)}")
    path.rename(aside)
    for tail in ("-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)
    return aside
