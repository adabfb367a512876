"""The log of every access to a home's values; each line is on disk before any value is read (I12)."""

from collections.abc import Sequence

import aiosqlite

from hub.storage.records import Access, AccessRow
from hub.storage.sqlite.connections import SqliteConnections

_DAY_S = 86_400
_PERSON_SQL = """INSERT INTO access_log (home, utc_day, at, actor, role, purpose, reason, fields, rows, count)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"""
_MACHINE_SQL = f"""{_PERSON_SQL}
ON CONFLICT (home, utc_day, actor, purpose) WHERE role = 'job' DO UPDATE SET
    at = max(at, excluded.at), rows = rows + excluded.rows, count = count + 1,
    fields = CASE WHEN instr(', ' || fields || ', ', ', ' || excluded.fields || ', ') THEN fields
                  ELSE substr(fields || ', ' || excluded.fields, 1, 400) END"""


class SqliteAccessLog(SqliteConnections):
    """The AccessLog slice; the slices that read values are built on it."""

    async def log_access(self, access: Access, homes: Sequence[str], *, fields: str, rows: int) -> None:
        """Commit one line per home. Accesses by jobs are summed per home, UTC day, actor and purpose.

        The values may be read only after this returns. If power fails in between, the log shows an access that did
        not happen; an access without a log line is impossible.
        """
        if access.role not in ("self", "board", "job") or not access.actor or not access.purpose:
            raise ValueError("reading values needs an actor, a role (self, board, job) and a purpose")
        at = int(self._now())
        sql = _MACHINE_SQL if access.role == "job" else _PERSON_SQL
        lines = [
            (home, at // _DAY_S, at, access.actor, access.role, access.purpose, access.reason, fields, rows)
            for home in homes
        ]

        async def work(db: aiosqlite.Connection) -> None:
            await db.executemany(sql, lines)

        await self.write(work)

    async def access_rows(self, home: str, *, limit: int) -> tuple[AccessRow, ...]:
        """The accesses to a home's values, newest first."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                "SELECT home, at, actor, role, purpose, reason, fields, rows, count FROM access_log"
                " WHERE home = ? ORDER BY at DESC, position DESC LIMIT ?",
                (home, limit),
            )
        return tuple(AccessRow(*row) for row in rows)

    async def last_access_line(self) -> int:
        """The number of the newest line, 0 if there is none. Lines are numbered from 1 and keep their numbers."""
        return await self._number("SELECT coalesce(max(position), 0) FROM access_log")

    async def access_line_count(self) -> int:
        """The number of lines; equal to the newest line's number unless lines were deleted."""
        return await self._number("SELECT count(*) FROM access_log")

    async def _number(self, sql: str) -> int:
        async with self.reading() as db:
            ((number,),) = await db.execute_fetchall(sql)
        return int(number)
