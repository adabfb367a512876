"""One local day settled from the stored readings and booked: what differs from the books, in one transaction.

The rules are hub.core's alone; when a day is settled, and for which run, is decided elsewhere.
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Protocol, cast

import numpy as np
import numpy.typing as npt

from hub.books.settled_readings import check_day_readings, reach_of, readings_of
from hub.books.signing import attestation_head, root_row, sign_older_runs
from hub.core.ledger.entries import Entry, book_difference, entry_hash, sum_settlement
from hub.core.ledger.run_calendar import DAILY
from hub.core.ledger.signed_document import Signer
from hub.core.rules.estimates import EstimateRule
from hub.core.rules.rulebook import Prices, Rule
from hub.core.settlement.period import Settlement, settle
from hub.core.settlement.prepared_readings import Readings, digest_inputs
from hub.storage.contract import AccessLog, AttestationStore, BookStore, FindingStore, MemberStore, ReadingStore
from hub.storage.errors import StaleInputsError, StoreConflictError
from hub.storage.records import Access, Coop, EntryRow, RunRow, SettledThrough
from protocols.slots import slots_of_day

ACCESS: Final = Access(actor="job:settlement", role="job", purpose="settle.share")
RUN_TAG: Final = b"commonwatt settlement run v1\n"
MEMBERS_TAG: Final = b"commonwatt members of a day v1\n"
TRIES: Final = 3


class SettlementStores(MemberStore, ReadingStore, BookStore, AttestationStore, AccessLog, FindingStore, Protocol):
    """The slices a settlement reads and writes."""


@dataclass(frozen=True, slots=True)
class DayInputs:
    """All that settles a day: its rule, its readings, their digest, and what they were read after.

    `standing` is the key of the run that stood when they were read, None where there was none.
    """

    day: str
    coop: Coop
    rule_hash: str
    rule: Rule
    readings: Readings
    digest: str
    through: SettledThrough
    standing: str | None


@dataclass(frozen=True, slots=True)
class DayResult:
    """What a day's run came to. `booked` is how many entries it added; 0 when nothing differs from the books."""

    day: str
    run_key: str
    settled: Settlement
    result_hash: str
    booked: int


async def settle_day(
    store: SettlementStores, *, day: date, made_at: int, kind: str = DAILY, key: Signer | None = None
) -> DayResult:
    """Settle one closed local day and book what differs from the books, in one transaction.

    If power fails before the commit the day is unsettled and the next run does it; the same inputs write nothing.
    Without `key` the run is signed by the next that has one. Where the day is settled meanwhile from newer inputs, it
    is read again. Raises: Refusal by the rules of settlement; then nothing is written.
    """
    for attempt in range(TRIES):
        inputs = await read_day_inputs(store, day=day)
        if key is not None:
            await sign_older_runs(store, coop=inputs.coop.id, key=key)
        settled = await asyncio.to_thread(settle, inputs.readings, inputs.rule)
        try:
            return await book_inputs(store, inputs, settled=settled, made_at=made_at, kind=kind, key=key)
        except StaleInputsError:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


async def read_day_inputs(store: SettlementStores, *, day: date, access: Access = ACCESS) -> DayInputs:
    """The day's inputs as they are now and as the gate lets them pass; the look at them is logged."""
    coop = await store.coop()
    name = day.isoformat()
    # Read before all else: whatever is booked after it makes these inputs stale.
    runs = await store.runs(days=(name, name), allocations=False)
    rule_hash, canonical = await store.rule_on(name)
    rule = read_rule(canonical)
    slots = slots_of_day(day, coop.tz)
    decisions = await store.slot_decisions(slots=reach_of(rule.estimate, slots))
    inputs = await store.settlement_inputs(slots=slots, access=access)
    readings = await check_day_readings(store, readings_of(inputs), rule=rule, decisions=decisions, access=access)
    members = digest_members(inputs.members, inputs.present)
    newest = max((decision.id for decision in decisions), default=0)
    through = SettledThrough(name, inputs.message_position, members, newest)
    standing = runs[-1].run_key if runs else None
    return DayInputs(name, coop, rule_hash, rule, readings, digest_inputs(readings, rule), through, standing)


async def book_inputs(
    store: SettlementStores,
    inputs: DayInputs,
    *,
    settled: Settlement,
    made_at: int,
    kind: str,
    key: Signer | None,
) -> DayResult:
    """Book what the day's settlement changes. Inputs that the standing run had already write no row of the books.

    With a key, earlier runs without a root must be signed: see sign_older_runs.
    Raises: StaleInputsError where the day was settled differently since the inputs were read.
    """
    for attempt in range(TRIES):
        try:
            return await _book(store, inputs, settled, made_at=made_at, kind=kind, key=key)
        except StaleInputsError:
            raise
        except StoreConflictError:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


async def _book(
    store: SettlementStores, inputs: DayInputs, settled: Settlement, *, made_at: int, kind: str, key: Signer | None
) -> DayResult:
    """One try: every position it claims is read here, so another run booked meanwhile is a conflict, not a mistake."""
    day, result_hash = inputs.day, await asyncio.to_thread(settled.result_hash)
    head = await attestation_head(store)
    ledger = await store.ledger_head()
    runs = await store.runs(days=(day, day), allocations=False)
    standing = runs[-1] if runs else None
    if standing is not None and (standing.rule_hash, standing.input_digest) == (inputs.rule_hash, inputs.digest):
        await _remember(store, inputs.through)
        return DayResult(day, standing.run_key, settled, result_hash, 0)
    if (None if standing is None else standing.run_key) != inputs.standing:
        raise StaleInputsError(f"{day} was settled meanwhile from other inputs: start again")
    run_key = run_key_of(inputs.coop, day, kind=kind, rule_hash=inputs.rule_hash, digest=inputs.digest)
    if standing is not None and run_key in {run.run_key for run in runs}:
        # Inputs that were settled before and then replaced have come back: a run of its own after the standing one.
        run_key = run_key_of(
            inputs.coop, day, kind=kind, rule_hash=inputs.rule_hash, digest=inputs.digest, after=standing.run_key
        )
    rows = await store.entries_of_day(day)
    entries = await asyncio.to_thread(_next_entries, settled, rows, day=day, run=run_key, head=ledger)
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
        leaves = [row.canonical for row in (*rows, *entries)]
        ledger = (entries[-1].position, entries[-1].hash) if entries else ledger
        looks = await store.last_access_line()
        roots = [root_row(run, leaves=leaves, ledger=ledger, looks=looks, coop=inputs.coop.id, head=head, key=key)]
    was_new = await store.book_run(run, entries=entries, attestations=roots, through=inputs.through)
    return DayResult(day, run_key, settled, result_hash, len(entries) if was_new else 0)


def _next_entries(
    settled: Settlement, booked: Sequence[EntryRow], *, day: str, run: str, head: tuple[int, bytes]
) -> list[EntryRow]:
    """What the settlement adds to what is booked of the day."""
    standing = sum_settlement(row.canonical for row in booked)
    return chained(book_difference(settled, standing, day=day, run=run), head=head)


async def _remember(store: SettlementStores, through: SettledThrough) -> None:
    held = await store.settled_through(days=(through.day, through.day))
    if held.get(through.day) != through:
        await store.set_settled_through(through)


def run_key_of(coop: Coop, period: str, *, kind: str, rule_hash: str, digest: str, after: str = "") -> str:
    """(community, period, kind, rulebook version, digest of inputs) as one name; the same inputs, the same run.

    `after` is the standing run where these very inputs had been settled before it.
    """
    parts = [coop.id, period, kind, rule_hash, digest, *([after] if after else [])]
    return hashlib.sha256(RUN_TAG + json.dumps(parts, separators=(",", ":")).encode()).hexdigest()


def chained(entries: Sequence[Entry], *, head: tuple[int, bytes]) -> list[EntryRow]:
    """The entries as rows that continue the ledger after `head`."""
    position, previous = head
    rows = []
    for entry in entries:
        position += 1
        canonical = entry.canonical()
        previous = entry_hash(previous, canonical)
        rows.append(EntryRow(position, entry.unit, entry.day, entry.member, entry.run, canonical, previous))
    return rows


def digest_members(members: Sequence[str], present: npt.NDArray[np.bool_]) -> str:
    """Who is a member in which slots of the day, as one hash; who is none all day does not count."""
    columns = np.flatnonzero(present.any(axis=0))
    spans = _spans(present[:, columns])
    rows = [[members[column], *span] for column, span in zip(columns.tolist(), spans, strict=True)]
    text = json.dumps([len(present), rows], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(MEMBERS_TAG + text.encode()).hexdigest()


def _spans(present: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Of each column the first slot of membership and the one after the last."""
    first = present.argmax(axis=0)
    last = len(present) - present[::-1].argmax(axis=0)
    return list(zip(first.tolist(), last.tolist(), strict=True))


def read_rule(canonical: bytes) -> Rule:
    """The rule of these canonical bytes, as the rulebook in the store keeps them."""
    document = cast(dict[str, object], json.loads(canonical))
    prices = cast(dict[str, int | None], document["prices"])
    estimate = cast(dict[str, Any], document.get("estimate", {}))
    return Rule(
        method=cast(str, document["method"]),
        params=cast(dict[str, object], document["params"]),
        aggregate=cast(int, document["aggregate"]),
        participation_percent=cast(dict[str, int], document["participation_percent"]),
        missing=cast(str, document["missing"]),
        prices=Prices(cast(int, prices["buy"]), cast(int, prices["sell"]), prices["retail"], prices["feedin"]),
        connection_w=cast(int, document.get("connection_w", 0)),
        estimate=EstimateRule(**estimate),
    )
