"""A member's statement of a local month as plain data: every number with the slots, run, rule and entries behind it.

hub/verify/statement.py recomputes one. It reads no store, and sign_document signs what it makes. A statement is
`final` when every day of the month stands by a run RF or by the decision of a dispute (X), else `provisional`; it is
billed from M1 on. Entries of the co-op's funds stand beside those of settlement runs and count in none of its sums.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final, cast

from hub.core.ledger.signed_document import Document, document_hash
from hub.core.payments.bills import bill_table
from hub.core.rules.rulebook import Prices
from hub.core.settlement.prepared_readings import MISSING_WH, Readings
from hub.core.settlement.slot_marks import MARK_WORDS, SlotMarks
from hub.core.statements.month import SIDES, UNITS_NANO, StatedDay, StatementMonth, booked_amounts, settled_amounts
from protocols.slots import format_slot

STATEMENT_FORMAT: Final = "commonwatt-statement-1"
ENERGIES: Final = ("surplus", "demand", "received", "sold", "imported", "exported")
LATE: Final = "late"
CLOSED: Final = frozenset({"RF", "X"})
MONEYS: Final = ("debit_nano", "credit_nano", "benefit_nano", "alone_nano", "cost_nano")
SLOT_COLUMNS: Final = (
    "day", "slot", "start_utc", "surplus_wh", "demand_wh", "received_wh", "sold_wh", "imported_wh", "exported_wh",
    "state", "run", "run_kind", "rule",
)  # fmt: skip

Table = dict[str, object]


@dataclass(frozen=True, slots=True)
class StatementFiles:
    """What a member takes home: the signed statement, own readings, the pool series and the hub's public key.

    Beside the signed statement stands `payment`, signed too: what is to be paid of it now.
    `later` names the days that have something newer than the statement, with why: the next run takes it up.
    """

    signed: Document
    readings: Document
    pool: Document
    later: Mapping[str, str]
    hub_key: str

    @property
    def statement(self) -> Table:
        """The statement that is signed."""
        return cast(Table, self.signed["document"])

    @property
    def payment(self) -> Table:
        """What is to be paid of it now."""
        return cast(dict[str, Table], self.signed["payment"])["document"]


def state_month(
    month: StatementMonth,
    member: str,
    *,
    name: str,
    made_at: str,
    bills: Sequence[Document] = (),
    last: Document | None = None,
) -> Table:
    """The statement of one member; with `last`, an earlier statement of the month, also what has changed since.

    `bills` are the documents that stand.

    Raises: ValueError where nothing in the month concerns the member, or `last` is not of this member and month.
    """
    if all(member not in table for table in month.nano.values()) and not any(member in d.mine for d in month.days):
        raise ValueError(f"{member} has no part in {month.month}")
    days = [_day(day, member) for day in month.days]
    kinds = {day.source.run.kind for day in month.days}
    statement: Table = {
        "format": STATEMENT_FORMAT,
        "coop": month.coop.plain(),
        "member": {"id": member, "name": name},
        "month": month.month,
        "made_at": made_at,
        "state": "final" if kinds <= CLOSED and not month.missing else "provisional",
        "billed": not month.missing and "D" not in kinds,
        "days_before": list(month.before),
        "missing_days": list(month.missing),
        "rules": {day.pool.rule: day.source.settled.rule.canonical().decode("utf-8") for day in month.days},
        "days": days,
        "totals": {each: _sum(days, "totals", each) for each in ENERGIES},
        "money": _money(month, member, days),
        "rounding": month.bars,
    }
    statement["tax"] = list(bills)
    statement["changes"] = None if last is None else _changes(statement, last)
    return statement


def own_readings(
    member: str, readings: Iterable[Readings], *, marks: Iterable[SlotMarks] = (), days: Sequence[Table] = ()
) -> Table:
    """The member's own readings in the form that hub/verify/statement.py takes, with the word of each mark.

    `days` are the statement's: what came after their runs and is not counted in them is marked as late.
    """
    rows: list[list[int | str | None]] = []
    for part in readings:
        if member in part.members:
            column = part.members.index(member)
            pairs = (part.surplus_wh[:, column].tolist(), part.demand_wh[:, column].tolist())
            for slot, *energy in zip(part.slots, *pairs, strict=True):
                rows.append([slot, *(None if wh == MISSING_WH else wh for wh in energy)])
    marked = {slot: word for each in marks for slot, word in each.by_slot().items()}
    rows += [[slot, None, None] for slot in sorted(marked.keys() - {row[0] for row in rows})]
    rows.sort(key=lambda row: cast(int, row[0]))
    marked |= dict.fromkeys(_late_slots(days, {cast(int, row[0]) for row in rows if None not in row}), LATE)
    return {"member": member, "readings": [[*row, marked[row[0]]] if row[0] in marked else row for row in rows]}


def _late_slots(days: Iterable[Table], known: Set[int]) -> set[int]:
    """Of the slots with a reading those of intervals that are stated as missing though nothing of them is any more."""
    late: set[int] = set()
    for day in days:
        rows = cast(Sequence[Sequence[int | None]], day.get("marks", ()))
        marked = {row[0] for row in rows}
        whole = (known - marked) | {cast(int, row[0]) for row in rows if None not in row}
        begin, step = cast(int, day["first_slot"]), cast(int, day["step"])
        first, end = cast(tuple[int, int | None], day["window"] or (begin, None))
        for place, surplus in enumerate(cast(Sequence[int | None], day["surplus"])):
            parts = range(begin + place * step, begin + (place + 1) * step)
            is_member = first <= parts[0] and (end is None or parts[-1] < end)
            if surplus is None and is_member and whole >= set(parts):
                late |= set(parts) - marked
    return late


def statement_csv(statement: Document) -> str:
    """The statement slot by slot, one line for each interval, for a table program."""
    lines: list[str] = []
    writer = csv.writer(_Lines(lines), lineterminator="\n")
    writer.writerow(SLOT_COLUMNS)
    for day in cast(Sequence[Mapping[str, object]], statement["days"]):
        run = cast(Mapping[str, str], day["run"])
        provisional = set(cast(Sequence[int], day["provisional"]))
        marked = interval_marks(day)
        columns = [cast(Sequence[int | None], day[name]) for name in ("surplus", "demand", "received", "sold")]
        for i, (surplus, demand, received, sold) in enumerate(zip(*columns, strict=True)):
            slot = cast(int, day["first_slot"]) + i * cast(int, day["step"])
            energy: Sequence[object] = [""] * 6
            if surplus is not None and demand is not None and received is not None and sold is not None:
                energy = [surplus, demand, received, sold, demand - received, surplus - sold]
            state = marked.get(slot, "provisional" if slot in provisional else "complete")
            writer.writerow([day["day"], slot, format_slot(slot), *energy, state, run["key"], run["kind"], day["rule"]])
    return "".join(lines)


def bills_csv(statement: Document) -> str:
    """The bills that stand, line by line."""
    lines: list[str] = []
    rows = bill_table(cast(Sequence[Mapping[str, object]], statement["tax"]))
    csv.writer(_Lines(lines), lineterminator="\n").writerows(rows)
    return "".join(lines)


def interval_marks(day: Mapping[str, object]) -> dict[int, str]:
    """Of the day's intervals that hold a marked slot of the member: held, rejected or estimated, the first of these."""
    rows = cast(Sequence[tuple[int, str, int | None, int | None]], day.get("marks", ()))
    first, step = cast(int, day["first_slot"]), cast(int, day["step"])
    words: dict[int, str] = {}
    for slot, word, *_ in sorted(rows, key=lambda row: MARK_WORDS.index(row[1])):
        words.setdefault(slot - (slot - first) % step, word)
    return words


class _Lines:
    """What a csv writer writes into."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, text: str) -> int:
        self._lines.append(text)
        return len(text)


def _day(day: StatedDay, member: str) -> Table:
    settled, source = day.source.settled, day.source
    rows = day.mine.get(member, ())
    return {
        "day": source.day,
        "run": source.run.plain(),
        "rule": day.pool.rule,
        "window": list(source.windows[member]) if member in source.windows else None,
        "first_slot": settled.slots[0],
        "step": settled.rule.aggregate,
        **_columns(day, member),
        "provisional": [slot for slot, open_ in zip(settled.slots, settled.provisional.tolist(), strict=True) if open_],
        **({"marks": settled.marks[member].rows()} if settled.marks.get(member) else {}),
        "totals": _energy(day, member),
        "money": _day_money(day, member),
        "entries": [
            {
                "place": place,
                "entry": row.canonical.decode("utf-8"),
                "proof": [step.hex() for step in day.tree.proof(place)],
            }
            for place, _, row in rows
        ],
        "root": day.root,
    }


def _columns(day: StatedDay, member: str) -> dict[str, list[int | None]]:
    """The member's intervals; None where the member took no part."""
    settled = day.source.settled
    names = ("surplus", "demand", "received", "sold")
    if member not in settled.members:
        return {name: [None] * len(settled.slots) for name in names}
    column = settled.members.index(member)
    here = settled.present[:, column].tolist()
    arrays = (settled.surplus_wh, settled.demand_wh, settled.alloc_wh, settled.sold_wh)
    return {
        name: [wh if there else None for wh, there in zip(array[:, column].tolist(), here, strict=True)]
        for name, array in zip(names, arrays, strict=True)
    }


def _energy(day: StatedDay, member: str) -> dict[str, int]:
    booked = booked_amounts([entry for _, entry, _ in day.mine.get(member, ())], member)
    traded = {name: booked[name] for name in ("received", "sold", "imported", "exported")}
    return {
        "surplus": traded["sold"] + traded["exported"],
        "demand": traded["received"] + traded["imported"],
        **traded,
    }


def _day_money(day: StatedDay, member: str) -> dict[str, int | None]:
    """Nano-currency. `alone_nano` is what the day had cost without neighbours, `cost_nano` what it did cost."""
    energy, amounts = _energy(day, member), settled_amounts(day.source.settled, member)
    debit, credit = amounts["debit_nano"], amounts["credit_nano"]
    prices: Prices = day.source.settled.rule.prices
    retail, feedin = prices.retail_micro_per_kwh, prices.feedin_micro_per_kwh
    if retail is None or feedin is None:
        return {"debit_nano": debit, "credit_nano": credit, "benefit_nano": None, "alone_nano": None, "cost_nano": None}
    alone = energy["demand"] * retail - energy["surplus"] * feedin
    cost = energy["imported"] * retail - energy["exported"] * feedin + debit - credit
    return {
        "debit_nano": debit,
        "credit_nano": credit,
        "benefit_nano": alone - cost,
        "alone_nano": alone,
        "cost_nano": cost,
    }


def _money(month: StatementMonth, member: str, days: Sequence[Mapping[str, object]]) -> dict[str, int | None]:
    """The month's money: exact in nano, and in micro and cents as the month's rounding bars have it."""
    money: dict[str, int | None] = {name: _sum(days, "money", name) for name in MONEYS}
    for side in SIDES:
        nano = money[f"{side}_nano"] or 0
        for unit, unit_nano in UNITS_NANO.items():
            bar, before = cast(tuple[int | None, str | None], month.bars[unit][side])
            rest = nano % unit_nano
            above = bar is not None and (rest > bar or (rest == bar and (before is None or member < before)))
            money[f"{side}_{unit}"] = nano // unit_nano + above
    return money


def _sum(days: Sequence[Mapping[str, object]], table: str, name: str) -> int | None:
    """The sum over the days; None where one of them has no such number."""
    numbers = [cast(Mapping[str, "int | None"], day[table])[name] for day in days]
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _changes(statement: Table, last: Document) -> Table:
    """The numbers that are not what the last statement said, of the month and of each day: [before, now]."""
    if _whose(last) != _whose(statement):
        raise ValueError("the last statement is one of another member or month")
    before, now = _numbers_by_day(last), _numbers_by_day(statement)
    days = {}
    for day in sorted({*before, *now}):
        if changed := _changed(before.get(day, {}), now.get(day, {})):
            days[day] = changed
    return {"since": document_hash(last), "month": _changed(_numbers(last), _numbers(statement)), "days": days}


def _whose(statement: Document) -> tuple[object, object]:
    return cast(Mapping[str, object], statement["member"])["id"], statement["month"]


def _changed(before: Mapping[str, int | None], now: Mapping[str, int | None]) -> dict[str, list[int | None]]:
    pairs = {name: [before.get(name), now.get(name)] for name in sorted({*before, *now})}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _numbers(part: Mapping[str, object]) -> dict[str, int | None]:
    return {**cast(dict[str, "int | None"], part["totals"]), **cast(dict[str, "int | None"], part["money"])}


def _numbers_by_day(statement: Mapping[str, object]) -> dict[str, dict[str, int | None]]:
    days = cast(Sequence[Mapping[str, object]], statement["days"])
    return {cast(str, day["day"]): _numbers(day) for day in days}
