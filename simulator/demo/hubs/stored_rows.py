"""How many rows a hub's store in a file holds."""

import sqlite3
from contextlib import closing
from pathlib import Path

LOG_OF_LOOKS = "access_log"
LOGS_OF_ROWS = ("row_log", "row_log_waiting")
"""A row that the hub wrote waits in the second until it is sealed into the first."""


def stored_rows(path: Path) -> int:
    """How many rows all tables of a store hold, without its access log and that log's lines in the log of rows.

    Counted as at one moment: a look that waits to be sealed into the log of rows may be sealed between two counts.
    """
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as db:
        db.execute("BEGIN")
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> ?"
        names = [str(name) for (name,) in db.execute(tables, (LOG_OF_LOOKS,))]
        rows = sum(_count(db, name) for name in names)
        return rows - sum(_count(db, log, LOG_OF_LOOKS) for log in LOGS_OF_ROWS)


def _count(db: sqlite3.Connection, table: str, source: str | None = None) -> int:
    """How many rows a table holds, or those of one source."""
    of_source, values = ("", ()) if source is None else (" WHERE source = ?", (source,))
    (count,) = db.execute(f'SELECT count(*) FROM "{table}"{of_source}', values).fetchone()  # noqa: S608
    return int(count)
