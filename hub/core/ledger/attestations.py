"""Documents the hub signs about its books, each holding the hash of the one before. It neither stores nor holds a key.

A day root names the Merkle root over a local day's entries, the ledger's head and every column of the run that booked
them; a month run names its days; an approval and a publication name the board member. Whoever holds any one of them
can show every later change of what came before.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, cast

from hub.core.ledger.merkle import build_tree
from hub.core.ledger.signed_document import SIGNED_TAG, Signer, canonical_bytes

FORMAT: Final = "commonwatt-attestation-1"
DAY_ROOT: Final = "day-root"
MONTH_RUN: Final = "month-run"
APPROVAL: Final = "approval"
PUBLICATION: Final = "publication"
FIRST_PREVIOUS: Final = bytes(32)

Head = tuple[int, bytes]
"""(number, hash of the document) of the last attestation; (0, FIRST_PREVIOUS) where there is none."""


class BookedRun(Protocol):
    """A run as it is stored: what a day root says of it."""

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
    """One signed document. The signature has the form of every signed document of the hub."""

    number: int
    kind: str
    subject: str
    run_key: str
    document: bytes
    signature: bytes

    @property
    def head(self) -> Head:
        """What the next one must follow."""
        return self.number, document_digest(self.document)


@dataclass(frozen=True, slots=True)
class AttestedDocument:
    """An attestation's document, read."""

    number: int
    previous: str
    coop: str
    kind: str
    subject: str
    run_key: str
    content: Mapping[str, object]


def attest(
    content: Mapping[str, object], *, kind: str, subject: str, run_key: str, coop: str, head: Head, key: Signer
) -> Attestation:
    """The next signed document after `head`."""
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


def day_root_content(run: BookedRun, leaves: Sequence[bytes], *, ledger: Head, looks: int) -> dict[str, object]:
    """What a day root says: `leaves` are all entries of the day up to this run's last, in the ledger's order.

    `ledger` is the position and hash of the ledger's last entry, `looks` the number of lines in the access log.
    """
    tree = build_tree(leaves)
    return {
        "root": tree.root.hex(),
        "entries": tree.size,
        "ledger": [ledger[0], ledger[1].hex()],
        "looks": looks,
        "run": run_columns(run),
    }


def run_columns(run: BookedRun) -> dict[str, object]:
    """Every column of a run; its record stands in it by the record's hash."""
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
    """The hash by which the next attestation names this document."""
    return hashlib.sha256(document).digest()


def read_attestation(document: bytes) -> AttestedDocument:
    """What the document says. Raises: ValueError for bytes that are no attestation."""
    try:
        said = cast(dict[str, object], json.loads(document))
        read = AttestedDocument(
            number=cast(int, said["number"]),
            previous=cast(str, said["previous"]),
            coop=cast(str, said["coop"]),
            kind=cast(str, said["kind"]),
            subject=cast(str, said["subject"]),
            run_key=cast(str, said["run"]),
            content=cast(Mapping[str, object], said["content"]),
        )
        is_known = said["format"] == FORMAT and canonical_bytes(said) == document
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"not an attestation: {error}") from None
    if not is_known or not isinstance(read.content, dict):
        raise ValueError("not an attestation in canonical form")
    return read
