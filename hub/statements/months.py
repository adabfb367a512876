"""Members' statements from the hub's books: the runs behind a month's statement, its files, and what is newer.

hub.core computes the numbers. A month's statement is based on the month's newest published run or, until there is one,
on what is booked now, which is shown but not billed.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Protocol

import numpy as np

from hub.books.billed_meters import uncertified_meter
from hub.books.membership_days import KeptMembership
from hub.books.runs import first_day, marked_days
from hub.books.settled_readings import windows_of
from hub.books.view import Books, read_books
from hub.core.ledger.attestations import DAY_ROOT
from hub.core.ledger.month_runs import PUBLISHED, MonthRun
from hub.core.ledger.run_calendar import DAILY, days_of, month_name
from hub.core.ledger.signed_document import Document, sign_document
from hub.core.payments.bills import Bill
from hub.core.payments.payable import payable_amounts
from hub.core.settlement.prepared_readings import MISSING_WH, Readings
from hub.core.settlement.slot_marks import SlotMarks, slots_in
from hub.core.statements.document import StatementFiles, corrected_slots, own_readings, state_month, takes_part
from hub.core.statements.kept_day import state_to_keep
from hub.core.statements.mark_reasons import MarkDecision, MarkFinding
from hub.core.statements.month import (
    AdoptedRule,
    CoopName,
    StatedDay,
    StatementMonth,
    gather_month,
)
from hub.core.statements.seals import Seals
from hub.core.statements.shown_runs import VisibleRuns
from hub.money.bills import KeptBills
from hub.statements.booked_day import settled_day
from hub.statements.publication import PublicationStores, RunPublication
from hub.statements.script import script_text
from hub.storage.access_records import AccessLog
from hub.storage.contract import FindingStore, ObjectionStore
from hub.storage.records import Access, EntryRow, Home, Member
from hub.storage.rule_records import RunEntries, StoredRule
from hub.storage.rule_records import day_of as rule_day_of
from protocols.errors import RequestError
from protocols.hub_keys import HubSigner
from protocols.quantities import Mark, Measure
from protocols.slots import format_slot, slot_of, slots_of_day

STATEMENT_ACCESS: Final = Access(actor="job:statement", role="job", purpose="settle.share")
GRID: Final = (Measure.GRID_EXPORT, Measure.GRID_IMPORT)
KEPT_CELLS: Final = 4_000_000
"""A month of 1,300 homes, or one of 1,000 and ten days more; a day that a later edition changed takes one to three of
these. With less than the month that members look at, every view would make all its days again."""

MONTHS_KEPT: Final = 2

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


class _BookedDay:
    """What counts of the runs booked on a day: all of them, without those that the reader may not see yet.

    How many entries there are tells one state of the books from another, because they only grow.
    """

    def __init__(self, runs: Sequence[RunEntries], hidden: Set[str]) -> None:
        self.run_keys = {run.run_key for run in runs}
        self.entries = sum(run.entries for run in runs if run.run_key not in hidden)
        self._hidden = hidden

    def of(self, rows: Sequence[EntryRow]) -> list[EntryRow]:
        """Those of the rows that the reader may see."""
        return [row for row in rows if row.run_key not in self._hidden]


class StatementService:
    """Makes statements and caches their days, up to KEPT_CELLS member slots in all; days are made one at a time."""

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
        self._kept: OrderedDict[tuple[str, bool, bool, str, int], StatedDay] = OrderedDict()
        self._gathered: dict[date, tuple[tuple[object, ...], StatementMonth]] = {}
        self._one = asyncio.Lock()
        self._membership = KeptMembership(store)
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

    async def visible(self, member: str, *, days: tuple[str, str]) -> VisibleRuns:
        """What this member may see of what is booked for these days."""
        return await self._publication.visible(await read_books(self._store, days=days), member)

    async def _month(self, books: Books, month: date, edition: StatementEdition, member: str) -> StatementMonth:
        coop = books.coop
        named = CoopName(coop.id, coop.name, coop.tz, coop.currency)
        booked: dict[str, list[RunEntries]] = defaultdict(list)
        for run in await self._store.booked_runs(days=_ends(month)):
            if edition.ledger_position is None or run.position <= edition.ledger_position:
                booked[run.day].append(run)
        known = await self._store.journal_rules()
        rules = {rule.hash: rule.canonical for rule in known}

        async def day_as(day: str, run_key: str, hidden: Set[str], *, alone: bool = False) -> StatedDay:
            counted = _BookedDay(booked[day], hidden)
            return await self._day(named, day, run_key, edition=edition, booked=counted, rules=rules, alone=alone)

        days, seen, places = [], {}, []
        for day, run_key in sorted(edition.runs.items()):
            runs = await self._publication.shown(day, run_key, tz=coop.tz)
            own, last = runs.for_member(member), len(runs.keys) - 1
            # Until a run of the month is published, what is held back is not told at all, not even as a total.
            counted = last if edition.month_run else runs.shown
            days.append(await day_as(day, runs.keys[counted], set(runs.keys[counted + 1 :])))
            places.append((day, runs.keys[counted], sum(each.entries for each in booked[day]), counted))
            if own != counted:
                hidden = set(runs.keys[own + 1 :])
                seen[day] = await day_as(day, runs.keys[own], hidden, alone=own > runs.shown)
            elif own > runs.shown:
                seen[day] = await day_as(day, runs.keys[own], set(), alone=True)
        began = await self._began(books, edition)
        left = [day for day in days_of(month) if day.isoformat() not in edition.runs]
        before = [day.isoformat() for day in left if began is not None and day < began]
        missing = [day.isoformat() for day in left if day.isoformat() not in before]
        # No rule of this month can be adopted after its end, so that a published month keeps its rulebook.
        held = [rule for rule in known if rule.is_adopted and rule.valid_from_day <= _ends(month)[1]]
        adopted = [_adopted(rule, tz=coop.tz) for rule in held]
        # What is gathered of all members is the same for each of them as long as the days are the same ones.
        made_of = (edition.kind, edition.ledger_position, *places, *missing, *before, *adopted)
        if self._gathered.get(month, ((), None))[0] != made_of:
            whole = gather_month(named, month_name(month), days=days, missing=missing, before=before, rulebook=adopted)
            self._gathered = {**dict(list(self._gathered.items())[-MONTHS_KEPT:]), month: (made_of, whole)}
        return self._gathered[month][1].seen_by(seen, corrects=bool(edition.month_run))

    async def _began(self, books: Books, edition: StatementEdition) -> date | None:
        """The first day of the books; a published edition keeps its own first day when older batches arrive."""
        if edition.month_run:
            return date.fromisoformat(min(edition.runs))
        return await first_day(self._store, books.coop.tz)

    async def _day(
        self,
        coop: CoopName,
        day: str,
        run_key: str,
        *,
        edition: StatementEdition,
        booked: _BookedDay,
        rules: Mapping[str, bytes],
        alone: bool,
    ) -> StatedDay:
        """The day as this run settled it, from the cache if it is unchanged; `alone` if it corrects a single home.

        A published month's editions share the days that they have in common, each with its own kind. What is booked
        now is kept apart from them: it may be older than the street totals beside which a published day is shown.
        """
        place = (day, bool(edition.month_run), alone, run_key, booked.entries)
        if place not in self._kept:
            # One day at a time: it takes long and holds every home's values. Who asks for kept days does not wait.
            async with self._one:
                if place not in self._kept:
                    stated = await self._stated(
                        coop, day, run_key, edition=edition, booked=booked, rules=rules, alone=alone
                    )
                    self._keep(place, stated)
        self._kept.move_to_end(place)
        return _in_edition(self._kept[place], edition.kind)

    def _keep(self, place: tuple[str, bool, bool, str, int], stated: StatedDay) -> None:
        """Add the day to the cache, from which those not asked for the longest go; the newest always stays."""
        self._kept[place] = stated
        cells = sum(each.source.settled.surplus_wh.size for each in self._kept.values())
        while cells > KEPT_CELLS and len(self._kept) > 1:
            _, left = self._kept.popitem(last=False)
            cells -= left.source.settled.surplus_wh.size

    async def _stated(
        self,
        coop: CoopName,
        day: str,
        run_key: str,
        *,
        edition: StatementEdition,
        booked: _BookedDay,
        rules: Mapping[str, bytes],
        alone: bool,
    ) -> StatedDay:
        rows = await self._store.runs(days=(day, day), allocations=False)
        run = next(run for run in rows if run.run_key == run_key)
        run = replace(run, allocation=await self._store.run_record(run_key))
        everything = [row for row in await self._store.entries_of_day(day) if row.run_key in booked.run_keys]
        slots = slots_of_day(date.fromisoformat(day), coop.tz)
        members, present = await self._store.settlement_members(slots=slots)
        attested = await self._store.attestations((DAY_ROOT,), subjects=(day, day))
        await self._log_access(slots)
        windows = windows_of(members, present, slots)
        try:
            source = await asyncio.to_thread(
                settled_day, run, rules[run.rule_hash],
                kind=edition.kind, booked=booked.of(everything), everything=everything, attested=attested,
                windows=windows,
            )  # fmt: skip
            runs = await self._publication.shown(day, run_key, tz=coop.tz)
            source = replace(
                source,
                reasons=runs.withheld.get(run_key),
                group=await self._publication.group(run_key, day, tz=coop.tz),
                totals=await self._publication.totals(slots),
                is_correction=alone,
            )
            return await asyncio.to_thread(state_to_keep, coop, source, key=self._key, seals=self._seals)
        except ValueError as error:
            raise RequestError(f"{day}: {error}; run `commonwatt-hub verify`") from None

    async def _log_access(self, slots: range) -> None:
        """A day's record holds every home's values, so access to it is recorded in every home's log (I12)."""
        homes = [home.id for home in await self._store.homes()]
        fields = ", ".join(sorted(measure.code for measure in GRID))
        await self._store.log_access(STATEMENT_ACCESS, homes, fields=fields, rows=len(slots) * len(GRID))

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
        marked = await marked_days(self._store, books, days, members=await self._membership.now())
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


def _in_edition(day: StatedDay, kind: str) -> StatedDay:
    """The day as a run of this kind has it: its numbers, series and signed root are the same in each."""
    return replace(day, source=replace(day.source, run=replace(day.source.run, kind=kind)))


def _published(run: MonthRun) -> StatementEdition:
    assert run.published_at is not None
    return StatementEdition(run.run_key, run.kind, dict(run.days), run.ledger_position, run.published_at)


def _adopted(rule: StoredRule, *, tz: str) -> AdoptedRule:
    return AdoptedRule(rule.hash, rule.valid_from_day, rule_day_of(rule.adopted_at, tz), rule.people)


def _ends(month: date) -> tuple[str, str]:
    days = days_of(month)
    return days[0].isoformat(), days[-1].isoformat()
