"""Shows the stored messages and the rows made of them as they are, damaged or not."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from hub.core.homes.measure_sources import MeterSource
from hub.storage.audit_records import (
    LoggedHomes,
    MessageRow,
    StoredHead,
    StoredHome,
    StoredMessage,
    StoredPeople,
    StoredRowsView,
)
from hub.storage.life_records import HomeErasure
from hub.storage.records import Access, Agent
from hub.storage.sql.access_log import SqlAccessLog
from hub.storage.sql.connection import Connection, Row
from hub.storage.sql.short_form import whole
from protocols.quantities import Measure
from protocols.slots import Slot
from protocols.wire.chain import FIRST_PREVIOUS

_MESSAGES_SQL: Final = """SELECT position, epoch, seq, CAST(kind AS BLOB), hash, sealed, received_at, first_slot,
last_slot, CAST(refused AS BLOB),
(SELECT hash FROM message AS before WHERE before.agent = m.agent AND before.epoch = m.epoch AND before.seq = m.seq - 1)
FROM message AS m WHERE agent = ? AND (epoch, seq) > (?, ?) ORDER BY epoch, seq LIMIT ?"""
_ROWS_SQL: Final = """SELECT position, CAST(agent AS BLOB), epoch, seq, CAST(kind AS BLOB), hash, sealed, received_at,
first_slot, last_slot, CAST(refused AS BLOB) FROM message WHERE position > ? ORDER BY position LIMIT ?"""
_READINGS_SQL: Final = "SELECT measure, slot, span, energy_wh, mark, gap FROM reading WHERE home = ?"
_READINGS_FROM_SQL: Final = """SELECT measure, slot, span, energy_wh, mark, gap FROM reading
WHERE home = ? AND slot >= ?"""
_LONG_SQL: Final = "SELECT measure, first_slot, slots, energy_wh FROM long_interval WHERE home = ?"
_DEVICES_SQL: Final = """SELECT CAST(name AS BLOB), CAST(state AS BLOB), age_s, reported_at, seat FROM device
WHERE home = ?"""
_CONSENTS_SQL: Final = "SELECT version, document, received_at, seat FROM consent WHERE home = ?"
_HEAD_SQL: Final = "SELECT epoch, seq, hash, last_slot, last_received_at, messages FROM chain_head WHERE agent = ?"
_AGENTS_SQL: Final = """SELECT id, home_id, shard, public_key, enrolled_at, revoked_at, seat FROM agent
WHERE home_id = ? ORDER BY enrolled_at, id"""
_SOURCES_SQL: Final = """SELECT s.home, s.measure, s.agent, agent.seat, s.first_slot, s.since_at, s.after_position
FROM measure_source AS s JOIN agent ON agent.id = s.agent WHERE s.home = ? ORDER BY s.id"""
_ERASURE_SQL: Final = "SELECT home, member, left_at, months, messages, erased_at FROM erasure WHERE home = ?"
FIELDS: Final = "everything the home sent"


class SqlStoredRows(SqlAccessLog):
    """The StoredRows slice."""

    async def stored_messages(self, agent: str, *, after: tuple[int, int], limit: int) -> tuple[StoredMessage, ...]:
        """In order of (epoch, seq); `sealed` is empty where the content was refused."""
        async with self.reading() as db:
            return await _StoredView(db).messages(agent, after=after, limit=limit)

    async def message_rows(self, *, after: int, limit: int) -> tuple[MessageRow, ...]:
        """The messages of all agents behind this position, in order."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_ROWS_SQL, (after, limit))
        return tuple(tuple(row) for row in rows)

    async def stored_rows(self, homes: Sequence[str], *, access: Access) -> LoggedHomes:
        """The rows of these homes; the access is logged first, in one commit (I12)."""
        await self.log_access(access, homes, fields=FIELDS, rows=0)
        return _Logged(self, frozenset(homes))


class _Logged:
    """The homes to which an access was logged."""

    def __init__(self, store: SqlStoredRows, homes: frozenset[str]) -> None:
        self._store, self._homes = store, homes

    @asynccontextmanager
    async def view(self, home: str) -> AsyncIterator[StoredRowsView]:
        """One of these homes' rows at one moment. Raises: ValueError for a home to which no access was logged."""
        if home not in self._homes:
            raise ValueError(f"no access to {home} was logged")
        async with self._store.reading() as db:
            yield _StoredView(db)


class _StoredView:
    """The view of one connection, in its transaction."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def people(self, home: str) -> StoredPeople:
        """Agents in the order in which they came, sources in that in which they took over."""
        agents = await self._db.execute_fetchall(_AGENTS_SQL, (home,))
        sources = await self._db.execute_fetchall(_SOURCES_SQL, (home,))
        erasures = await self._db.execute_fetchall(_ERASURE_SQL, (home,))
        return StoredPeople(
            tuple(Agent(*row) for row in agents),
            tuple(MeterSource(row[0], Measure(row[1]), *tuple(row)[2:]) for row in sources),
            next((HomeErasure(*row) for row in erasures), None),
        )

    async def head(self, agent: str) -> StoredHead | None:
        """The row that says how far the agent's messages go."""
        rows = await self._db.execute_fetchall(_HEAD_SQL, (agent,))
        return next((StoredHead(*row) for row in rows), None)

    async def messages(self, agent: str, *, after: tuple[int, int], limit: int) -> tuple[StoredMessage, ...]:
        """In order of (epoch, seq); `sealed` is empty where the content was refused."""
        rows = await self._db.execute_fetchall(_MESSAGES_SQL, (agent, *after, limit))
        return tuple(_message(agent, row) for row in rows)

    async def home(self, home: str) -> StoredHome:
        """Everything made of this home's messages."""
        return await self._home(home, await self._db.execute_fetchall(_READINGS_SQL, (home,)))

    async def home_from(self, home: str, *, slot: Slot) -> StoredHome:
        """The same, of the readings only those from this slot on."""
        return await self._home(home, await self._db.execute_fetchall(_READINGS_FROM_SQL, (home, slot)))

    async def reading_lines(self, home: str, *, before: Slot) -> tuple[tuple[int, str], ...]:
        """(measure, text) in order: a line `slot,span,energy,mark,gap;` for each reading of an earlier slot."""
        rows = await self._db.execute_fetchall(self._db.dialect.reading_lines_sql, (home, before))
        return tuple((int(measure), str(text)) for measure, text in rows)

    async def _home(self, home: str, readings: list[Row]) -> StoredHome:
        statements = (_LONG_SQL, _DEVICES_SQL, _CONSENTS_SQL)
        longs, devices, consents = [await self._db.execute_fetchall(sql, (home,)) for sql in statements]
        return StoredHome(
            readings={(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in readings},
            long_intervals={(row[0], row[1], row[2]): row[3] for row in longs},
            devices={(row[4], _text(row[0])): (_text(row[1]), row[2], row[3]) for row in devices},
            consents={(row[3], row[0]): (row[1], row[2]) for row in consents},
        )


def _message(agent: str, row: Row) -> StoredMessage:
    position, epoch, seq, kind, hashed, stored, received_at, first_slot, last_slot, refused, previous = row
    sealed = whole(stored, agent, previous or FIRST_PREVIOUS)
    return StoredMessage(
        *(position, epoch, seq, _text(kind), hashed, sealed, received_at, first_slot, last_slot),
        refused=None if refused is None else _text(refused),
        stored=stored,
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="backslashreplace")
