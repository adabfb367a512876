"""The hub's signed word to an agent whose key it no longer accepts: since when, and why. Encodes and decodes only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from protocols.wire.field_checks import MAX_SECONDS, read_fields, require_id, require_number
from protocols.wire.padding import PAD_KEY, encode_padded
from protocols.wire.refusal_reasons import garbage

VERSION = 1


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
    fields = read_fields(data, (1, 2, 3, 4, PAD_KEY), "a revocation", version=VERSION)
    cause = require_number(fields[4], "cause", most=len(_CAUSES) - 1)
    notice = RevocationNotice(fields[2], fields[3], _CAUSES[cause])
    _check(notice)
    return notice


def _check(notice: RevocationNotice) -> None:
    require_id(notice.agent, "the agent's")
    require_number(notice.at, "the time in Unix seconds", most=MAX_SECONDS)
    if not isinstance(notice.cause, RevocationCause):
        raise garbage("an unknown cause")
