"""When the hub was restored from a backup, and who on the board has looked at what may be missing since."""

from typing import Final

from hub.storage.audit_records import RestoreRow
from hub.storage.sql.connection import Connection, Transactions

_RESTORES_SQL: Final = "SELECT backup_made_at, restored_at, checked_by, checked_at FROM restore ORDER BY id"


class SqlRestores(Transactions):
    """The RestoreStore slice."""

    async def add_restore(self, *, backup_made_at: int, restored_at: int) -> None:
        """Note a restore. Sessions and sign-in links end: one that was ended after the backup would open again.

        The processes that the backup knew are forgotten: they ran before it.
        """

        async def work(db: Connection) -> None:
            await db.execute(
                "INSERT INTO restore (backup_made_at, restored_at) VALUES (?, ?)", (backup_made_at, restored_at)
            )
            await db.execute("DELETE FROM session")
            await db.execute("DELETE FROM sign_in")
            await db.execute("DELETE FROM process")

        await self.write(work)

    async def restores(self) -> tuple[RestoreRow, ...]:
        """Every restore this hub remembers, oldest first."""
        async with self.reading() as db:
            return tuple(RestoreRow(*row) for row in await db.execute_fetchall(_RESTORES_SQL))

    async def confirm_restores(self, *, by: str, at: int) -> str | None:
        """Note that this board member has looked; returns what is wrong, or None."""

        async def work(db: Connection) -> str | None:
            if not list(await db.execute_fetchall("SELECT 1 FROM member WHERE id = ? AND is_board = 1", (by,))):
                return f"{by[:40]!r} is not on the board"
            done = await db.execute(
                "UPDATE restore SET checked_by = ?, checked_at = ? WHERE checked_at IS NULL", (by, at)
            )
            return None if done else "there is no restore to confirm"

        return await self.write(work)
