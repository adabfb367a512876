"""Which agents have keys the hub no longer accepts, since when and why, as the notices it tells them. Compares rows."""

from collections.abc import Iterable

from hub.storage.records import Agent
from protocols.wire.revocations import RevocationCause, RevocationNotice


def revocation_notices(agents: Iterable[Agent]) -> dict[str, RevocationNotice]:
    """The notice of every revoked agent, by its id."""
    rows = tuple(agents)
    # A replacement revokes the old agent in the transaction that enrols the new one, so both have the same time.
    replacements = {(agent.home_id, agent.enrolled_at) for agent in rows}
    return {
        agent.id: RevocationNotice(
            agent.id,
            agent.revoked_at,
            RevocationCause.REPLACED if (agent.home_id, agent.revoked_at) in replacements else RevocationCause.REVOKED,
        )
        for agent in rows
        if agent.revoked_at is not None
    }
