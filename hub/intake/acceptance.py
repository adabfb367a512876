"""Decides which messages from agents are genuine, and where in its agent's chain each belongs; no I/O.

content.py judges what an accepted one says. receiver.py receives, stores and answers.
"""

from collections.abc import Iterable
from typing import Final

from hub.intake.content import DETAIL_CHARS, judge_content
from hub.intake.state import (
    UNKNOWN,
    Acceptance,
    AgentChain,
    AskedMaps,
    AskedTime,
    DuplicateMessage,
    EarlyMessage,
    IncomingMessage,
    IntakeState,
    IntakeVerdict,
    OpenedMessage,
    Rejection,
    SignedMessage,
    ToldNotice,
)
from hub.storage.fleet_records import ReceivedNotice
from protocols.slots import slot_of
from protocols.wire.chain import FIRST_PREVIOUS, MAX_AHEAD, ChainPlacement, Header, place_message
from protocols.wire.clock_check import decode_question
from protocols.wire.envelope import MAX_SEALED_BYTES, batch_hash, open_sealed
from protocols.wire.map_bundles.question import decode_map_question
from protocols.wire.messages import ConsentNotice, PromptAnswer
from protocols.wire.meter_notices import decode_meter
from protocols.wire.payloads import decode_payload, head_of_payload
from protocols.wire.readings import Batch
from protocols.wire.receipts import MAX_GAPS, Receipt
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import require_uplink_topic

MAX_AHEAD_BYTES: Final = 16 * 2**20
MOST_AHEAD_SLOTS: Final = 1


def open_message(
    incoming: IncomingMessage, state: IntakeState
) -> OpenedMessage | AskedTime | AskedMaps | ToldNotice | Rejection:
    """Check topic, size, sender, signature and form. Topic, key and message must all belong to the same agent."""
    signed = check_signature(incoming, state)
    return signed if isinstance(signed, Rejection) else read_signed(signed)


def check_signature(incoming: IncomingMessage, state: IntakeState) -> SignedMessage | Rejection:
    """The first half of `open_message`, which is nearly all of it: what is signed by the key of the topic's agent."""
    agent = UNKNOWN
    try:
        topic = require_uplink_topic(incoming.topic, state.coop)
        chain = state.chains.get(topic.agent)
        if chain is None:
            raise WireError(RefusalReason.UNKNOWN_AGENT, f"no agent {topic.agent} is enrolled")
        agent = topic.agent
        if len(incoming.sealed) > MAX_SEALED_BYTES:
            raise WireError(
                RefusalReason.OVERSIZED, f"{len(incoming.sealed)} bytes, at most {MAX_SEALED_BYTES} are allowed"
            )
        payload = open_sealed(incoming.sealed, incoming.topic, chain.key, kid=chain.kid)
        if chain.is_revoked:
            raise WireError(RefusalReason.REVOKED, "the agent's key was revoked")
    except WireError as error:
        return Rejection(agent, error.reason, error.detail[:DETAIL_CHARS])
    return SignedMessage(agent, topic.kind, payload, incoming)


def read_signed(signed: SignedMessage) -> OpenedMessage | AskedTime | AskedMaps | ToldNotice | Rejection:
    """The second half: what it says, and whether it names the agent that signed it."""
    agent, kind, payload, incoming = signed
    try:
        if kind == "time":
            question = decode_question(payload)
            _require_own(question.agent, agent)
            return AskedTime(agent, question, incoming.received_at)
        if kind == "maps":
            asked = decode_map_question(payload)
            _require_own(asked.agent, agent)
            return AskedMaps(agent, asked.serial)
        if kind == "meter":
            notice = decode_meter(payload)
            _require_own(notice.agent, agent)
            if notice.from_slot > slot_of(incoming.received_at) + MOST_AHEAD_SLOTS:
                raise WireError(RefusalReason.CLOCK_WINDOW, "the notice of a meter begins in the future")
            return ToldNotice(agent, ReceivedNotice(notice, incoming.sealed, incoming.received_at))
        header, body = _opened_payload(kind, payload)
        _require_own(header.agent, agent)
    except WireError as error:
        told = batch_hash(incoming.sealed)
        return Rejection(agent, error.reason, error.detail[:DETAIL_CHARS], told_hash=told)
    hashed = batch_hash(incoming.sealed)
    return OpenedMessage(agent, kind, header, hashed, incoming.sealed, incoming.received_at, body)


def _opened_payload(kind: str, payload: bytes) -> tuple[Header, Batch | PromptAnswer | ConsentNotice | WireError]:
    """The head and the content, or why there is none. Raises: WireError if not even the head can be read."""
    try:
        body = decode_payload(kind, payload)
    except WireError as error:
        return head_of_payload(payload), error
    return body.header, body


def _require_own(named: str, agent: str) -> None:
    if named != agent:
        raise WireError(RefusalReason.FOREIGN_TOPIC, "the agent name in the message does not match the topic")


def known_hash(opened: OpenedMessage, state: IntakeState) -> bytes | None:
    """The stored hash for this message number if it is in memory."""
    return state.chains[opened.agent].recent.get(opened.header.epoch, opened.header.seq)


def needs_stored_hash(opened: OpenedMessage, state: IntakeState) -> bool:
    """Whether the hash for this number must be read from the store before `judge_message`, which knows the newest."""
    header, position = opened.header, state.chains[opened.agent].position
    is_behind = (header.epoch, header.seq) <= (position.epoch, position.seq)
    return is_behind and known_hash(opened, state) is None


def judge_message(
    opened: OpenedMessage, state: IntakeState, *, held_hash: bytes | None, now_s: float
) -> tuple[IntakeVerdict, ...]:
    """Place a message in its chain and check its content; if it fills a gap, the messages held after it follow.

    Accepted messages change the state at once: if storing them fails, the caller must reload the state from the store.
    """
    chain = state.chains[opened.agent]
    verdicts: list[IntakeVerdict] = []
    following: OpenedMessage | None = opened
    while following is not None:
        verdicts.append(_judge_one(following, state, held_hash=held_hash, now_s=now_s))
        if not isinstance(verdicts[-1], Acceptance):
            break
        held_hash = None
        following = _release(chain, state)
    return tuple(verdicts)


def receipt_for(agent: str, chain: AgentChain, *, epoch: int, stored_at: int, missing_through: int = 0) -> Receipt:
    """The receipt for the agent's current epoch, or for a new one whose first message is still missing.

    `missing_through`: everything up to this number that is not stored or held has arrived before and was left.
    """
    through, head = (chain.position.seq, chain.position.head) if epoch == chain.position.epoch else (0, FIRST_PREVIOUS)
    held = [seq for held_epoch, seq in chain.ahead if held_epoch == epoch]
    refused = tuple((seq, reason) for at_epoch, seq, reason in chain.refused if at_epoch == epoch)
    if missing_through > max(held, default=through):
        held.append(missing_through + 1)
    return Receipt(agent, epoch, through, head, _holes(through, held)[:MAX_GAPS], stored_at, refused)


def _holes(through: int, held: Iterable[int]) -> tuple[tuple[int, int], ...]:
    holes = []
    wanted = through + 1
    for seq in sorted(held):
        if seq > wanted:
            holes.append((wanted, seq - 1))
        wanted = seq + 1
    return tuple(holes)


def _judge_one(opened: OpenedMessage, state: IntakeState, *, held_hash: bytes | None, now_s: float) -> IntakeVerdict:
    chain = state.chains[opened.agent]
    held = held_hash if held_hash is not None else known_hash(opened, state)
    try:
        where = place_message(chain.position, opened.header, own_hash=opened.hash, held_hash=held)
    except WireError as error:
        # The later of the two epochs: an agent restored from an old copy must learn how far it had already got.
        epoch = max(opened.header.epoch, chain.position.epoch)
        return Rejection(opened.agent, error.reason, error.detail[:DETAIL_CHARS], answer_epoch=epoch)
    if where is ChainPlacement.HELD:
        return DuplicateMessage(opened.agent, opened.header.epoch)
    if where is ChainPlacement.AHEAD:
        _hold(opened, chain, state)
        return EarlyMessage(opened.agent, opened.header.epoch)
    if opened.header.epoch != chain.position.epoch:
        _forget_older_epochs(chain, state, epoch=opened.header.epoch)
    accepted = judge_content(opened, chain.home, state=state, now_s=now_s)
    chain.advance(opened, RefusalReason(accepted.message.refused) if accepted.message.refused else None)
    return accepted


def _hold(opened: OpenedMessage, chain: AgentChain, state: IntakeState) -> None:
    # Dropping is safe: the receipt reports the gap, and the agent resends every message without a receipt.
    key = (opened.header.epoch, opened.header.seq)
    if key not in chain.ahead and len(chain.ahead) < MAX_AHEAD and state.ahead_bytes < MAX_AHEAD_BYTES:
        chain.ahead[key] = opened
        state.ahead_bytes += len(opened.sealed)


def _release(chain: AgentChain, state: IntakeState) -> OpenedMessage | None:
    following = chain.ahead.pop((chain.position.epoch, chain.position.seq + 1), None)
    if following is not None:
        state.ahead_bytes -= len(following.sealed)
    return following


def _forget_older_epochs(chain: AgentChain, state: IntakeState, *, epoch: int) -> None:
    for key in [key for key in chain.ahead if key[0] < epoch]:
        state.ahead_bytes -= len(chain.ahead.pop(key).sealed)
