"""The secret tokens of sign-in links and sessions: their length, and the hash that the store keeps."""

import hashlib
from typing import Final

TOKEN_BYTES: Final = 32


def hash_token(token: str) -> bytes:
    """SHA-256 of a token; the store keeps only this."""
    return hashlib.sha256(token.encode()).digest()
