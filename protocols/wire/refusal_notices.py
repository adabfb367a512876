"""The hub's signed word to an agent about one message that it cannot number: what it was, and why. Encodes and decodes.

A refusal of content is told in a receipt. This is for a message the agent did sign, but whose head cannot be read.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocols.wire.field_checks import MAX_SECONDS, read_fields, require_id, require_number
from protocols.wire.padding import PAD_KEY, encode_padded
from protocols.wire.refusal_reasons import RefusalReason, garbage

VERSION = 1

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
    fields = read_fields(data, (1, 2, 3, 4, 5, PAD_KEY), "a refusal", version=VERSION)
    reason = require_number(fields[5], "reason", most=len(_REASONS) - 1)
    notice = RefusalNotice(fields[2], fields[3], fields[4], _REASONS[reason])
    _check(notice)
    return notice


def _check(notice: RefusalNotice) -> None:
    require_id(notice.agent, "the agent's")
    require_number(notice.at, "the time in Unix seconds", most=MAX_SECONDS)
    if type(notice.hash) is not bytes or len(notice.hash) != 32:
        raise garbage("the hash is not 32 bytes")
    if not isinstance(notice.reason, RefusalReason):
        raise garbage("an unknown reason")
