"""What the hub tells agents besides receipts: refusals without a number, the time, revocations. It sends nothing."""

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.intake.state import AskedTime, Rejection
from hub.storage.fleet_records import AgentClock
from hub.storage.records import Agent
from protocols.wire import topics
from protocols.wire.clock_check import ClockAnswer, encode_clock_answer
from protocols.wire.envelope import seal
from protocols.wire.refusal_notices import RefusalNotice, encode_refusal
from protocols.wire.refusal_reasons import RefusalReason
from protocols.wire.revocations import RevocationCause, RevocationNotice, encode_revocation


def seal_down(agent: str, kind: str, payload: bytes, *, coop: str, key: Ed25519PrivateKey) -> tuple[str, bytes]:
    """The topic and the sealed message that carry a payload to an agent."""
    topic = topics.downlink_topic(coop, agent, kind=kind)
    return topic, seal(key, topic, payload)


def revocations_told(notices: Iterable[RevocationNotice]) -> list[tuple[str, str, bytes]]:
    """(agent, kind, payload) for each agent whose key the hub no longer accepts."""
    return [(notice.agent, "revoked", encode_revocation(notice)) for notice in notices]


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


def signed_by_revoked(verdicts: Iterable[object]) -> set[str]:
    """The agents that signed one of these messages though their key no longer counts."""
    return {v.agent for v in verdicts if isinstance(v, Rejection) and v.reason is RefusalReason.REVOKED}


def refusals_told(verdicts: Iterable[object], *, at: int) -> list[tuple[str, str, bytes]]:
    """(agent, kind, payload) for what an agent signed but the hub cannot number: one per agent, so no flood doubles."""
    told = {v.agent: v for v in verdicts if isinstance(v, Rejection) and v.told_hash is not None}
    return [
        (agent, "refused", encode_refusal(RefusalNotice(agent, at, verdict.told_hash or b"", verdict.reason)))
        for agent, verdict in sorted(told.items())
    ]


def times_told(verdicts: Iterable[object], *, at: int) -> tuple[list[tuple[str, str, bytes]], list[AgentClock]]:
    """(agent, kind, payload) for the newest question of each agent, and what the questions say of their clocks."""
    asked = {v.agent: v for v in verdicts if isinstance(v, AskedTime)}
    answers = [
        (agent, "time", encode_clock_answer(ClockAnswer(agent, each.question.nonce, at)))
        for agent, each in sorted(asked.items())
    ]
    clocks = [
        AgentClock(agent, each.received_at, each.question.at - each.received_at, each.question.state.value)
        for agent, each in sorted(asked.items())
    ]
    return answers, clocks
