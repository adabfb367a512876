"""Members' objections and the board's decisions; triggers forbid changing a row."""

from typing import Final

from hub.storage.records import NewObjection, ObjectionRow
from hub.storage.sql.connection import Connection, Transactions

_COLUMNS = """SELECT o.id, o.member, o.month, o.day, o.line, o.stated, o.statement, o.reason, o.made_at, o.due_at,
d.verdict, d.board_member, d.reason, d.decided_at
FROM objection AS o LEFT JOIN objection_decision AS d ON d.objection = o.id"""
_ROWS_SQL = f"{_COLUMNS} ORDER BY o.id"
_MEMBER_ROWS_SQL = f"{_COLUMNS} WHERE o.member = ? ORDER BY o.id"
_OPEN_SQL = """SELECT month, day, line FROM objection WHERE member = ?
AND NOT EXISTS (SELECT 1 FROM objection_decision WHERE objection = objection.id)"""
_INSERT_SQL = """INSERT INTO objection (member, month, day, line, stated, statement, reason, made_at, due_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_DECIDE_SQL = """INSERT INTO objection_decision (objection, board_member, verdict, reason, decided_at)
VALUES (?, ?, ?, ?, ?)"""
MOST_OPEN: Final = 20


class SqlObjections(Transactions):
    """The ObjectionStore slice."""

    async def add_objection(self, new: NewObjection) -> str | None:
        """Add an objection; refused if the line has an open one or the member has too many."""

        async def work(db: Connection) -> str | None:
            waiting = [tuple(row) for row in await db.execute_fetchall(_OPEN_SQL, (new.member,))]
            if (new.month, new.day, new.line) in waiting:
                return "already open"
            if len(waiting) >= MOST_OPEN:
                return "too many are open"
            values = (new.member, new.month, new.day, new.line, new.stated, new.statement, new.reason)
            # If power fails before the commit, there is no objection; the member sees none and can object again.
            await db.execute(_INSERT_SQL, (*values, new.made_at, new.due_at))
            return None

        return await self.write(work)

    async def objections(self, *, member: str | None = None) -> tuple[ObjectionRow, ...]:
        """The objections of one member, or all, oldest first."""
        async with self.reading() as db:
            if member is None:
                rows = await db.execute_fetchall(_ROWS_SQL)
            else:
                rows = await db.execute_fetchall(_MEMBER_ROWS_SQL, (member,))
        return tuple(ObjectionRow(*row) for row in rows)

    async def decide_objection(
        self, objection: int, *, board_member: str, verdict: str, reason: str, at: int
    ) -> str | None:
        """Decide an objection; refused if it is unknown or already decided."""

        async def work(db: Connection) -> str | None:
            if not list(await db.execute_fetchall("SELECT 1 FROM objection WHERE id = ?", (objection,))):
                return "unknown"
            known = "SELECT 1 FROM objection_decision WHERE objection = ?"
            if list(await db.execute_fetchall(known, (objection,))):
                return "already decided"
            await db.execute(_DECIDE_SQL, (objection, board_member, verdict, reason, at))
            return None

        return await self.write(work)
