"""Padding: every message is filled up to one of six sealed sizes, so that its size reveals nothing."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cbor2

from protocols.wire.envelope import MAX_SEALED_BYTES, OVERHEAD_BYTES
from protocols.wire.refusal_reasons import RefusalReason, WireError, garbage

SIZE_CLASSES = (512, 1024, 2048, 4096, 8192, MAX_SEALED_BYTES)
"""The only sizes a sealed message can have, in bytes. An ordinary batch always has the first."""

PAD_KEY = 23
"""The last key of every payload map; larger than any other, and one byte long."""

_LEAST_PAD_BYTES = 3  # key, array of one, empty byte string
_ONE_STRING = b"\x17\x81"
_TWO_STRINGS = b"\x17\x82\x40"


def encode_padded(fields: dict[int, Any]) -> bytes:
    """The payload of a message: these fields in ascending key order, then the padding.

    Raises: WireError(OVERSIZED) if no size class holds them.
    """
    body = cbor2.dumps(fields)
    return bytes([body[0] + 1]) + body[1:] + _padding(_class_for(len(body)) - OVERHEAD_BYTES - len(body))


def require_padded(payload: bytes, pad: Any) -> None:
    """Check that a decoded payload carries exactly the padding `encode_padded` gives it.

    Raises: WireError(GARBAGE).
    """
    if not isinstance(pad, list) or not all(type(part) is bytes for part in pad):
        raise garbage("the padding is not made of zero bytes")
    body_bytes = len(payload) - len(cbor2.dumps(pad)) - 1
    # What it is compared with is made of zeros: only where the two differ is there a reason to look at each byte.
    if payload[body_bytes:] != _padding(_class_for(body_bytes) - OVERHEAD_BYTES - body_bytes):
        if any(map(any, pad)):
            raise garbage("the padding is not made of zero bytes")
        raise garbage("the message is not padded to the smallest size class that holds it")


def is_padded_from(payload: bytes, body_bytes: int) -> bool:
    """Whether exactly the padding that `encode_padded` gives stands behind these first bytes of a payload."""
    for size in SIZE_CLASSES:
        room_bytes = size - OVERHEAD_BYTES - body_bytes
        if room_bytes >= _LEAST_PAD_BYTES:
            return payload[body_bytes:] == _padding(room_bytes)
    return False


def unpadded(payload: bytes) -> bytes | None:
    """The payload without its padding; None if it does not end with exactly the padding of its length."""
    for head in (_ONE_STRING, _TWO_STRINGS):
        at = payload.rfind(head)
        if at >= 0 and len(payload) - at >= _LEAST_PAD_BYTES and payload[at:] == _padding(len(payload) - at):
            return payload[:at]
    return None


def padded(body: bytes, payload_bytes: int) -> bytes:
    """A payload of this length from what `unpadded` gave. Raises: ValueError if the body leaves no room for padding."""
    room_bytes = payload_bytes - len(body)
    if room_bytes < _LEAST_PAD_BYTES:
        raise ValueError(f"{len(body)} bytes leave no room for padding in {payload_bytes}")
    return body + _padding(room_bytes)


def _class_for(body_bytes: int) -> int:
    for size in SIZE_CLASSES:
        if body_bytes + _LEAST_PAD_BYTES + OVERHEAD_BYTES <= size:
            return size
    raise WireError(RefusalReason.OVERSIZED, f"{body_bytes} bytes do not fit into one message")


@lru_cache(maxsize=SIZE_CLASSES[0])
def _padding(room_bytes: int) -> bytes:
    """Exactly `room_bytes` (3 or more): the key and an array of one string of zeros.

    A single byte string in its shortest form cannot fill a total of 25 or 258, where its length field grows; for
    these, an empty string comes first.
    """
    content = room_bytes - 2
    if content in (25, 258):
        return _TWO_STRINGS + _zeros(content - 1)
    return _ONE_STRING + _zeros(content)


def _zeros(total_bytes: int) -> bytes:
    head = 1 if total_bytes <= 24 else 2 if total_bytes <= 257 else 3
    return cbor2.dumps(bytes(total_bytes - head))
