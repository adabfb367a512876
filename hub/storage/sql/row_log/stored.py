"""Shows the stored messages and the rows made of them as they are, damaged or not."""

from typing import Final

from hub.storage.audit_records import StoredHead, StoredHome, StoredMessage
from hub.storage.records import Access
from hub.storage.sql.access_log import SqlAccessLog
from hub.storage.sql.connection import Connection, Row
from hub.storage.sql.short_form import whole
from protocols.wire.chain import FIRST_PREVIOUS

_MESSAGES_SQL: Final = """SELECT position, epoch, seq, CAST(kind AS BLOB), hash, sealed, received_at, first_slot,
last_slot, CAST(refused AS BLOB),
(SELECT hash FROM message AS before WHERE before.agent = m.agent AND before.epoch = m.epoch AND before.seq = m.seq - 1)
FROM message AS m WHERE agent = ? AND (epoch, seq) > (?, ?) ORDER BY epoch, seq LIMIT ?"""
_READINGS_SQL: Final = "SELECT measure, slot, span, energy_wh, mark, gap FROM reading WHERE home = ?"
_LONG_SQL: Final = "SELECT measure, first_slot, slots, energy_wh FROM long_interval WHERE home = ?"
_DEVICES_SQL: Final = """SELECT CAST(name AS BLOB), CAST(state AS BLOB), age_s, reported_at, seat FROM device
WHERE home = ?"""
_CONSENTS_SQL: Final = "SELECT version, document, received_at, seat FROM consent WHERE home = ?"
_HEADS_SQL: Final = "SELECT agent, epoch, seq, hash, last_slot, last_received_at, messages FROM chain_head"
FIELDS: Final = "everything the home sent"


class SqlStoredRows(SqlAccessLog):
    """The StoredRows slice."""

    async def stored_messages(self, agent: str, *, after: tuple[int, int], limit: int) -> tuple[StoredMessage, ...]:
        """In order of (epoch, seq); `sealed` is empty where the content was refused."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_MESSAGES_SQL, (agent, *after, limit))
        return tuple(_message(agent, row) for row in rows)

    async def stored_heads(self) -> dict[str, StoredHead]:
        """The row of each agent."""
        async with self.reading() as db:
            return {str(row[0]): StoredHead(*tuple(row)[1:]) for row in await db.execute_fetchall(_HEADS_SQL)}

    async def stored_home(self, home: str, *, access: Access) -> StoredHome:
        """Everything made of this home's messages; the access is logged first (I12)."""
        await self.log_access(access, [home], fields=FIELDS, rows=0)

        async def work(db: Connection) -> list[list[Row]]:
            statements = (_READINGS_SQL, _LONG_SQL, _DEVICES_SQL, _CONSENTS_SQL)
            return [await db.execute_fetchall(sql, (home,)) for sql in statements]

        readings, longs, devices, consents = await self.read(work)
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
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="backslashreplace")
