"""A document as plain data, its canonical bytes and a signature over them. The key is handed in; none is kept here."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final, Protocol

SIGNED_TAG: Final = b"commonwatt signed document v1\n"

Document = Mapping[str, object]


class Signer(Protocol):
    """What signs, for example an Ed25519 private key."""

    def sign(self, data: bytes, /) -> bytes: ...


def canonical_bytes(document: Document) -> bytes:
    """The document as JSON that depends on its content alone: sorted keys, no spaces, UTF-8."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def document_hash(document: Document) -> str:
    """SHA-256 of the canonical bytes, in hexadecimal."""
    return hashlib.sha256(canonical_bytes(document)).hexdigest()


def sign_document(document: Document, key: Signer) -> dict[str, object]:
    """The document with a signature over the tag and its canonical bytes."""
    return {"document": document, "signature": key.sign(SIGNED_TAG + canonical_bytes(document)).hex()}
