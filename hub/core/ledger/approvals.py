"""Two different board members must approve a run before it counts. This module reads documents and signs nothing."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from hub.core.ledger.attestations import APPROVAL, AttestedDocument

APPROVALS_NEEDED: Final = 2

SignedBy = tuple[str, int]
"""(member, time in unix seconds)"""


class _MemberAndTime(msgspec.Struct, frozen=True):
    """The content of an approval or a publication."""

    member: str
    at: int


def read_approvals(documents: Iterable[AttestedDocument], *, kind: str = APPROVAL) -> dict[str, tuple[SignedBy, ...]]:
    """Who approved each run and when, by run key, in the order of signing.

    With another `kind`, such as a publication, the members who signed documents of that kind.
    Raises: ValueError for a document of this kind that names no member or time.
    """
    found: dict[str, list[SignedBy]] = defaultdict(list)
    for document in documents:
        if document.kind == kind:
            signed = document.content_as(_MemberAndTime)
            found[document.run_key].append((signed.member, signed.at))
    return {run_key: tuple(signed) for run_key, signed in found.items()}


def approver_obstacle(
    member: str, approved_by: Collection[str], *, is_board: bool, run_problem: str | None
) -> str | None:
    """Why this member may not give the next approval; None if the member may.

    `run_problem` says why nobody may approve the run at all.

    >>> approver_obstacle("m02", ["m01"], is_board=True, run_problem=None)
    >>> approver_obstacle("m01", ["m01"], is_board=True, run_problem=None)
    'm01 has already approved it: the second approval must come from another board member'
    """
    if not is_board:
        return f"{member} is not on the board: two different board members approve a run"
    if run_problem is not None:
        return run_problem
    if member in approved_by:
        return f"{member} has already approved it: the second approval must come from another board member"
    return None


def lone_board(board: Collection[str], *, members: int) -> str | None:
    """One line while the board has too few members to publish anything, with the way on; None if it has enough.

    A co-op without members yet is not told.

    >>> lone_board(["m01", "m02"], members=5)
    """
    if len(board) >= APPROVALS_NEEDED or not members:
        return None
    only = next(iter(board), None)
    who = f"only {only} is on the board" if only else "nobody is on the board"
    by = f" --by {only}" if only else ""
    return (
        f"{who}: a run needs {APPROVALS_NEEDED} members of it, so nothing can be published; add one with"
        f" `commonwatt-hub members begin-role --data DIR --role board --member ID{by}`"
    )
