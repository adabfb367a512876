"""The whole store on a PostgreSQL server: all slices together. Only entry points and tests use this class directly."""

from hub.storage.postgres.row_log.view import PostgresRowLog
from hub.storage.sql.slices import SqlSlices


class PostgresStore(PostgresRowLog, SqlSlices):
    """Implements hub.storage.contract.Store; open it with `await PostgresStore.open(address, now=...)`."""
