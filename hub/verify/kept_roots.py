"""Compares the stored books with roots that the hub gave away earlier, and finds the heads of the log that it signed.

A kept root pins one signed document of the books, which pins all documents before it, the ledger and the log of rows
up to then. Whoever has the hub's key can rewrite store and signatures, but not what somebody else kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from hub.console.output_files import read_file
from hub.core.ledger.attestations import DAY_ROOT, DayRoot, document_digest, read_attestation
from hub.core.ledger.signed_document import SIGNED_TAG, canonical_bytes
from hub.core.statements.seals import Seals
from hub.storage.contract import AttestationStore
from hub.storage.records import AttestationRow
from hub.verify.check_result import CheckResult
from hub.verify.hub_keys import IDENTITY, HubKeys
from protocols.errors import RequestError

PAGE: Final = 2_000
OPEN_FORMAT: Final = "commonwatt-day-root-1"
"""Roots of the releases that named a document of the books by its hash; later ones name it by a seal."""
FORMATS: Final = (OPEN_FORMAT, "commonwatt-day-root-2")


Form = TypeVar("Form")


@dataclass
class KeptCheck(CheckResult):
    """What was compared; `unnamed` roots are older than the signed books and name no document of them."""

    roots: int = 0
    unnamed: int = 0


@dataclass(frozen=True, slots=True)
class SignedLogHead:
    """The head of the log of rows in a day root: how many lines, the last one's link, and which root says so.

    With `is_root` False, a checkpoint says so.
    """

    lines: int
    link: bytes
    place: str
    is_root: bool = True


class _SignedRoot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    document: dict[str, object]
    signature: str
    certificate: str | None = None


class _RootNames(msgspec.Struct, frozen=True):
    """What is read of a root; its signature covers all of it."""

    format: str
    coop: str
    day: str
    attested: tuple[int, str] | None


class _StatedDay(msgspec.Struct, frozen=True):
    root: _SignedRoot


class _StatedMonth(msgspec.Struct, frozen=True):
    days: list[_StatedDay]


class _Statement(msgspec.Struct, frozen=True):
    """What is read of a statement: the roots of its days. The rest is what the member's own script checks."""

    document: _StatedMonth


def read_kept_roots(path: Path) -> list[_SignedRoot]:
    """The roots in a statement.json, or the single root in a file. Raises: RequestError if it has none."""
    raw = read_file(path)
    alone = _decoded(raw, _SignedRoot)
    if alone is not None and "days" not in alone.document:
        return [alone]
    statement = _decoded(raw, _Statement)
    if statement is None:
        raise RequestError(f"{path}: expected a member's statement.json, or a day's signed root from one")
    return [day.root for day in statement.document.days]


def _decoded(raw: bytes, form: type[Form]) -> Form | None:
    """The file in this form; None if it has another."""
    try:
        return msgspec.json.decode(raw, type=form)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


async def check_kept_roots(
    files: Sequence[Path], store: AttestationStore, *, coop: str, keys: HubKeys, seals: Seals | None
) -> KeptCheck:
    """Compare every root in these files with the document of the books that it names. Raises: RequestError."""
    check = KeptCheck()
    for path in files:
        for root in read_kept_roots(path):
            check.roots += 1
            with check.reading(f"kept {path.name}"):
                if problem := await _problem_of(root, store, check, coop=coop, keys=keys, seals=seals):
                    check.note(f"kept {path.name}: {problem}")
    return check


async def _problem_of(
    root: _SignedRoot,
    store: AttestationStore,
    check: KeptCheck,
    *,
    coop: str,
    keys: HubKeys,
    seals: Seals | None,
) -> str | None:
    try:
        named = msgspec.convert(root.document, _RootNames)
        signature = bytes.fromhex(root.signature)
    except (msgspec.ValidationError, ValueError) as error:
        return f"a root in it cannot be read ({error})"
    place = f"{named.day[:20]}: "
    if problem := _signer_problem(root, signature, named, coop=coop, keys=keys):
        return f"{place}{problem}"
    if named.coop != coop or named.format not in FORMATS:
        return f"{place}its root is of {named.coop[:40]} in the form {named.format[:40]}, not of {coop}"
    if named.attested is None:
        check.unnamed += 1
        return None
    number, kept = named.attested
    row = next(iter(await store.journal_attestations(after=number - 1, limit=1)), None)
    if row is None or row.position != number:
        return f"{place}the books have no document {number}, which the hub signed for this day"
    if named.format != OPEN_FORMAT and seals is None:
        return f"{place}the folder's salt key is missing, so its seal cannot be compared; restore it from a backup"
    if (row.kind, row.subject) != (DAY_ROOT, named.day) or _name_of(row, named.format, seals) != kept:
        return f"{place}attestation {number} is not the one that the hub signed then: the books were rewritten since"
    return None


def _signer_problem(root: _SignedRoot, signature: bytes, named: _RootNames, *, coop: str, keys: HubKeys) -> str | None:
    """What is wrong with the signature: the key must be certified, and its time must not have ended before that day."""
    signer: int | None = IDENTITY
    if root.certificate is not None:
        try:
            signer = keys.add(root.certificate, coop=coop)
            at = int(datetime.fromisoformat(f"{named.day}T00:00Z").timestamp())
        except ValueError as error:
            return f"its root is not signed by this hub: {error}"
        if ended := keys.ended_before(signer, at):
            return f"its root is {ended}"
    if keys.signer_of(SIGNED_TAG + canonical_bytes(root.document), signature) != signer:
        return "its root is not signed by this hub's key"
    return None


def _name_of(row: AttestationRow, form: str, seals: Seals | None) -> str:
    """The name by which a member knows this document."""
    digest = document_digest(row.document).hex()
    return digest if form == OPEN_FORMAT or seals is None else seals.attested(digest)


async def signed_log_heads(store: AttestationStore) -> list[SignedLogHead]:
    """The heads of the log of rows that the stored day roots carry, in order. Unreadable roots are left out."""
    heads: list[SignedLogHead] = []
    after = -(2**63)
    while page := await store.journal_attestations(after=after, limit=PAGE):
        after = page[-1].position
        heads += [head for row in page if (head := _log_head(row)) is not None]
    return heads


def _log_head(row: AttestationRow) -> SignedLogHead | None:
    try:
        document = read_attestation(row.document)
        if document.kind != DAY_ROOT:
            return None
        log = document.content_as(DayRoot).log
        place = f"attestation {row.position} of {document.subject}"
        return None if log is None else SignedLogHead(log[0], bytes.fromhex(log[1]), place)
    except ValueError:
        return None  # the check of the books names it
