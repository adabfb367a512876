"""Sealed messages that wait until the process that has their shard has sent them."""

# ruff: noqa: S608 - only question marks are put into SQL here; values are bound.

from collections.abc import Sequence

from hub.storage.shared.records import OutgoingMessage
from hub.storage.sql.connection import Connection, Transactions


class SqlOutgoing(Transactions):
    """The messages of the SharedStore slice."""

    async def put_outgoing(self, messages: Sequence[OutgoingMessage]) -> None:
        """Keep these until they are forgotten; durable when it returns."""

        async def work(db: Connection) -> None:
            ((now_ms,),) = await db.execute_fetchall(db.dialect.now_ms_sql)
            rows = [(each.id, each.shard, each.topic, each.sealed, now_ms) for each in messages]
            await db.executemany("INSERT INTO outgoing VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)

        await self.write(work)

    async def outgoing(self, shards: Sequence[int], *, limit: int) -> tuple[int, tuple[OutgoingMessage, ...]]:
        """(now, the oldest that wait in these shards)."""
        marks = ",".join("?" * len(shards))

        async def work(db: Connection) -> tuple[int, tuple[OutgoingMessage, ...]]:
            ((now_ms,),) = await db.execute_fetchall(db.dialect.now_ms_sql)
            rows = await db.execute_fetchall(
                f"SELECT id, shard, topic, sealed, made_ms FROM outgoing WHERE shard IN ({marks})"
                " ORDER BY made_ms, id LIMIT ?",
                (*shards, limit),
            )
            found = tuple(OutgoingMessage(str(i), int(s), str(t), bytes(b), int(m)) for i, s, t, b, m in rows)
            return int(now_ms), found

        return await self.read(work)

    async def forget_outgoing(self, ids: Sequence[str]) -> None:
        """Forget these: they were sent, or are too old."""
        lines = [(each,) for each in ids]
        await self.write(lambda db: db.executemany("DELETE FROM outgoing WHERE id = ?", lines))
