"""What a hub tells an agent whose key it no longer accepts. Compares rows and seals; sending is left to the caller."""

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.storage.records import Agent
from protocols.wire import topics
from protocols.wire.envelope import seal
from protocols.wire.revocations import RevocationCause, RevocationNotice, encode_revocation


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


def seal_revocation(notice: RevocationNotice, *, coop: str, key: Ed25519PrivateKey) -> tuple[str, bytes]:
    """The topic and the sealed message that carry a notice to its agent."""
    topic = topics.downlink_topic(coop, notice.agent, kind="revoked")
    return topic, seal(key, topic, encode_revocation(notice))
