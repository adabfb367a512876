"""Reads the whole ledger again and recomputes every current run from the readings; changes nothing."""

import asyncio
from dataclasses import dataclass, field
from datetime import date

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.books.days import SettlementStores, read_day_inputs
from hub.console.progress import ReportProgress, ignore_progress
from hub.core.ledger.entries import GENESIS, UNITS, LedgerUnit
from hub.core.rules.input_checks import RejectedInputError
from hub.core.settlement.period import settle
from hub.verify.check_result import CheckResult
from hub.verify.journal import check_journal


@dataclass
class BookCheck(CheckResult):
    """What was checked, and every contradiction found.

    `late_days` have readings newer than their run: not wrong, but due to be settled again. `sums` must be 0 per unit.
    `unsigned` runs were booked before the hub signed its books: the next settlement signs them.
    """

    entries: int = 0
    runs: int = 0
    recomputed: int = 0
    attestations: int = 0
    unsigned: int = 0
    sums: dict[LedgerUnit, int] = field(default_factory=lambda: dict.fromkeys(UNITS, 0))
    head: str = GENESIS.hex()
    late_days: list[str] = field(default_factory=list)


async def check_books(
    store: SettlementStores, key: Ed25519PublicKey | None = None, *, report: ReportProgress = ignore_progress
) -> BookCheck:
    """Check that the journal is intact and sums to zero, and that the same readings give each current run's result.

    Without the hub's public key it checks neither the signatures nor that every run has one. If the journal is not
    intact, runs are not recomputed, because their inputs are in doubt.
    """
    check = BookCheck()
    journal = await check_journal(store, check, key=key, report=report)
    check.entries, check.runs, check.attestations = journal.entries, len(journal.runs), journal.attestations
    check.sums, check.head, check.unsigned = journal.sums, journal.head.hex(), journal.unsigned
    if check.wrong == 0:
        await _recompute(store, check, report=report)
    return check


async def _recompute(store: SettlementStores, check: BookCheck, *, report: ReportProgress) -> None:
    current = {run.day: run.run_key for run in await store.runs(allocations=False)}
    for number, day in enumerate(current):
        report("days computed again", number, len(current))
        run = (await store.runs(days=(day, day)))[-1]
        inputs = await read_day_inputs(store, day=date.fromisoformat(day))
        if (inputs.rule_hash, inputs.digest) != (run.rule_hash, run.input_digest):
            check.late_days.append(day)
            continue
        try:
            settled = await asyncio.to_thread(settle, inputs.readings, inputs.rule)
        except RejectedInputError as refusal:
            check.note(f"recomputing the run of {day} was refused ({refusal})")
            continue
        check.recomputed += 1
        if settled.result_hash() != run.result_hash or settled.record() != run.allocation:
            check.note(f"recomputing the run of {day} gave a different result")
