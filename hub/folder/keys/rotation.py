"""Makes the co-op's identity key and, one after the other, the hub keys that it vouches for.

Whenever power fails, the folder holds a hub key and the certificate that belongs to it: a certificate is on disk before
the hub key it is of, and a hub key is replaced in one step.
"""

import json
import time
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.folder.keys.encrypted_key import decrypt_identity, encrypt_key
from hub.folder.keys.hub_key import load_key, pem_of
from hub.folder.keys.signer import load_identity, load_signer
from hub.folder.paths import CERTIFICATES_NAME, IDENTITY_KEY_NAME, IDENTITY_NAME, KEY_NAME
from protocols.durable_files import make_private_folder, write_durably
from protocols.errors import IdentityError, RequestError
from protocols.hub_keys import MAX_VALID_S, HubKeyCertificate, open_certificate, seal_certificate

OVERLAP_S: Final = 30 * 86_400


def identity_file(folder: Path) -> Path:
    """The file of the identity key, encrypted, while it is on the hub."""
    return folder / IDENTITY_KEY_NAME


def make_identity(folder: Path, *, coop: str, passphrase: bytes, now_s: int) -> HubKeyCertificate:
    """Turn the hub's one key into the co-op's identity key, encrypted, and make hub key number 1 under it.

    Agents and members who know the one key know the identity key by it: nobody enrols again. A run that
    was interrupted starts over. Raises: RequestError if it was done already, IdentityError if a file cannot be written.
    """
    if load_signer(folder).certificate is not None:
        raise RequestError(f"{folder}: the co-op has an identity key already; nothing was changed")
    identity = load_key(folder / KEY_NAME)
    public = {"coop": coop, "public_key": identity.public_key().public_bytes_raw().hex()}
    place = folder / CERTIFICATES_NAME
    try:
        make_private_folder(place)
        write_durably(identity_file(folder), encrypt_key(identity, passphrase), replace=True)
        write_durably(place / IDENTITY_NAME, (json.dumps(public) + "\n").encode("ascii"), replace=True)
    except OSError as error:
        raise IdentityError(f"{folder}: cannot write the co-op's identity key: {error.strerror}") from None
    return rotate_hub_key(folder, identity, now_s=now_s)


def identity_in(content: bytes, *, folder: Path, passphrase: bytes, where: str) -> Ed25519PrivateKey:
    """The identity key of the hub in `folder`, from the content of the files that `where` names.

    Raises: RequestError if it is not there, does not open, or is another co-op's; IdentityError.
    """
    key, known = decrypt_identity(content, passphrase), load_identity(folder)
    if known is None or known[1] != key.public_key().public_bytes_raw():
        raise RequestError(f"{where}: the identity key of another co-op; nothing was changed")
    return key


def rotate_hub_key(
    folder: Path, identity: Ed25519PrivateKey, *, now_s: int, is_stolen: bool = False
) -> HubKeyCertificate:
    """Replace the hub key by a new one with the next number, valid for 400 days.

    Messages under the one before it are accepted for 30 more days, or, if it was stolen, no longer.
    Raises: IdentityError, RequestError; the hub key is then the one before.
    """
    known = load_identity(folder)
    if known is None:
        raise RequestError(f"{folder}: the co-op has no identity key yet: make it with commonwatt-hub authority renew")
    before, begins = load_signer(folder), now_s
    number = 1
    if before.certificate is not None:
        held = open_certificate(before.certificate, coop=known[0], identity=known[1])
        number = held.number + 1
        # A stolen key is replaced whatever the clock says: homes then refuse it at once, whatever the times are.
        if now_s < held.valid_from and not is_stolen:
            raise RequestError(
                f"this computer's clock says {_words(now_s)}, before the hub key in use was made: set the clock; if it"
                f" is right, it was ahead then, and the next key can be made from {_words(held.valid_from)} on"
            )
        # Agents take the later of two certificates with one number.
        begins = max(now_s, held.valid_from + 1)
    key, place = Ed25519PrivateKey.generate(), folder / CERTIFICATES_NAME
    certificate = HubKeyCertificate(
        coop=known[0],
        number=number,
        public_key=key.public_key().public_bytes_raw(),
        valid_from=begins,
        valid_until=begins + MAX_VALID_S,
        previous_until=begins if is_stolen else begins + OVERLAP_S,
    )
    text = seal_certificate(certificate, identity) + "\n"
    try:
        # A file of this number can only be left over from a rotation that ended before its key was put in place.
        write_durably(place / f"{number}.json", text.encode("ascii"), replace=True)
        # If power fails before this line, the hub key is the one before, with its certificate; after it, the new one.
        write_durably(folder / KEY_NAME, pem_of(key), replace=True)
    except OSError as error:
        raise IdentityError(f"{folder}: cannot write the new hub key: {error.strerror}") from None
    return certificate


def _words(at_s: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at_s))
