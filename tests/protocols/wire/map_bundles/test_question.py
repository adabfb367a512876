"""The question for maps: exact both ways, of one size, and anything else refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.map_bundles.question import MapQuestion, decode_map_question, encode_map_question
from protocols.wire.padding import encode_padded
from protocols.wire.refusal_reasons import WireError
from tests.protocols.wire.wire_samples import IDS, SECONDS


@given(st.builds(MapQuestion, IDS, SECONDS, st.integers(0, 2**32 - 1)))
def test_a_question_comes_back_as_it_was(question: MapQuestion) -> None:
    data = encode_map_question(question)
    assert decode_map_question(data) == question
    assert len(data) == 426


@pytest.mark.parametrize(
    "fields",
    [
        {1: 2, 2: "a", 3: 0, 4: 0},
        {1: 1, 2: "A b", 3: 0, 4: 0},
        {1: 1, 2: "a", 3: -1, 4: 0},
        {1: 1, 2: "a", 3: 0, 4: 2**32},
        {1: 1, 2: "a", 3: 0, 4: None},
        {1: 1, 2: "a", 3: 0},
    ],
)
def test_what_no_agent_writes_is_refused(fields: dict[int, object]) -> None:
    with pytest.raises(WireError):
        decode_map_question(encode_padded(fields))
