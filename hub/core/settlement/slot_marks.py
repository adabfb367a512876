"""Which slots of a member a run did not settle as they were read: held, rejected by the board, or estimated.

It marks; what is to be marked is decided in quality_gate.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

HELD, REJECTED, ESTIMATED = MARK_WORDS = ("held", "rejected", "estimated")

SlotSpan = tuple[int, int]
"""(first slot, how many)."""


@dataclass(frozen=True, slots=True)
class SlotMarks:
    """One member's marks, each by slot ascending.

    `held` waits for the board and `rejected` is what it decided not to count: both are settled as missing. `estimated`
    is (slot, surplus, demand) as settled in place of a reading. Units: Wh.
    """

    held: tuple[SlotSpan, ...] = ()
    rejected: tuple[SlotSpan, ...] = ()
    estimated: tuple[tuple[int, int, int], ...] = ()

    def plain(self) -> dict[str, list[list[int]]]:
        """The marks as a table for JSON, without what there is none of."""
        rows = {HELD: self.held, REJECTED: self.rejected, ESTIMATED: self.estimated}
        return {name: [list(each) for each in marked] for name, marked in rows.items() if marked}

    def rows(self) -> list[list[int | str | None]]:
        """The marks by slot as a statement has them: slot, word, and surplus and demand of an estimate."""
        estimates = {slot: energy for slot, *energy in self.estimated}
        return [[slot, word, *estimates.get(slot, (None, None))] for slot, word in sorted(self.by_slot().items())]

    def by_slot(self) -> dict[int, str]:
        """The word of each marked slot."""
        words = dict.fromkeys((slot for slot, _, _ in self.estimated), ESTIMATED)
        for word, runs in ((HELD, self.held), (REJECTED, self.rejected)):
            words |= {slot: word for first, count in runs for slot in range(first, first + count)}
        return words

    def within(self, slots: range) -> "SlotMarks":
        """Those of these slots."""
        held, rejected = (
            runs_of(slot for first, count in runs for slot in range(first, first + count) if slot in slots)
            for runs in (self.held, self.rejected)
        )
        return SlotMarks(held, rejected, tuple(each for each in self.estimated if each[0] in slots))

    def __bool__(self) -> bool:
        return bool(self.held or self.rejected or self.estimated)


def read_marks(table: object) -> dict[str, SlotMarks]:
    """The marks of a record's head, by member. Raises: TypeError, KeyError, ValueError or AttributeError."""
    marks = {}
    for member, rows in cast(Mapping[str, Mapping[str, Sequence[Sequence[int]]]], table).items():
        held, rejected = (
            [(int(first), int(count)) for first, count in rows.get(name, ())] for name in (HELD, REJECTED)
        )
        estimated = [(int(slot), int(surplus), int(demand)) for slot, surplus, demand in rows.get(ESTIMATED, ())]
        marks[member] = SlotMarks(tuple(held), tuple(rejected), tuple(estimated))
    return marks


def plain_marks(marks: Mapping[str, SlotMarks]) -> dict[str, dict[str, list[list[int]]]]:
    """Everybody's marks as a table for JSON."""
    return {member: each.plain() for member, each in marks.items() if each}


def runs_of(slots: Iterable[int]) -> tuple[SlotSpan, ...]:
    """Ascending slots as unbroken runs."""
    runs: list[SlotSpan] = []
    for slot in slots:
        if runs and sum(runs[-1]) == slot:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((slot, 1))
    return tuple(runs)
