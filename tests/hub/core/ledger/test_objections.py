"""Objections: reasons, and who may decide."""

import pytest

from hub.core.ledger.objections import (
    DECIDE_DAYS,
    ENERGY_LINES,
    LINES,
    REASON_CHARS_MAX,
    VERDICTS,
    clean_reason,
    may_decide,
)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("too high", "too high"),
        ("  too \n\t high  ", "too high"),
        ("", None),
        (" \n ", None),
        ("x" * REASON_CHARS_MAX, "x" * REASON_CHARS_MAX),
        ("x" * (REASON_CHARS_MAX + 1), None),
        ("bell \a", None),
        ("right\u202eleft", None),
        ("zu hoch, größer", "zu hoch, größer"),
    ],
)
def test_a_reason_is_cleaned_or_refused(text: str, clean: str | None) -> None:
    assert clean_reason(text) == clean


def test_only_the_board_decides_and_nobody_on_their_own_objection() -> None:
    assert may_decide({"m01", "m05"}, "m02", is_board=True)
    assert not may_decide({"m01", "m05"}, "m02", is_board=False)
    assert not may_decide({"m01", "m05"}, "m01", is_board=True)


def test_the_lines_the_verdicts_and_the_time_the_board_has() -> None:
    assert set(LINES) == {*ENERGY_LINES, "debit", "credit"}
    assert (VERDICTS, DECIDE_DAYS, REASON_CHARS_MAX) == (("accepted", "rejected"), 30, 500)
