"""What a receipt means for this agent's chain, including restores of older copies on either side.

Pure: compares numbers and hashes. `mqtt_link` acts on the result.
"""

from __future__ import annotations

from enum import Enum

from edge_agent.outbox.messages import ChainLink, ReceiptState
from protocols.wire.receipts import Receipt


class ReceiptMeaning(Enum):
    """What a genuine receipt means."""

    OLD = "old"
    """It came late, or belongs to a past epoch: it changes nothing."""
    ONWARD = "onward"
    """It confirms at least as much as before."""
    BACK = "back"
    """The hub holds less than it had receipted: it was restored from a backup."""
    COPY = "copy"
    """The hub receipted messages this agent never made: the agent's own storage is an older copy."""


def meaning_of(
    receipt: Receipt, *, next_link: ChainLink, own_hash: bytes | None, so_far: ReceiptState, now_s: float
) -> ReceiptMeaning:
    """Compare a receipt with the chain that ends before `next_link` and with what was receipted so far.

    `own_hash` is the hash of our message with the receipt's number, None if it is no longer stored.
    """
    # A receipt older than the one that withdrew it would release what the hub no longer holds.
    if receipt.epoch < next_link.epoch or receipt.stored_at < _past(so_far.reopened_at, now_s):
        return ReceiptMeaning.OLD
    is_ours = receipt.epoch == next_link.epoch and receipt.through_seq < next_link.seq
    if not is_ours or own_hash not in (None, receipt.head):
        return ReceiptMeaning.COPY
    if receipt.through_seq >= so_far.through:
        return ReceiptMeaning.ONWARD
    return ReceiptMeaning.BACK if receipt.stored_at > _past(so_far.signed_at, now_s) else ReceiptMeaning.OLD


def advance_receipts(receipt: Receipt, so_far: ReceiptState, *, now_s: float) -> ReceiptState:
    """The receipt state after a receipt that advanced or went back; no time later than our own is kept."""
    at = min(receipt.stored_at, int(now_s))
    if receipt.through_seq < so_far.through:
        return ReceiptState(receipt.through_seq, at, at)
    signed_at = max(_past(so_far.signed_at, now_s), at)
    return ReceiptState(receipt.through_seq, signed_at, _past(so_far.reopened_at, now_s))


def age_of(receipt: Receipt) -> tuple[int, int, int]:
    """Orders the receipts of one agent: the highest is the newest."""
    return receipt.epoch, receipt.stored_at, receipt.through_seq


def epoch_words(epoch: int, *, everything: bool, sealed: int, left: int) -> str:
    """Why an epoch begins and what it brings, as one line: `left` messages could not be sealed again."""
    why = (
        "the hub was restored from a backup and needs messages that can no longer be sent as they were"
        if everything
        else "the hub has receipted messages this agent never made: its storage is an older copy, or another device"
        " uses the same key"
    )
    rest = f"; {left} cannot be opened and are left out" if left else ""
    return f"{why}: starting epoch {epoch} and sealing {sealed} messages again{rest}"


def _past(at_s: int, now_s: float) -> int:
    """A stored time, 0 if it is in the future: a clock that was wrong once must not make all later receipts old."""
    return at_s if at_s <= now_s else 0
