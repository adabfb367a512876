"""Receipts: the hub's signed statement of which messages it has stored.

An agent may forget a message only once it has a receipt for it. A receipt is cumulative: it covers every
message of the epoch up to `through_seq`. Encodes and decodes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from protocols.wire import strict_cbor
from protocols.wire.chain import FIRST_PREVIOUS, MAX_AHEAD, MAX_NUMBER
from protocols.wire.padding import PAD_KEY, encode_padded, require_padded
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import is_id

VERSION = 1
MAX_GAPS = MAX_AHEAD
MAX_REFUSED = 64
MAX_SECONDS = 2**40

_KEYS = (1, 2, 3, 4, 5, 6, 7, 8, PAD_KEY)
_REFUSALS = tuple(RefusalReason)


@dataclass(frozen=True, slots=True)
class Receipt:
    """How much of one agent's epoch the hub has durably stored at `stored_at` (Unix seconds).

    Every number up to `through_seq` is stored or was refused for its content; `head` is the hash of the sealed
    message with that number, or 32 zero bytes if `through_seq` is 0. `gaps` gives the first and last number of each run
    still missing before messages that have already arrived. `refused` are the newest numbers up to `through_seq` whose
    content was not accepted.
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
    fields = strict_cbor.decode(data)
    if type(fields) is not dict or tuple(fields) != _KEYS or fields[1] != VERSION:
        raise _garbage("not a receipt of version 1")
    require_padded(data, fields[PAD_KEY])
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
        raise _garbage("an unknown refusal reason")
    return seq, _REFUSALS[reason]


def _check(receipt: Receipt) -> None:
    if type(receipt.agent) is not str or not is_id(receipt.agent):
        raise _garbage("the agent's name is not 1 to 32 of a-z, 0-9 and -")
    _number(receipt.epoch, "epoch", least=1)
    _number(receipt.through_seq, "through", least=0)
    _number(receipt.stored_at, "time stored", least=0, most=MAX_SECONDS)
    if type(receipt.head) is not bytes or len(receipt.head) != 32:
        raise _garbage("the head is not 32 bytes")
    if (receipt.through_seq == 0) != (receipt.head == FIRST_PREVIOUS):
        raise _garbage("the head is 32 zero bytes if nothing is held, and only then")
    _check_gaps(receipt)
    _check_refused(receipt)


def _check_gaps(receipt: Receipt) -> None:
    if len(receipt.gaps) > MAX_GAPS:
        raise _garbage(f"more than {MAX_GAPS} gaps")
    next_free = receipt.through_seq + 1
    for first, last in receipt.gaps:
        _number(first, "gap", least=next_free)
        _number(last, "gap", least=first)
        next_free = last + 2


def _check_refused(receipt: Receipt) -> None:
    if len(receipt.refused) > MAX_REFUSED:
        raise _garbage(f"more than {MAX_REFUSED} refused numbers")
    least = 1
    for seq, reason in receipt.refused:
        _number(seq, "refused number", least=least, most=receipt.through_seq)
        if not reason.settles_the_number:
            raise _garbage("a receipt lists only refusals of content")
        least = seq + 1


def _number(value: Any, what: str, *, least: int, most: int = MAX_NUMBER) -> None:
    if type(value) is not int or not least <= value <= most:
        raise _garbage(f"{what} is not a whole number from {least} to {most}")


def _garbage(detail: str) -> WireError:
    return WireError(RefusalReason.GARBAGE, detail)
