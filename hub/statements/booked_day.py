"""One day of the books as a statement reads it: the run's record, the ledger's entries, and their signed root."""

from collections.abc import Iterable, Mapping, Sequence

from hub.books.stored_rules import read_rule
from hub.core.ledger.attestations import document_digest, read_attestation
from hub.core.ledger.merkle import build_tree
from hub.core.settlement.allocation_record import read_record
from hub.core.statements.month import RunNote, SettledDay
from hub.storage.records import AttestationRow, EntryRow, RunRow


def settled_day(
    run: RunRow,
    rule: bytes,
    *,
    kind: str,
    booked: Sequence[EntryRow],
    everything: Sequence[EntryRow],
    attested: Iterable[AttestationRow],
    windows: Mapping[str, tuple[int, int | None]],
) -> SettledDay:
    """The day as this run settled it, with its entries.

    Raises: ValueError if the record is not this run's, or the entries are not those that were signed.
    """
    settled = read_record(run.allocation, read_rule(rule))
    if settled.result_hash() != run.result_hash:
        raise ValueError(f"the record of run {run.run_key} is not the one it booked")
    note = RunNote(run.run_key, kind, run.state, run.made_at)
    return SettledDay(run.day, note, settled, booked, windows, _attested(attested, _together(booked, everything)))


def _together(booked: Sequence[EntryRow], everything: Sequence[EntryRow]) -> list[EntryRow]:
    """The first entries of the day, as far as none of them is held back: signed roots cover all entries of a day."""
    together = []
    for row, other in zip(booked, everything, strict=False):
        if row.position != other.position:
            break
        together.append(row)
    return together


def _attested(rows: Iterable[AttestationRow], booked: Sequence[EntryRow]) -> tuple[int, str] | None:
    """The number and hash of the newest signed root that covers these entries or the first few of them.

    Raises: ValueError if that root covers other entries.
    """
    leaves = [row.canonical for row in booked]
    for row in sorted(rows, key=lambda row: row.position, reverse=True):
        content = read_attestation(row.document).content
        count = content["entries"]
        if isinstance(count, int) and count <= len(leaves):
            if build_tree(leaves[:count]).root.hex() != content["root"]:
                raise ValueError(f"its entries are not those the hub signed in attestation {row.position}")
            return row.position, document_digest(row.document).hex()
    return None
