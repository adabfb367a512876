"""Which agents have keys the hub no longer accepts, since when and why, as the notices it tells them. Compares rows."""

from collections.abc import Iterable

from hub.storage.records import Agent
from protocols.wire.revocations import RevocationCause, RevocationNotice


def revocation_notices(agents: Iterable[Agent]) -> dict[str, RevocationNotice]:
    """The notice of every revoked agent, by its id."""
    rows = tuple(agents)
    # A replacement revokes the old agent in the transaction that enrols the new one, so both have the same time.
    began = {(agent.home_id, agent.seat, agent.enrolled_at) for agent in rows}
    notices = {}
    for agent in rows:
        if agent.revoked_at is not None:
            is_replaced = (agent.home_id, agent.seat, agent.revoked_at) in began
            cause = RevocationCause.REPLACED if is_replaced else RevocationCause.REVOKED
            notices[agent.id] = RevocationNotice(agent.id, agent.revoked_at, cause)
    return notices
