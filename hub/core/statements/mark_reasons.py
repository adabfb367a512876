"""Why a member's slots are marked: the finding that each mark rests on, and the board's decision behind it.

It decides nothing: hub.core.quality says what is marked, and the board decides. Only decisions made before the day's
run are named, so a published statement stays the same when the board decides later.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hub.core.settlement.slot_marks import ESTIMATED, HELD, REJECTED, SlotMarks

VERDICTS: Final = {HELD: (), REJECTED: ("reject", "estimate"), ESTIMATED: ("estimate",)}
"""The decisions that lead to a mark: what the board wants estimated is rejected where no estimate can be made."""

MarkRow = list[int | str | None]
"""Slot, mark, surplus and demand of an estimate, and the finding's number."""


@dataclass(frozen=True, slots=True)
class MarkDecision:
    """The board's decision on a finding, at a time in Unix seconds."""

    number: int
    verdict: str
    at: int


@dataclass(frozen=True, slots=True)
class MarkFinding:
    """A finding on the member's readings, with the decisions on it in order; `holds` says that it waited for one."""

    number: int
    code: str
    first_slot: int
    slots: int
    holds: bool = True
    decisions: tuple[MarkDecision, ...] = ()

    def decided(self, until: int) -> MarkDecision | None:
        """The newest decision made by then."""
        return next((each for each in reversed(self.decisions) if each.at <= until), None)

    def bears(self, mark: str, slot: int, *, until: int) -> bool:
        """Whether the mark in this slot can rest on this finding."""
        decision = self.decided(until)
        verdict = "" if decision is None else decision.verdict
        fits = self.holds and not verdict if mark == HELD else verdict in VERDICTS.get(mark, ())
        return fits and self.first_slot <= slot < self.first_slot + self.slots

    def plain(self, until: int) -> dict[str, object]:
        """The finding as a table for JSON."""
        decision = self.decided(until)
        decided = None if decision is None else {"number": decision.number, "verdict": decision.verdict}
        place = {"first_slot": self.first_slot, "slots": self.slots}
        return {"number": self.number, "code": self.code, **place, "decision": decided}


def reasoned_marks(
    marks: SlotMarks, findings: Iterable[MarkFinding], *, until: int
) -> tuple[list[MarkRow], list[dict[str, object]]]:
    """A day's marks by slot with the number of the first finding that bears each, and those findings.

    A slot that was estimated only because its reading is missing has no finding, nor has one that was derived. `until`
    is the time of the run.
    """
    known: Sequence[MarkFinding] = sorted(findings, key=lambda each: each.number)
    rows, used = [], set()
    for slot, mark, *energy in marks.rows():
        found = next((each for each in known if each.bears(str(mark), int(slot or 0), until=until)), None)
        rows.append([slot, mark, *energy, None if found is None else found.number])
        used.add(None if found is None else found.number)
    return rows, [each.plain(until) for each in known if each.number in used]
