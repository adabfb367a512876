"""Signs what the books say, in one chain: each run's day root with the run, all else as it is decided."""

from collections.abc import Sequence
from typing import Final, Protocol

from hub.core.ledger.attestations import DAY_ROOT, FIRST_PREVIOUS, Attestation, Head, attest, day_root_content
from hub.core.ledger.signed_document import Signer
from hub.storage.contract import AccessLog, AttestationStore, BookStore
from hub.storage.errors import StoreConflictError
from hub.storage.records import AttestationRow, EntryRow, RunRow

LOST_TRIES: Final = 3


class SigningStores(BookStore, AttestationStore, AccessLog, Protocol):
    """The slices that signing reads and writes."""


async def attestation_head(store: AttestationStore) -> Head:
    """The last attestation's number and hash, which the next one follows."""
    last = await store.last_attestation()
    return (0, FIRST_PREVIOUS) if last is None else as_attestation(last).head


def root_row(
    run: RunRow, *, leaves: Sequence[bytes], ledger: Head, looks: int, coop: str, head: Head, key: Signer
) -> AttestationRow:
    """The signed root over all entries of the run's day, `leaves`, as they stand with this run."""
    content = day_root_content(run, leaves, ledger=ledger, looks=looks)
    return as_row(attest(content, kind=DAY_ROOT, subject=run.day, run_key=run.run_key, coop=coop, head=head, key=key))


async def sign_older_runs(store: SigningStores, *, coop: str, key: Signer) -> int:
    """Sign the runs that were booked without a root, in their order; returns how many there were.

    Each is signed in a transaction of its own: if power fails in between, the next call goes on with the rest. What
    another signs at the same moment is left to it. Raises: StoreConflictError where others always come first.
    """
    signed = lost = 0
    while runs := await store.unsigned_runs():
        try:
            for run in runs:
                await _sign_run(store, run, coop=coop, key=key)
                signed, lost = signed + 1, 0
        except StoreConflictError:
            lost += 1
            if lost == LOST_TRIES and len(await store.unsigned_runs()) == len(runs):
                raise
            lost %= LOST_TRIES
    return signed


async def _sign_run(store: SigningStores, run: RunRow, *, coop: str, key: Signer) -> None:
    head = await attestation_head(store)
    rows = await store.entries_of_day(run.day)
    last = max((row.position for row in rows if row.run_key == run.run_key), default=0)
    ledger = await _ledger_at(store, rows, last)
    leaves = [row.canonical for row in rows if row.position <= ledger[0]]
    looks = await store.last_access_line()
    await store.attest([root_row(run, leaves=leaves, ledger=ledger, looks=looks, coop=coop, head=head, key=key)])


async def _ledger_at(store: SigningStores, rows: Sequence[EntryRow], position: int) -> Head:
    """The ledger's head when a run's last entry was booked; a run that booked none is signed at today's head."""
    if position:
        return next((row.position, row.hash) for row in rows if row.position == position)
    return await store.ledger_head()


def as_row(attestation: Attestation) -> AttestationRow:
    """The attestation as the store keeps it."""
    return AttestationRow(
        attestation.number,
        attestation.kind,
        attestation.subject,
        attestation.run_key,
        attestation.document,
        attestation.signature,
    )


def as_attestation(row: AttestationRow) -> Attestation:
    """The store's row as the core knows it."""
    return Attestation(row.position, row.kind, row.subject, row.run_key, row.document, row.signature)
