"""Settles one local day from the stored readings and books whatever differs from the books, in one transaction.

All the rules are in hub.core; when to settle a day, and for which run, is decided elsewhere.
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from hub.books.erased_days import require_readings
from hub.books.retry import retry_on_conflict
from hub.books.settled_readings import check_day_readings, reach_of, readings_of
from hub.books.signing import sign_day, sign_older_runs
from hub.books.stored_rules import read_rule
from hub.books.view import read_heads
from hub.core.ledger.entries import Entry, book_difference, entry_hash, sum_settlement
from hub.core.ledger.run_calendar import DAILY
from hub.core.ledger.signed_document import Signer
from hub.core.rules.rulebook import Rule
from hub.core.settlement.period import Settlement, settle
from hub.core.settlement.prepared_readings import Readings, digest_inputs
from hub.storage.access_records import AccessLog
from hub.storage.audit_records import RestoreStore
from hub.storage.contract import AttestationStore, BookStore, FindingStore, MemberStore, ReadingStore
from hub.storage.errors import StaleInputsError
from hub.storage.fleet_records import MeterNoticeStore
from hub.storage.records import Access, Coop, EntryRow, RunRow, SettledThrough
from protocols.slots import slots_of_day

ACCESS: Final = Access(actor="job:settlement", role="job", purpose="settle.share")
RUN_TAG: Final = b"commonwatt settlement run v1\n"
MEMBERS_TAG: Final = b"commonwatt members of a day v1\n"


class SettlementStores(
    MemberStore,
    ReadingStore,
    BookStore,
    AttestationStore,
    AccessLog,
    FindingStore,
    RestoreStore,
    MeterNoticeStore,
    Protocol,
):
    """The parts of the store that a settlement reads and writes."""


@dataclass(frozen=True, slots=True)
class DayInputs:
    """Everything needed to settle a day: its rule, its readings, their digest, and how far they were read.

    `current_run` is the key of the newest run the day had when they were read, or None if it had none.
    """

    day: str
    coop: Coop
    rule_hash: str
    rule: Rule
    readings: Readings
    digest: str
    through: SettledThrough
    current_run: str | None


@dataclass(frozen=True, slots=True)
class DayResult:
    """The result of a day's run. `booked` is how many entries it added: 0 if nothing differed from the books."""

    day: str
    run_key: str
    settled: Settlement
    result_hash: str
    booked: int


async def settle_day(
    store: SettlementStores, *, day: date, made_at: int, kind: str = DAILY, key: Signer | None = None
) -> DayResult:
    """Settle one closed local day and book whatever differs from the books, in one transaction.

    If power fails before the commit, the day stays unsettled and the next run settles it. Settling the same inputs
    again writes nothing.
    Without `key`, the run is left for the next run with a key to sign. If somebody else settles the day from newer
    inputs in the meantime, it is read again.
    Raises: RejectedInputError if the rules of settlement refuse the day; then nothing is written.
    """

    async def settle_now() -> DayResult:
        await require_readings(store, day.isoformat(), tz=(await store.coop()).tz)
        inputs = await read_day_inputs(store, day=day)
        if key is not None:
            await sign_older_runs(store, key=key)
        settled = await asyncio.to_thread(settle, inputs.readings, inputs.rule)
        return await book_inputs(store, inputs, settled=settled, made_at=made_at, kind=kind, key=key)

    return await retry_on_conflict(settle_now, on=StaleInputsError)


async def read_day_inputs(store: SettlementStores, *, day: date, access: Access = ACCESS) -> DayInputs:
    """The day's inputs as they are now, after the quality check; the access is logged."""
    name = day.isoformat()
    # The heads are read first: whatever is booked after them makes these inputs stale.
    heads = await read_heads(store, days=(name, name))
    rule_hash, canonical = await store.rule_on(name)
    rule = read_rule(canonical)
    slots = slots_of_day(day, heads.coop.tz)
    decisions = await store.slot_decisions(slots=reach_of(rule.estimate, slots))
    inputs = await store.settlement_inputs(slots=slots, access=access, derived=rule.derived)
    readings = await check_day_readings(store, readings_of(inputs), rule=rule, decisions=decisions, access=access)
    errors = counted_errors(await store.stated_errors(slots=slots), rule)
    members = await asyncio.to_thread(digest_members, inputs.members, inputs.present, inputs.held, errors)
    newest = max((decision.id for decision in decisions), default=0)
    return DayInputs(
        day=name,
        coop=heads.coop,
        rule_hash=rule_hash,
        rule=rule,
        readings=readings,
        digest=await asyncio.to_thread(digest_inputs, readings, rule),
        through=SettledThrough(name, inputs.message_position, members, newest),
        current_run=heads.runs[-1].run_key if heads.runs else None,
    )


async def book_inputs(
    store: SettlementStores,
    inputs: DayInputs,
    *,
    settled: Settlement,
    made_at: int,
    kind: str,
    key: Signer | None,
) -> DayResult:
    """Book what the day's settlement changes. If the newest run had the same inputs, nothing changes.

    If `key` is given, earlier runs must already have a signed root: see sign_older_runs.
    Raises: StaleInputsError if the day was settled differently since the inputs were read.
    """

    async def book() -> DayResult:
        return await _book(store, inputs, settled, made_at=made_at, kind=kind, key=key)

    return await retry_on_conflict(book, never_on=StaleInputsError)


async def _book(
    store: SettlementStores, inputs: DayInputs, settled: Settlement, *, made_at: int, kind: str, key: Signer | None
) -> DayResult:
    """Try once. It reads every position it claims, so a run booked in the meantime causes a conflict, not an error."""
    day, result_hash = inputs.day, await asyncio.to_thread(settled.result_hash)
    heads = await read_heads(store, days=(day, day))
    current = heads.runs[-1] if heads.runs else None
    if current is not None and (current.rule_hash, current.input_digest) == (inputs.rule_hash, inputs.digest):
        await _remember(store, inputs.through)
        return DayResult(day, current.run_key, settled, result_hash, 0)
    if (None if current is None else current.run_key) != inputs.current_run:
        raise StaleInputsError(f"{day} was settled from other inputs at the same moment: start again")
    run_key = run_key_of(inputs.coop, day, kind=kind, rule_hash=inputs.rule_hash, digest=inputs.digest)
    if current is not None and run_key in {run.run_key for run in heads.runs}:
        # Inputs that were settled before and then replaced have come back: they get a new run after the newest one.
        run_key = run_key_of(
            inputs.coop, day, kind=kind, rule_hash=inputs.rule_hash, digest=inputs.digest, after=current.run_key
        )
    booked = await store.entries_of_day(day)
    entries = await asyncio.to_thread(_next_entries, settled, booked, day=day, run=run_key, head=heads.ledger)
    run = RunRow(
        run_key=run_key,
        kind=kind,
        day=day,
        rule_hash=inputs.rule_hash,
        input_digest=inputs.digest,
        result_hash=result_hash,
        state="provisional" if settled.provisional.any() else "complete",
        allocation=await asyncio.to_thread(settled.record),
        made_at=made_at,
        entries=len(entries),
    )
    roots = []
    if key is not None:
        roots = [await asyncio.to_thread(sign_day, run, booked=booked, entries=entries, heads=heads, key=key)]
    was_new = await store.book_run(run, entries=entries, attestations=roots, through=inputs.through)
    return DayResult(day, run_key, settled, result_hash, len(entries) if was_new else 0)


def _next_entries(
    settled: Settlement, booked: Sequence[EntryRow], *, day: str, run: str, head: tuple[int, bytes]
) -> list[EntryRow]:
    """The entries that the settlement adds to those already booked for the day."""
    totals = sum_settlement(row.canonical for row in booked)
    return chained(book_difference(settled, totals, day=day, run=run), head=head)


async def _remember(store: SettlementStores, through: SettledThrough) -> None:
    held = await store.settled_through(days=(through.day, through.day))
    if held.get(through.day) != through:
        await store.set_settled_through(through)


def run_key_of(coop: Coop, period: str, *, kind: str, rule_hash: str, digest: str, after: str = "") -> str:
    """(community, period, kind, rulebook version, digest of inputs) as one key: the same inputs give the same run.

    `after` is the newest run, if these same inputs were already settled before that run.
    """
    parts = [coop.id, period, kind, rule_hash, digest, *([after] if after else [])]
    return hashlib.sha256(RUN_TAG + json.dumps(parts, separators=(",", ":")).encode()).hexdigest()


def chained(entries: Sequence[Entry], *, head: tuple[int, bytes]) -> list[EntryRow]:
    """The entries as ledger rows chained on after `head`."""
    position, previous = head
    rows = []
    for entry in entries:
        position += 1
        canonical = entry.canonical()
        previous = entry_hash(previous, canonical)
        rows.append(EntryRow(position, entry.unit, entry.day, entry.member, entry.run, canonical, previous))
    return rows


def digest_members(
    members: Sequence[str],
    present: npt.NDArray[np.bool_],
    held: npt.NDArray[np.bool_],
    errors: npt.NDArray[np.int64],
) -> str:
    """One hash of who is a member in which slots of the day; people who are members in none of them do not count.

    How many slots of a member wait for a new agent is part of it, where any do, and so is the error that agents state
    of derived energy, where any does: see `stated_errors`.
    """
    columns = np.flatnonzero(present.any(axis=0))
    spans = _spans(present[:, columns])
    rows = [[members[column], *span] for column, span in zip(columns.tolist(), spans, strict=True)]
    waiting = {members[column]: int(held[:, column].sum()) for column in np.flatnonzero(held.any(axis=0)).tolist()}
    text = json.dumps([len(present), rows, *([waiting] if waiting else [])], ensure_ascii=False, separators=(",", ":"))
    stated = np.ascontiguousarray(errors[:, columns])
    told = stated.astype(">i8").tobytes() if stated.any() else b""
    return hashlib.sha256(MEMBERS_TAG + text.encode() + told).hexdigest()


def counted_errors(errors: npt.NDArray[np.int64], rule: Rule | None) -> npt.NDArray[np.int64]:
    """The stated errors on which a day's settlement rests: none while the day's rule lets nothing derived count."""
    return np.zeros_like(errors) if rule is None or rule.derived.is_off else errors


def _spans(present: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """For each column, the first slot of membership and the slot after the last."""
    first = present.argmax(axis=0)
    last = len(present) - present[::-1].argmax(axis=0)
    return list(zip(first.tolist(), last.tolist(), strict=True))
