"""Reads a statement's plain data for its CSV tables, marks and late readings, and what has changed since the last one.

It decodes only the parts it needs and never encodes a statement: signed bytes stay as they are.
"""

import csv
from collections.abc import Mapping, Sequence, Set
from typing import Final

import msgspec

from hub.core.ledger.signed_document import Document, document_hash
from hub.core.payments.bills import bill_table
from hub.core.settlement.slot_marks import DERIVED, ESTIMATED, MARK_WORDS
from protocols.slots import format_slot

SLOT_COLUMNS: Final = (
    "day", "slot", "start_utc", "surplus_wh", "demand_wh", "received_wh", "sold_wh", "imported_wh", "exported_wh",
    "state", "run", "run_kind", "rule",
)  # fmt: skip

Amounts = Mapping[str, int | None]
"""Amounts by name; None where there is no such number."""

TOGETHER: Final = "together"
"""The state of a line that adds up what a day's intervals received and sold whose shares are told by day only."""

_Column = tuple[int | None, ...]


class _Intervals(msgspec.Struct, frozen=True, kw_only=True):
    """A day's first interval and its length in slots. A mark: slot, kind, an estimate's surplus and demand, finding."""

    first_slot: int
    step: int
    marks: tuple[tuple[int, str, int | None, int | None, int | None], ...] = ()


class _Run(msgspec.Struct, frozen=True):
    key: str
    kind: str


class _Day(_Intervals, frozen=True, kw_only=True):
    """One day, interval by interval; None where the member took no part, or for shares told by day. Units: Wh."""

    day: str
    run: _Run
    rule: str
    window: tuple[int, int | None] | None
    surplus: _Column
    demand: _Column
    received: _Column
    sold: _Column
    provisional: frozenset[int]
    totals: dict[str, int | None] = {}


class _Numbers(msgspec.Struct, frozen=True):
    totals: dict[str, int | None]
    money: dict[str, int | None]

    def together(self) -> Amounts:
        return {**self.totals, **self.money}


class _DayNumbers(_Numbers, frozen=True):
    day: str


class _Member(msgspec.Struct, frozen=True):
    id: str


class _MonthNumbers(_Numbers, frozen=True):
    member: _Member
    month: str
    days: tuple[_DayNumbers, ...]


class _Days(msgspec.Struct, frozen=True):
    days: tuple[_Day, ...]


class _Bills(msgspec.Struct, frozen=True):
    tax: tuple[dict[str, object], ...]


def statement_csv(statement: Document) -> str:
    """The statement as a CSV table, a line for each interval. Raises: ValueError for any other document."""
    lines: list[str] = []
    writer = csv.writer(_Lines(lines), lineterminator="\n")
    writer.writerow(SLOT_COLUMNS)
    for day in msgspec.convert(statement, _Days).days:
        marked = _marked(day)
        columns = zip(day.surplus, day.demand, day.received, day.sold, strict=True)
        for i, (surplus, demand, received, sold) in enumerate(columns):
            slot = day.first_slot + i * day.step
            energy: Sequence[object] = [""] * 6
            if surplus is not None and demand is not None:
                energy = [surplus, demand, "", "", "", ""]
                if received is not None and sold is not None:
                    energy = [surplus, demand, received, sold, demand - received, surplus - sold]
            state = marked.get(slot, "provisional" if slot in day.provisional else "complete")
            writer.writerow([day.day, slot, format_slot(slot), *energy, state, day.run.key, day.run.kind, day.rule])
        if rest := _told_together(day):
            writer.writerow([day.day, "", "", "", "", *rest, TOGETHER, day.run.key, day.run.kind, day.rule])
    return "".join(lines)


def _told_together(day: _Day) -> list[int]:
    """Received, sold, imported and exported of the intervals whose shares are told by day only; empty if none is."""
    columns = zip(day.surplus, day.demand, day.received, day.sold, strict=True)
    left = [(surplus or 0, demand or 0) for surplus, demand, received, _ in columns if received is None]
    if not any(sum(pair) for pair in left):
        return []
    totals = {name: wh or 0 for name, wh in day.totals.items()}
    received, sold = (totals[name] - sum(wh or 0 for wh in side) for name, side in
                      (("received", day.received), ("sold", day.sold)))  # fmt: skip
    return [received, sold, sum(demand for _, demand in left) - received, sum(surplus for surplus, _ in left) - sold]


def bills_csv(statement: Document) -> str:
    """The current bills as a CSV table, line by line. Raises: ValueError for any other document."""
    lines: list[str] = []
    csv.writer(_Lines(lines), lineterminator="\n").writerows(bill_table(msgspec.convert(statement, _Bills).tax))
    return "".join(lines)


def interval_marks(day: Document) -> dict[int, str]:
    """A day's marked intervals by first slot, each with the first of held, rejected and estimated found in its slots.

    >>> marks = [[5, "estimated", 10, 0, None], [6, "held", None, None, 3]]
    >>> interval_marks({"first_slot": 0, "step": 4, "marks": marks})
    {4: 'held'}
    """
    return _marked(msgspec.convert(day, _Intervals))


def late_slots(statement: Document, known: Set[int]) -> set[int]:
    """Slots that the statement shows as missing, in intervals whose readings are all known by now, or as estimated for
    want of a reading that is known by now.

    `known` are the slots that have a reading by now; an estimate in the statement counts as known.
    Raises: ValueError for another document.
    """
    late: set[int] = set()
    for day in msgspec.convert(statement, _Days).days:
        marked = {slot for slot, kind, *_ in day.marks if kind != DERIVED}
        whole = (known - marked) | {row[0] for row in day.marks if None not in row[2:4]}
        first, end = day.window or (day.first_slot, None)
        for place, surplus in enumerate(day.surplus):
            begin = day.first_slot + place * day.step
            parts = range(begin, begin + day.step)
            is_member = first <= parts[0] and (end is None or parts[-1] < end)
            if surplus is None and is_member and whole >= set(parts):
                late |= set(parts) - marked
        late |= {
            slot for slot, kind, *_, finding in day.marks if kind == ESTIMATED and finding is None and slot in known
        }
    return late


def changes_since(statement: Document, last: Document) -> dict[str, object]:
    """The month's and each day's numbers that differ from the last statement's, as [before, now].

    Raises: ValueError where `last` is for another member or month, or is not a statement.
    """
    before, now = msgspec.convert(last, _MonthNumbers), msgspec.convert(statement, _MonthNumbers)
    if (before.member, before.month) != (now.member, now.month):
        raise ValueError("the last statement is of another member or month")
    days_before, days_now = ({day.day: day.together() for day in month.days} for month in (before, now))
    days = {}
    for day in sorted({*days_before, *days_now}):
        if changed := _changed(days_before.get(day, {}), days_now.get(day, {})):
            days[day] = changed
    return {"since": document_hash(last), "month": _changed(before.together(), now.together()), "days": days}


class _Lines:
    """A file-like target for a csv writer that collects what it writes."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, text: str) -> int:
        self._lines.append(text)
        return len(text)


def _marked(day: _Intervals) -> dict[int, str]:
    marked: dict[int, str] = {}
    for slot, kind, *_ in sorted(day.marks, key=lambda row: MARK_WORDS.index(row[1])):
        marked.setdefault(slot - (slot - day.first_slot) % day.step, kind)
    return marked


def _changed(before: Amounts, now: Amounts) -> dict[str, list[int | None]]:
    pairs = {name: [before.get(name), now.get(name)] for name in sorted({*before, *now})}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
