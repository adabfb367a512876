"""The hub's signed word over how long homes spread their return after an outage, and their sending after a slot.

Encodes and decodes only. Its limits are the most that a hub can ask: none of them holds a home back for long, and
measuring goes on whatever it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.wire.field_checks import MAX_SECONDS, read_fields, require_id, require_number
from protocols.wire.padding import PAD_KEY, encode_padded

VERSION: Final = 1
MOST_RECONNECT_S: Final = 3600
"""A home is never asked to stay away for longer than an hour after its broker is back."""

MOST_SPREAD_S: Final = 840
"""A slot's batch leaves before the next slot ends."""

MOST_HOLD_S: Final = 7 * 86_400


@dataclass(frozen=True, slots=True)
class PaceNotice:
    """From `at` (Unix seconds) and for `hold_s`, this agent goes by these two times; both 0: as it does by itself.

    `reconnect_s`: after a connection is lost it waits a random time up to this before each attempt, or longer where its
    own pauses have grown longer. `spread_s`: a slot's batch leaves a random time up to this after it was sealed.
    """

    agent: str
    at: int
    reconnect_s: int
    spread_s: int
    hold_s: int


def encode_pace(notice: PaceNotice) -> bytes:
    """The payload of the notice, padded. Raises: WireError if it breaks a rule of this module."""
    _check(notice)
    return encode_padded(
        {1: VERSION, 2: notice.agent, 3: notice.at, 4: notice.reconnect_s, 5: notice.spread_s, 6: notice.hold_s}
    )


def decode_pace(data: bytes) -> PaceNotice:
    """The exact inverse of `encode_pace`. Raises: WireError(GARBAGE)."""
    fields = read_fields(data, (1, 2, 3, 4, 5, 6, PAD_KEY), "a notice of the pace", version=VERSION)
    notice = PaceNotice(fields[2], fields[3], fields[4], fields[5], fields[6])
    _check(notice)
    return notice


def _check(notice: PaceNotice) -> None:
    require_id(notice.agent, "the agent's")
    require_number(notice.at, "the time in Unix seconds (field 3)", most=MAX_SECONDS)
    require_number(notice.reconnect_s, "the time to come back within (field 4)", most=MOST_RECONNECT_S)
    require_number(notice.spread_s, "the time to send within (field 5)", most=MOST_SPREAD_S)
    require_number(notice.hold_s, "how long it holds (field 6)", least=1, most=MOST_HOLD_S)
