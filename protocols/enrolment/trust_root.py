"""The co-op's root certificate as a hub hands it to a new agent, which trusts nobody yet but the hash in its token.

Nothing secret passes here: the hub's identity key signs the root, and the token of the agent carries that key's hash.
"""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.enrolment.certificates import MAX_CERTIFICATE_CHARS, check_root
from protocols.enrolment.json_fields import read_bytes, read_id, read_object, read_text, to_base64, write_object
from protocols.enrolment.public_keys import is_signed, is_sound_key
from protocols.enrolment.token import EnrolToken
from protocols.wire.refusal_reasons import RefusalReason, WireError

VERSION = 3
MAX_ROOT_BYTES = 2 * MAX_CERTIFICATE_CHARS
_LABEL = b"commonwatt/3 authority\x00"
_KEYS = {"version", "coop", "hub_public_key", "root", "signature"}


def seal_root(coop: str, *, root_pem: str, hub_key: Ed25519PrivateKey) -> str:
    """The JSON text of GET /api/authority. Raises: ValueError if no agent would accept this root."""
    check_root(root_pem)
    public_key = hub_key.public_key().public_bytes_raw()
    return write_object(
        {
            "version": VERSION,
            "coop": coop,
            "hub_public_key": to_base64(public_key),
            "root": root_pem,
            "signature": to_base64(hub_key.sign(_signed(public_key, root_pem, coop))),
        }
    )


def open_root(text: str | bytes, *, token: EnrolToken, coop: str) -> str:
    """The root certificate (PEM) of the co-op whose hub made this token.

    Raises: ValueError with a one-line message; WireError(BAD_SIGNATURE) if it is not from that hub.
    """
    fields = read_object(text, _KEYS, "authority", version=VERSION, most=MAX_ROOT_BYTES)
    found, public_key = read_id(fields, "coop"), read_bytes(fields, "hub_public_key", size=32)
    root, signature = read_text(fields, "root", most=MAX_CERTIFICATE_CHARS), read_bytes(fields, "signature", size=64)
    if not token.is_of_hub(public_key) or not is_sound_key(public_key):
        raise WireError(RefusalReason.BAD_SIGNATURE, "its hub key is not the one in the token")
    if not is_signed(public_key, signature, _signed(public_key, root, found)):
        raise WireError(RefusalReason.BAD_SIGNATURE, "the hub did not sign it")
    if found != coop:
        raise ValueError(f"the hub belongs to co-op {found!r}, expected {coop!r}")
    check_root(root)
    return root


def _signed(public_key: bytes, root: str, coop: str) -> bytes:
    return _LABEL + public_key + sha256(root.encode("utf-8")).digest() + coop.encode("ascii")
