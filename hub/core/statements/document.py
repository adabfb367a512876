"""A member's statement for a local month as plain data: every number with the slots, run, rule and entries behind it.

hub/verify/statement.py recomputes a statement. This module reads no store and signs nothing. A statement is `final`
when every day of the month rests on an RF run or on the decision in a dispute (X), and `provisional` otherwise; it is
billed from run M1 on. Entries of the co-op's funds are listed beside those of settlement runs and count towards none of
the sums.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final, TypedDict

from hub.core.ledger.signed_document import Document
from hub.core.rules.rulebook import Prices
from hub.core.settlement.prepared_readings import MISSING_WH, Readings
from hub.core.settlement.slot_marks import SlotMarks
from hub.core.statements.mark_reasons import MarkFinding, reasoned_marks
from hub.core.statements.month import (
    SIDES,
    UNITS_NANO,
    MembersPool,
    SettledDay,
    StatedDay,
    StatementMonth,
    booked_amounts,
    settled_amounts,
)
from hub.core.statements.tables import changes_since, late_slots

STATEMENT_FORMAT: Final = "commonwatt-statement-3"
ENERGIES: Final = ("surplus", "demand", "received", "sold", "imported", "exported")
LATE: Final = "late"
CORRECTED: Final = "corrected"
CLOSED: Final = frozenset({"RF", "X"})
MONEYS: Final = ("debit_nano", "credit_nano", "benefit_nano", "alone_nano", "cost_nano")

Table = dict[str, object]


@dataclass(frozen=True, slots=True)
class StatementFiles:
    """What a member takes home: the signed statement, their own readings, the pool series and the hub's public key.

    `series` are the days' pool series, of which a document is made only for who asks for it.

    `signed` also holds `payment`, itself signed: the part of the statement to be paid now.
    `before` is the signed statement that this one replaces, if there is one.
    `later` names the days for which the hub knows something newer, and why; the next run takes it into account.
    """

    signed: Document
    readings: Document
    series: Sequence[MembersPool]
    later: Mapping[str, str]
    hub_key: str
    before: Document | None = None

    @property
    def pool(self) -> Table:
        """The pool series of the month's days, as members may see them."""
        return {"days": [day.for_members() for day in self.series]}

    @property
    def statement(self) -> Table:
        """The statement inside `signed`."""
        return _document_in(self.signed)

    @property
    def payment(self) -> Table:
        """The part of the statement to be paid now."""
        return _document_in(self.signed["payment"])


def state_month(
    month: StatementMonth,
    member: str,
    *,
    name: str,
    made_at: str,
    bills: Sequence[Document] = (),
    findings: Sequence[MarkFinding] = (),
    last: Document | None = None,
) -> Table:
    """One member's statement; with `last`, an earlier statement for the month, it also shows what has changed since.

    `bills` are the member's current bill and credit note; `findings` are those on the member's readings.

    Raises: ValueError where nothing in the month concerns the member, or `last` is not for this member and month.
    """
    if not takes_part(month, member):
        raise ValueError(f"{member} has no part in {month.month}")
    energies = [_energy(day, member) for day in month.seen]
    moneys = [_day_money(day, member, energy=energy) for day, energy in zip(month.seen, energies, strict=True)]
    parts = zip(month.seen, energies, moneys, strict=True)
    kinds = {day.source.run.kind for day in month.days}
    correction = _correction(month, member)
    counted = [*moneys, *([correction["money"]] if correction else [])]
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
        "rules": {day.pool.rule: day.source.settled.rule.canonical().decode("utf-8") for day in month.seen},
        "rulebook": [rule.plain() for rule in month.rulebook],
        "days": [_day(day, member, energy=energy, money=money, findings=findings) for day, energy, money in parts],
        **({"correction": correction} if correction else {}),
        "totals": {
            each: sum(energy[each] for energy in energies) + (correction["totals"][each] if correction else 0)
            for each in ENERGIES
        },
        "money": _money(month, member, counted),
        "rounding": {unit: {side: list(bar) for side, bar in sides.items()} for unit, sides in month.bars.items()},
    }
    statement["tax"] = list(bills)
    statement["changes"] = None if last is None else changes_since(statement, last)
    return statement


def takes_part(month: StatementMonth, member: str) -> bool:
    """Whether the member appears in a settled day of the month or in the ledger entries for one."""
    days = (*month.days, *month.seen)
    return any(member in table for table in month.nano.values()) or any(member in day.mine for day in days)


class _Correction(TypedDict):
    """What the runs that are not shown by day change over the month, and on how many days."""

    days: int
    totals: dict[str, int]
    money: dict[str, int | None]


def _correction(month: StatementMonth, member: str) -> _Correction | None:
    """One total, because the numbers by day would show the readings of fewer than five homes; None if there is none."""
    pairs = [(day, month.shown[day.source.day]) for day in month.days if day.source.day in month.shown]
    pairs = [pair for pair in pairs if pair[0].source.run.key != pair[1].source.run.key]
    if not pairs or not month.corrects:
        return None
    totals, moneys = dict.fromkeys(ENERGIES, 0), []
    for counted, seen in pairs:
        now, then = _energy(counted, member), _energy(seen, member)
        totals = {name: totals[name] + now[name] - then[name] for name in ENERGIES}
        after, before = _day_money(counted, member, energy=now), _day_money(seen, member, energy=then)
        moneys.append({name: _less(after[name], before[name]) for name in MONEYS})
    return {"days": len(pairs), "totals": totals, "money": {name: _sum(moneys, name) for name in MONEYS}}


def _less(after: int | None, before: int | None) -> int | None:
    return None if after is None or before is None else after - before


def corrected_slots(month: StatementMonth, member: str) -> frozenset[int]:
    """The member's slots that are missing in the runs shown by day and counted in the month's total of corrections."""
    if not month.corrects:
        return frozenset()
    found: set[int] = set()
    for day in month.days:
        if (seen := month.shown.get(day.source.day)) is None or seen.source.run.key == day.source.run.key:
            continue
        settled = day.source.settled
        step = settled.rule.aggregate
        columns = zip(_columns(day, member)["demand"], _columns(seen, member)["demand"], strict=True)
        for place, (now, then) in enumerate(columns):
            if then is None and now is not None:
                found |= set(range(settled.slots[0] + place * step, settled.slots[0] + (place + 1) * step))
    return frozenset(found)


def own_readings(
    member: str,
    readings: Iterable[Readings],
    *,
    marks: Iterable[SlotMarks] = (),
    statement: Document | None = None,
    corrected: Set[int] = frozenset(),
) -> Table:
    """The member's own readings in the form that hub/verify/statement.py reads, each marked slot with its mark.

    With `statement`, readings that arrived after its runs and are not counted in it are marked as late, or as
    corrected if they are counted in the month's total of corrections only (see `corrected_slots`).
    """
    rows: list[tuple[int, int | None, int | None]] = []
    for part in readings:
        if member in part.members:
            column = part.members.index(member)
            pairs = zip(part.surplus_wh[:, column].tolist(), part.demand_wh[:, column].tolist(), strict=True)
            for slot, (surplus, demand) in zip(part.slots, pairs, strict=True):
                rows.append((slot, _known(surplus), _known(demand)))
    marked = {slot: kind for each in marks for slot, kind in each.by_slot().items()}
    rows += [(slot, None, None) for slot in sorted(marked.keys() - {row[0] for row in rows})]
    rows.sort(key=lambda row: row[0])
    if statement is not None:
        late = late_slots(statement, {row[0] for row in rows if None not in row})
        marked |= {slot: CORRECTED if slot in corrected else LATE for slot in late}
    return {"member": member, "readings": [[*row, marked[row[0]]] if row[0] in marked else [*row] for row in rows]}


def _known(energy_wh: int) -> int | None:
    return None if energy_wh == MISSING_WH else energy_wh


def _day(
    day: StatedDay,
    member: str,
    *,
    energy: Mapping[str, int],
    money: Mapping[str, int | None],
    findings: Sequence[MarkFinding],
) -> Table:
    settled, source = day.source.settled, day.source
    marks, reasons = reasoned_marks(settled.marks.get(member, SlotMarks()), findings, until=source.run.made_at)
    return {
        "day": source.day,
        "run": source.run.plain(day.seals),
        "rule": day.pool.rule,
        "window": _window(source, member),
        "first_slot": settled.slots[0],
        "step": settled.rule.aggregate,
        **_columns(day, member),
        "provisional": [slot for slot, open_ in zip(settled.slots, settled.provisional.tolist(), strict=True) if open_],
        "marks": marks,
        "findings": reasons,
        "totals": energy,
        "money": money,
        "entries": [
            {
                "place": each.place,
                "entry": each.text,
                "salt": each.salt.hex(),
                "proof": [step.hex() for step in day.tree.proof(each.place)],
            }
            for each in day.mine.get(member, ())
        ],
        "root": day.root,
    }


def _window(source: SettledDay, member: str) -> list[int | None] | None:
    """The membership within the day; after its last slot for somebody whom its run did not know as a member yet."""
    settled = source.settled
    if member not in settled.columns:
        return [settled.slots[-1] + settled.rule.aggregate, None]
    return list(source.windows[member]) if member in source.windows else None


def _columns(day: StatedDay, member: str) -> dict[str, list[int | None]]:
    """The member's intervals; None where the member took no part, and for shares that are told by day only."""
    settled = day.source.settled
    names = ("surplus", "demand", "received", "sold")
    if (column := settled.columns.get(member)) is None:
        return {name: [None] * len(settled.slots) for name in names}
    here = settled.present[:, column].tolist()
    told = [there and not by_day for there, by_day in zip(here, day.pool.by_day, strict=True)]
    arrays = (settled.surplus_wh, settled.demand_wh, settled.alloc_wh, settled.sold_wh)
    return {
        name: [wh if known else None for wh, known in zip(array[:, column].tolist(), each, strict=True)]
        for name, array, each in zip(names, arrays, (here, here, told, told), strict=True)
    }


def _energy(day: StatedDay, member: str) -> dict[str, int]:
    booked = booked_amounts([each.entry for each in day.mine.get(member, ())], member)
    traded = {name: booked[name] for name in ("received", "sold", "imported", "exported")}
    return {
        "surplus": traded["sold"] + traded["exported"],
        "demand": traded["received"] + traded["imported"],
        **traded,
    }


def _day_money(day: StatedDay, member: str, *, energy: Mapping[str, int]) -> dict[str, int | None]:
    """In nano-currency. `alone_nano` is what the day would have cost without neighbours, `cost_nano` what it cost."""
    amounts = settled_amounts(day.source.settled, member)
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


def _money(month: StatementMonth, member: str, days: Sequence[Mapping[str, int | None]]) -> dict[str, int | None]:
    """The month's money: exact in nano, and in micro and cents as rounded by the month's bars."""
    money: dict[str, int | None] = {name: _sum(days, name) for name in MONEYS}
    for side in SIDES:
        nano = money[f"{side}_nano"] or 0
        for unit, unit_nano in UNITS_NANO.items():
            bar, before = month.bars[unit][side]
            rest = nano % unit_nano
            above = bar is not None and (rest > bar or (rest == bar and (before is None or member < before)))
            money[f"{side}_{unit}"] = nano // unit_nano + above
    return money


def _sum(days: Sequence[Mapping[str, int | None]], name: str) -> int | None:
    """The sum over the days; None if any of them has no such number."""
    known = [number for day in days if (number := day[name]) is not None]
    return sum(known) if len(known) == len(days) else None


def _document_in(signed: object) -> Table:
    """The document inside a signed document, unchanged. Raises: ValueError where there is none."""
    document = signed.get("document") if isinstance(signed, dict) else None
    if not isinstance(document, dict):
        raise ValueError("the signed files have no statement or payment document")
    return document
