"""Which Ed25519 public keys are accepted as identities, and the agent's name that follows from its key."""

from __future__ import annotations

from base64 import b32encode
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_PRIME = 2**255 - 19
_ORDER_8_Y = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
# The y coordinates of the eight points of order 1, 2, 4 and 8. A signature that anybody can make without a secret
# verifies under such a key.
_SMALL_ORDER_Y = frozenset({0, 1, _PRIME - 1, _ORDER_8_Y, _PRIME - _ORDER_8_Y})

_NAME_BYTES = 16
_OLD_NAME_BYTES = 5


def is_sound_key(public_key: bytes) -> bool:
    """Whether these 32 bytes are a public key in its only spelling and not a point of small order.

    Bytes that are no point of the curve at all need no check here: no signature verifies under them.
    """
    if len(public_key) != 32:
        return False
    y = int.from_bytes(public_key, "little") & (2**255 - 1)
    return y < _PRIME and y not in _SMALL_ORDER_Y


def is_signed(public_key: bytes, signature: bytes, signed: bytes) -> bool:
    """Whether this is a signature by that key over these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def agent_name_of(public_key: bytes) -> str:
    """The name of the agent with this key: `a-` and 26 letters or digits.

    >>> agent_name_of(bytes(range(32)))
    'a-mmg42klgyqzwneiskrelxms3j4'
    """
    return _name(public_key, _NAME_BYTES)


def is_name_of(name: str, public_key: bytes) -> bool:
    """Whether an agent's name follows from its key. Releases up to 0.2.0 gave shorter ones."""
    return name in (agent_name_of(public_key), _name(public_key, _OLD_NAME_BYTES))


def _name(public_key: bytes, size: int) -> str:
    return "a-" + b32encode(sha256(public_key).digest()[:size]).decode("ascii").lower().rstrip("=")
