"""The hub's signed word to an agent whose key it no longer accepts: since when, and why. Encodes and decodes only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from protocols.wire import strict_cbor
from protocols.wire.padding import PAD_KEY, encode_padded, require_padded
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import is_id

VERSION = 1
MAX_SECONDS = 2**40


class RevocationCause(StrEnum):
    """Why an agent's key no longer counts."""

    REVOKED = "revoked"
    """The co-op withdrew the key."""
    REPLACED = "replaced"
    """Another agent was enrolled for the home."""

    @property
    def plain_words(self) -> str:
        """The cause for people, as the end of a sentence."""
        return _WORDS[self]


_CAUSES = tuple(RevocationCause)
_WORDS = {
    RevocationCause.REVOKED: "the co-op withdrew this agent's key",
    RevocationCause.REPLACED: "another agent was enrolled for this home",
}


@dataclass(frozen=True, slots=True)
class RevocationNotice:
    """The hub takes nothing more from this agent since `at` (Unix seconds)."""

    agent: str
    at: int
    cause: RevocationCause


def encode_revocation(notice: RevocationNotice) -> bytes:
    """The payload of the notice, padded. Raises: WireError if it breaks a rule of this module."""
    _check(notice)
    return encode_padded({1: VERSION, 2: notice.agent, 3: notice.at, 4: _CAUSES.index(notice.cause)})


def decode_revocation(data: bytes) -> RevocationNotice:
    """The exact inverse of `encode_revocation`. Raises: WireError(GARBAGE)."""
    fields = strict_cbor.decode(data)
    if type(fields) is not dict or tuple(fields) != (1, 2, 3, 4, PAD_KEY) or fields[1] != VERSION:
        raise _garbage(f"not a revocation of version {VERSION}")
    require_padded(data, fields[PAD_KEY])
    cause = _number(fields[4], "cause", most=len(_CAUSES) - 1)
    notice = RevocationNotice(fields[2], fields[3], _CAUSES[cause])
    _check(notice)
    return notice


def _check(notice: RevocationNotice) -> None:
    if type(notice.agent) is not str or not is_id(notice.agent):
        raise _garbage("the agent does not have the form of a name")
    _number(notice.at, "time", most=MAX_SECONDS)
    if not isinstance(notice.cause, RevocationCause):
        raise _garbage("an unknown cause")


def _number(value: Any, what: str, *, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise _garbage(f"the {what} is not a whole number from 0 to {most}")
    return value


def _garbage(detail: str) -> WireError:
    return WireError(RefusalReason.GARBAGE, detail)
