"""Whether the board has enough members to publish anything, and what to do if not."""

from collections.abc import Sequence

from hub.core.ledger.approvals import APPROVALS_NEEDED
from hub.storage.records import Member


def lone_board(members: Sequence[Member]) -> str | None:
    """One line for the board while fewer than two members are on it; None if there are enough, or no members yet."""
    board = [member.id for member in members if member.is_board]
    if len(board) >= APPROVALS_NEEDED or not members:
        return None
    who = f"only {board[0]} is on the board" if board else "nobody is on the board"
    by = f" --by {board[0]}" if board else ""
    return (
        f"{who}: a run needs {APPROVALS_NEEDED} members of it, so nothing can be published; add one with"
        f" `commonwatt-hub members begin-role --role board --member ID{by}`"
    )
