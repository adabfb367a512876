"""An agent's question for the hub's time, and the hub's signed answer. Encodes and decodes only.

Outside the chain: nothing of it is stored as a message. An answer is fresh because it repeats the question's nonce;
a receipt, which may have waited in a broker for days, only proves that the time is not earlier.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from protocols.wire.field_checks import MAX_SECONDS, read_fields, require_id, require_number
from protocols.wire.padding import PAD_KEY, encode_padded
from protocols.wire.refusal_reasons import garbage

VERSION = 1
NONCE_BYTES = 16


class ClockState(StrEnum):
    """What an agent knows about its clock."""

    SYNCHRONISED = "synchronised"
    """The kernel or a time service says that it is set from a time source."""
    UNCONFIRMED = "unconfirmed"
    """Nothing says so; slots are closed all the same."""
    HELD = "held"
    """It cannot be right, or may not be: slots wait, or follow the hub's time instead."""


_STATES = tuple(ClockState)


@dataclass(frozen=True, slots=True)
class ClockQuestion:
    """What time is it? `at` is the agent's own clock in Unix seconds, `nonce` is never used twice."""

    agent: str
    nonce: bytes
    at: int
    state: ClockState


@dataclass(frozen=True, slots=True)
class ClockAnswer:
    """The hub's time when it answered the question with this nonce, in Unix seconds."""

    agent: str
    nonce: bytes
    at: int


def encode_question(question: ClockQuestion) -> bytes:
    """The payload of a question, padded. Raises: WireError if it breaks a rule of this module."""
    _check(question)
    if not isinstance(question.state, ClockState):
        raise garbage("an unknown state of the clock")
    return encode_padded(
        {1: VERSION, 2: question.agent, 3: question.nonce, 4: question.at, 5: _STATES.index(question.state)}
    )


def decode_question(data: bytes) -> ClockQuestion:
    """The exact inverse of `encode_question`. Raises: WireError(GARBAGE)."""
    fields = read_fields(data, (1, 2, 3, 4, 5, PAD_KEY), "a question for the time", version=VERSION)
    state = require_number(fields[5], "the state of the clock (field 5)", most=len(_STATES) - 1)
    question = ClockQuestion(fields[2], fields[3], fields[4], _STATES[state])
    _check(question)
    return question


def encode_clock_answer(answer: ClockAnswer) -> bytes:
    """The payload of an answer, padded. Raises: WireError if it breaks a rule of this module."""
    _check(answer)
    return encode_padded({1: VERSION, 2: answer.agent, 3: answer.nonce, 4: answer.at})


def decode_clock_answer(data: bytes) -> ClockAnswer:
    """The exact inverse of `encode_clock_answer`. Raises: WireError(GARBAGE)."""
    fields = read_fields(data, (1, 2, 3, 4, PAD_KEY), "the time", version=VERSION)
    answer = ClockAnswer(fields[2], fields[3], fields[4])
    _check(answer)
    return answer


def _check(message: ClockQuestion | ClockAnswer) -> None:
    require_id(message.agent, "the agent's")
    if type(message.nonce) is not bytes or len(message.nonce) != NONCE_BYTES:
        raise garbage(f"the nonce is not {NONCE_BYTES} bytes")
    require_number(message.at, "the time in Unix seconds (field 4)", most=MAX_SECONDS)
