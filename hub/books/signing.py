"""Signs the books in one chain of attestations: a day root for each run, and each decision as it is made."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from hub.books.retry import retry_on_conflict
from hub.books.view import BookHeads, read_heads
from hub.core.ledger.attestations import DAY_ROOT, Attestation, Head, attest, day_root_content
from hub.core.ledger.signed_document import Signer
from hub.storage.access_records import AccessLog
from hub.storage.contract import AttestationStore, BookStore
from hub.storage.records import AttestationRow, EntryRow, RunRow


class SigningStores(BookStore, AttestationStore, AccessLog, Protocol):
    """The parts of the store that signing reads and writes."""


def sign_day(
    run: RunRow, *, booked: Sequence[EntryRow], entries: Sequence[EntryRow], heads: BookHeads, key: Signer
) -> AttestationRow:
    """The signed root over the run's day: the entries booked earlier and those that this run adds."""
    ledger = (entries[-1].position, entries[-1].hash) if entries else heads.ledger
    return _root_row(run, [*booked, *entries], ledger=ledger, heads=heads, key=key)


async def sign_older_runs(store: SigningStores, *, key: Signer) -> int:
    """Sign the runs that were booked without a root, in order; returns how many this call signed.

    Each is signed in its own transaction: if power fails in between, the next call goes on with the rest.
    Raises: StoreConflictError if other writers keep signing at the same moment.
    """
    signed = 0
    while runs := await store.unsigned_runs():
        for run in runs:
            signed += await retry_on_conflict(partial(_sign_run, store, run, key=key))
    return signed


async def _sign_run(store: SigningStores, run: RunRow, *, key: Signer) -> bool:
    """Sign the run with the ledger head at its last entry; False if somebody else has already signed it."""
    heads = await read_heads(store, days=(run.day, run.day))
    signed = await store.attestations((DAY_ROOT,), subjects=(run.day, run.day))
    if any(row.run_key == run.run_key for row in signed):
        return False
    rows = await store.entries_of_day(run.day)
    own = [row for row in rows if row.run_key == run.run_key]
    # A run that booked no entry is signed with the current head.
    ledger = (own[-1].position, own[-1].hash) if own else heads.ledger
    leaves = [row for row in rows if row.position <= ledger[0]]
    root = await asyncio.to_thread(_root_row, run, leaves, ledger=ledger, heads=heads, key=key)
    await store.attest([root])
    return True


def _root_row(
    run: RunRow, leaves: Sequence[EntryRow], *, ledger: Head, heads: BookHeads, key: Signer
) -> AttestationRow:
    content = day_root_content(
        run, [row.canonical for row in leaves], ledger=ledger, log=heads.log, looks=heads.access_line
    )
    return as_row(
        attest(
            content,
            kind=DAY_ROOT,
            subject=run.day,
            run_key=run.run_key,
            coop=heads.coop.id,
            head=heads.attestation,
            key=key,
        )
    )


def as_row(attestation: Attestation) -> AttestationRow:
    """The attestation as a row for the store."""
    return AttestationRow(
        attestation.number,
        attestation.kind,
        attestation.subject,
        attestation.run_key,
        attestation.document,
        attestation.signature,
    )


def as_attestation(row: AttestationRow) -> Attestation:
    """The store's row as an attestation for hub.core."""
    return Attestation(row.position, row.kind, row.subject, row.run_key, row.document, row.signature)
