"""Why the store refuses an invitation; no SQL and no I/O here."""

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
