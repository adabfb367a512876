"""The hub's signed word to an agent about one message that it cannot number: what it was, and why. Encodes and decodes.

A refusal of content is told in a receipt. This is for a message the agent did sign, but whose head cannot be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from protocols.wire import strict_cbor
from protocols.wire.padding import PAD_KEY, encode_padded, require_padded
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import is_id

VERSION = 1
MAX_SECONDS = 2**40

_REASONS = tuple(RefusalReason)


@dataclass(frozen=True, slots=True)
class RefusalNotice:
    """At `at` (Unix seconds) the hub refused the sealed message with this hash, and will never take these bytes."""

    agent: str
    at: int
    hash: bytes
    reason: RefusalReason


def encode_refusal(notice: RefusalNotice) -> bytes:
    """The payload of the notice, padded. Raises: WireError if it breaks a rule of this module."""
    _check(notice)
    return encode_padded({1: VERSION, 2: notice.agent, 3: notice.at, 4: notice.hash, 5: _REASONS.index(notice.reason)})


def decode_refusal(data: bytes) -> RefusalNotice:
    """The exact inverse of `encode_refusal`. Raises: WireError(GARBAGE)."""
    fields = strict_cbor.decode(data)
    if type(fields) is not dict or tuple(fields) != (1, 2, 3, 4, 5, PAD_KEY) or fields[1] != VERSION:
        raise _garbage(f"not a refusal of version {VERSION}")
    require_padded(data, fields[PAD_KEY])
    reason = _number(fields[5], "reason", most=len(_REASONS) - 1)
    notice = RefusalNotice(fields[2], fields[3], fields[4], _REASONS[reason])
    _check(notice)
    return notice


def _check(notice: RefusalNotice) -> None:
    if type(notice.agent) is not str or not is_id(notice.agent):
        raise _garbage("the agent does not have the form of a name")
    _number(notice.at, "time", most=MAX_SECONDS)
    if type(notice.hash) is not bytes or len(notice.hash) != 32:
        raise _garbage("the hash is not 32 bytes")
    if not isinstance(notice.reason, RefusalReason):
        raise _garbage("an unknown reason")


def _number(value: Any, what: str, *, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise _garbage(f"the {what} is not a whole number from 0 to {most}")
    return value


def _garbage(detail: str) -> WireError:
    return WireError(RefusalReason.GARBAGE, detail)
