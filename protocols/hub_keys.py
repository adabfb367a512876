"""The hub's keys: the co-op's lasting identity key, kept offline, vouches for the hub key that signs from day to day.

A certificate of a hub key is one JSON text. Members and agents know the identity's public key and need nothing else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.public_keys import is_signed, is_sound_key
from protocols.wire.topics import is_id

MAX_VALID_S: Final = 400 * 86_400
MAX_CERTIFICATE_CHARS: Final = 1024
MAX_NUMBER: Final = 1_000_000
MAX_TIME_S: Final = 2**40

_LABEL: Final = b"commonwatt/3 hub key\x00"
_KEYS: Final = {"coop", "number", "previous_until", "public_key", "valid_from", "valid_until"}
_WHAT: Final = "hub key certificate"


@dataclass(frozen=True, slots=True)
class HubKeyCertificate:
    """What the identity key says of hub key `number`. Units: Unix seconds; `public_key` has 32 bytes.

    Until `previous_until`, messages under the key before it are accepted beside it: the one numbered one less, and
    before number 1 the identity key itself. It equals `valid_from` if that key was stolen.
    """

    coop: str
    number: int
    public_key: bytes
    valid_from: int
    valid_until: int
    previous_until: int


@dataclass(frozen=True, slots=True)
class HubSigner:
    """What a hub signs with. `identity` is the co-op's lasting public key, which agents and members know.

    `certificate` is the text that vouches for `key`; None if the key is itself the identity key. `certified` are the
    public keys of all hub keys, earlier ones as well, that the identity key is known to vouch for.
    """

    key: Ed25519PrivateKey = field(repr=False)
    identity: bytes
    certificate: str | None = None
    certified: tuple[bytes, ...] = ()

    @classmethod
    def of_one_key(cls, key: Ed25519PrivateKey) -> HubSigner:
        """A hub whose key is itself its identity key."""
        return cls(key, key.public_key().public_bytes_raw())

    @property
    def public_key(self) -> bytes:
        """The public half of the hub key. Units: 32 bytes."""
        return self.key.public_key().public_bytes_raw()

    def sign(self, data: bytes, /) -> bytes:
        """The hub key's signature."""
        return self.key.sign(data)

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether a key of this hub made this signature: the key in use, an earlier one, or the identity key."""
        keys = dict.fromkeys((self.public_key, *reversed(self.certified), self.identity))
        return any(is_signed(key, signature, data) for key in keys)


def seal_certificate(certificate: HubKeyCertificate, identity: Ed25519PrivateKey) -> str:
    """The certificate's text, signed by the identity key. Raises: ValueError if nobody would accept it."""
    _check(certificate)
    document = _document(certificate)
    return _canonical({"document": document, "signature": identity.sign(_signed(document)).hex()})


def open_certificate(text: str, *, coop: str, identity: bytes) -> HubKeyCertificate:
    """The certificate in this text, which the identity key has signed. Whether it is valid now is for the caller.

    Raises: ValueError with a one-line message.
    """
    if len(text) > MAX_CERTIFICATE_CHARS:
        raise ValueError(f"{_WHAT}: larger than {MAX_CERTIFICATE_CHARS} characters")
    fields = _read(text)
    document, signature = fields["document"], fields["signature"]
    if not isinstance(document, dict) or set(document) != _KEYS:
        raise ValueError(f"{_WHAT}: document: expected exactly {', '.join(sorted(_KEYS))}")
    certificate = HubKeyCertificate(
        coop=document["coop"],
        number=document["number"],
        public_key=_from_hex(document["public_key"], "public_key", size=32),
        valid_from=document["valid_from"],
        valid_until=document["valid_until"],
        previous_until=document["previous_until"],
    )
    _check(certificate)
    if _canonical(fields) != text:
        raise ValueError(f"{_WHAT}: not in its canonical form")
    signed = _signed(document)
    if not is_sound_key(identity) or not is_signed(identity, _from_hex(signature, "signature", size=64), signed):
        raise ValueError(f"{_WHAT}: not signed by the co-op's identity key")
    if certificate.coop != coop:
        raise ValueError(f"{_WHAT}: coop: it is of {certificate.coop!r}, expected {coop!r}")
    return certificate


def certified_key(certificate: str | None, *, coop: str, identity: bytes) -> bytes:
    """The public key whose signature counts: the certificate's, or without one the identity's own. Units: 32 bytes.

    Raises: ValueError with a one-line message.
    """
    if certificate is None:
        return identity
    return open_certificate(certificate, coop=coop, identity=identity).public_key


def _read(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{_WHAT}: not JSON") from None
    if not isinstance(fields, dict) or set(fields) != {"document", "signature"}:
        raise ValueError(f"{_WHAT}: expected an object with exactly document and signature")
    return fields


def _check(certificate: HubKeyCertificate) -> None:
    if not isinstance(certificate.coop, str) or not is_id(certificate.coop):
        raise ValueError(f"{_WHAT}: coop: expected 1 to 32 of a-z, 0-9 and -")
    if type(certificate.number) is not int or not 1 <= certificate.number <= MAX_NUMBER:
        raise ValueError(f"{_WHAT}: number: expected a whole number from 1 to {MAX_NUMBER}")
    for name in ("valid_from", "valid_until", "previous_until"):
        at = getattr(certificate, name)
        if type(at) is not int or not 0 <= at <= MAX_TIME_S:
            raise ValueError(f"{_WHAT}: {name}: expected Unix seconds from 0 to {MAX_TIME_S}")
    if not 0 < certificate.valid_until - certificate.valid_from <= MAX_VALID_S:
        raise ValueError(f"{_WHAT}: valid_until: expected a time within 400 days after valid_from")
    if not certificate.valid_from <= certificate.previous_until <= certificate.valid_until:
        raise ValueError(f"{_WHAT}: previous_until: expected a time from valid_from to valid_until")
    if not is_sound_key(certificate.public_key):
        raise ValueError(f"{_WHAT}: public_key: not a usable Ed25519 key")


def _document(certificate: HubKeyCertificate) -> dict[str, Any]:
    return {
        "coop": certificate.coop,
        "number": certificate.number,
        "previous_until": certificate.previous_until,
        "public_key": certificate.public_key.hex(),
        "valid_from": certificate.valid_from,
        "valid_until": certificate.valid_until,
    }


def _signed(document: dict[str, Any]) -> bytes:
    return _LABEL + _canonical(document).encode("ascii")


def _canonical(fields: dict[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _from_hex(text: object, key: str, *, size: int) -> bytes:
    if isinstance(text, str) and len(text) == 2 * size:
        try:
            found = bytes.fromhex(text)
        except ValueError:
            found = b""
        if found.hex() == text:
            return found
    raise ValueError(f"{_WHAT}: {key}: expected {2 * size} hexadecimal digits")
