"""Members' statements from the hub's books: the runs behind a month's statement, its files, and what is newer.

hub.core computes the numbers. A month's statement is based on the month's newest published run or, until there is one,
on what is booked now, which is shown but not billed.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Protocol

import numpy as np

from hub.books.billed_meters import uncertified_meter
from hub.books.kept.arrivals import KeptArrivals
from hub.books.membership_days import KeptMembership
from hub.books.runs import first_day, marked_days
from hub.books.view import Books, read_books
from hub.core.ledger.month_runs import PUBLISHED, MonthRun
from hub.core.ledger.run_calendar import DAILY, days_of, month_name
from hub.core.ledger.signed_document import Document, sign_document
from hub.core.payments.bills import Bill
from hub.core.payments.payable import payable_amounts
from hub.core.settlement.prepared_readings import MISSING_WH, Readings
from hub.core.settlement.slot_marks import SlotMarks, slots_in
from hub.core.statements.document import StatementFiles, corrected_slots, own_readings, state_month, takes_part
from hub.core.statements.mark_reasons import MarkDecision, MarkFinding
from hub.core.statements.month import AdoptedRule, CoopName, StatementMonth, add_sums
from hub.core.statements.seals import Seals
from hub.core.statements.shown_runs import ShownRuns, VisibleRuns
from hub.money.bills import KeptBills
from hub.statements.kept_days import BOOKED_NOW, GRID, DayState, KeptDays
from hub.statements.publication import PublicationStores, RunPublication
from hub.statements.script import script_text
from hub.storage.access_records import AccessLog
from hub.storage.contract import FindingStore, ObjectionStore
from hub.storage.records import Access, Home, Member
from hub.storage.rule_records import RunEntries, StoredRule
from hub.storage.rule_records import day_of as rule_day_of
from protocols.hub_keys import HubSigner
from protocols.quantities import Mark
from protocols.slots import format_slot, slot_of, slots_of_day

BOOKED_KEPT_DAYS: Final = 70
PUBLISHED_KEPT_DAYS: Final = 400
"""So long a day's parts are kept: what is booked now until its month is billed, what is published for a year."""

FORGETTING_DAYS: Final = 31
"""For so many days after that, what is booked now is looked for, however long the hub was off meanwhile."""

EDITIONS_KEPT: Final = 8
"""Of so many editions of months is kept what all members together are debited and credited."""

NEXT_RUN: Final = "a newer run that is not published yet"
HELD_BACK: Final = "a correction of fewer than five homes"


class StatementStores(PublicationStores, AccessLog, ObjectionStore, FindingStore, Protocol):
    """The parts of the store that a statement reads."""


@dataclass(frozen=True, slots=True)
class StatementEdition:
    """A statement's basis: each day's run, and the ledger up to a position. Unpublished, it counts as run D."""

    month_run: str
    kind: str
    runs: Mapping[str, str]
    ledger_position: int | None
    made_at: int


class StatementService:
    """Makes statements, each from its member's parts of the month's days."""

    def __init__(
        self,
        store: StatementStores,
        *,
        key: HubSigner,
        seals: Seals,
        plants: frozenset[str] = frozenset(),
    ) -> None:
        self._store, self._key, self._seals = store, key, seals
        self._publication = RunPublication(store, plants=plants)
        self._hub_key = key.identity.hex()
        self._days = KeptDays(store, publication=self._publication, key=key, seals=seals)
        self._gathered: dict[tuple[date, str], tuple[tuple[object, ...], StatementMonth]] = {}
        self._membership = KeptMembership(store)
        self._arrivals = KeptArrivals(store)
        self._bills = KeptBills(store)

    @property
    def seals(self) -> Seals:
        """The names and seals that statements use in place of the books' hashes."""
        return self._seals

    @property
    def script(self) -> str:
        """The stand-alone script that recomputes a statement."""
        return script_text()

    async def state(self, member: Member, home: Home, *, month: date, access: Access) -> StatementFiles | None:
        """The member's month, or None if no part of it is settled for this member.

        The member's own readings are read with `access`; access to the neighbours' part is logged as the job's.
        Raises: RequestError.
        """
        stated: Document | None = None
        before: Document | None = None
        bills: dict[str, Bill] = {}
        books = await read_books(self._store, days=_ends(month))
        billed = await self._bills.of_member(member.id, month)
        # Each statement names the previous one's hash; that one is rebuilt from its own runs: books only grow.
        for edition in editions(books, month_name(month)):
            whole = await self._month(books, month, edition, member.id)
            if not takes_part(whole, member.id):
                continue
            bills |= billed.get(edition.month_run, {})
            before = stated
            stated = await asyncio.to_thread(
                state_month,
                whole,
                member.id,
                name=member.name,
                made_at=format_slot(slot_of(edition.made_at)),
                bills=[bills[side] for side in sorted(bills)],
                findings=await self._findings(whole, member, home, access=access),
                last=before,
            )
        if stated is None:
            return None
        marks = [day.source.settled.marks[member.id] for day in whole.seen if member.id in day.source.settled.marks]
        readings = await self._readings(
            member, home, tz=books.coop.tz, month=month, stated=stated, marks=marks, access=access,
            corrected=corrected_slots(whole, member.id),
        )  # fmt: skip
        series = [day.pool for day in whole.seen]
        rows = await self._store.objections(member=member.id)
        open_ = [row for row in rows if row.verdict is None and row.month == stated["month"]]
        ends = min(edition.runs), max(edition.runs)
        meter = await uncertified_meter(self._store, home.id, days=ends, tz=books.coop.tz)
        payment = payable_amounts(stated, [(row.day, row.line, row.due_at) for row in open_], meter=meter)
        signed = {**sign_document(stated, self._key), "payment": sign_document(payment, self._key)}
        replaced = None if before is None else sign_document(before, self._key)
        return StatementFiles(signed, readings, series, await self._later(books, edition), self._hub_key, replaced)

    async def _findings(
        self, month: StatementMonth, member: Member, home: Home, *, access: Access
    ) -> tuple[MarkFinding, ...]:
        """The findings on the member's readings in the month, if any of its slots is marked."""
        if not any(day.source.settled.marks.get(member.id) for day in month.seen):
            return ()
        since = min(day.source.day for day in month.days)
        rows = await self._store.findings(access=access, home=home.id, since=since, notes=False)
        return tuple(
            MarkFinding(
                row.id,
                row.found.code,
                row.found.first_slot,
                row.found.slots,
                row.found.severity == "hold",
                tuple(MarkDecision(each.id, each.verdict, each.decided_at) for each in row.decisions),
            )
            for row in rows
        )

    async def prepare(self, month: date) -> int:
        """State the month's days that are not kept yet, as everybody sees them; how many they were.

        Raises: RequestError for a damaged record.
        """
        books = await read_books(self._store, days=_ends(month))
        made = 0
        for edition in editions(books, month_name(month))[-1:]:
            booked, rules, _ = await self._booked(month, edition)
            days, _ = await self._states(edition, booked, "", tz=books.coop.tz)
            made += await self._days.prepare(days, coop=_named(books), rules=rules)
        return made

    async def forget(self, *, today: date) -> None:
        """Drop what is kept of days that members hardly look at any more; it is made again for who does."""
        before = (today - timedelta(days=PUBLISHED_KEPT_DAYS)).isoformat()
        late = [(today - timedelta(days=BOOKED_KEPT_DAYS + back)).isoformat() for back in range(FORGETTING_DAYS)]
        await self._store.drop_parts(before=before, days=late, names=(BOOKED_NOW, chr(ord(BOOKED_NOW) + 1)))

    async def _booked(
        self, month: date, edition: StatementEdition
    ) -> tuple[Mapping[str, Sequence[RunEntries]], Mapping[str, bytes], tuple[StoredRule, ...]]:
        """By day the runs that booked something up to the edition, and the rulebook, by hash and as it stands."""
        booked: dict[str, list[RunEntries]] = defaultdict(list)
        for run in await self._store.booked_runs(days=_ends(month)):
            if edition.ledger_position is None or run.position <= edition.ledger_position:
                booked[run.day].append(run)
        known = await self._store.journal_rules()
        return booked, {rule.hash: rule.canonical for rule in known}, known

    async def visible(self, member: str, *, days: tuple[str, str]) -> VisibleRuns:
        """What this member may see of what is booked for these days."""
        return await self._publication.visible(await read_books(self._store, days=days), member)

    async def _month(self, books: Books, month: date, edition: StatementEdition, member: str) -> StatementMonth:
        coop, named = books.coop, _named(books)
        booked, rules, known = await self._booked(month, edition)
        days, seen = await self._states(edition, booked, member, tz=coop.tz)
        began = await self._began(books, edition)
        left = [day for day in days_of(month) if day.isoformat() not in edition.runs]
        before = [day.isoformat() for day in left if began is not None and day < began]
        missing = [day.isoformat() for day in left if day.isoformat() not in before]
        # No rule of this month can be adopted after its end, so that a published month keeps its rulebook.
        held = [rule for rule in known if rule.is_adopted and rule.valid_from_day <= _ends(month)[1]]
        adopted = [_adopted(rule, tz=coop.tz) for rule in held]
        # What is gathered of all members is the same for each of them as long as the days are the same ones.
        made_of = (*(each.place(edition.kind) for each in days), *missing, *before, *adopted)
        made, whole = self._gathered.get((month, edition.month_run), ((), None))
        if whole is None or made != made_of:
            nano = add_sums(await self._days.sums(days, coop=named, rules=rules))
            whole = StatementMonth(
                named, month_name(month), (), tuple(missing), nano, tuple(before), rulebook=tuple(adopted)
            )
            kept = dict(list(self._gathered.items())[1 - EDITIONS_KEPT :])
            self._gathered = {**kept, (month, edition.month_run): (made_of, whole)}
        own = await self._days.of_member(days, member, coop=named, rules=rules)
        other = await self._days.of_member(list(seen.values()), member, coop=named, rules=rules)
        shown = dict(zip(seen, other, strict=True))
        return whole.seen_by(own, shown, corrects=bool(edition.month_run))

    async def _states(
        self, edition: StatementEdition, booked: Mapping[str, Sequence[RunEntries]], member: str, *, tz: str
    ) -> tuple[list[DayState], dict[str, DayState]]:
        """The edition's days as they count, and those that this member sees as other runs, by day."""
        days, seen = [], {}
        for day, run_key in sorted(edition.runs.items()):
            runs = await self._publication.shown(day, run_key, tz=tz)
            own, last = runs.for_member(member), len(runs.keys) - 1
            # Until a run of the month is published, what is held back is not told at all, not even as a total.
            counted = last if edition.month_run else runs.shown
            known = tuple(booked.get(day, ()))
            days.append(_state(edition, day, runs, at=counted, booked=known, is_alone=False))
            if own != counted or own > runs.shown:
                seen[day] = _state(edition, day, runs, at=own, booked=known, is_alone=own > runs.shown)
        return days, seen

    async def _began(self, books: Books, edition: StatementEdition) -> date | None:
        """The first day of the books; a published edition keeps its own first day when older batches arrive."""
        if edition.month_run:
            return date.fromisoformat(min(edition.runs))
        return await first_day(self._store, books.coop.tz)

    async def _readings(
        self,
        member: Member,
        home: Home,
        *,
        tz: str,
        month: date,
        stated: Document,
        marks: Sequence[SlotMarks],
        corrected: Set[int],
        access: Access,
    ) -> dict[str, object]:
        """The member's own readings that count in a settlement: each quarter hour's meter difference, and what was
        derived where the run counted it.
        """
        days = days_of(month)
        slots = range(slots_of_day(days[0], tz).start, slots_of_day(days[-1], tz).stop)
        found = await self._store.home_series(home.id, GRID, slots=slots, access=access)
        derived = np.isin(np.array(slots), [slot for each in marks for slot in slots_in(each.derived)])
        surplus, demand = (
            np.where(
                (found[measure].mark == Mark.MEASURED) | (derived & (found[measure].mark == Mark.DERIVED)),
                found[measure].energy_wh,
                MISSING_WH,
            )[:, None]
            for measure in GRID
        )
        known = np.flatnonzero((surplus != MISSING_WH) | (demand != MISSING_WH)).tolist()
        part = Readings((member.id,), tuple(slots[i] for i in known), surplus[known], demand[known])
        return own_readings(member.id, [part], marks=marks, statement=stated, corrected=corrected)

    async def _later(self, books: Books, edition: StatementEdition) -> dict[str, str]:
        """The edition's days for which something newer exists, each with the reason."""
        days = [date.fromisoformat(day) for day in sorted(edition.runs)]
        members = await self._membership.now()
        marked = await marked_days(self._store, books, days, members=members, arrivals=self._arrivals)
        later = {each.day.isoformat(): each.why for each in marked}
        current = books.current
        later |= {day: NEXT_RUN for day, run_key in edition.runs.items() if current[day].run_key != run_key}
        if not edition.month_run:
            for day, run_key in edition.runs.items():
                runs = await self._publication.shown(day, run_key, tz=books.coop.tz)
                later |= {day: HELD_BACK} if runs.shown < len(runs.keys) - 1 else {}
        return dict(sorted(later.items()))


def editions(books: Books, month: str) -> tuple[StatementEdition, ...]:
    """The month's published runs in order; if there are none, what is booked now, if anything."""
    runs = [run for run in books.runs_of(month) if run.state == PUBLISHED]
    if runs:
        return tuple(_published(run) for run in runs)
    current = books.current
    if not current:
        return ()
    made_at = max(run.made_at for run in current.values())
    return (StatementEdition("", DAILY, {day: run.run_key for day, run in current.items()}, None, made_at),)


def _named(books: Books) -> CoopName:
    return CoopName(books.coop.id, books.coop.name, books.coop.tz, books.coop.currency)


def _state(
    edition: StatementEdition, day: str, runs: ShownRuns, *, at: int, booked: Sequence[RunEntries], is_alone: bool
) -> DayState:
    """The day up to its run in this place, without the runs after it."""
    hidden, is_published = frozenset(runs.keys[at + 1 :]), bool(edition.month_run)
    return DayState(day, runs.keys[at], edition.kind, is_published, is_alone, hidden, booked)


def _published(run: MonthRun) -> StatementEdition:
    assert run.published_at is not None
    return StatementEdition(run.run_key, run.kind, dict(run.days), run.ledger_position, run.published_at)


def _adopted(rule: StoredRule, *, tz: str) -> AdoptedRule:
    return AdoptedRule(rule.hash, rule.valid_from_day, rule_day_of(rule.adopted_at, tz), rule.people)


def _ends(month: date) -> tuple[str, str]:
    days = days_of(month)
    return days[0].isoformat(), days[-1].isoformat()
