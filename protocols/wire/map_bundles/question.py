"""An agent's question for its co-op's newest bundle of maps: it says which it holds, and nothing of the home's devices.

Outside the chain, like the question for the time. Encodes and decodes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.wire.field_checks import MAX_SECONDS, read_fields, require_id, require_number
from protocols.wire.map_bundles.content import MAX_SERIAL
from protocols.wire.padding import PAD_KEY, encode_padded

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class MapQuestion:
    """Is there a newer bundle than the one held, whose serial is `serial`; 0 for none? `at` is in Unix seconds."""

    agent: str
    at: int
    serial: int


def encode_map_question(question: MapQuestion) -> bytes:
    """The payload of a question, padded. Raises: WireError if it breaks a rule of this module."""
    _check(question)
    return encode_padded({1: VERSION, 2: question.agent, 3: question.at, 4: question.serial})


def decode_map_question(data: bytes) -> MapQuestion:
    """The exact inverse of `encode_map_question`. Raises: WireError(GARBAGE)."""
    fields = read_fields(data, (1, 2, 3, 4, PAD_KEY), "a question for maps", version=VERSION)
    question = MapQuestion(fields[2], fields[3], fields[4])
    _check(question)
    return question


def _check(question: MapQuestion) -> None:
    require_id(question.agent, "the agent's")
    require_number(question.at, "the time in Unix seconds", most=MAX_SECONDS)
    require_number(question.serial, "the serial", most=MAX_SERIAL)
