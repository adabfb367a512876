"""All slices together that are the same for every database; each backend adds what is its own."""

from contextlib import AbstractAsyncContextManager
from typing import TypeVar, cast

from hub.storage.audit_records import FileCheck, RowLogStore, RowLogView
from hub.storage.errors import LeaseLostError, StoreError
from hub.storage.shared.records import Held
from hub.storage.sql.accounts import SqlAccounts
from hub.storage.sql.attestations import SqlAttestations
from hub.storage.sql.books import SqlBooks
from hub.storage.sql.connection import Connection, Work
from hub.storage.sql.findings import SqlFindings
from hub.storage.sql.fleet import SqlFleet
from hub.storage.sql.forecasts import SqlForecasts
from hub.storage.sql.jobs.remembered import SqlJobs
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
from hub.storage.sql.periods.sums import SqlPeriodSums
from hub.storage.sql.prompts import SqlPrompts
from hub.storage.sql.published.device_maps import SqlDeviceMaps
from hub.storage.sql.published.kept_parts import SqlKeptParts
from hub.storage.sql.published.rulebook import SqlRulebook
from hub.storage.sql.published.street import SqlStreet
from hub.storage.sql.row_log.stored import SqlStoredRows
from hub.storage.sql.series import SqlSeries
from hub.storage.sql.shared.guarded import SqlGuarded
from hub.storage.sql.shared.leases import SqlLeases
from hub.storage.sql.shared.outgoing import SqlOutgoing

T = TypeVar("T")


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
    SqlPeriodSums,
    SqlFleet,
    SqlForecasts,
    SqlJobs,
    SqlPrompts,
    SqlRulebook,
    SqlDeviceMaps,
    SqlBooks,
    SqlAttestations,
    SqlObjections,
    SqlAccounts,
    SqlFindings,
    SqlStreet,
    SqlKeptParts,
    SqlRestores,
    SqlStoredRows,
    SqlLeases,
    SqlOutgoing,
    SqlGuarded,
):
    """Everything of hub.storage.contract.Store but closing it and its log of rows."""

    def fenced(self, *, holder: str, held: Held) -> "FencedSlices":
        """This store for who acts under leases: each write first checks, in its own commit, that all are `holder`'s.

        A write raises LeaseLostError and writes nothing as soon as another one has any of them.
        """
        return FencedSlices(self, holder=holder, held=held)


class FencedSlices(SqlSlices):
    """An open store, for the holder of leases. Whoever opened the store closes it."""

    def __init__(self, store: SqlSlices, *, holder: str, held: Held) -> None:
        super().__init__(store.place, now=store._now, signer=store._signer)
        self._unfenced, self._lease_holder, self._leases = store, holder, held

    @property
    def trouble(self) -> StoreError | None:
        """What keeps the store's server from its work."""
        return self._unfenced.trouble

    async def size_bytes(self) -> int:
        """How much room the store takes. Raises: StoreError."""
        return await self._unfenced.size_bytes()

    async def write(self, work: Work[T]) -> T:
        """Run `work` inside the next commit, if all leases are still held then. Raises: LeaseLostError as well."""
        held = dict(self._leases())

        async def fenced(db: Connection) -> T:
            rows = await db.execute_fetchall("SELECT name, token FROM lease WHERE holder = ?", (self._lease_holder,))
            # Whoever takes a lease does it in a commit, and commits take turns: until this one ends, nobody can.
            own = {str(name): int(token) for name, token in rows}
            if lost := frozenset(name for name, token in held.items() if own.get(name) != token):
                raise LeaseLostError(lost)
            return await work(db)

        return await self._unfenced.write(fenced)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a consistent snapshot of committed rows."""
        return await self._unfenced.read(work)

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """A consistent snapshot of committed rows, inside the block."""
        return self._unfenced.reading()

    def row_log(self) -> AbstractAsyncContextManager[RowLogView]:
        """The log and its tables at one moment."""
        return self._log.row_log()

    async def quick_check(self, *, within_s: float) -> FileCheck:
        """The first damage a quick check finds within this many seconds."""
        return await self._log.quick_check(within_s=within_s)

    async def close(self) -> None:
        """Nothing: the store that is under this one stays open."""

    @property
    def _log(self) -> RowLogStore:
        return cast(RowLogStore, self._unfenced)  # each backend brings it
