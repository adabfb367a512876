"""All slices together that are the same for every database; each backend adds what is its own."""

from hub.storage.sql.accounts import SqlAccounts
from hub.storage.sql.attestations import SqlAttestations
from hub.storage.sql.books import SqlBooks
from hub.storage.sql.findings import SqlFindings
from hub.storage.sql.fleet import SqlFleet
from hub.storage.sql.forecasts import SqlForecasts
from hub.storage.sql.members import SqlMembers
from hub.storage.sql.messages import SqlMessages
from hub.storage.sql.objections import SqlObjections
from hub.storage.sql.people.agent_keys import SqlAgentKeys
from hub.storage.sql.people.board_lists import SqlBoardLists
from hub.storage.sql.people.erasures import SqlErasures
from hub.storage.sql.people.home_agents import SqlHomeAgents
from hub.storage.sql.people.households import SqlHouseholds
from hub.storage.sql.people.life import SqlLife
from hub.storage.sql.people.meter_notices import SqlMeterNotices
from hub.storage.sql.people.notices import SqlNotices
from hub.storage.sql.people.restores import SqlRestores
from hub.storage.sql.prompts import SqlPrompts
from hub.storage.sql.published.device_maps import SqlDeviceMaps
from hub.storage.sql.published.rulebook import SqlRulebook
from hub.storage.sql.published.street import SqlStreet
from hub.storage.sql.row_log.stored import SqlStoredRows
from hub.storage.sql.series import SqlSeries


class SqlSlices(
    SqlMembers,
    SqlLife,
    SqlHouseholds,
    SqlBoardLists,
    SqlErasures,
    SqlNotices,
    SqlAgentKeys,
    SqlHomeAgents,
    SqlMeterNotices,
    SqlMessages,
    SqlSeries,
    SqlFleet,
    SqlForecasts,
    SqlPrompts,
    SqlRulebook,
    SqlDeviceMaps,
    SqlBooks,
    SqlAttestations,
    SqlObjections,
    SqlAccounts,
    SqlFindings,
    SqlStreet,
    SqlRestores,
    SqlStoredRows,
):
    """Everything of hub.storage.contract.Store but closing it and its log of rows."""
