"""The checks behind every refusal: limits of integers and ids, stable codes, and one printable line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.rules.input_checks import (
    CODES,
    MAX_INTEGER,
    RejectedInputError,
    one_line,
    require_integer,
    require_member_id,
)


@pytest.mark.parametrize("value", [0, 1, MAX_INTEGER])
def test_an_integer_from_zero_to_the_limit_passes(value: int) -> None:
    assert require_integer(value, "x") == value


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (-1, "negative"),
        (2**53, "out_of_range"),
        (True, "not_integer"),
        (False, "not_integer"),
        (1.0, "not_integer"),
        ("1", "not_integer"),
        (None, "not_integer"),
        ([1], "not_integer"),
    ],
)
def test_anything_else_is_refused_by_its_place(value: object, code: str) -> None:
    with pytest.raises(RejectedInputError) as refused:
        require_integer(value, "intervals[3].t")
    assert refused.value.code == code
    assert refused.value.detail.startswith("intervals[3].t is ")


@pytest.mark.parametrize("value", ["a", "ä", "名前", " ", "b:money"])
def test_a_text_is_a_member_id(value: str) -> None:
    assert require_member_id(value, "members[0]") == value


@pytest.mark.parametrize("value", ["", None, 5, ["a"], "\ud800"])
def test_what_is_not_a_member_id_is_refused_by_its_place(value: object) -> None:
    with pytest.raises(RejectedInputError) as refused:
        require_member_id(value, "members[2]")
    assert refused.value.code == "malformed"
    assert refused.value.detail.startswith("members[2] ")


def test_a_refusal_has_a_known_code_and_says_it() -> None:
    refusal = RejectedInputError("negative", "surplus has a negative reading")
    assert (refusal.code, refusal.detail) == ("negative", "surplus has a negative reading")
    assert str(refusal) == "negative: surplus has a negative reading"
    with pytest.raises(ValueError, match="not a refusal code: odd"):
        RejectedInputError("odd", "")


def test_the_codes_are_those_of_the_settlement_rules() -> None:
    assert len(CODES) == 18
    assert {"malformed", "method", "sell_over_buy", "interval_count", "missing_reading"} < CODES


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.text() | st.integers() | st.lists(st.text(), max_size=5))
def test_untrusted_input_becomes_one_short_printable_line(value: object) -> None:
    shown = one_line(value)
    assert len(shown) <= 80
    assert shown.isascii()
    assert shown.isprintable()


def test_a_long_text_is_cut_at_the_limit() -> None:
    assert one_line("x" * 78) == repr("x" * 78)
    assert one_line("x" * 79) == "'" + "x" * 76 + "..."
    assert one_line("abcdefgh", limit=7) == "'abc..."
