"""The slots of a member that a run did not settle as measured: held, rejected by the board, estimated or derived.

It only records marks; hub/core/quality/settlement_check.py decides what is marked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

HELD, REJECTED, ESTIMATED, DERIVED = MARK_WORDS = ("held", "rejected", "estimated", "derived")

SlotSpan = tuple[int, int]
"""(first slot, how many)."""


@dataclass(frozen=True, slots=True)
class SlotMarks:
    """One member's marks, each in ascending order of slots.

    `held` slots await the board's decision, and the board has decided not to count `rejected` ones; both are settled as
    missing. `estimated` has (slot, surplus, demand) as settled in place of a reading. In `derived` slots the reading is
    one that the agent derived, and the rule lets that count. Units: Wh.

    >>> SlotMarks(held=((8, 2),), estimated=((12, 0, 250),)).rows()
    [[8, 'held', None, None], [9, 'held', None, None], [12, 'estimated', 0, 250]]
    """

    held: tuple[SlotSpan, ...] = ()
    rejected: tuple[SlotSpan, ...] = ()
    estimated: tuple[tuple[int, int, int], ...] = ()
    derived: tuple[SlotSpan, ...] = ()

    def plain(self) -> dict[str, list[list[int]]]:
        """The marks as a table for JSON, leaving out empty kinds."""
        rows = {HELD: self.held, REJECTED: self.rejected, ESTIMATED: self.estimated, DERIVED: self.derived}
        return {name: [list(each) for each in marked] for name, marked in rows.items() if marked}

    def rows(self) -> list[list[int | str | None]]:
        """The marks by slot for a statement: slot, mark, and surplus and demand of an estimate."""
        estimates = {slot: energy for slot, *energy in self.estimated}
        return [[slot, mark, *estimates.get(slot, (None, None))] for slot, mark in sorted(self.by_slot().items())]

    def by_slot(self) -> dict[int, str]:
        """The mark of each marked slot."""
        marks = dict.fromkeys((slot for slot, _, _ in self.estimated), ESTIMATED)
        for mark, runs in ((DERIVED, self.derived), (HELD, self.held), (REJECTED, self.rejected)):
            marks |= {slot: mark for first, count in runs for slot in range(first, first + count)}
        return marks

    def within(self, slots: range) -> "SlotMarks":
        """The marks within these slots."""
        held, rejected, derived = (
            runs_of(slot for slot in slots_in(runs) if slot in slots)
            for runs in (self.held, self.rejected, self.derived)
        )
        return SlotMarks(held, rejected, tuple(each for each in self.estimated if each[0] in slots), derived)

    def __bool__(self) -> bool:
        return bool(self.held or self.rejected or self.estimated or self.derived)


def plain_marks(marks: Mapping[str, SlotMarks]) -> dict[str, dict[str, list[list[int]]]]:
    """The marks of all members as a table for JSON."""
    return {member: each.plain() for member, each in marks.items() if each}


def slots_in(runs: Iterable[SlotSpan]) -> list[int]:
    """The slots of these spans, in order."""
    return [slot for first, count in runs for slot in range(first, first + count)]


def runs_of(slots: Iterable[int]) -> tuple[SlotSpan, ...]:
    """Ascending slots as unbroken spans.

    >>> runs_of([4, 5, 6, 9])
    ((4, 3), (9, 1))
    """
    runs: list[SlotSpan] = []
    for slot in slots:
        if runs and sum(runs[-1]) == slot:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((slot, 1))
    return tuple(runs)
