"""A notice of the pace reads back as it was written and refuses every other form, above all one without a limit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.pace.notices import (
    MOST_HOLD_S,
    MOST_RECONNECT_S,
    MOST_SPREAD_S,
    PaceNotice,
    decode_pace,
    encode_pace,
)
from protocols.wire.padding import encode_padded
from protocols.wire.refusal_reasons import RefusalReason, WireError

NOTICE = PaceNotice("a-4k2f9c1d", 1_795_226_480, 600, 120, 86_400)


@given(
    st.integers(0, 2**40), st.integers(0, MOST_RECONNECT_S), st.integers(0, MOST_SPREAD_S), st.integers(1, MOST_HOLD_S)
)
def test_a_notice_reads_back(at: int, reconnect_s: int, spread_s: int, hold_s: int) -> None:
    notice = PaceNotice("a-4k2f9c1d", at, reconnect_s, spread_s, hold_s)
    assert decode_pace(encode_pace(notice)) == notice


def test_a_notice_has_the_size_of_any_other_small_message() -> None:
    assert len(encode_pace(NOTICE)) == 426


@pytest.mark.parametrize(
    "wrong",
    [
        {"agent": "Not a name"},
        {"at": -1},
        {"at": 2**40 + 1},
        {"reconnect_s": MOST_RECONNECT_S + 1},
        {"reconnect_s": -1},
        {"reconnect_s": True},
        {"spread_s": MOST_SPREAD_S + 1},
        {"spread_s": 1.5},
        {"hold_s": 0},
        {"hold_s": MOST_HOLD_S + 1},
    ],
)
def test_what_is_above_a_limit_is_neither_written_nor_read(wrong: dict[str, object]) -> None:
    notice = replace(NOTICE, **wrong)  # type: ignore[arg-type]
    with pytest.raises(WireError) as caught:
        encode_pace(notice)
    assert caught.value.reason is RefusalReason.GARBAGE
    fields = [notice.agent, notice.at, notice.reconnect_s, notice.spread_s, notice.hold_s]
    if any(isinstance(field, float) for field in fields):
        return  # the wire has no floats: such a payload cannot even be made
    with pytest.raises(WireError):
        decode_pace(encode_padded({1: 1} | dict(enumerate(fields, start=2))))


def test_no_home_is_held_back_for_long() -> None:
    """The promise of docs/wire-format.md, to every household, whatever a hub asks."""
    assert MOST_RECONNECT_S <= 3600
    assert MOST_SPREAD_S < 900
