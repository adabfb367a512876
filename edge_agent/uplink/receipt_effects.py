"""What a receipt of the hub means for this agent's chain, restores of older copies on either side included.

Pure: compares numbers and hashes. What then happens to the outbox and the window is `uplink`'s.
"""

from __future__ import annotations

from enum import Enum

from edge_agent.outbox.messages import ChainLink, ReceiptState
from protocols.wire.receipts import Receipt


class ReceiptMeaning(Enum):
    """What a genuine receipt says."""

    OLD = "old"
    """It came late, or is of an epoch that is over: nothing is taken back for it."""
    ONWARD = "onward"
    """It confirms at least what was confirmed before."""
    BACK = "back"
    """The hub holds less than it had signed for: it was restored from a backup."""
    COPY = "copy"
    """The hub signed for what this agent never made: the agent's own storage is an older copy."""


def meaning_of(
    receipt: Receipt, *, next_link: ChainLink, own_hash: bytes | None, so_far: ReceiptState, now_s: float
) -> ReceiptMeaning:
    """Weigh a receipt against the chain that ends before `next_link` and what was receipted so far.

    `own_hash` is that of our message with the receipt's number, None when it is no longer kept.
    """
    # A receipt from before one that took it back would let go of what the hub does not hold any more.
    if receipt.epoch < next_link.epoch or receipt.stored_at < _past(so_far.reopened_at, now_s):
        return ReceiptMeaning.OLD
    is_ours = receipt.epoch == next_link.epoch and receipt.through_seq < next_link.seq
    if not is_ours or own_hash not in (None, receipt.head):
        return ReceiptMeaning.COPY
    if receipt.through_seq >= so_far.through:
        return ReceiptMeaning.ONWARD
    return ReceiptMeaning.BACK if receipt.stored_at > _past(so_far.signed_at, now_s) else ReceiptMeaning.OLD


def advance_receipts(receipt: Receipt, so_far: ReceiptState, *, now_s: float) -> ReceiptState:
    """What is receipted after a receipt that moved on or went back; no time beyond our own is remembered."""
    at = min(receipt.stored_at, int(now_s))
    if receipt.through_seq < so_far.through:
        return ReceiptState(receipt.through_seq, at, at)
    signed_at = max(_past(so_far.signed_at, now_s), at)
    return ReceiptState(receipt.through_seq, signed_at, _past(so_far.reopened_at, now_s))


def _past(at_s: int, now_s: float) -> int:
    """A remembered time, 0 when it lies ahead: a clock that was wrong once must not make all later receipts old."""
    return at_s if at_s <= now_s else 0
