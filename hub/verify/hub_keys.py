"""Which of the hub's keys has signed something, and whether that key's time was over then. It reads no file.

The identity key may sign at any time: older hubs have no other key, and whoever has it can certify any key.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.hub_keys import HubKeyCertificate, open_certificate

IDENTITY: Final = 0
"""The number of the identity key among the hub's keys."""


class HubKeys:
    """The identity key's public half, and the certificates by which it vouches for hub keys."""

    def __init__(self, identity: Ed25519PublicKey, certificates: Iterable[HubKeyCertificate] = ()) -> None:
        self._identity = identity.public_bytes_raw()
        self._keys = {IDENTITY: identity}
        self._ends: dict[int, int] = {}
        for certificate in certificates:
            self._add(certificate)

    def add(self, text: str, *, coop: str) -> int:
        """Take in a certificate that came with a document; returns the number of its key. Raises: ValueError."""
        certificate = open_certificate(text, coop=coop, identity=self._identity)
        known = self._keys.get(certificate.number)
        if known is not None and known.public_bytes_raw() != certificate.public_key:
            raise ValueError(f"there are two hub keys with the number {certificate.number}")
        self._add(certificate)
        return certificate.number

    def signer_of(self, signed: bytes, signature: bytes) -> int | None:
        """The number of the key that made this signature; None if it is none of the hub's."""
        for number in sorted(self._keys, reverse=True):
            try:
                self._keys[number].verify(signature, signed)
            except InvalidSignature:
                continue
            return number
        return None

    def ended_before(self, number: int, at: int | None) -> str | None:
        """A clause for people if this key's time was over then (unix seconds); None if it was not."""
        end = self._ends.get(number)
        if end is None or at is None or at <= end:
            return None
        shown = datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"signed with hub key {number}, whose time was over at {shown}"

    @property
    def unsigned(self) -> str:
        """What to say of something that none of the keys has signed."""
        return "the hub has not signed" if len(self._keys) == 1 else "no hub key with a certificate has signed"

    def _add(self, certificate: HubKeyCertificate) -> None:
        """A key's time ends with its certificate, or before it where the next certificate says so."""
        ends, number = self._ends, certificate.number
        self._keys[number] = Ed25519PublicKey.from_public_bytes(certificate.public_key)
        ends[number] = min(certificate.valid_until, ends.get(number, certificate.valid_until))
        if number - 1 != IDENTITY:
            ends[number - 1] = min(certificate.previous_until, ends.get(number - 1, certificate.previous_until))
