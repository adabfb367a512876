"""Reads the whole ledger again and recomputes every current run from the readings; changes nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.books.days import DayInputs, SettlementStores, read_day_inputs
from hub.books.erased_days import erased_spans, touches
from hub.books.settled_readings import reach_of
from hub.books.stored_rules import read_rule
from hub.console.progress import ReportProgress, ignore_progress
from hub.core.ledger.entries import GENESIS, UNITS, LedgerUnit
from hub.core.rules.input_checks import RejectedInputError
from hub.core.settlement.allocation_record import read_record
from hub.core.settlement.period import settle
from hub.storage.records import RunRow, SettledThrough
from hub.verify.check_result import CheckResult
from hub.verify.fees import check_fees
from hub.verify.homes.checkpoints import CheckpointSeals
from hub.verify.hub_keys import HubKeys
from hub.verify.journal import ALL_DAYS, check_journal
from protocols.hub_keys import HubKeyCertificate
from protocols.slots import slots_of_day


@dataclass
class BookCheck(CheckResult):
    """What was checked, and every contradiction found.

    `late_days` have messages, decisions or memberships newer than their run: not wrong, but due to be settled again. A
    day whose inputs changed without any of these is wrong. `sums` must be 0 per unit.
    `erased_days` rest on readings that were erased by the retention rule: their runs are only compared with their own
    hashes. `taken_over` runs have the inputs and the result of a checkpoint, for which they were computed again.
    `unsigned` runs were booked before the hub signed its books: the next settlement signs them.
    """

    entries: int = 0
    runs: int = 0
    recomputed: int = 0
    taken_over: int = 0
    attestations: int = 0
    unsigned: int = 0
    sums: dict[LedgerUnit, int] = field(default_factory=lambda: dict.fromkeys(UNITS, 0))
    head: str = GENESIS.hex()
    late_days: list[str] = field(default_factory=list)
    erased_days: list[str] = field(default_factory=list)


class CheckedDays:
    """The days whose runs were computed again with the same result: in an earlier verification, and in this one."""

    def __init__(self, since: Mapping[str, str] | None = None, *, seals: CheckpointSeals | None = None) -> None:
        self._since, self._seals = since or {}, seals
        self.held: dict[str, str] = {}

    def is_known(self, run: RunRow) -> bool:
        """Whether this very run and result were found to hold."""
        return self._seals is not None and self._since.get(run.day) == self._seals.run(run)

    def add(self, run: RunRow) -> None:
        """The run holds."""
        if self._seals is not None:
            self.held[run.day] = self._seals.run(run)


async def check_books(
    store: SettlementStores,
    key: Ed25519PublicKey | None = None,
    *,
    certificates: Sequence[HubKeyCertificate] = (),
    checkpoints: CheckedDays | None = None,
    report: ReportProgress = ignore_progress,
) -> BookCheck:
    """Check that the journal is intact and sums to zero, and that the same readings give each current run's result.

    `key` is the hub's lasting public key, and the `certificates` are those of its hub keys. Without the key it checks
    neither the signatures nor that every run has one. If the journal is not intact, runs are not recomputed, because
    their inputs are in doubt. A run that `checkpoints` knows, and whose inputs are as they were, is not computed again.
    """
    check = BookCheck()
    keys = None if key is None else HubKeys(key, certificates)
    journal = await check_journal(store, check, keys=keys, report=report)
    check.entries, check.runs, check.attestations = journal.entries, len(journal.runs), journal.attestations
    check.sums, check.head, check.unsigned = journal.sums, journal.head.hex(), journal.unsigned
    # Runs are recomputed only where what they rest on is in order.
    if check.wrong == 0:
        await check_fees(store, check)
        await _recompute(store, check, checkpoints or CheckedDays(), report=report)
    return check


async def _recompute(
    store: SettlementStores, check: BookCheck, checkpoints: CheckedDays, *, report: ReportProgress
) -> None:
    with check.reading("days"):
        current = {run.day: run.run_key for run in await store.runs(allocations=False)}
        through = await store.settled_through(days=ALL_DAYS)
        erased = await erased_spans(store)
        tz = (await store.coop()).tz
        for number, day in enumerate(current):
            report("days computed again", number, len(current))
            with check.reading(f"day {day}"):
                if touches(erased, day, tz=tz):
                    await _check_kept_result(store, check, day)
                else:
                    await _recompute_day(store, check, day, through=through.get(day), checkpoints=checkpoints)


async def _check_kept_result(store: SettlementStores, check: BookCheck, day: str) -> None:
    """The readings of a home of that day are gone: the run's record must still be the one its hash names."""
    run = (await store.runs(days=(day, day)))[-1]
    rule_hash, canonical = await store.rule_on(day)
    check.erased_days.append(day)
    if rule_hash != run.rule_hash:
        check.note(f"the run of {day} was made with another rule than the one in force on that day")
    elif read_record(run.allocation, read_rule(canonical)).result_hash() != run.result_hash:
        check.note(f"the record of the run of {day} is not the one its hash names")


async def _recompute_day(
    store: SettlementStores, check: BookCheck, day: str, *, through: SettledThrough | None, checkpoints: CheckedDays
) -> None:
    run = (await store.runs(days=(day, day)))[-1]
    inputs = await read_day_inputs(store, day=date.fromisoformat(day))
    if inputs.rule_hash != run.rule_hash:
        # A rule holds from a later day than its adoption, so that no day's rule changes once the day is over.
        check.note(f"the run of {day} was made with another rule than the one in force on that day")
        return
    if inputs.digest != run.input_digest:
        if await _has_newer_inputs(store, inputs, through):
            check.late_days.append(day)
        else:
            check.note(
                f"the readings of {day} are not those its run was made from, and no newer message, decision or"
                " membership explains it"
            )
        return
    if checkpoints.is_known(run):
        # The journal's check has found the record to be the one of the result hash.
        check.taken_over += 1
        checkpoints.add(run)
        return
    try:
        settled = await asyncio.to_thread(settle, inputs.readings, inputs.rule)
    except RejectedInputError as refusal:
        check.note(f"recomputing the run of {day} was refused ({refusal})")
        return
    check.recomputed += 1
    if settled.result_hash() != run.result_hash or settled.record() != run.allocation:
        check.note(f"recomputing the run of {day} gave a different result")
        return
    checkpoints.add(run)


async def _has_newer_inputs(store: SettlementStores, inputs: DayInputs, through: SettledThrough | None) -> bool:
    """Whether anything that the day's run could not know came since. Without a note of what it knew: perhaps."""
    if through is None:
        return True
    if (inputs.through.members_digest, inputs.through.decision) != (through.members_digest, through.decision):
        return True
    slots = slots_of_day(date.fromisoformat(inputs.day), inputs.coop.tz)
    newest = await store.newest_messages(slots=reach_of(inputs.rule.estimate, slots))
    return max(newest.values(), default=0) > through.message_position
