"""Writes a line of the log of changes inside the transaction of the change itself, before it."""

from typing import Final

import aiosqlite

from hub.storage.life_records import ChangeKind

_LINE_SQL: Final = """INSERT INTO member_change (at, made_by, kind, member, subject, reason)
VALUES (?, ?, ?, ?, ?, ?)"""


async def log_change(
    db: aiosqlite.Connection, kind: ChangeKind, member: str, *, at: int, by: str, subject: str = "", reason: str = ""
) -> None:
    """Add a line. Call it before the change: `verify` asks whether `by` was on the board just before it."""
    await db.execute(_LINE_SQL, (at, by, kind.value, member, subject, reason))
