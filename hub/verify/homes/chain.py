"""One agent's chain of messages: how far it was followed, and what is wrong with the next row of it; no I/O."""

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.core.homes.measure_sources import SourceHistory
from hub.storage.audit_records import MessageRow, StoredHead, StoredMessage
from protocols.wire.chain import FIRST_PREVIOUS
from protocols.wire.envelope import batch_hash, open_sealed
from protocols.wire.messages import ConsentNotice, PromptAnswer
from protocols.wire.payloads import decode_payload
from protocols.wire.readings import Batch
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import Topic

REASONS: Final = frozenset(reason.value for reason in RefusalReason)
FIRST_LINK: Final = bytes(32)

Body = Batch | PromptAnswer | ConsentNotice


@dataclass
class FollowedChain:
    """How far an agent's chain was followed, and the head that the hub must have stored for it.

    `link` is one hash over all rows up to here, with every column and the bytes as they lie in the store.
    """

    epoch: int = 0
    seq: int = 0
    head: bytes = FIRST_PREVIOUS
    position: int = 0
    last_slot: int | None = None
    received_at: int = 0
    accepted: int = 0
    link: bytes = FIRST_LINK

    def stored_head(self) -> StoredHead:
        """The row of chain heads that belongs to this chain."""
        return StoredHead(self.epoch, self.seq, self.head, self.last_slot, self.received_at, self.accepted)

    def follow(self, row: StoredMessage, body: Body | None, *, is_erased: bool = False) -> None:
        """Go on to this row, whatever is wrong with it."""
        self.epoch, self.seq, self.head, self.position = row.epoch, row.seq, row.hash, row.position
        self.received_at = row.received_at
        self.accepted += row.refused is None
        self.link = next_row_link(self.link, _row_of(row))
        if isinstance(body, Batch):
            self.last_slot = max(self.last_slot or 0, body.slot)
        elif is_erased and row.last_slot is not None:
            self.last_slot = max(self.last_slot or 0, row.last_slot)


def next_row_link(previous: bytes, row: MessageRow) -> bytes:
    """The hash over all of an agent's rows up to this one."""
    position, _, epoch, seq, kind, hashed, stored, *others = row
    columns = repr((position, epoch, seq, kind, *others, len(stored))).encode()
    return hashlib.sha256(b"".join((previous, hashed, stored, columns))).digest()


def _row_of(message: StoredMessage) -> MessageRow:
    refused = None if message.refused is None else message.refused.encode()
    return (
        *(message.position, b"", message.epoch, message.seq, message.kind.encode(), message.hash, message.stored),
        *(message.received_at, message.first_slot, message.last_slot, refused),
    )


def opened(row: StoredMessage, topic: Topic, key: Ed25519PublicKey) -> Body | None:
    """What the message says; None if its bytes are not a message that this key signed for this topic."""
    try:
        return decode_payload(topic.kind, open_sealed(row.sealed, topic.text(), key))
    except (WireError, KeyError):
        return None


def row_problem(
    chain: FollowedChain, row: StoredMessage, body: Body | None, history: SourceHistory, *, is_erased: bool
) -> str | None:
    """What is wrong with the row behind this chain; None if nothing is."""
    if is_erased:
        return order_problem(chain, row) or ("its bytes were not erased" if row.sealed else None)
    return message_problem(chain, row, body) or _column_problem(row, body, history)


def order_problem(chain: FollowedChain, row: StoredMessage) -> str | None:
    """What is wrong with the place of the row behind this chain."""
    expected = chain.seq + 1 if row.epoch == chain.epoch else 1
    if row.seq != expected:
        return f"number {expected} is missing"
    return None if row.position > chain.position else "its position is not after that of the message before it"


def message_problem(chain: FollowedChain, row: StoredMessage, body: Body | None) -> str | None:
    """What is wrong with the number, the signature, the hashes or the state of the row behind this chain."""
    if problem := order_problem(chain, row):
        return problem
    if not row.sealed:
        # Refused for its content: only its number and hash are stored; the next message names the hash.
        return None if row.refused in REASONS else "its bytes are gone, though its content was not refused"
    if body is None:
        return "the stored bytes do not open with the agent's key"
    if row.refused is not None:
        return "it is called refused, and its content is stored"
    if (body.header.epoch, body.header.seq) != (row.epoch, row.seq):
        return "its stored number differs from the signed one"
    if batch_hash(row.sealed) != row.hash:
        return "the hash of the stored bytes differs from the one in the receipt"
    previous = chain.head if row.epoch == chain.epoch else FIRST_PREVIOUS
    return None if body.header.previous == previous else "it does not follow the message before it"


def _column_problem(row: StoredMessage, body: Body | None, history: SourceHistory) -> str | None:
    first = last = None
    if isinstance(body, Batch):
        # What another agent of the home brings was left out before the message was stored.
        begun = [(column.measure, body.slot - column.span + 1) for column in body.columns]
        counted = (
            slot
            for measure, slot in begun
            if history.counts(measure, agent=body.agent, position=row.position, first_slot=slot)
        )
        first, last = min(counted, default=body.slot), body.slot
    return None if (row.first_slot, row.last_slot) == (first, last) else "its stored slots differ from the signed ones"
