"""The log of every access to a home's values; each line is on disk before any value is read (I12)."""

from collections.abc import Sequence

from hub.storage.access_records import BOARD, JOB, SELF, AccessFilter, AccessRow
from hub.storage.records import Access
from hub.storage.sql.connection import Connection, Transactions

_DAY_S = 86_400
_PERSON_SQL = """INSERT INTO access_log (home, utc_day, at, actor, role, purpose, reason, fields, rows, count, link_by)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)"""
_MACHINE_SQL = f"""{_PERSON_SQL}
ON CONFLICT (home, utc_day, actor, purpose) WHERE role = 'job' DO UPDATE SET
    at = CASE WHEN access_log.at > excluded.at THEN access_log.at ELSE excluded.at END,
    rows = access_log.rows + excluded.rows, count = access_log.count + 1,
    fields = CASE WHEN replace(', ' || access_log.fields || ', ', ', ' || excluded.fields || ', ', '')
                      <> ', ' || access_log.fields || ', ' THEN access_log.fields
                  ELSE substr(access_log.fields || ', ' || excluded.fields, 1, 400) END"""
_LINES_SQL = """SELECT home, at, actor, role, purpose, reason, fields, rows, count, link_by, position FROM access_log
WHERE home = ? AND (? = '' OR role = ?) AND (NOT ? OR link_by <> '') AND (at, position) < (?, ?)
ORDER BY at DESC, position DESC LIMIT ?"""
_NEWEST = (2**62, 0)
AccessLine = tuple[Access, Sequence[str], str, int]
"""Who reads, of which homes, which fields, and how many values."""


class SqlAccessLog(Transactions):
    """The AccessLog slice; the slices that read values are built on it."""

    async def log_access(self, access: Access, homes: Sequence[str], *, fields: str, rows: int) -> None:
        """Commit one line per home. Accesses by jobs are summed per home, UTC day, actor and purpose.

        The values may be read only after this returns. If power fails in between, the log shows an access that did
        not happen; an access without a log line is impossible.
        """
        await self.log_lines([(access, homes, fields, rows)])

    async def log_lines(self, lines: Sequence[AccessLine]) -> None:
        """The same for several reads that follow, in one transaction; nothing is written if there are none."""
        if any(access.role not in (SELF, BOARD, JOB) or not access.actor or not access.purpose for access, *_ in lines):
            raise ValueError("reading values needs an actor, a role (self, board, job) and a purpose")
        at = int(self._now())

        async def work(db: Connection) -> None:
            for access, homes, fields, rows in lines:
                await write_access(db, access, homes, fields=fields, rows=rows, at=at)

        if any(homes for _, homes, _, _ in lines):
            await self.write(work)

    async def access_rows(self, home: str, *, limit: int, wanted: AccessFilter | None = None) -> tuple[AccessRow, ...]:
        """The accesses to a home's values, newest first; of these, the wanted ones."""
        wanted = wanted or AccessFilter()
        at, position = wanted.before or _NEWEST
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                _LINES_SQL, (home, wanted.role, wanted.role, wanted.only_links, at, position, limit)
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


async def write_access(
    db: Connection, access: Access, homes: Sequence[str], *, fields: str, rows: int, at: int
) -> None:
    """One line per home, inside the transaction of whatever they tell of."""
    sql = _MACHINE_SQL if access.role == JOB else _PERSON_SQL
    who = (access.actor, access.role, access.purpose, access.reason)
    lines = [(home, at // _DAY_S, at, *who, fields, rows, access.link_by) for home in homes]
    await db.executemany(sql, lines)
