"""Each mark names the finding it rests on, and only decisions that were made before the run."""

import pytest

from hub.core.settlement.slot_marks import SlotMarks
from hub.core.statements.mark_reasons import MarkDecision, MarkFinding, reasoned_marks

RUN_AT = 100
ACCEPT, REJECT, ESTIMATE = (
    MarkDecision(n, verdict, n) for n, verdict in ((1, "accept"), (2, "reject"), (3, "estimate"))
)


def finding(number: int, first: int, slots: int, *decisions: MarkDecision, holds: bool = True) -> MarkFinding:
    return MarkFinding(number, "frozen_value", first, slots, holds, decisions)


def test_a_mark_names_its_finding_and_decision_by_hand() -> None:
    marks = SlotMarks(held=((10, 2),), rejected=((20, 1),), estimated=((30, 0, 5), (31, 0, 7)))
    findings = [finding(9, 20, 1, ACCEPT, REJECT), finding(4, 10, 2), finding(7, 31, 1, ESTIMATE)]
    rows, reasons = reasoned_marks(marks, findings, until=RUN_AT)
    assert rows == [
        [10, "held", None, None, 4], [11, "held", None, None, 4], [20, "rejected", None, None, 9],
        [30, "estimated", 0, 5, None], [31, "estimated", 0, 7, 7],
    ]  # fmt: skip
    assert [(each["number"], each["decision"]) for each in reasons] == [
        (4, None),
        (7, {"number": 3, "verdict": "estimate"}),
        (9, {"number": 2, "verdict": "reject"}),
    ]


@pytest.mark.parametrize(
    ("found", "mark", "until", "bears"),
    [
        (finding(1, 5, 3), "held", RUN_AT, True),
        (finding(1, 5, 3, holds=False), "held", RUN_AT, False),
        (finding(1, 5, 3, REJECT), "held", RUN_AT, False),
        (finding(1, 5, 3, REJECT), "held", 1, True),
        (finding(1, 5, 3, REJECT), "rejected", 1, False),
        (finding(1, 5, 3, REJECT), "rejected", 2, True),
        (finding(1, 5, 3, REJECT, ESTIMATE), "rejected", RUN_AT, True),
        (finding(1, 5, 3, ACCEPT), "rejected", RUN_AT, False),
        (finding(1, 5, 3, REJECT), "estimated", RUN_AT, False),
        (finding(1, 5, 3, ESTIMATE), "estimated", RUN_AT, True),
        (finding(1, 8, 3), "held", RUN_AT, False),
        (finding(1, 4, 3), "held", RUN_AT, False),
    ],
)
def test_a_finding_bears_only_marks_that_it_and_its_decision_lead_to(
    found: MarkFinding, mark: str, until: int, *, bears: bool
) -> None:
    assert found.bears(mark, 7, until=until) is bears


def test_without_marks_there_are_no_reasons() -> None:
    assert reasoned_marks(SlotMarks(), [finding(1, 5, 3)], until=RUN_AT) == ([], [])
