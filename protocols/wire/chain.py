"""The chained head that every message of an agent carries, and the rule that says where a message stands.

(agent, epoch, seq) numbers messages of all kinds in one row; each names the hash of the one before it.
Whoever stores messages asks `place`; this module stores nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import is_id

FIRST_PREVIOUS = bytes(32)
"""What the first message of an epoch names as its predecessor."""

MAX_NUMBER = 2**32 - 1
MAX_AHEAD = 64
"""How many messages beyond a hole a hub may hold per agent; what lies further ahead is sent again later."""


@dataclass(frozen=True, slots=True)
class Header:
    """Who, which epoch, which number in it, and the hash of the sealed message before this one."""

    agent: str
    epoch: int
    seq: int
    previous: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """How far an agent's chain is held without a hole. Before the first message: seq 0 and 32 zero bytes."""

    epoch: int
    seq: int
    head: bytes


START = Position(0, 0, FIRST_PREVIOUS)


class ChainPlacement(Enum):
    """Where a genuine message stands relative to what is held."""

    NEXT = "next"
    """It is the one that follows: store it."""
    HELD = "held"
    """Exactly this message is held already: answer with a receipt, store nothing."""
    AHEAD = "ahead"
    """Messages before it are wanted first: keep it in memory or drop it, and name the hole in the receipt."""


def place_message(position: Position, header: Header, *, own_hash: bytes, held_hash: bytes | None) -> ChainPlacement:
    """Where a message whose signature was verified stands.

    `own_hash` is the hash of its sealed bytes; `held_hash` the one stored under the same (epoch, seq), if any.

    Raises: WireError(REPLAYED) for other bytes under a held number, WireError(BROKEN_CHAIN) when it does not
    build on what is held, WireError(OUT_OF_ORDER) when it is of an older epoch or more than MAX_AHEAD away.
    """
    if held_hash is not None:
        if held_hash == own_hash:
            return ChainPlacement.HELD
        raise _refused(RefusalReason.REPLAYED, header, "is held with other bytes")
    if header.epoch < position.epoch or (header.epoch == position.epoch and header.seq <= position.seq):
        raise _refused(RefusalReason.OUT_OF_ORDER, header, "lies behind what is held")
    through, head = (position.seq, position.head) if header.epoch == position.epoch else (0, FIRST_PREVIOUS)
    if header.seq == through + 1:
        if header.previous != head:
            raise _refused(RefusalReason.BROKEN_CHAIN, header, "does not name the message held before it")
        return ChainPlacement.NEXT
    if header.seq > through + MAX_AHEAD:
        raise _refused(RefusalReason.OUT_OF_ORDER, header, f"is more than {MAX_AHEAD} ahead of {through}")
    return ChainPlacement.AHEAD


def header_fields(header: Header, *, version: int) -> dict[int, Any]:
    """Keys 1 to 5 of a payload map.

    Raises: WireError(GARBAGE) for a header that must not be sent.
    """
    _check(header)
    return {1: version, 2: header.agent, 3: header.epoch, 4: header.seq, 5: header.previous}


def read_header(fields: dict[int, Any]) -> Header:
    """The header of a decoded payload map whose keys 1 to 5 are present.

    Raises: WireError(GARBAGE).
    """
    header = Header(fields[2], fields[3], fields[4], fields[5])
    _check(header)
    return header


def _refused(reason: RefusalReason, header: Header, why: str) -> WireError:
    return WireError(reason, f"number {header.seq} of epoch {header.epoch} {why}")


def _check(header: Header) -> None:
    if type(header.agent) is not str or not is_id(header.agent):
        raise WireError(RefusalReason.GARBAGE, "the agent's name is not 1 to 32 of a-z, 0-9 and -")
    if type(header.epoch) is not int or not 1 <= header.epoch <= MAX_NUMBER:
        raise WireError(RefusalReason.GARBAGE, "the epoch is not a number from 1 to 4294967295")
    if type(header.seq) is not int or not 1 <= header.seq <= MAX_NUMBER:
        raise WireError(RefusalReason.GARBAGE, "the sequence number is not a number from 1 to 4294967295")
    if type(header.previous) is not bytes or len(header.previous) != 32:
        raise WireError(RefusalReason.GARBAGE, "the previous hash is not 32 bytes")
    if (header.seq == 1) != (header.previous == FIRST_PREVIOUS):
        raise WireError(RefusalReason.GARBAGE, "32 zero bytes stand before an epoch's first message and only there")
