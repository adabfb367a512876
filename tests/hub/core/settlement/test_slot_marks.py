"""Marks of slots: held, rejected, estimated and derived, their plain form by hand, and spans of slots."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.settlement.slot_marks import MARK_WORDS, SlotMarks, plain_marks, runs_of

MARKS = SlotMarks(held=((5, 2),), rejected=((9, 1),), estimated=((12, 3, 4), (13, 0, 7)))
relaxed = settings(deadline=None, derandomize=True, max_examples=200)


def test_the_plain_form_leaves_out_empty_kinds() -> None:
    assert MARKS.plain() == {"held": [[5, 2]], "rejected": [[9, 1]], "estimated": [[12, 3, 4], [13, 0, 7]]}
    assert SlotMarks(rejected=((9, 1),)).plain() == {"rejected": [[9, 1]]}
    assert SlotMarks(derived=((7, 2), (20, 1))).plain() == {"derived": [[7, 2], [20, 1]]}
    assert plain_marks({"a": MARKS, "b": SlotMarks()}) == {"a": MARKS.plain()}
    assert MARK_WORDS == ("held", "rejected", "estimated", "derived")


@pytest.mark.parametrize(
    ("marks", "is_any"),
    [
        (SlotMarks(), False),
        (SlotMarks(held=((1, 1),)), True),
        (SlotMarks(rejected=((1, 1),)), True),
        (SlotMarks(estimated=((1, 0, 0),)), True),
        (SlotMarks(derived=((1, 1),)), True),
    ],
)
def test_marks_are_true_if_there_is_any(marks: SlotMarks, is_any: bool) -> None:
    assert bool(marks) == is_any


def test_each_marked_slot_has_one_row_and_estimates_their_energy() -> None:
    assert MARKS.by_slot() == {5: "held", 6: "held", 9: "rejected", 12: "estimated", 13: "estimated"}
    assert MARKS.rows() == [
        [5, "held", None, None],
        [6, "held", None, None],
        [9, "rejected", None, None],
        [12, "estimated", 3, 4],
        [13, "estimated", 0, 7],
    ]


@pytest.mark.parametrize(
    ("slots", "within"),
    [
        (range(6, 13), SlotMarks(((6, 1),), ((9, 1),), ((12, 3, 4),))),
        (range(5), SlotMarks()),
        (range(7, 9), SlotMarks()),
        (range(20), MARKS),
        (range(13, 14), SlotMarks(estimated=((13, 0, 7),))),
    ],
)
def test_the_marks_within_a_range_of_slots(slots: range, within: SlotMarks) -> None:
    assert MARKS.within(slots) == within


@relaxed
@given(st.sets(st.integers(0, 60)))
def test_spans_have_every_slot_once_and_never_touch(slots: set[int]) -> None:
    spans = runs_of(sorted(slots))
    assert [slot for first, count in spans for slot in range(first, first + count)] == sorted(slots)
    ends = [first + count for first, count in spans]
    assert all(first > end for (first, _), end in zip(spans[1:], ends, strict=False))
    assert all(count > 0 for _, count in spans)


@relaxed
@given(st.sets(st.integers(0, 40)), st.integers(0, 45), st.integers(0, 45))
def test_marks_within_a_range_are_the_marks_by_slot_in_it(slots: set[int], start: int, stop: int) -> None:
    marks = SlotMarks(held=runs_of(sorted(slots)), estimated=((50, 1, 2),))
    inside = {slot: mark for slot, mark in marks.by_slot().items() if start <= slot < stop}
    assert marks.within(range(start, stop)).by_slot() == inside
