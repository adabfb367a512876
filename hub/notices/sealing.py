"""Seals the secret words of a waiting mail with the hub's own secret: a copy of the store alone tells none."""

import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

_LABEL: Final = b"commonwatt/2 secret of a waiting mail\x00"
NONCE_BYTES: Final = 12


class SecretSeal:
    """Seals text for one notice, named by its kind, member and subject; it opens for no other."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = ChaCha20Poly1305(hmac.digest(secret, _LABEL, "sha256"))

    def seal(self, text: str, *, place: tuple[str, str, str]) -> bytes:
        """The text as the store keeps it."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), "\x00".join(place).encode())

    def open(self, sealed: bytes | None, *, place: tuple[str, str, str]) -> str | None:
        """The text, or None if it was sealed for another notice or with another key."""
        if sealed is None:
            return None
        try:
            opened = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], "\x00".join(place).encode())
        except (InvalidTag, ValueError):
            return None
        return opened.decode()
