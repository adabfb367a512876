"""Hides the keys of invitations in the store: a copy of the store alone, as in a backup, enrols nobody."""

import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_LABEL = b"commonwatt/2 invitation mask\x00"


def mask_key(key: bytes, *, token_id: bytes, hub_key: Ed25519PrivateKey) -> bytes:
    """The key of an invitation as it is stored; applied again, the key itself. Units: 32 bytes."""
    mask = hmac.digest(hub_key.private_bytes_raw(), _LABEL + token_id, "sha256")
    return bytes(one ^ two for one, two in zip(key, mask, strict=True))
