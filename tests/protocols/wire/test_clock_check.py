"""The question for the time and its answer read back as they were written and refuse every other form."""

from __future__ import annotations

import cbor2
import pytest

from protocols.wire.clock_check import (
    ClockAnswer,
    ClockQuestion,
    ClockState,
    decode_clock_answer,
    decode_question,
    encode_clock_answer,
    encode_question,
)
from protocols.wire.padding import PAD_KEY, encode_padded
from protocols.wire.refusal_reasons import RefusalReason, WireError

NONCE = bytes(range(16))
QUESTION = ClockQuestion("a-4k2f9c1d", NONCE, 1_952_900_000, ClockState.HELD)


@pytest.mark.parametrize("state", ClockState)
def test_question_and_answer_read_back(state: ClockState) -> None:
    question, answer = ClockQuestion("a1", NONCE, 5, state), ClockAnswer("a1", NONCE, 2**40)
    assert decode_question(encode_question(question)) == question
    assert decode_clock_answer(encode_clock_answer(answer)) == answer
    assert len(encode_question(question)) == len(encode_clock_answer(answer)) == 426


@pytest.mark.parametrize(
    "wrong",
    [
        ClockQuestion("Not a name", NONCE, 1, ClockState.HELD),
        ClockQuestion("a1", NONCE[:15], 1, ClockState.HELD),
        ClockQuestion("a1", NONCE, -1, ClockState.HELD),
        ClockQuestion("a1", NONCE, 2**40 + 1, ClockState.HELD),
        ClockQuestion("a1", NONCE, 1, "held"),  # type: ignore[arg-type]
    ],
)
def test_what_no_reader_would_take_is_not_written(wrong: ClockQuestion) -> None:
    with pytest.raises(WireError) as caught:
        encode_question(wrong)
    assert caught.value.reason is RefusalReason.GARBAGE


@pytest.mark.parametrize("change", [{1: 2}, {5: 3}, {6: 0}, {3: "x" * 16}])
def test_another_form_is_garbage(change: dict[int, object]) -> None:
    fields = {key: value for key, value in cbor2.loads(encode_question(QUESTION)).items() if key != PAD_KEY}
    with pytest.raises(WireError):
        decode_question(encode_padded({**fields, **change}))
    with pytest.raises(WireError):
        decode_clock_answer(encode_question(QUESTION))
