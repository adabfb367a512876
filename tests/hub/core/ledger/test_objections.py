"""Objections: every line a member may object to with its stated amount, reasons, and who may decide."""

from typing import Any

import pytest

from hub.core.ledger.objections import (
    DECIDE_DAYS,
    ENERGY_LINES,
    LINES,
    REASON_CHARS_MAX,
    VERDICTS,
    clean_reason,
    may_decide,
    stated_amount,
)
from hub.core.settlement.money import CENT_NANO


def totals(first: int) -> dict[str, int]:
    return {line: first + n for n, line in enumerate(ENERGY_LINES)}


STATEMENT: dict[str, Any] = {
    "format": "commonwatt-statement-1",
    "days": [
        {"day": "2026-05-01", "totals": totals(10), "money": {"debit_nano": 7, "credit_nano": 8, "benefit_nano": None}},
        {
            "day": "2026-05-02",
            "totals": totals(20),
            "money": {"debit_nano": -1, "credit_nano": 0},
            "marks": [[1, "held"]],
        },
    ],
    "totals": totals(100),
    "money": {"debit_cent": 12, "credit_cent": 34, "debit_nano": 120_000_009, "benefit_nano": None},
}


def test_every_energy_line_of_the_month_and_of_a_day() -> None:
    for n, line in enumerate(ENERGY_LINES):
        assert stated_amount(STATEMENT, day="", line=line) == 100 + n
        assert stated_amount(STATEMENT, day="2026-05-02", line=line) == 20 + n


def test_money_of_a_day_is_exact_and_of_the_month_what_is_paid_in_cents() -> None:
    assert stated_amount(STATEMENT, day="2026-05-01", line="debit") == 7
    assert stated_amount(STATEMENT, day="2026-05-01", line="credit") == 8
    assert stated_amount(STATEMENT, day="2026-05-02", line="debit") == -1
    assert stated_amount(STATEMENT, day="", line="debit") == 12 * CENT_NANO
    assert stated_amount(STATEMENT, day="", line="credit") == 34 * CENT_NANO


@pytest.mark.parametrize(("day", "line"), [("2026-05-03", "sold"), ("", "benefit"), ("2026-05-01", "day"), ("", "")])
def test_a_line_that_is_not_on_the_statement_has_no_amount(day: str, line: str) -> None:
    assert stated_amount(STATEMENT, day=day, line=line) is None


@pytest.mark.parametrize("broken", [{}, {**STATEMENT, "days": {}}, {**STATEMENT, "money": {"debit_cent": "12"}}])
def test_a_document_that_is_not_a_statement_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Expected|required"):
        stated_amount(broken, day="", line="debit")


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
    assert may_decide("m01", "m02", is_board=True)
    assert not may_decide("m01", "m02", is_board=False)
    assert not may_decide("m01", "m01", is_board=True)


def test_the_lines_the_verdicts_and_the_time_the_board_has() -> None:
    assert set(LINES) == {*ENERGY_LINES, "debit", "credit"}
    assert (VERDICTS, DECIDE_DAYS, REASON_CHARS_MAX) == (("accepted", "rejected"), 30, 500)
