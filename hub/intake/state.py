"""What intake knows about each agent's chain, and the verdicts on one message; decides and stores nothing."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.core.homes.measure_sources import MeterSource
from hub.storage.fleet_records import ReceivedNotice
from hub.storage.records import AcceptedMessage
from protocols.consent.reduction import Allowed, allowed_at
from protocols.consent.rules import ConsentSet, default_consent
from protocols.quantities import Measure
from protocols.slots import Slot
from protocols.wire.chain import MAX_AHEAD, START, Header, Position
from protocols.wire.clock_check import ClockQuestion
from protocols.wire.envelope import key_id
from protocols.wire.messages import ConsentNotice, PromptAnswer
from protocols.wire.readings import Batch
from protocols.wire.receipts import MAX_REFUSED
from protocols.wire.refusal_reasons import RefusalReason, WireError

RECENT_HASHES: Final = MAX_AHEAD
"""Three times what an agent has on the way; the hash of an older message is read from the store if it comes again."""

ALLOWED_KEPT: Final = 1000
"""Of so many homes it is kept what their consents allow: of those that send much now, as after an outage."""

_HASH_BYTES: Final = 32
UNKNOWN: Final = ""
"""Stands in for the agent if a message names none that is enrolled, so that strangers cannot add endless rows."""


class IncomingMessage(NamedTuple):
    """A message as it came from the broker, not yet checked."""

    topic: str
    sealed: bytes
    received_at: int


class SignedMessage(NamedTuple):
    """What an enrolled agent signed for the topic under which it came; its content is not read yet."""

    agent: str
    kind: str
    payload: bytes
    incoming: IncomingMessage


class OpenedMessage(NamedTuple):
    """A message with a valid topic, size, signature and head; its place in the chain is not checked yet.

    `body` is a WireError if everything after the head cannot be read.
    """

    agent: str
    kind: str
    header: Header
    hash: bytes
    sealed: bytes
    received_at: int
    body: Batch | PromptAnswer | ConsentNotice | WireError


@dataclass(frozen=True, slots=True)
class AskedTime:
    """An agent's question for the hub's time: outside the chain, answered at once, never stored."""

    agent: str
    question: ClockQuestion
    received_at: int


@dataclass(frozen=True, slots=True)
class AskedMaps:
    """An agent's question for the co-op's newest bundle of maps: outside the chain, answered if it holds an older one.

    `serial` is that of the bundle it holds, 0 for none.
    """

    agent: str
    serial: int


@dataclass(frozen=True, slots=True)
class ToldNotice:
    """What an agent tells of its grid meter: outside the chain, stored if it says something new, not answered."""

    agent: str
    received: ReceivedNotice


class Acceptance(NamedTuple):
    """Store the message. If only its content is refused, `refused` is set and just its number and hash are stored.

    `uncounted` is set if some of a stored batch does not count, because another agent of the home brings it.
    """

    message: AcceptedMessage
    detail: str = ""
    uncounted: bool = False


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
    If `told_hash` is set, the agent signed these bytes and has no number the hub could read: it is told by their hash.
    """

    agent: str
    reason: RefusalReason
    detail: str
    answer_epoch: int = 0
    told_hash: bytes | None = None


IntakeVerdict = Acceptance | DuplicateMessage | EarlyMessage | Rejection | AskedTime | AskedMaps | ToldNotice


class RecentHashes:
    """The hashes of an agent's newest messages, those of its newest epoch: 2 kB for each agent of a region."""

    __slots__ = ("_epoch", "_hashes", "_last")

    def __init__(self) -> None:
        self._epoch = self._last = 0
        self._hashes = bytearray()

    def __len__(self) -> int:
        return len(self._hashes) // _HASH_BYTES

    def add(self, epoch: int, seq: int, hashed: bytes) -> None:
        """Remember the hash of the message that was accepted now."""
        if (epoch, seq) != (self._epoch, self._last + 1):
            self._hashes.clear()
        self._epoch, self._last = epoch, seq
        self._hashes += hashed
        if len(self) > RECENT_HASHES:
            del self._hashes[:_HASH_BYTES]

    def get(self, epoch: int, seq: int) -> bytes | None:
        """The hash of this message, if it is one of the newest."""
        back = self._last - seq
        if epoch != self._epoch or not 0 <= back < len(self):
            return None
        end = len(self._hashes) - back * _HASH_BYTES
        return bytes(self._hashes[end - _HASH_BYTES : end])


@dataclass(slots=True)
class AgentChain:
    """What the hub knows about one agent. `recent`: hashes of its newest messages; `ahead`: messages after a gap.

    `last_slot` is the newest slot it ever sent a batch for; `seat` is its seat in the home; `kid` names its key.
    """

    home: str
    key: Ed25519PublicKey
    is_revoked: bool = False
    seat: int = 1
    position: Position = START
    last_slot: Slot | None = None
    recent: RecentHashes = field(default_factory=RecentHashes)
    refused: deque[tuple[int, int, RefusalReason]] = field(default_factory=lambda: deque(maxlen=MAX_REFUSED))
    ahead: dict[tuple[int, int], OpenedMessage] = field(default_factory=dict)
    kid: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.kid = key_id(self.key)

    def advance(self, opened: OpenedMessage, refused: RefusalReason | None) -> None:
        """Move the position to this accepted message."""
        header = opened.header
        self.position = Position(header.epoch, header.seq, opened.hash)
        self.recent.add(header.epoch, header.seq, opened.hash)
        if refused is not None:
            self.refused.append((header.epoch, header.seq, refused))
        elif isinstance(opened.body, Batch):
            self.last_slot = max(opened.body.slot, self.last_slot or 0)


@dataclass(frozen=True, slots=True)
class AskedPrompt:
    """A prompt as answers are judged: its home, its deadline, and the answer that counts so far. Unix seconds."""

    home: str
    until_s: int
    answer: str | None = None
    answered_at: int | None = None


@dataclass(frozen=True, slots=True)
class OtherAgent:
    """An agent of another worker that shares a home with one of this worker's: what its seat depends on."""

    home: str
    seat: int
    is_revoked: bool
    last_slot: Slot | None


@dataclass(slots=True)
class IntakeState:
    """Everything a verdict depends on. `prompts` are those that can still be answered, by id.

    `ends` has, for each home whose member moves out, the first slot after the membership. `consents` are by home and
    seat, `sources` by home and meter. `others` are agents of other workers, `shared` the homes that have one, `seats`
    and `agents_of` the seats and all agents of each home of this worker.
    """

    coop: str
    chains: dict[str, AgentChain] = field(default_factory=dict)
    consents: dict[tuple[str, int], ConsentSet] = field(default_factory=dict)
    sources: dict[tuple[str, Measure], MeterSource] = field(default_factory=dict)
    prompts: dict[str, AskedPrompt] = field(default_factory=dict)
    ends: dict[str, Slot] = field(default_factory=dict)
    ahead_bytes: int = 0
    others: dict[str, OtherAgent] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    seats: dict[str, tuple[int, ...]] = field(default_factory=dict)
    agents_of: dict[str, list[str]] = field(default_factory=dict)
    _allowed: dict[tuple[str, int], Allowed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, chain in self.chains.items():
            self.agents_of.setdefault(chain.home, []).append(name)

    def consent_of(self, home: str, seat: int = 1) -> ConsentSet:
        """The consent in force in this seat; if none was sent, the one its agent was given when it enrolled."""
        return self.consents.get((home, seat)) or default_consent(home)

    def allowed_in(self, home: str, seat: int, slot: Slot) -> Allowed:
        """What may leave the home from this seat in this slot."""
        consent, held = self.consent_of(home, seat), self._allowed.get((home, seat))
        if held is None or held.consent is not consent or slot not in held.slots:
            if len(self._allowed) >= ALLOWED_KEPT:
                self._allowed.clear()
            held = self._allowed[home, seat] = allowed_at(consent, slot)
        return held

    def vacant_from(self, home: str, seat: int) -> Slot | None:
        """The slot after the last one that the agents of this seat sent; None while one of them works."""
        names = self.agents_of.get(home, ())
        found = [self.chains.get(name) or self.others.get(name) for name in names]
        held = [each for each in found if each is not None and each.seat == seat]
        if any(not chain.is_revoked for chain in held):
            return None
        return max((chain.last_slot + 1 for chain in held if chain.last_slot is not None), default=0)
