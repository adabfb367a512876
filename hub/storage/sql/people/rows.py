"""A member's row: its columns, written and read; nothing is checked here."""

from collections.abc import Sequence
from typing import Final

from hub.storage.errors import ConstraintError, StoreConflictError
from hub.storage.records import Member
from hub.storage.sql.connection import Connection

MEMBER_COLUMNS: Final = "id, name, email, language, is_board, joined_at, left_at, held_by"


async def insert_member(db: Connection, member: Member) -> None:
    """Add the row. Raises: StoreConflictError if the id is taken."""
    values = (
        *(member.id, member.name, member.email, member.language, int(member.is_board)),
        *(member.joined_at, member.left_at, member.held_by),
    )
    try:
        await db.execute(f"INSERT INTO member ({MEMBER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608
    except ConstraintError:
        raise StoreConflictError(f"member {member.id} already exists") from None


def member_of(row: Sequence[object]) -> Member:
    """The member of a row with MEMBER_COLUMNS."""
    member_id, name, email, language, is_board, joined_at, left_at, held_by = row
    left = None if left_at is None else int(str(left_at))
    holder = None if held_by is None else str(held_by)
    return Member(
        str(member_id), str(name), str(email), str(language), bool(is_board), int(str(joined_at)), left, holder
    )
