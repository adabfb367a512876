"""Invitations and board roles as the store keeps them, and why it refuses an invitation; no SQL and no I/O here."""

from dataclasses import dataclass
from enum import StrEnum


class InviteRefusal(StrEnum):
    """Why an invitation does not enrol an agent, as one sentence."""

    UNKNOWN = "the invitation is unknown: was the token copied completely?"
    USED = "the invitation was already used by another agent: ask the board for a new one"
    EXPIRED = "the invitation has expired: ask the board for a new one"
    VOID = "a newer invitation for this home was made, so this one is void: use the newer token"
    KNOWN_KEY = "this agent's key is already enrolled; make a new key on the agent"
    HAS_AGENT = (
        "the home has an agent, and this invitation does not replace it:"
        " ask the board for one that does (commonwatt-hub invite --replace)"
    )


@dataclass(frozen=True, slots=True)
class BoardRole:
    """From `made_at` on (UTC unix seconds) the member is on the board, or no longer."""

    member: str
    is_board: bool
    made_at: int
