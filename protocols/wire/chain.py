"""The header of every message in an agent's chain, and the rule that says where a received message belongs.

Messages of all kinds share one sequence of (agent, epoch, seq); each contains the hash of the one before.
The hub asks `place_message` before it stores one; this module stores nothing.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from protocols.wire.field_checks import require_id, require_number
from protocols.wire.refusal_reasons import RefusalReason, WireError, garbage

FIRST_PREVIOUS = bytes(32)
"""The previous hash in the first message of an epoch."""

MAX_NUMBER = 2**32 - 1
MAX_AHEAD = 64
"""How far beyond a gap a hub may hold an agent's messages; later ones are sent again."""


class Header(NamedTuple):
    """The agent, the epoch, the number within it, and the hash of the sealed message before this one."""

    agent: str
    epoch: int
    seq: int
    previous: bytes


class Position(NamedTuple):
    """How far an agent's chain has been stored without a gap. Before the first message: seq 0 and 32 zero bytes."""

    epoch: int
    seq: int
    head: bytes


START = Position(0, 0, FIRST_PREVIOUS)


class ChainPlacement(Enum):
    """Where a genuine message belongs, given what is already stored."""

    NEXT = "next"
    """It is the next one: store it."""
    HELD = "held"
    """Exactly this message is already stored: answer with a receipt, store nothing."""
    AHEAD = "ahead"
    """Messages before it are missing: keep it in memory or drop it, and list the gap in the receipt."""


def place_message(position: Position, header: Header, *, own_hash: bytes, held_hash: bytes | None) -> ChainPlacement:
    """Where a message with a verified signature belongs.

    `own_hash` is the hash of its sealed bytes; `held_hash` the one stored under the same (epoch, seq), if any.

    Raises: WireError(REPLAYED) for different bytes under a stored number, WireError(BROKEN_CHAIN) if it does not
    follow the last stored message, WireError(OUT_OF_ORDER) if it is behind that or more than MAX_AHEAD ahead.
    """
    if held_hash is not None:
        if held_hash == own_hash:
            return ChainPlacement.HELD
        raise _refused(RefusalReason.REPLAYED, header, "is already held with different bytes")
    if header.epoch < position.epoch or (header.epoch == position.epoch and header.seq <= position.seq):
        raise _refused(RefusalReason.OUT_OF_ORDER, header, "is behind what is held")
    through, head = (position.seq, position.head) if header.epoch == position.epoch else (0, FIRST_PREVIOUS)
    if header.seq == through + 1:
        if header.previous != head:
            raise _refused(RefusalReason.BROKEN_CHAIN, header, "does not follow the message held before it")
        return ChainPlacement.NEXT
    if header.seq > through + MAX_AHEAD:
        raise _refused(RefusalReason.OUT_OF_ORDER, header, f"is more than {MAX_AHEAD} ahead of {through}")
    return ChainPlacement.AHEAD


def header_fields(header: Header, *, version: int) -> dict[int, Any]:
    """Keys 1 to 5 of a payload map.

    Raises: WireError(GARBAGE) for a header that must not be sent.
    """
    check_header(header)
    return {1: version, 2: header.agent, 3: header.epoch, 4: header.seq, 5: header.previous}


def read_header(fields: dict[int, Any]) -> Header:
    """The header of a decoded payload map whose keys 1 to 5 are present.

    Raises: WireError(GARBAGE).
    """
    header = Header(fields[2], fields[3], fields[4], fields[5])
    check_header(header)
    return header


def _refused(reason: RefusalReason, header: Header, why: str) -> WireError:
    return WireError(reason, f"number {header.seq} of epoch {header.epoch} {why}")


def check_header(header: Header) -> None:
    """Raises: WireError(GARBAGE) for one that no message has."""
    require_id(header.agent, "the agent's")
    require_number(header.epoch, "the epoch", least=1, most=MAX_NUMBER)
    require_number(header.seq, "the sequence number", least=1, most=MAX_NUMBER)
    if type(header.previous) is not bytes or len(header.previous) != 32:
        raise garbage("the previous hash is not 32 bytes")
    if (header.seq == 1) != (header.previous == FIRST_PREVIOUS):
        raise garbage("only an epoch's first message has 32 zero bytes as previous hash")
