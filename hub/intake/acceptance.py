"""Decides which messages from agents are accepted and what the accepted ones mean; no I/O.

It opens messages and checks them against what the hub has stored. receiver.py receives, stores and answers.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.storage.records import AcceptedMessage, DeviceRow, LongIntervalRow, ReadingRow
from protocols.consent.reduction import find_violations
from protocols.consent.rules import ConsentSet, decode_consent, default_consent
from protocols.slots import start_of
from protocols.wire.chain import FIRST_PREVIOUS, MAX_AHEAD, START, ChainPlacement, Header, Position, place_message
from protocols.wire.envelope import MAX_SEALED_BYTES, batch_hash, open_sealed
from protocols.wire.messages import ConsentNotice, PromptAnswer
from protocols.wire.payloads import decode_payload
from protocols.wire.readings import Batch
from protocols.wire.receipts import MAX_REFUSED, Receipt
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import require_uplink_topic

CLOCK_AHEAD_S: Final = 600
CLOCK_BEHIND_S: Final = 400 * 86400
MAX_AHEAD_BYTES: Final = 16 * 2**20
RECENT_HASHES: Final = 2 * MAX_AHEAD
DETAIL_CHARS: Final = 200
UNKNOWN: Final = ""
"""Stands in for the agent if a message names none that is enrolled, so that strangers cannot add endless rows."""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message as it came from the broker, not yet checked."""

    topic: str
    sealed: bytes
    received_at: int


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """A message with a valid topic, size, signature and form; its place in the chain is not checked yet."""

    agent: str
    kind: str
    header: Header
    hash: bytes
    sealed: bytes
    received_at: int
    body: Batch | PromptAnswer | ConsentNotice


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Store the message. If only its content is refused, `refused` is set and just its number and hash are stored."""

    message: AcceptedMessage
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DuplicateMessage:
    """Already stored: answer with a receipt, store nothing."""

    agent: str
    epoch: int


@dataclass(frozen=True, slots=True)
class EarlyMessage:
    """Earlier messages are missing: report the gap in a receipt."""

    agent: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message that is counted but not stored. `agent` is an enrolled agent's id or UNKNOWN.

    If `answer_epoch` is not 0, the message is genuine but does not fit its chain. A receipt for this epoch is sent
    to show the agent what the hub has, and so whether the agent or the hub was restored from an older copy.
    """

    agent: str
    reason: RefusalReason
    detail: str
    answer_epoch: int = 0


IntakeVerdict = Acceptance | DuplicateMessage | EarlyMessage | Rejection


@dataclass(slots=True)
class AgentChain:
    """What the hub knows about one agent. `recent`: hashes of its newest messages; `ahead`: messages after a gap."""

    home: str
    key: Ed25519PublicKey
    is_revoked: bool = False
    position: Position = START
    recent: dict[tuple[int, int], bytes] = field(default_factory=dict)
    refused: deque[tuple[int, int, RefusalReason]] = field(default_factory=lambda: deque(maxlen=MAX_REFUSED))
    ahead: dict[tuple[int, int], OpenedMessage] = field(default_factory=dict)

    def advance(self, opened: OpenedMessage, refused: RefusalReason | None) -> None:
        """Move the position to this accepted message."""
        header = opened.header
        self.position = Position(header.epoch, header.seq, opened.hash)
        self.recent[(header.epoch, header.seq)] = opened.hash
        while len(self.recent) > RECENT_HASHES:
            del self.recent[next(iter(self.recent))]
        if refused is not None:
            self.refused.append((header.epoch, header.seq, refused))


@dataclass(slots=True)
class IntakeState:
    """Everything a verdict depends on. `prompts` maps a prompt's id to its home and its deadline for answers."""

    coop: str
    chains: dict[str, AgentChain] = field(default_factory=dict)
    consents: dict[str, ConsentSet] = field(default_factory=dict)
    prompts: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    ahead_bytes: int = 0

    def consent_of(self, home: str) -> ConsentSet:
        """The consent in force; for a home that has sent none, the one it was given when it enrolled."""
        return self.consents.get(home) or default_consent(home)


def open_message(incoming: IncomingMessage, state: IntakeState) -> OpenedMessage | Rejection:
    """Check topic, size, sender, signature and form. Topic, key and message must all belong to the same agent."""
    agent = UNKNOWN
    try:
        topic = require_uplink_topic(incoming.topic, state.coop)
        chain = state.chains.get(topic.agent)
        if chain is None:
            raise WireError(RefusalReason.UNKNOWN_AGENT, "no agent with the id in the topic is enrolled")
        agent = topic.agent
        if len(incoming.sealed) > MAX_SEALED_BYTES:
            raise WireError(
                RefusalReason.OVERSIZED, f"{len(incoming.sealed)} bytes, at most {MAX_SEALED_BYTES} are allowed"
            )
        payload = open_sealed(incoming.sealed, incoming.topic, chain.key)
        if chain.is_revoked:
            raise WireError(RefusalReason.REVOKED, "the agent's key was revoked")
        body = decode_payload(topic.kind, payload)
        if body.agent != agent:
            raise WireError(RefusalReason.FOREIGN_TOPIC, "the agent name in the message does not match the topic")
    except WireError as error:
        return Rejection(agent, error.reason, error.detail[:DETAIL_CHARS])
    return OpenedMessage(
        agent=agent,
        kind=topic.kind,
        header=body.header,
        hash=batch_hash(incoming.sealed),
        sealed=incoming.sealed,
        received_at=incoming.received_at,
        body=body,
    )


def known_hash(opened: OpenedMessage, state: IntakeState) -> bytes | None:
    """The stored hash for this message number if it is in memory."""
    return state.chains[opened.agent].recent.get((opened.header.epoch, opened.header.seq))


def needs_stored_hash(opened: OpenedMessage, state: IntakeState) -> bool:
    """Whether the hash for this number must be read from the store before `judge_message`."""
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


def receipt_for(agent: str, chain: AgentChain, *, epoch: int, stored_at: int) -> Receipt:
    """The receipt for the agent's current epoch, or for a new one whose first message is still missing."""
    through, head = (chain.position.seq, chain.position.head) if epoch == chain.position.epoch else (0, FIRST_PREVIOUS)
    held = [seq for held_epoch, seq in chain.ahead if held_epoch == epoch]
    refused = tuple((seq, reason) for at_epoch, seq, reason in chain.refused if at_epoch == epoch)
    return Receipt(agent, epoch, through, head, _holes(through, held), stored_at, refused)


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
    accepted = _judge_content(opened, chain.home, state=state, now_s=now_s)
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


def _judge_content(opened: OpenedMessage, home: str, *, state: IntakeState, now_s: float) -> Acceptance:
    try:
        if isinstance(opened.body, Batch):
            return Acceptance(_batch_message(opened, opened.body, home=home, state=state, now_s=now_s))
        if isinstance(opened.body, PromptAnswer):
            return Acceptance(_answer_message(opened, opened.body, home=home, state=state, now_s=now_s))
        return Acceptance(_consent_message(opened, opened.body, home=home, state=state))
    except WireError as error:
        return Acceptance(_message(opened, home, refused=error.reason.value), detail=error.detail[:DETAIL_CHARS])


def _batch_message(
    opened: OpenedMessage, batch: Batch, *, home: str, state: IntakeState, now_s: float
) -> AcceptedMessage:
    _require_clock(batch.made_at, start_of(batch.slot + 1), now_s=now_s)
    found = find_violations(state.consent_of(home), batch)
    if found:
        raise WireError(RefusalReason.OUTSIDE_CONSENT, "; ".join(found))
    slot = batch.slot
    return _message(
        opened,
        home,
        slot=slot,
        readings=tuple(
            ReadingRow(home, column.measure, slot, column.span, column.energy_wh, column.mark, column.gap)
            for column in batch.columns
        ),
        long_intervals=tuple(
            LongIntervalRow(home, i.measure, i.first_slot, i.slots, i.energy_wh) for i in batch.long_intervals
        ),
        devices=tuple(DeviceRow(home, d.name, d.state.value, d.age_s, batch.made_at) for d in batch.devices),
    )


def _answer_message(
    opened: OpenedMessage, answer: PromptAnswer, *, home: str, state: IntakeState, now_s: float
) -> AcceptedMessage:
    _require_clock(answer.at, answer.at, now_s=now_s)
    asked_home, until_s = state.prompts.get(answer.prompt_id, ("", 0))
    if asked_home != home:
        raise WireError(RefusalReason.EXPIRED, "the home has no prompt with this id")
    if answer.at >= until_s:
        raise WireError(RefusalReason.EXPIRED, "the answer came after the prompt had ended")
    return _message(opened, home, answer=(answer.prompt_id, answer.choice.value, answer.at))


def _consent_message(opened: OpenedMessage, notice: ConsentNotice, *, home: str, state: IntakeState) -> AcceptedMessage:
    try:
        consent = decode_consent(notice.consent)
    except WireError as error:
        # Genuine and in order, so it must not block the chain; a consent that cannot be read allows nothing.
        raise WireError(RefusalReason.OUTSIDE_CONSENT, f"the consent cannot be read: {error.detail}") from None
    held = state.consent_of(home)
    if consent.home != home:
        raise WireError(RefusalReason.OUTSIDE_CONSENT, "the consent is for another home")
    if consent.version < held.version or (consent.version == held.version and consent != held):
        raise WireError(
            RefusalReason.OUTSIDE_CONSENT, f"version {held.version} is in force; a new consent needs a higher one"
        )
    state.consents[home] = consent
    return _message(opened, home, consent=notice.consent, consent_version=consent.version)


def _require_clock(made_at: int, ends_at: int, *, now_s: float) -> None:
    if max(made_at, ends_at) > now_s + CLOCK_AHEAD_S:
        raise WireError(RefusalReason.CLOCK_WINDOW, "its time is more than 10 minutes ahead of the hub's clock")
    if ends_at < now_s - CLOCK_BEHIND_S:
        raise WireError(RefusalReason.CLOCK_WINDOW, "its time is more than 400 days ago")


def _message(
    opened: OpenedMessage,
    home: str,
    *,
    slot: int | None = None,
    readings: tuple[ReadingRow, ...] = (),
    long_intervals: tuple[LongIntervalRow, ...] = (),
    devices: tuple[DeviceRow, ...] = (),
    consent: bytes | None = None,
    consent_version: int | None = None,
    answer: tuple[str, str, int] | None = None,
    refused: str | None = None,
) -> AcceptedMessage:
    header = opened.header
    return AcceptedMessage(
        agent=opened.agent,
        home=home,
        epoch=header.epoch,
        seq=header.seq,
        kind=opened.kind,
        hash=opened.hash,
        sealed=opened.sealed if refused is None else b"",
        received_at=opened.received_at,
        slot=slot,
        readings=readings,
        long_intervals=long_intervals,
        devices=devices,
        consent=consent,
        consent_version=consent_version,
        answer=answer,
        refused=refused,
    )
