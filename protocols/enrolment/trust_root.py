"""The co-op's root certificate as a hub hands it to a new agent, which trusts nobody yet but the hash in its token.

Nothing secret passes here: the hub key signs the root, the identity key vouches for the hub key, and the token of the
agent carries the identity key's hash.
"""

from __future__ import annotations

from hashlib import sha256

from protocols.enrolment.certificates import MAX_CERTIFICATE_CHARS, check_root, read_validity
from protocols.enrolment.json_fields import read_bytes, read_id, read_object, read_text, to_base64, write_object
from protocols.enrolment.token import EnrolToken
from protocols.hub_keys import MAX_CERTIFICATE_CHARS as MAX_HUB_CERTIFICATE_CHARS
from protocols.hub_keys import HubSigner, certified_key
from protocols.public_keys import is_signed, is_sound_key
from protocols.wire.refusal_reasons import RefusalReason, WireError

VERSION = 3
MAX_ROOT_BYTES = 2 * (MAX_CERTIFICATE_CHARS + MAX_HUB_CERTIFICATE_CHARS)
_LABEL = b"commonwatt/3 authority\x00"
_KEYS = {"version", "coop", "hub_public_key", "hub_certificate", "root", "signature"}


def seal_root(coop: str, *, root_pem: str, signer: HubSigner) -> str:
    """The JSON text of GET /api/authority. Raises: ValueError if no agent would accept this root."""
    check_root(root_pem)
    return write_object(
        {
            "version": VERSION,
            "coop": coop,
            "hub_public_key": to_base64(signer.identity),
            "hub_certificate": signer.certificate or "",
            "root": root_pem,
            "signature": to_base64(signer.sign(_signed(signer.identity, root_pem, coop))),
        }
    )


def open_root(text: str | bytes, *, token: EnrolToken, coop: str) -> str:
    """The root certificate (PEM) of the co-op whose hub made this token. Its hub key's end is not looked at.

    Raises: ValueError with a one-line message; WireError(BAD_SIGNATURE) if it is not from that hub.
    """
    fields = read_object(text, _KEYS, "authority", version=VERSION, most=MAX_ROOT_BYTES)
    found, public_key = read_id(fields, "coop"), read_bytes(fields, "hub_public_key", size=32)
    root, signature = read_text(fields, "root", most=MAX_CERTIFICATE_CHARS), read_bytes(fields, "signature", size=64)
    if not token.is_of_hub(public_key) or not is_sound_key(public_key):
        raise WireError(RefusalReason.BAD_SIGNATURE, "its hub key is not the one in the token")
    certificate = read_text(fields, "hub_certificate", most=MAX_HUB_CERTIFICATE_CHARS) or None
    hub_key = certified_key(certificate, coop=found, identity=public_key)
    if not is_signed(hub_key, signature, _signed(public_key, root, found)):
        raise WireError(RefusalReason.BAD_SIGNATURE, "the hub did not sign it")
    if found != coop:
        raise ValueError(f"the hub belongs to co-op {found!r}, expected {coop!r}")
    check_root(root)
    return root


def open_new_root(text: str | bytes, *, coop: str, identity: bytes, held: str) -> str | None:
    """The root certificate (PEM) that comes after the one held, signed by the identity key itself; None if it is that.

    A hub key does not do: whoever steals one must not lead homes to a root of their own. Nor does a root that began
    earlier, which anybody may show again. Raises: ValueError with a one-line message.
    """
    fields = read_object(text, _KEYS, "authority", version=VERSION, most=MAX_ROOT_BYTES)
    found, public_key = read_id(fields, "coop"), read_bytes(fields, "hub_public_key", size=32)
    root, signature = read_text(fields, "root", most=MAX_CERTIFICATE_CHARS), read_bytes(fields, "signature", size=64)
    if root == held:
        return None
    is_ours = public_key == identity and found == coop and not fields["hub_certificate"]
    if not is_ours or not is_signed(identity, signature, _signed(identity, root, coop)):
        raise ValueError("root: not signed by the co-op's identity key")
    check_root(root)
    if read_validity(root).begins_at <= read_validity(held).begins_at:
        raise ValueError("root: older than the one that is trusted")
    return root


def _signed(public_key: bytes, root: str, coop: str) -> bytes:
    return _LABEL + public_key + sha256(root.encode("utf-8")).digest() + coop.encode("ascii")
