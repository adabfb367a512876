"""Documents the hub signs about its books, each with the hash of the previous one. Stores nothing and has no key.

A day root contains the Merkle root over a local day's entries, the heads of the ledger and of the log of rows, and
every column of the run that booked them. A month run names its days; an approval or a publication names the board
member. Anyone who has one of these documents can prove any later change to what came before it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import msgspec

from hub.core.ledger.merkle import build_tree
from hub.core.ledger.signed_document import SIGNED_TAG, Signer, canonical_bytes
from protocols.errors import RequestError
from protocols.hub_keys import HubSigner, open_certificate

FORMAT: Final = "commonwatt-attestation-1"
DAY_ROOT: Final = "day-root"
MONTH_RUN: Final = "month-run"
APPROVAL: Final = "approval"
PUBLICATION: Final = "publication"
FIRST_PREVIOUS: Final = bytes(32)
ROOT_VERSION: Final = 2

Head = tuple[int, bytes]
"""(number, hash of the document) of the last attestation; (0, FIRST_PREVIOUS) before the first."""

ContentForm = TypeVar("ContentForm")


class BookedRun(Protocol):
    """A stored run: the columns that a day root contains."""

    @property
    def run_key(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def day(self) -> str: ...
    @property
    def rule_hash(self) -> str: ...
    @property
    def input_digest(self) -> str: ...
    @property
    def result_hash(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def made_at(self) -> int: ...
    @property
    def entries(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Attestation:
    """One signed document. It is signed in the same way as every other document the hub signs."""

    number: int
    kind: str
    subject: str
    run_key: str
    document: bytes
    signature: bytes

    @property
    def head(self) -> Head:
        """What the next attestation must follow."""
        return self.number, document_digest(self.document)


class AttestedDocument(msgspec.Struct, frozen=True, tag_field="format", tag=FORMAT, rename={"run_key": "run"}):
    """The decoded document of an attestation. The form of its content depends on its kind."""

    number: int
    previous: str
    coop: str
    kind: str
    subject: str
    run_key: str
    content: dict[str, object]

    def content_as(self, form: type[ContentForm]) -> ContentForm:
        """The content, checked against the form for its kind. Raises: ValueError if it does not match."""
        try:
            return msgspec.convert(self.content, form)
        except msgspec.ValidationError as error:
            raise ValueError(f"attestation {self.number} is not a valid {self.kind}: {error}") from None


def attest(
    content: Mapping[str, object], *, kind: str, subject: str, run_key: str, coop: str, head: Head, key: Signer
) -> Attestation:
    """The next signed document after `head`.

    Raises: RequestError if the certificate of the hub's key has ended by the content's own time.
    """
    _refuse_ended(key, content, coop=coop)
    number = head[0] + 1
    document = canonical_bytes(
        {
            "format": FORMAT,
            "number": number,
            "previous": head[1].hex(),
            "coop": coop,
            "kind": kind,
            "subject": subject,
            "run": run_key,
            "content": content,
        }
    )
    return Attestation(number, kind, subject, run_key, document, key.sign(SIGNED_TAG + document))


def _refuse_ended(key: Signer, content: Mapping[str, object], *, coop: str) -> None:
    at = time_of(content)
    if not isinstance(key, HubSigner) or key.certificate is None or at is None:
        return
    try:
        certificate = open_certificate(key.certificate, coop=coop, identity=key.identity)
    except ValueError as error:
        raise RequestError(f"{error}: nothing was signed; restore the hub's whole folder from one backup") from None
    if at > certificate.valid_until:
        raise RequestError(
            f"the certificate of hub key {certificate.number} has ended: nothing was signed or booked, and nothing is"
            " lost; make the next key with: commonwatt-hub authority renew"
        )


def time_of(content: Mapping[str, object]) -> int | None:
    """When a document with this content was made, in its own words (unix seconds); None if it does not say."""
    run = content.get("run")
    at = run.get("made_at") if isinstance(run, Mapping) else content.get("at", content.get("made_at"))
    return at if isinstance(at, int) else None


class DayRoot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of a day root.

    Roots of version 1 have no `log`, and the first ones no `looks` either. Once a hub has signed a root of version 2,
    it signs no other.
    """

    root: str
    entries: int
    ledger: tuple[int, str]
    run: dict[str, object]
    looks: int = 0
    version: int = 1
    log: tuple[int, str] | None = None

    def __post_init__(self) -> None:
        if (self.version, self.log is None) not in ((1, True), (ROOT_VERSION, False)):
            raise ValueError(f"a root of version {self.version} {'without' if self.log is None else 'with'} a log")


def day_root_content(
    run: BookedRun, leaves: Sequence[bytes], *, ledger: Head, log: Head, looks: int
) -> dict[str, object]:
    """The content of a day root. `leaves` are all the day's entries up to this run's last one, in ledger order.

    `ledger` is the position and hash of the ledger's last entry, `log` that of the log of rows, and `looks` is the
    number of lines in the access log.
    """
    tree = build_tree(leaves)
    return {
        "version": ROOT_VERSION,
        "log": [log[0], log[1].hex()],
        "root": tree.root.hex(),
        "entries": tree.size,
        "ledger": [ledger[0], ledger[1].hex()],
        "looks": looks,
        "run": run_columns(run),
    }


def run_columns(run: BookedRun) -> dict[str, object]:
    """Every column of a run, with the hash of its record in place of the record."""
    return {
        "key": run.run_key,
        "kind": run.kind,
        "day": run.day,
        "rule": run.rule_hash,
        "inputs": run.input_digest,
        "result": run.result_hash,
        "state": run.state,
        "made_at": run.made_at,
        "entries": run.entries,
    }


def document_digest(document: bytes) -> bytes:
    """The hash by which the next attestation refers to this document."""
    return hashlib.sha256(document).digest()


def read_attestation(document: bytes) -> AttestedDocument:
    """The decoded document. Raises: ValueError for bytes that are not an attestation in canonical form."""
    try:
        table = msgspec.json.decode(document)
        read = msgspec.convert(table, AttestedDocument)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not an attestation: {error}") from None
    if canonical_bytes(table) != document:
        raise ValueError("not an attestation in canonical form")
    return read
