"""The whole store on one SQLite file: the slices put together. Only entry points and tests name this class."""

from hub.storage.sqlite_accounts import SqliteAccounts
from hub.storage.sqlite_attestations import SqliteAttestations
from hub.storage.sqlite_books import SqliteBooks
from hub.storage.sqlite_findings import SqliteFindings
from hub.storage.sqlite_fleet import SqliteFleet
from hub.storage.sqlite_forecasts import SqliteForecasts
from hub.storage.sqlite_members import SqliteMembers
from hub.storage.sqlite_messages import SqliteMessages
from hub.storage.sqlite_objections import SqliteObjections
from hub.storage.sqlite_prompts import SqlitePrompts
from hub.storage.sqlite_series import SqliteSeries


class SqliteStore(
    SqliteMembers,
    SqliteMessages,
    SqliteSeries,
    SqliteFleet,
    SqliteForecasts,
    SqlitePrompts,
    SqliteBooks,
    SqliteAttestations,
    SqliteObjections,
    SqliteAccounts,
    SqliteFindings,
):
    """Everything of hub.storage.contract.Store; open it with `await SqliteStore.open(path, now=...)`."""
