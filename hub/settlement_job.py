"""Settles closed local days from the stored readings and books the differences; the rules are hub.core's alone."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol, cast
from zoneinfo import ZoneInfo

import numpy as np

from hub.core.accepted_readings import Readings, digest_inputs
from hub.core.ledger import Entry, book_day, entry_hash, read_entry
from hub.core.refusal import Refusal
from hub.core.rulebook import Prices, Rule
from hub.core.settlement import Settlement, settle
from hub.storage.contract import BookStore, MemberStore, ReadingStore
from hub.storage.records import Access, Coop, EntryRow, RunRow, SettlementInputs
from hub.timetable import JobProblem
from protocols.slots import slots_of_day

log = logging.getLogger(__name__)

DAILY: Final = "D"
OVERLAP_S: Final = 86400
ACCESS: Final = Access(actor="job:settlement", role="job", purpose="settle.share")
RUN_TAG: Final = b"commonwatt settlement run v1\n"


class SettlementStores(MemberStore, ReadingStore, BookStore, Protocol):
    """The slices a settlement reads and writes."""


@dataclass(frozen=True, slots=True)
class DayResult:
    """What a day's run came to. `booked` is how many entries it added; 0 when nothing differs from the books."""

    day: str
    run_key: str
    settled: Settlement
    result_hash: str
    booked: int


class SettlementJob:
    """Each night: the day that closed, the days never settled, and the days that got readings since their run."""

    def __init__(self, store: SettlementStores, *, tz: str) -> None:
        self._store = store
        self._tz = tz

    async def __call__(self, due_s: int) -> None:
        """Idempotent: the same readings and rule book nothing.

        Raises: JobProblem naming the first day that was refused; the other days are settled all the same.
        """
        last_day = datetime.fromtimestamp(due_s, UTC).astimezone(ZoneInfo(self._tz)).date() - timedelta(days=1)
        refused: list[str] = []
        for day in await self.days_due(last_day):
            try:
                await settle_day(self._store, day=day, made_at=due_s)
            except Refusal as refusal:
                refused.append(f"{day}: {refusal}")
        if refused:
            raise JobProblem(f"settlement of {refused[0]} ({len(refused)} day(s) refused)")

    async def days_due(self, last_day: date) -> tuple[date, ...]:
        """Days up to `last_day` that got readings since the last night's run, or lie between runs and have none."""
        runs = await self._store.runs()
        since_s = max((run.made_at for run in runs), default=0) - OVERLAP_S
        touched = set(await self._store.touched_days(since_received_at=since_s, tz=self._tz))
        settled = {date.fromisoformat(run.day) for run in runs}
        first_day = min(touched | settled, default=last_day)
        between = {first_day + timedelta(days=n) for n in range((last_day - first_day).days + 1)}
        due = touched | (between - settled)
        return tuple(sorted(day for day in due if first_day <= day <= last_day))


async def settle_day(store: SettlementStores, *, day: date, made_at: int, kind: str = DAILY) -> DayResult:
    """Settle one closed local day and book what differs from the books, in one transaction.

    If power fails before the commit the day is unsettled and the next run does it; a run known by its key writes
    nothing. Raises: Refusal by the rules of settlement; then nothing is written.
    """
    coop = await store.coop()
    name = day.isoformat()
    rule_hash, canonical = await store.rule_on(name)
    rule = read_rule(canonical)
    inputs = await store.settlement_inputs(slots=slots_of_day(day, coop.tz), access=ACCESS)
    readings = readings_of(inputs)
    settled = settle(readings, rule)
    digest = digest_inputs(readings, rule)
    run_key = run_key_of(coop, name, kind=kind, rule_hash=rule_hash, digest=digest)
    booked = [read_entry(row.canonical) for row in await store.entries_of_day(name)]
    entries = book_day(settled, day=name, run=run_key, booked=booked)
    run = RunRow(
        run_key=run_key,
        kind=kind,
        day=name,
        rule_hash=rule_hash,
        input_digest=digest,
        result_hash=settled.result_hash(),
        state="provisional" if settled.provisional.any() else "complete",
        allocation=settled.record(),
        made_at=made_at,
        entries=len(entries),
    )
    was_new = await store.book_run(run, entries=chained(entries, head=await store.ledger_head()))
    return DayResult(name, run_key, settled, run.result_hash, len(entries) if was_new else 0)


def run_key_of(coop: Coop, period: str, *, kind: str, rule_hash: str, digest: str) -> str:
    """(community, period, kind, rulebook version, digest of inputs) as one name; the same inputs, the same run."""
    parts = json.dumps([coop.id, period, kind, rule_hash, digest], separators=(",", ":")).encode()
    return hashlib.sha256(RUN_TAG + parts).hexdigest()


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


def readings_of(inputs: SettlementInputs) -> Readings:
    """Store rows as the core's readings. A member is there from the first to the last slot of membership in the day."""
    slots = tuple(range(inputs.first_slot, inputs.first_slot + inputs.surplus_wh.shape[0]))
    there = inputs.present.any(axis=0)
    columns = np.flatnonzero(there)
    windows: dict[str, tuple[int, int | None]] = {}
    for column in columns:
        inside = np.flatnonzero(inputs.present[:, column])
        first, last = int(inside[0]), int(inside[-1]) + 1
        if (first, last) != (0, len(slots)):
            windows[inputs.members[column]] = (first, None if last == len(slots) else last)
    return Readings(
        members=tuple(inputs.members[column] for column in columns),
        slots=slots,
        surplus_wh=np.ascontiguousarray(inputs.surplus_wh[:, columns]),
        demand_wh=np.ascontiguousarray(inputs.demand_wh[:, columns]),
        windows=windows,
    )


def read_rule(canonical: bytes) -> Rule:
    """The rule of these canonical bytes, as the rulebook in the store keeps them."""
    document = cast(dict[str, object], json.loads(canonical))
    prices = cast(dict[str, int | None], document["prices"])
    return Rule(
        method=cast(str, document["method"]),
        params=cast(dict[str, object], document["params"]),
        aggregate=cast(int, document["aggregate"]),
        participation_percent=cast(dict[str, int], document["participation_percent"]),
        missing=cast(str, document["missing"]),
        prices=Prices(cast(int, prices["buy"]), cast(int, prices["sell"]), prices["retail"], prices["feedin"]),
    )
