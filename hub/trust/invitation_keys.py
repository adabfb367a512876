"""Hides the keys of invitations in the store: a copy of the store alone, as in a backup, enrols nobody."""

import hmac

_LABEL = b"commonwatt/2 invitation mask\x00"


def mask_key(key: bytes, *, token_id: bytes, secret: bytes) -> bytes:
    """The key of an invitation as it is stored; applied again, the key itself. Units: 32 bytes, as of `secret`."""
    mask = hmac.digest(secret, _LABEL + token_id, "sha256")
    return bytes(one ^ two for one, two in zip(key, mask, strict=True))
