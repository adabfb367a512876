"""Reads the whole ledger again and computes every standing run anew from the readings; changes nothing."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from hub.core.accepted_readings import digest_inputs
from hub.core.ledger import GENESIS, UNITS, Unit, entry_hash, read_entry
from hub.core.refusal import Refusal
from hub.core.settlement import settle
from hub.settlement_job import ACCESS, SettlementStores, read_rule, readings_of
from hub.storage.records import RunRow
from protocols.slots import slots_of_day

PAGE: Final = 2000
FINDINGS_MAX: Final = 100


@dataclass
class BookCheck:
    """What was looked at and every contradiction found.

    `late_days` have readings newer than their run: not wrong, to be settled again. `sums` must be zero per unit.
    """

    entries: int = 0
    runs: int = 0
    recomputed: int = 0
    sums: dict[Unit, int] = field(default_factory=lambda: dict.fromkeys(UNITS, 0))
    head: str = GENESIS.hex()
    late_days: list[str] = field(default_factory=list)
    wrong: int = 0
    findings: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """One contradiction."""
        self.wrong += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(sentence)


async def check_books(store: SettlementStores) -> BookCheck:
    """The chain whole, every entry and the ledger zero, every run the same result from the same readings."""
    check = BookCheck()
    booked = await _read_ledger(store, check)
    await _recompute(store, check, booked=booked)
    return check


async def _read_ledger(store: SettlementStores, check: BookCheck) -> dict[str, int]:
    """Walk the chain; how many entries each run booked is returned."""
    previous, position = GENESIS, 0
    booked: dict[str, int] = defaultdict(int)
    while page := await store.entries(after_position=position, limit=PAGE):
        for row in page:
            check.entries += 1
            if row.position != position + 1:
                check.note(f"ledger: entry {position + 1} is not there")
            position = row.position
            if entry_hash(previous, row.canonical) != row.hash:
                check.note(f"ledger: entry {position} is not what was chained")
            previous = row.hash
            booked[row.run_key] += 1
            try:
                entry = read_entry(row.canonical)
            except ValueError as error:
                check.note(f"ledger: entry {position} cannot be read ({error})")
                continue
            if (entry.unit, entry.day, entry.member, entry.run) != (row.unit, row.day, row.member, row.run_key):
                check.note(f"ledger: entry {position} is filed under other words than it was chained with")
            check.sums[entry.unit] += sum(posting.amount for posting in entry.postings)
    check.head = previous.hex()
    for unit, total in check.sums.items():
        if total:
            check.note(f"ledger: all accounts together hold {total} {unit}, not 0")
    return booked


async def _recompute(store: SettlementStores, check: BookCheck, *, booked: dict[str, int]) -> None:
    standing: dict[str, RunRow] = {}
    for run in await store.runs():
        check.runs += 1
        standing[run.day] = run
        if booked.get(run.run_key, 0) != run.entries:
            check.note(
                f"run of {run.day}: it names {run.entries} entries, the ledger holds {booked.get(run.run_key, 0)}"
            )
    tz = (await store.coop()).tz
    for day, run in standing.items():
        rule_hash, canonical = await store.rule_on(day)
        inputs = await store.settlement_inputs(slots=slots_of_day(date.fromisoformat(day), tz), access=ACCESS)
        readings, rule = readings_of(inputs), read_rule(canonical)
        if rule_hash != run.rule_hash or digest_inputs(readings, rule) != run.input_digest:
            check.late_days.append(day)
            continue
        try:
            settled = settle(readings, rule)
        except Refusal as refusal:
            check.note(f"run of {day}: computed again it is refused ({refusal})")
            continue
        check.recomputed += 1
        if settled.result_hash() != run.result_hash or settled.record() != run.allocation:
            check.note(f"run of {day}: computed again it comes to another result")
