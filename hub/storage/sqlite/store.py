"""The whole store on one SQLite file: all slices together. Only entry points and tests use this class directly."""

from hub.storage.sqlite.accounts import SqliteAccounts
from hub.storage.sqlite.attestations import SqliteAttestations
from hub.storage.sqlite.books import SqliteBooks
from hub.storage.sqlite.findings import SqliteFindings
from hub.storage.sqlite.fleet import SqliteFleet
from hub.storage.sqlite.forecasts import SqliteForecasts
from hub.storage.sqlite.members import SqliteMembers
from hub.storage.sqlite.messages import SqliteMessages
from hub.storage.sqlite.objections import SqliteObjections
from hub.storage.sqlite.people.agent_keys import SqliteAgentKeys
from hub.storage.sqlite.people.erasures import SqliteErasures
from hub.storage.sqlite.people.home_agents import SqliteHomeAgents
from hub.storage.sqlite.people.households import SqliteHouseholds
from hub.storage.sqlite.people.life import SqliteLife
from hub.storage.sqlite.people.meter_notices import SqliteMeterNotices
from hub.storage.sqlite.people.notices import SqliteNotices
from hub.storage.sqlite.people.restores import SqliteRestores
from hub.storage.sqlite.prompts import SqlitePrompts
from hub.storage.sqlite.published.device_maps import SqliteDeviceMaps
from hub.storage.sqlite.published.rulebook import SqliteRulebook
from hub.storage.sqlite.published.street import SqliteStreet
from hub.storage.sqlite.row_log.slice import SqliteRowLog
from hub.storage.sqlite.row_log.stored import SqliteStoredRows
from hub.storage.sqlite.series import SqliteSeries


class SqliteStore(
    SqliteMembers,
    SqliteLife,
    SqliteHouseholds,
    SqliteErasures,
    SqliteNotices,
    SqliteAgentKeys,
    SqliteHomeAgents,
    SqliteMeterNotices,
    SqliteMessages,
    SqliteSeries,
    SqliteFleet,
    SqliteForecasts,
    SqlitePrompts,
    SqliteRulebook,
    SqliteDeviceMaps,
    SqliteBooks,
    SqliteAttestations,
    SqliteObjections,
    SqliteAccounts,
    SqliteFindings,
    SqliteStreet,
    SqliteRestores,
    SqliteRowLog,
    SqliteStoredRows,
):
    """Implements hub.storage.contract.Store; open it with `await SqliteStore.open(path, now=...)`."""
