"""Writes a line of the log of changes inside the transaction of the change itself, before it."""

from typing import Final

from hub.storage.life_records import ChangeKind
from hub.storage.sql.connection import Connection

_LINE_SQL: Final = """INSERT INTO member_change (at, made_by, kind, member, subject, reason, link_by)
VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id"""


async def log_change(
    db: Connection,
    kind: ChangeKind,
    member: str,
    *,
    at: int,
    by: str,
    subject: str = "",
    reason: str = "",
    link_by: str = "",
) -> int:
    """Add a line; its number. Call it before the change: `verify` asks whether `by` was on the board just before it.

    `link_by` made the sign-in link of the session in which `by` makes the change; empty if nobody else did.
    """
    maker = "" if link_by == by else link_by
    ((number,),) = await db.execute_fetchall(_LINE_SQL, (at, by, kind.value, member, subject, reason, maker))
    return int(number)
