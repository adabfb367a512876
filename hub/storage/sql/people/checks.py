"""The checks that every change about a member shares: who may make it, and who is meant."""

from hub.storage.sql.connection import Connection


async def by_problem(db: Connection, by: str) -> str | None:
    """Why this person may not make the change; None for somebody on the board."""
    rows = list(await db.execute_fetchall("SELECT is_board FROM member WHERE id = ?", (by,)))
    if rows and rows[0][0]:
        return None
    return f"{by[:40]!r} is not on the board: say who does this, with --by and a board member's id"


def unknown_member(member: str) -> str:
    """The refusal for an id that nobody has."""
    return f"there is no member {member[:40]!r}; commonwatt-hub members lists them"


def no_person(member: str, held_by: str) -> str:
    """The refusal of a change to a person that names the membership of a further home."""
    return f"{member} is the membership of a further home of {held_by}: name {held_by}, the person"
