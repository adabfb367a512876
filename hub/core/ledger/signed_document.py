"""A document as plain data, its canonical bytes and a signature over them. The caller passes the key.

Beside the signature of a hub key stands the certificate by which the co-op's identity key vouches for that key.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Final, Protocol

from protocols.hub_keys import HubSigner

SIGNED_TAG: Final = b"commonwatt signed document v1\n"

Document = Mapping[str, object]


class Signer(Protocol):
    """Anything that signs bytes, for example an Ed25519 private key, or a HubSigner with its certificate."""

    def sign(self, data: bytes, /) -> bytes: ...


def canonical_bytes(document: Document) -> bytes:
    """The document as JSON that depends on its content alone: sorted keys, no spaces, UTF-8.

    >>> canonical_bytes({"month": "2026-05", "days": [1, 2]})
    b'{"days":[1,2],"month":"2026-05"}'
    """
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def document_hash(document: Document) -> str:
    """SHA-256 of the canonical bytes, in hexadecimal."""
    return hashlib.sha256(canonical_bytes(document)).hexdigest()


def sign_document(document: Document, key: Signer) -> dict[str, object]:
    """The document with a signature over the tag and its canonical bytes, and the key's certificate if it has one."""
    signature, certificate = key.sign(SIGNED_TAG + canonical_bytes(document)).hex(), certificate_of(key)
    signed: dict[str, object] = {"document": document, "signature": signature}
    return signed if certificate is None else {**signed, "certificate": certificate}


def certificate_of(key: Signer) -> str | None:
    """The text that vouches for this key; None if the key is itself the one that members know."""
    return key.certificate if isinstance(key, HubSigner) else None
