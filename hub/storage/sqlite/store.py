"""The whole store on one SQLite file: all slices together. Only entry points and tests use this class directly."""

from hub.storage.sql.slices import SqlSlices
from hub.storage.sqlite.row_log.view import SqliteRowLog


class SqliteStore(SqliteRowLog, SqlSlices):
    """Implements hub.storage.contract.Store; open it with `await SqliteStore.open(path, now=...)`."""
