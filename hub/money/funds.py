"""Books the co-op's funds: a month's fees, a year's surplus, grants. Each is one signed transaction of differences.

hub.core.ledger.fund_entries decides what is booked for a plan that the members voted on. The run's record keeps the
plan and the inputs it was applied to.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np

from hub.books.days import SettlementStores, chained, run_key_of
from hub.books.retry import retry_on_conflict
from hub.books.runs import first_day
from hub.books.signing import as_attestation, as_row, sign_day, sign_older_runs
from hub.books.stored_rules import read_rule
from hub.books.view import BookHeads, read_heads
from hub.core.ledger.attestations import Attestation, Head
from hub.core.ledger.entries import Entry, read_entry
from hub.core.ledger.fee_records import FEES_KIND, PLAN_TAG, RECORD_TAG, fee_inputs
from hub.core.ledger.fund_entries import (
    FEE_LINE,
    GRANT_LINE,
    REFUND_LINE,
    SOLIDARITY,
    YEAR_LINE,
    FeeScale,
    SurplusShares,
    TargetLines,
    YearTally,
    fund_entries,
    target_fees,
    target_grants,
    target_year_split,
)
from hub.core.ledger.run_calendar import days_of, month_name
from hub.core.ledger.signed_document import Signer, canonical_bytes
from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.part_months import FULL_MONTH, MemberDays
from hub.storage.errors import StoreConflictError
from hub.storage.records import AttestationRow, EntryRow, RunRow
from protocols.slots import slots_of_day

YEAR_KIND: Final = "fund:year-end"
GRANT_KIND: Final = "fund:grant"

MakeAttestation = Callable[[Head], Attestation]
"""Signs a decision that follows this head of the chain."""


@dataclass(frozen=True, slots=True)
class FundPlan:
    """What to book on a day: the plan voted on, what it is applied to, and what the books should hold for it."""

    kind: str
    day: date
    lines: tuple[str, ...]
    plan: Mapping[str, object]
    inputs: Mapping[str, object]
    target: TargetLines


@dataclass(frozen=True, slots=True)
class FundResult:
    """A fund's run. `entries` are those it booked or, in a preview, would book; empty if the books already match."""

    kind: str
    day: str
    run_key: str
    entries: tuple[Entry, ...]


async def plan_fees(store: SettlementStores, *, month: date, scale: FeeScale, decided: str) -> FundPlan:
    """A plan for the fees of everybody who was a member on any day of the month. Raises: RejectedInputError.

    The rule of the month's last day says what is due for a part of the month.

    A month before the first reading is refused: no run of it can be made, so no bill would ever state the fees.
    """
    tz, days = (await store.coop()).tz, days_of(month)
    first = await first_day(store, tz)
    if first is None or first > days[-1]:
        since = "no home has sent a reading yet" if first is None else f"the first reading is of {first}"
        raise RejectedInputError("no_members", f"{month_name(month)} has no bill: {since}")
    members = await _member_days(store, days, tz=tz)
    part_month = read_rule((await store.rule_on(days[-1].isoformat()))[1]).part_month_fee
    plan: dict[str, object] = {
        "decided": decided,
        "steps_nano": dict(scale.steps_nano),
        "usual": scale.usual,
        "chosen": dict(scale.chosen),
        **({} if part_month == FULL_MONTH else {"part_month": part_month}),
    }
    wanted = target_fees(scale, members, part_month=part_month)
    inputs = fee_inputs(month_name(month), members, part_month=part_month)
    return FundPlan(FEES_KIND, days[-1], (FEE_LINE,), plan, inputs, wanted)


async def _member_days(store: SettlementStores, days: Sequence[date], *, tz: str) -> dict[str, MemberDays]:
    """Everybody who was a member on any of these days, with the number of days; a day counts from its first slot on."""
    of_days = [slots_of_day(day, tz) for day in days]
    begin = of_days[0].start
    ids, present = await store.settlement_members(slots=range(begin, of_days[-1].stop))
    on_day = np.array([present[slots.start - begin : slots.stop - begin].any(axis=0) for slots in of_days])
    return {
        name: MemberDays(int(column.sum()), len(days), on_first=bool(column[0]))
        for name, column in zip(ids, on_day.T, strict=True)
        if column.any()
    }


async def plan_year(store: SettlementStores, *, year: int, shares: SurplusShares, decided: str) -> FundPlan:
    """A plan for the year's surplus as booked so far. Raises: RejectedInputError."""
    tally, first = YearTally(), date(year, 1, 1)
    for day in (first + timedelta(days=n) for n in range((date(year, 12, 31) - first).days + 1)):
        for row in await store.entries_of_day(day.isoformat()):
            tally.add(read_entry(row.canonical))
    books = tally.books()
    plan = {
        "decided": decided,
        "reserve_ppm": shares.reserve_ppm,
        "solidarity_ppm": shares.solidarity_ppm,
        "patronage_ppm": shares.patronage_ppm,
        "buy_weight": shares.buy_weight,
        "sell_weight": shares.sell_weight,
    }
    inputs = {
        "year": year,
        "margin_nano": books.margin_nano,
        "fees_nano": books.fees_nano,
        "bought_wh": dict(books.bought_wh),
        "sold_wh": dict(books.sold_wh),
    }
    lines = (YEAR_LINE, REFUND_LINE)
    return FundPlan(YEAR_KIND, date(year, 12, 31), lines, plan, inputs, target_year_split(books, shares))


async def plan_grants(store: SettlementStores, *, day: date, grants_nano: Mapping[str, int], decided: str) -> FundPlan:
    """A plan for the day's solidarity fund grants; they replace any booked on that day. Raises: RejectedInputError."""
    fund = 0
    for run in await store.fund_runs(kinds=(YEAR_KIND, GRANT_KIND)):
        for row in await store.entries_of_run(run.run_key):
            for posting in read_entry(row.canonical).postings:
                if posting.account == SOLIDARITY and (row.day, posting.line) != (day.isoformat(), GRANT_LINE):
                    fund += posting.amount
    members = [member.id for member in await store.members()]
    wanted = target_grants(grants_nano, fund_nano=fund, members=members)
    plan = {"decided": decided, "grants_nano": dict(grants_nano)}
    return FundPlan(GRANT_KIND, day, (GRANT_LINE,), plan, {"day": day.isoformat()}, wanted)


async def preview_fund(store: SettlementStores, plan: FundPlan) -> FundResult:
    """What booking the plan would add now; nothing is written."""
    rows = await store.entries_of_day(plan.day.isoformat())
    return _entries(plan, [read_entry(row.canonical) for row in rows], run_key="preview")


async def book_fund(store: SettlementStores, plan: FundPlan, *, made_at: int, key: Signer) -> FundResult:
    """Book what the plan changes. If power fails before the commit, nothing is booked. A repeat books nothing."""
    await sign_older_runs(store, key=key)
    day = plan.day.isoformat()

    async def book() -> FundResult:
        heads = await read_heads(store, days=(day, day))
        return await book_after(store, plan, heads=heads, made_at=made_at, key=key)

    return await retry_on_conflict(book)


async def book_after(
    store: SettlementStores,
    plan: FundPlan,
    *,
    heads: BookHeads,
    made_at: int,
    key: Signer,
    decide: MakeAttestation | None = None,
) -> FundResult:
    """Book what the plan changes and sign it after these heads, together with a decision: both are stored or neither.

    If power fails before the commit, neither is stored.
    Raises: StoreConflictError; then the caller reads the heads again and retries.
    """
    day = plan.day.isoformat()
    booked = await store.entries_of_day(day)
    before = await store.fund_runs(days=(day, day), kinds=(plan.kind,))
    booking = await asyncio.to_thread(
        _prepare, plan, heads=heads, booked=booked, before=before, made_at=made_at, key=key, decide=decide
    )
    if booking.run is None:
        if booking.attestations:
            await store.attest(booking.attestations)
        return booking.result
    was_new = await store.book_run(booking.run, entries=booking.entries, attestations=booking.attestations)
    if decide is not None and not was_new:
        raise StoreConflictError(f"{plan.kind} of {day} was booked at the same moment")
    return booking.result if was_new else replace(booking.result, entries=())


@dataclass(frozen=True, slots=True)
class _Booking:
    """What to write: a run with its entries (no run if the last had the same inputs), and what is signed with it."""

    result: FundResult
    run: RunRow | None
    entries: Sequence[EntryRow]
    attestations: Sequence[AttestationRow]


def _prepare(
    plan: FundPlan,
    *,
    heads: BookHeads,
    booked: Sequence[EntryRow],
    before: Sequence[RunRow],
    made_at: int,
    key: Signer,
    decide: MakeAttestation | None,
) -> _Booking:
    """The booking that follows the day's existing entries `booked` and the plan's earlier runs `before`."""
    day = plan.day.isoformat()
    rule = hashlib.sha256(PLAN_TAG + canonical_bytes(plan.plan)).hexdigest()
    digest = hashlib.sha256(canonical_bytes(plan.inputs)).hexdigest()
    if before and (before[-1].rule_hash, before[-1].input_digest) == (rule, digest):
        decisions = [] if decide is None else [as_row(decide(heads.attestation))]
        return _Booking(FundResult(plan.kind, day, before[-1].run_key, ()), None, (), decisions)
    run_key = run_key_of(heads.coop, day, kind=plan.kind, rule_hash=rule, digest=digest)
    if run_key in {run.run_key for run in before}:
        after = before[-1].run_key
        run_key = run_key_of(heads.coop, day, kind=plan.kind, rule_hash=rule, digest=digest, after=after)
    result = _entries(plan, [read_entry(row.canonical) for row in booked], run_key=run_key)
    entries = chained(result.entries, head=heads.ledger)
    record = _record(plan)
    run = RunRow(
        run_key=run_key,
        kind=plan.kind,
        day=day,
        rule_hash=rule,
        input_digest=digest,
        result_hash=hashlib.sha256(record).hexdigest(),
        state="complete",
        allocation=record,
        made_at=made_at,
        entries=len(entries),
    )
    root = sign_day(run, booked=booked, entries=entries, heads=heads, key=key)
    decisions = [] if decide is None else [as_row(decide(as_attestation(root).head))]
    return _Booking(result, run, entries, [root, *decisions])


def _entries(plan: FundPlan, booked: Sequence[Entry], *, run_key: str) -> FundResult:
    day, cites = plan.day.isoformat(), hashlib.sha256(_record(plan)).hexdigest()
    entries = fund_entries(plan.target, booked, lines=plan.lines, day=day, run=run_key, cites=cites)
    return FundResult(plan.kind, day, run_key, entries)


def _record(plan: FundPlan) -> bytes:
    """The plan, its inputs and the resulting amounts, as the bytes that the entries cite."""
    amounts = {
        member: [[line, account, amount] for (line, account), amount in sorted(lines.items())]
        for member, lines in plan.target.items()
    }
    document = {"kind": plan.kind, "day": plan.day.isoformat(), "plan": plan.plan, "inputs": plan.inputs}
    return RECORD_TAG + canonical_bytes(document | {"amounts": amounts})
