"""Receipts: the hub's signed statement of which messages it has stored.

An agent may forget a message only once it has a receipt for it. A receipt is cumulative: it covers every
message of the epoch up to `through_seq`. Encodes and decodes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from protocols.wire import strict_cbor
from protocols.wire.chain import FIRST_PREVIOUS, MAX_AHEAD, MAX_NUMBER
from protocols.wire.field_checks import MAX_SECONDS, read_fields, require_id, require_number
from protocols.wire.padding import PAD_KEY, encode_padded
from protocols.wire.refusal_reasons import RefusalReason, garbage

VERSION = 1
MAX_GAPS = MAX_AHEAD
MAX_REFUSED = 64

_KEYS = (1, 2, 3, 4, 5, 6, 7, 8, PAD_KEY)
_REFUSALS = tuple(RefusalReason)


@dataclass(frozen=True, slots=True)
class Receipt:
    """How much of one agent's epoch the hub has durably stored at `stored_at` (Unix seconds).

    Every number up to `through_seq` is stored or was refused for its content; `head` is the hash of the sealed
    message with that number, or 32 zero bytes if `through_seq` is 0. `gaps` gives the first and last number of each run
    still missing before messages that have already arrived, or that arrived and could not be kept. `refused` are the
    newest numbers up to `through_seq` whose content was not accepted.
    """

    agent: str
    epoch: int
    through_seq: int
    head: bytes
    gaps: tuple[tuple[int, int], ...]
    stored_at: int
    refused: tuple[tuple[int, RefusalReason], ...]


def encode_receipt(receipt: Receipt) -> bytes:
    """The payload of a receipt, padded to its size class.

    Raises: WireError if it breaks a rule of this module.
    """
    _check(receipt)
    return encode_padded(
        {
            1: VERSION,
            2: receipt.agent,
            3: receipt.epoch,
            4: receipt.through_seq,
            5: receipt.head,
            6: [[first, last] for first, last in receipt.gaps],
            7: receipt.stored_at,
            8: [[seq, _REFUSALS.index(reason)] for seq, reason in receipt.refused],
        }
    )


def decode_receipt(data: bytes) -> Receipt:
    """The receipt that these bytes encode; the exact inverse of `encode_receipt`.

    Raises: WireError(GARBAGE).
    """
    fields = read_fields(data, _KEYS, "a receipt", version=VERSION)
    receipt = Receipt(
        agent=fields[2],
        epoch=fields[3],
        through_seq=fields[4],
        head=fields[5],
        gaps=tuple((first, last) for first, last in strict_cbor.require_rows(fields[6], 2)),
        stored_at=fields[7],
        refused=tuple(_refused(item) for item in strict_cbor.require_rows(fields[8], 2)),
    )
    _check(receipt)
    return receipt


def _refused(item: Any) -> tuple[int, RefusalReason]:
    seq, reason = item
    if type(reason) is not int or not 0 <= reason < len(_REFUSALS):
        raise garbage("an unknown refusal reason")
    return seq, _REFUSALS[reason]


def _check(receipt: Receipt) -> None:
    require_id(receipt.agent, "the agent's")
    require_number(receipt.epoch, "epoch", least=1, most=MAX_NUMBER)
    require_number(receipt.through_seq, "through", most=MAX_NUMBER)
    require_number(receipt.stored_at, "the time stored in Unix seconds", most=MAX_SECONDS)
    if type(receipt.head) is not bytes or len(receipt.head) != 32:
        raise garbage("the head is not 32 bytes")
    if (receipt.through_seq == 0) != (receipt.head == FIRST_PREVIOUS):
        raise garbage("the head is 32 zero bytes if nothing is held, and only then")
    _check_gaps(receipt)
    _check_refused(receipt)


def _check_gaps(receipt: Receipt) -> None:
    if len(receipt.gaps) > MAX_GAPS:
        raise garbage(f"more than {MAX_GAPS} gaps")
    next_free = receipt.through_seq + 1
    for first, last in receipt.gaps:
        require_number(first, "gap", least=next_free, most=MAX_NUMBER)
        require_number(last, "gap", least=first, most=MAX_NUMBER)
        next_free = last + 2


def _check_refused(receipt: Receipt) -> None:
    if len(receipt.refused) > MAX_REFUSED:
        raise garbage(f"more than {MAX_REFUSED} refused numbers")
    least = 1
    for seq, reason in receipt.refused:
        require_number(seq, "refused number", least=least, most=receipt.through_seq)
        if not reason.settles_the_number:
            raise garbage("a receipt lists only refusals of content")
        least = seq + 1
