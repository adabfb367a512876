"""Settlement runs for local months: finds the days to settle again and what that would change, and books it by day.

A month run uses every day's inputs as they are now, books only what differs, and is a draft until two board members
have approved it. The calendar says which run is due next; hub.core.ledger.month_runs says which may be made.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from hub.books.billed_entries import last_billed
from hub.books.days import (
    ACCESS,
    DayInputs,
    SettlementStores,
    book_inputs,
    read_day_inputs,
    run_key_of,
)
from hub.books.erased_days import erased_spans, touches
from hub.books.kept.arrivals import KeptArrivals
from hub.books.membership_days import MembershipDays, read_member_days
from hub.books.retry import retry_on_conflict
from hub.books.settled_readings import reach_of, weeks_back
from hub.books.signing import as_row, sign_older_runs
from hub.books.stored_rules import read_rule
from hub.books.view import BookHeads, Books, read_books
from hub.core.homes.meter_trust import ToldMeter
from hub.core.ledger.attestations import MONTH_RUN, attest, read_attestation
from hub.core.ledger.entries import Entry, book_difference, sum_settlement
from hub.core.ledger.month_preview import MarkedDay, MonthPreview, sum_changes
from hub.core.ledger.month_runs import MonthRun, month_content, month_digests, read_month_runs
from hub.core.ledger.run_calendar import days_of, month_name
from hub.core.ledger.signed_document import Signer
from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.rulebook import Rule
from hub.core.settlement.period import check_inputs, settle
from hub.storage.contract import ReadingStore
from hub.storage.errors import StaleInputsError
from hub.storage.finding_records import SlotDecision
from hub.storage.records import Access, RunRow
from protocols.errors import CommonwattError
from protocols.slots import Slot, day_of, slot_of, slots_of_day

PREVIEW_ACCESS: Final = Access(actor="job:settlement-preview", role="job", purpose="settle.share")
NO_READINGS: Final = "no_readings"
NO_READINGS_WORDS: Final = (
    "has no reading of any home: find out which agents are silent, for example with commonwatt-hub status; a run bills"
    " nothing but fees, and needs the board's decision (--decision TEXT)"
)
NEVER_SETTLED: Final = "never settled"
NEW_READINGS: Final = "new readings"
NEW_MEMBERS: Final = "members changed"
NEW_METER: Final = "a meter was told of late"
NEW_RULE: Final = "another rule"
NEW_DECISIONS: Final = "the board decided"


@dataclass(frozen=True, slots=True)
class MonthPlan:
    """A month ready to be booked: `changed` are the days whose inputs differ from those of their newest run.

    `digests` is what month_digests will give once it is booked; `books` holds the books it was planned on.
    """

    month: date
    days: tuple[date, ...]
    changed: tuple[DayInputs, ...]
    unchanged: tuple[DayInputs, ...]
    digests: tuple[str, str]
    books: Books


class StalePreviewError(CommonwattError):
    """The run would no longer book what the preview showed."""


async def first_day(store: ReadingStore, tz: str) -> date | None:
    """The local day of the very first batch, which is the first day of the books."""
    slot = await store.first_slot()
    return None if slot is None else day_of(slot, tz)


async def marked_days(
    store: SettlementStores,
    heads: BookHeads,
    days: Sequence[date],
    *,
    members: MembershipDays | None = None,
    arrivals: KeptArrivals | None = None,
) -> tuple[MarkedDay, ...]:
    """Those of these ordered, closed days whose inputs may have changed since their newest run. Reads no home's values.

    `heads` must have been read with the runs of all these days. `members` and `arrivals` are read if not handed in.
    """
    if not days:
        return ()
    members = members or await read_member_days(store)
    tz, ends, current = heads.coop.tz, (days[0].isoformat(), days[-1].isoformat()), heads.current
    seen = await store.settled_through(days=ends)
    slots = range(slots_of_day(days[0], tz).start, slots_of_day(days[-1], tz).stop)
    rules = await store.rule_hashes([day.isoformat() for day in days])
    read = await _read_rules(store, rules)
    reach = min((reach_of(rule.estimate, slots) for rule in read.values()), key=lambda each: each.start, default=slots)
    newest = await (arrivals or store).newest_messages(slots=reach)
    decisions = await store.slot_decisions(slots=reach)
    marked = []
    for day in days:
        name, mine = day.isoformat(), slots_of_day(day, tz)
        rule = read.get(rules.get(name, ""))
        has_members, digest = await members.of_day(mine, rule)
        looked_at = [mine]
        if name in current and current[name].state == "provisional" and rule is not None:
            looked_at += [range(mine.start - back, mine.stop - back) for back in weeks_back(rule.estimate)]
        why = None
        if name not in current:
            # As long as there are no members yet, a day has nothing to settle.
            why = NEVER_SETTLED if has_members else None
        elif name not in seen or _newest(newest, looked_at) > seen[name].message_position:
            why = NEW_READINGS
        elif _newest_decision(decisions, looked_at) > seen[name].decision:
            why = NEW_DECISIONS
        elif seen[name].members_digest != digest:
            why = NEW_METER if _is_told_since(members.told, current[name], mine) else NEW_MEMBERS
        elif current[name].rule_hash != rules.get(name):
            why = NEW_RULE
        if why is not None:
            marked.append(MarkedDay(day, why))
    return tuple(marked)


def _is_told_since(told: Iterable[ToldMeter], run: RunRow, slots: range) -> bool:
    """Whether an agent has told since this run what its meter was in these slots."""
    since = slot_of(run.made_at)
    return any(each.told_slot >= since and each.from_slot < slots.stop for each in told)


async def _read_rules(store: SettlementStores, rules: Mapping[str, str]) -> dict[str, Rule]:
    """Each of these rules, by its hash."""
    day_of_rule = {rule_hash: day for day, rule_hash in rules.items()}
    return {rule_hash: read_rule((await store.rule_on(day))[1]) for rule_hash, day in day_of_rule.items()}


def _newest(newest: Mapping[Slot, int], looked_at: Sequence[range]) -> int:
    return max(newest.get(slot, 0) for slots in looked_at for slot in slots)


def _newest_decision(decisions: Sequence[SlotDecision], looked_at: Sequence[range]) -> int:
    touching = (
        each.id
        for each in decisions
        if any(each.first_slot < slots.stop and each.first_slot + each.slots > slots.start for slots in looked_at)
    )
    return max(touching, default=0)


async def _days_to_settle(store: SettlementStores, month: date) -> tuple[date, ...]:
    """The month's days since the first reading of any home. Raises: RejectedInputError if there are none."""
    first = await first_day(store, (await store.coop()).tz)
    days = tuple(day for day in days_of(month) if first is not None and day >= first)
    if not days:
        raise RejectedInputError("no_members", f"no home has sent a reading for {month_name(month)} or before")
    return days


async def plan_month(store: SettlementStores, *, month: date, access: Access = ACCESS) -> MonthPlan:
    """Read what changed in the month and check all of it, so that any refusal comes before anything is booked.

    Raises: RejectedInputError naming the first day the rules refuse, or saying that no home had sent a reading yet.
    """
    days = await _days_to_settle(store, month)
    books = await read_books(store, days=(days[0].isoformat(), days[-1].isoformat()))
    current = books.current
    changed, unchanged = [], []
    erased, tz = await erased_spans(store), books.coop.tz
    for marked in await marked_days(store, books, days):
        if marked.day.isoformat() in current and touches(erased, marked.day.isoformat(), tz=tz):
            continue  # the run stands: without the erased readings it would come out differently
        inputs = await read_day_inputs(store, day=marked.day, access=access)
        run = current.get(inputs.day)
        if run is not None and (run.rule_hash, run.input_digest) == (inputs.rule_hash, inputs.digest):
            unchanged.append(inputs)
            continue
        try:
            check_inputs(inputs.readings, inputs.rule)
        except RejectedInputError as refusal:
            raise RejectedInputError(refusal.code, f"{inputs.day}: {refusal.detail}") from None
        changed.append(inputs)
    if not (current or changed):
        raise RejectedInputError("no_members", f"nobody was a member in {month_name(month)}")
    rows = {day: (day, run.rule_hash, run.input_digest) for day, run in current.items()}
    rows |= {inputs.day: (inputs.day, inputs.rule_hash, inputs.digest) for inputs in changed}
    return MonthPlan(month, days, tuple(changed), tuple(unchanged), month_digests(rows.values()), books)


async def preview_month(store: SettlementStores, *, month: date) -> MonthPreview:
    """What a run for the month would book now. The access to the homes' values is logged; the books do not change.

    Raises: RejectedInputError, like plan_month.
    """
    plan = await plan_month(store, month=month, access=PREVIEW_ACCESS)
    entries: list[Entry] = []
    for inputs in plan.changed:
        rows = await store.entries_of_day(inputs.day)
        entries += await asyncio.to_thread(_difference, inputs, [row.canonical for row in rows])
    days = tuple(inputs.day for inputs in plan.changed)
    return sum_changes(entries, month=month_name(month), days=days, digests=plan.digests)


def _difference(inputs: DayInputs, booked: Sequence[bytes]) -> list[Entry]:
    settled = settle(inputs.readings, inputs.rule)
    return list(book_difference(settled, sum_settlement(booked), day=inputs.day, run="preview"))


def month_run_key(books: Books, *, month: str, kind: str, digests: tuple[str, str], last_booked: int) -> str:
    """The key for a month run with these digests; if the newest run of its kind would be the same run, that run's key.

    It is the same if it has the same digests and bills everything up to `last_booked`: see is_outdated.
    """
    known = [run for run in books.runs_of(month) if run.kind == kind]
    is_same = bool(known) and (known[-1].rules, known[-1].inputs) == digests
    if is_same and last_booked <= known[-1].ledger_position:
        return known[-1].run_key
    run_key = run_key_of(books.coop, month, kind=kind, rule_hash=digests[0], digest=digests[1])
    if run_key in {run.run_key for run in known}:
        after = known[-1].run_key
        run_key = run_key_of(books.coop, month, kind=kind, rule_hash=digests[0], digest=digests[1], after=after)
    return run_key


async def has_readings(store: SettlementStores, month: date, *, access: Access = ACCESS) -> bool:
    """Whether any home has a reading in this month that counts: one measured, or derived where the day's rule says so.

    The access is logged; in most months it is that of one day.
    """
    tz = (await store.coop()).tz
    for day in days_of(month):
        derived = read_rule((await store.rule_on(day.isoformat()))[1]).derived
        inputs = await store.settlement_inputs(slots=slots_of_day(day, tz), access=access, derived=derived)
        if np.any(inputs.surplus_wh >= 0) or np.any(inputs.demand_wh >= 0):
            return True
    return False


async def settle_month(
    store: SettlementStores,
    *,
    month: date,
    kind: str,
    made_at: int,
    key: Signer,
    decision: str = "",
    previewed: str | None = None,
) -> MonthRun:
    """Book the month's run: each changed day in its own transaction, then the run itself as a signed draft.

    A month without a single reading is refused unless a decision is given, which the draft states.

    If power fails between days, repeating the call recognises the finished days by their inputs and goes on with the
    rest. Repeating it with the same inputs writes nothing. `previewed` is the key that a preview gave this run. If a
    day is settled from newer inputs in the meantime, the month is planned again.
    Raises: RejectedInputError, or StalePreviewError if the run's key would differ; both before anything is booked.
    """

    await _days_to_settle(store, month)
    if not decision and not await has_readings(store, month):
        raise RejectedInputError(NO_READINGS, f"{month_name(month)} {NO_READINGS_WORDS}")

    async def book_days() -> MonthPlan:
        return await _book_days(store, month=month, kind=kind, made_at=made_at, key=key, previewed=previewed)

    plan = await retry_on_conflict(book_days, on=StaleInputsError)

    async def draft() -> MonthRun:
        return await _draft(store, plan, kind=kind, made_at=made_at, key=key, decision=decision)

    return await retry_on_conflict(draft)


async def _book_days(
    store: SettlementStores, *, month: date, kind: str, made_at: int, key: Signer, previewed: str | None
) -> MonthPlan:
    """Plan the month and book its changed days; returns the plan, once all of it is booked."""
    plan = await plan_month(store, month=month)
    last_booked = await last_billed(store, month)
    run_key = month_run_key(
        plan.books, month=month_name(month), kind=kind, digests=plan.digests, last_booked=last_booked
    )
    if previewed is not None and previewed != run_key:
        raise StalePreviewError(f"{month_name(month)} has changed since its preview: preview it again")
    await sign_older_runs(store, key=key)
    for inputs in plan.changed:
        settled = await asyncio.to_thread(settle, inputs.readings, inputs.rule)
        await book_inputs(store, inputs, settled=settled, made_at=made_at, kind=kind, key=key)
    for inputs in plan.unchanged:
        await store.set_settled_through(inputs.through)
    return plan


async def _draft(
    store: SettlementStores, plan: MonthPlan, *, kind: str, made_at: int, key: Signer, decision: str
) -> MonthRun:
    """The month run based on its days' newest runs; if the same run was made before, that one."""
    name = month_name(plan.month)
    books = await read_books(store, days=(plan.days[0].isoformat(), plan.days[-1].isoformat()))
    current = books.current
    digests = month_digests((run.day, run.rule_hash, run.input_digest) for run in current.values())
    last_booked = await last_billed(store, plan.month)
    run_key = month_run_key(books, month=name, kind=kind, digests=digests, last_booked=last_booked)
    known = [run for run in books.runs_of(name) if run.kind == kind]
    if known and run_key == known[-1].run_key:
        return known[-1]
    content = month_content(
        [(day, current[day].run_key) for day in sorted(current)],
        kind=kind,
        digests=digests,
        provisional_days=sum(run.state == "provisional" for run in current.values()),
        ledger=books.ledger,
        made_at=made_at,
        decision=decision,
    )
    signed = attest(
        content,
        kind=MONTH_RUN,
        subject=name,
        run_key=run_key,
        coop=books.coop.id,
        head=books.attestation,
        key=key,
    )
    # If power fails before this commit, the days are booked but the month has no run yet: the next call makes it.
    await store.attest([as_row(signed)])
    (made,) = read_month_runs([read_attestation(signed.document)])
    return made
