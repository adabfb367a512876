"""The secrets of sign-in links and sessions: how long they are, and what the store keeps instead of them."""

import hashlib
from typing import Final

TOKEN_BYTES: Final = 32


def hash_token(token: str) -> bytes:
    """SHA-256 of a sign-in link's or a session's token: what the store keeps instead of it."""
    return hashlib.sha256(token.encode()).digest()
