"""Leases and the processes that hold them: read and written in one commit, so that no two processes decide at once."""

from collections.abc import Sequence
from typing import Final

from hub.storage.shared.records import Decide, HubProcess, Lease, LeaseTable, ProcessReport
from hub.storage.sql.connection import Connection, Row, Transactions

KEPT_MS: Final = 3_600_000
"""A process that was not heard for an hour is forgotten by the next one of its role."""
LONGEST_KEPT_MS: Final = 7 * 24 * KEPT_MS
"""So long the board is told that there was a role which no process has now."""

_PROCESS: Final = "id, role, machine, started_ms, heard_ms, wants_shards, agents_ms"
_HEARD_SQL: Final = """INSERT INTO process VALUES (?, ?, ?, ?, ?, ?, ?, '') ON CONFLICT (id) DO UPDATE SET
    heard_ms = excluded.heard_ms, wants_shards = excluded.wants_shards, agents_ms = excluded.agents_ms"""
_FORGET_SQL: Final = "DELETE FROM process WHERE heard_ms < ? AND (role = ? OR heard_ms < ?)"
_LEASE_SQL: Final = """INSERT INTO lease VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET
    holder = excluded.holder, token = excluded.token, until_ms = excluded.until_ms"""


class SqlLeases(Transactions):
    """The leases and processes of the SharedStore slice."""

    async def take_turn(self, own: HubProcess, decide: Decide) -> LeaseTable:
        """Note that this process is alive and write what `decide` says, in one commit; the table after it."""

        async def work(db: Connection) -> LeaseTable:
            now_ms = await _now_ms(db)
            await db.execute(_FORGET_SQL, (now_ms - KEPT_MS, own.role, now_ms - LONGEST_KEPT_MS))
            values = (
                *(own.id, own.role, own.machine, own.started_ms, now_ms, int(own.wants_shards)),
                own.agents_ms,
            )
            await db.execute(_HEARD_SQL, values)
            written = decide(await _table(db, now_ms))
            if written:
                lines = [(lease.name, lease.holder, lease.token, lease.until_ms) for lease in written]
                await db.executemany(_LEASE_SQL, lines)
            return await _table(db, now_ms)

        return await self.write(work)

    async def lease_table(self) -> LeaseTable:
        """All leases, and the processes that were heard lately."""
        return await self.read(_table_now)

    async def leave(self, process: str) -> None:
        """Forget this process, and give back all that it holds."""

        async def work(db: Connection) -> None:
            await db.execute("UPDATE lease SET holder = '', until_ms = 0 WHERE holder = ?", (process,))
            await db.execute("DELETE FROM process WHERE id = ?", (process,))

        await self.write(work)

    async def note_process_facts(self, process: str, facts: str) -> None:
        """Keep what this process last said of its health."""
        await self.write(lambda db: db.execute("UPDATE process SET facts = ? WHERE id = ?", (facts, process)))

    async def process_reports(self) -> tuple[int, tuple[ProcessReport, ...]]:
        """(now, what each process that is not forgotten last said)."""

        async def work(db: Connection) -> tuple[int, tuple[ProcessReport, ...]]:
            rows = await db.execute_fetchall(f"SELECT {_PROCESS}, facts FROM process ORDER BY started_ms, id")  # noqa: S608
            return await _now_ms(db), tuple(ProcessReport(_process(row), str(row[7])) for row in rows)

        return await self.read(work)


async def _now_ms(db: Connection) -> int:
    ((now_ms,),) = await db.execute_fetchall(db.dialect.now_ms_sql)
    return int(now_ms)


async def _table_now(db: Connection) -> LeaseTable:
    return await _table(db, await _now_ms(db))


async def _table(db: Connection, now_ms: int) -> LeaseTable:
    leases = await db.execute_fetchall("SELECT name, holder, token, until_ms FROM lease ORDER BY name")
    processes = await db.execute_fetchall(f"SELECT {_PROCESS} FROM process ORDER BY started_ms, id")  # noqa: S608
    return LeaseTable(now_ms, {str(row[0]): Lease(*row) for row in leases}, tuple(_process(row) for row in processes))


def _process(row: Row | Sequence[object]) -> HubProcess:
    name, role, machine, started_ms, heard_ms, wants_shards, agents_ms = row[:7]
    seen = None if agents_ms is None else int(str(agents_ms))
    return HubProcess(
        str(name), str(role), str(machine), int(str(started_ms)), int(str(heard_ms)), bool(wants_shards), seen
    )
