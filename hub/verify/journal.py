"""Checks the stored journal row by row: rulebook, entries, runs and the hub's signatures. It uses no meter readings.

Every column of every row is compared with something else: the chain of hashes, the run's key, the record's hash, or
the signed chain of attestations. A finding names the row that does not fit.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from hub.books.days import SettlementStores, run_key_of
from hub.console.progress import ReportProgress, ignore_progress
from hub.core.ledger.attestations import (
    DAY_ROOT,
    FIRST_PREVIOUS,
    AttestedDocument,
    DayRoot,
    document_digest,
    read_attestation,
    run_columns,
    time_of,
)
from hub.core.ledger.entries import GENESIS, UNITS, LedgerUnit, entry_hash, read_entry
from hub.core.ledger.merkle import build_tree_from_hashes, leaf_hash
from hub.core.ledger.signed_document import SIGNED_TAG
from hub.core.rules.rulebook import VERSION_TAG
from hub.storage.records import AttestationRow, Coop, EntryRow, RunRow
from hub.verify.check_result import CheckResult
from hub.verify.hub_keys import HubKeys

PAGE: Final = 2000
FUND_KINDS: Final = "fund:"
RUN_PAGE: Final = 8
ALL_DAYS: Final = ("", "~")
BEFORE_ALL: Final = -(2**63)
"""Lower than any position, so that a row moved ahead of the first one is found too."""


@dataclass
class JournalCheck:
    """The result: the leaf hashes and positions of each day's entries, and the runs without their records.

    `looks` is the highest number of access log lines that the hub signed for, with the attestation that says so; `log`
    is the same for the log of rows, None before the first root that carries its head.
    """

    entries: int = 0
    attestations: int = 0
    head: bytes = GENESIS
    sums: dict[LedgerUnit, int] = field(default_factory=lambda: dict.fromkeys(UNITS, 0))
    leaves: dict[str, list[tuple[int, bytes]]] = field(default_factory=lambda: defaultdict(list))
    hashes: dict[int, bytes] = field(default_factory=dict)
    rooted: list[str] = field(default_factory=list)
    booked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    runs: dict[str, tuple[int, RunRow]] = field(default_factory=dict)
    looks: tuple[int, str] = (0, "")
    log: tuple[int, str] | None = None
    unsigned: int = 0
    adopted: set[str] = field(default_factory=set)


async def check_journal(
    store: SettlementStores,
    found: CheckResult,
    *,
    keys: HubKeys | None,
    report: ReportProgress = ignore_progress,
) -> JournalCheck:
    """Walk rules, entries, runs and attestations; every contradiction goes to `found`."""
    journal = JournalCheck()
    coop = await store.coop()
    with found.reading("rules"):
        for rule in await store.journal_rules():
            if hashlib.sha256(VERSION_TAG + rule.canonical).hexdigest() != rule.hash:
                found.note(f"rule {rule.position}: its content does not match its hash")
            if rule.is_adopted:
                journal.adopted.add(rule.hash)
            else:
                found.note(f"rule {rule.position}: nothing says who adopted it, and when")
    with found.reading("entries"):
        await _check_entries(store, journal, found, report=report)
    with found.reading("runs"):
        await _check_runs(store, journal, found, coop=coop)
    for run_key in journal.booked.keys() - journal.runs.keys():
        found.note(f"ledger: {journal.booked[run_key]} entries belong to the run {run_key}, which is not there")
    with found.reading("attestations"):
        await _check_attestations(store, journal, found, coop=coop, keys=keys)
    if keys is not None:
        with found.reading("runs"):
            await _check_all_signed(store, journal, found)
    with found.reading("access log"):
        await _check_access_log(store, journal, found)
    for unit, total in journal.sums.items():
        if total:
            found.note(f"ledger: all accounts together hold {total} {unit}, not 0")
    return journal


async def _check_entries(
    store: SettlementStores, journal: JournalCheck, found: CheckResult, *, report: ReportProgress
) -> None:
    """Check that each hash follows from the one before. A wrong hash is reported for its own entry, not the next."""
    position, previous, after = 0, (GENESIS, GENESIS), BEFORE_ALL
    while page := await store.journal_entries(after=after, limit=PAGE):
        after = page[-1].position
        for row in page:
            journal.entries += 1
            if row.position < 1:
                found.note(f"entry {row.position}: its position is below 1")
                continue
            if row.position != position + 1:
                found.note(f"entry {position + 1} is missing: the next is {row.position}")
            position = row.position
            follows = [entry_hash(each, row.canonical) for each in previous]
            if row.hash not in follows:
                found.note(f"entry {position}: its hash does not follow from the entry and the one before")
            previous = (row.hash, follows[0])
            journal.booked[row.run_key] += 1
            _check_entry(row, journal, found)
        journal.head = previous[0]
        report("entries", journal.entries, None)


def _check_entry(row: EntryRow, journal: JournalCheck, found: CheckResult) -> None:
    try:
        entry = read_entry(row.canonical)
    except ValueError as error:
        found.note(f"entry {row.position}: it cannot be read ({error})")
        return
    if (entry.unit, entry.day, entry.member, entry.run) != (row.unit, row.day, row.member, row.run_key):
        found.note(f"entry {row.position}: its stored columns differ from the chained entry")
    journal.sums[entry.unit] += sum(posting.amount for posting in entry.postings)
    journal.leaves[entry.day].append((row.position, leaf_hash(row.canonical)))
    journal.hashes[row.position] = row.hash


async def _check_runs(store: SettlementStores, journal: JournalCheck, found: CheckResult, *, coop: Coop) -> None:
    """Check that each run's key covers its period, rule and inputs.

    The run's result must be its record's hash, and the ledger must hold its entries.
    """
    position, after = 0, BEFORE_ALL
    before: dict[tuple[str, str], str] = {}
    while page := await store.journal_runs(after=after, limit=RUN_PAGE):
        after = page[-1][0]
        for at, run in page:
            if at < 1:
                found.note(f"run {at} of {run.day}: its position is below 1")
                continue
            place = f"run {at} of {run.day}"
            if at != position + 1:
                found.note(f"run {position + 1} is missing: the next is {at}")
            position = at
            book = (run.day, run.kind if run.kind.startswith(FUND_KINDS) else "")
            if run.run_key not in {_key(coop, run, ""), _key(coop, run, before.get(book, ""))}:
                found.note(f"{place}: its key does not match its day, kind, rule and inputs")
            if hashlib.sha256(run.allocation).hexdigest() != run.result_hash:
                found.note(f"{place}: its record does not match its result hash")
            if journal.booked.get(run.run_key, 0) != run.entries:
                booked = journal.booked.get(run.run_key, 0)
                found.note(f"{place}: it names {run.entries} entries, the ledger holds {booked}")
            if not book[1] and run.rule_hash not in journal.adopted:
                found.note(f"{place}: nobody adopted its rule {run.rule_hash[:12]}")
            before[book] = run.run_key
            journal.runs[run.run_key] = (at, _without_record(run))


def _key(coop: Coop, run: RunRow, after: str) -> str:
    return run_key_of(coop, run.day, kind=run.kind, rule_hash=run.rule_hash, digest=run.input_digest, after=after)


def _without_record(run: RunRow) -> RunRow:
    return RunRow(
        run.run_key, run.kind, run.day, run.rule_hash, run.input_digest, run.result_hash, run.state, b"", run.made_at,
        run.entries,
    )  # fmt: skip


async def _check_attestations(
    store: SettlementStores, journal: JournalCheck, found: CheckResult, *, coop: Coop, keys: HubKeys | None
) -> None:
    """Check the signed chain and, for each day root, its run and the entries under it."""
    position, previous, after = 0, FIRST_PREVIOUS, BEFORE_ALL
    while page := await store.journal_attestations(after=after, limit=PAGE):
        after = page[-1].position
        for row in page:
            journal.attestations += 1
            if row.position < 1:
                found.note(f"attestation {row.position} of {row.subject}, run {row.run_key}: its position is below 1")
                continue
            if row.position != position + 1:
                found.note(f"attestation {position + 1} is missing: the next is {row.position}")
            position = row.position
            document = _check_attestation(row, found, coop=coop, keys=keys, previous=previous)
            previous = document_digest(row.document)
            if document is not None and document.kind == DAY_ROOT:
                journal.rooted.append(document.run_key)
                _check_root(document, journal, found, place=f"attestation {position}", nth=len(journal.rooted))


def _check_log(root: DayRoot, journal: JournalCheck, found: CheckResult, *, place: str) -> None:
    """Check that no root lacks the head of the log of rows after one had it, and that the log only grew."""
    if root.log is None:
        if journal.log is not None:
            found.note(f"{place}: the head of the log of rows is missing, and {journal.log[1]} has one")
        return
    lines, before = root.log[0], journal.log
    if before is not None and lines < before[0]:
        found.note(f"{place}: the log of rows has {lines} lines, and had {before[0]} before ({before[1]})")
    journal.log = (lines, place)


async def _check_all_signed(store: SettlementStores, journal: JournalCheck, found: CheckResult) -> None:
    """Check that every run has its day root, unless the store is from before the hub signed its books.

    Only a hub that signs its books stores how far a day's inputs were read, so a day with it was booked by such a hub.
    """
    is_older = not journal.attestations and not await store.settled_through(days=ALL_DAYS)
    for run_key, (at, run) in journal.runs.items():
        if run_key in journal.rooted:
            continue
        if is_older:
            journal.unsigned += 1
        else:
            found.note(f"run {at} of {run.day}: the hub has not signed it")


async def _check_access_log(store: SettlementStores, journal: JournalCheck, found: CheckResult) -> None:
    """Check that no line was removed. Lines replaced, or removed from the end since the last day root, go unnoticed."""
    last, count = await store.last_access_line(), await store.access_line_count()
    if count < last:
        found.note(f"access log: {last - count} of its {last} lines are missing")
    signed, place = journal.looks
    if last < signed:
        found.note(f"access log: it ends with line {last}, and the hub signed for {signed} lines ({place})")


def _check_attestation(
    row: AttestationRow, found: CheckResult, *, coop: Coop, keys: HubKeys | None, previous: bytes
) -> AttestedDocument | None:
    place = f"attestation {row.position}"
    signer = None if keys is None else keys.signer_of(SIGNED_TAG + row.document, row.signature)
    if keys is not None and signer is None:
        found.note(f"{place} of {row.subject}: {keys.unsigned} these bytes")
        return None
    try:
        document = read_attestation(row.document)
    except ValueError as error:
        found.note(f"{place} of {row.subject}: {error}")
        return None
    if keys is not None and signer is not None and (ended := keys.ended_before(signer, time_of(document.content))):
        found.note(f"{place} of {row.subject}: {ended}")
    if document.previous != previous.hex():
        found.note(f"{place} of {row.subject}: it does not follow the one before it")
    filed = (row.position, row.kind, row.subject, row.run_key, coop.id)
    if (document.number, document.kind, document.subject, document.run_key, document.coop) != filed:
        found.note(f"{place} of {row.subject}: its stored columns differ from the signed document")
    return document


def _check_root(document: AttestedDocument, journal: JournalCheck, found: CheckResult, *, place: str, nth: int) -> None:
    """Check that the run's columns, the ledger head and the Merkle root over the day's entries are those signed.

    Runs are signed in order, so the nth day root belongs to run n.
    """
    try:
        root = document.content_as(DayRoot)
    except ValueError as error:
        found.note(f"{place} of {document.subject}: {error}")
        return
    if document.run_key not in journal.runs:
        found.note(
            f"run {nth} of {document.subject}: {document.run_key} is missing, and the hub signed for it ({place})"
        )
    else:
        at, run = journal.runs[document.run_key]
        if at != nth:
            found.note(f"run {nth} of {document.subject}: it is run {at}, and the hub signed for it in another order")
        stored = run_columns(run)
        if differing := sorted(name for name in stored if stored[name] != root.run.get(name)):
            found.note(f"run {at} of {run.day}: the hub signed for another {', '.join(differing)}")
    position, head = root.ledger
    if position and journal.hashes.get(position, b"").hex() != head:
        found.note(f"entry {position}: the hub signed for another ledger up to here ({place})")
    journal.looks = max(journal.looks, (root.looks, place))
    _check_log(root, journal, found, place=f"{place} of {document.subject}")
    leaves = [leaf for at, leaf in journal.leaves.get(document.subject, ()) if at <= position]
    if (build_tree_from_hashes(leaves).root.hex(), len(leaves)) != (root.root, root.entries):
        found.note(f"{place} of {document.subject}: the day's entries are not those the hub signed for")
