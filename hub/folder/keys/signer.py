"""What a hub signs with: its hub key, checked to be the one that the co-op's identity key vouches for.

A hub without `hub-keys/identity.json` is of the old form: its hub key is itself the identity key.
"""

import json
from pathlib import Path
from typing import Final

from hub.folder.keys.hub_key import load_key
from hub.folder.paths import CERTIFICATES_NAME, IDENTITY_NAME, KEY_NAME
from protocols.errors import IdentityError
from protocols.hub_keys import MAX_CERTIFICATE_CHARS, HubKeyCertificate, HubSigner, open_certificate
from protocols.public_keys import is_sound_key
from protocols.wire.topics import is_id

MAX_IDENTITY_BYTES: Final = 1024
_RESTORE: Final = "restore the hub's whole folder from one backup"


def load_signer(folder: Path) -> HubSigner:
    """What the hub in this folder signs with.

    Raises: IdentityError if a file is missing or damaged, or if no certificate vouches for the hub key.
    """
    key, identity = load_key(folder / KEY_NAME), load_identity(folder)
    public_key = key.public_key().public_bytes_raw()
    if identity is None or identity[1] == public_key:
        return HubSigner.of_one_key(key)
    held = load_certificates(folder)
    for text, certificate in reversed(held):
        if certificate.public_key == public_key:
            return HubSigner(key, identity[1], text, tuple(each.public_key for _, each in held))
    raise IdentityError(
        f"{folder / KEY_NAME}: no certificate in {folder / CERTIFICATES_NAME} is of this key: {_RESTORE}"
    )


def load_identity(folder: Path) -> tuple[str, bytes] | None:
    """The co-op's id and its identity's public key; None if the hub key is itself the identity key.

    Raises: IdentityError.
    """
    path = folder / CERTIFICATES_NAME / IDENTITY_NAME
    try:
        text = _read(path, most=MAX_IDENTITY_BYTES)
    except FileNotFoundError:
        return None
    try:
        fields = json.loads(text)
        coop, public_key = fields["coop"], bytes.fromhex(fields["public_key"])
        is_good = set(fields) == {"coop", "public_key"} and is_id(coop) and is_sound_key(public_key)
    except (ValueError, KeyError, TypeError, RecursionError):
        is_good = False
    if not is_good:
        raise IdentityError(f"{path}: expected the co-op's id and its identity's public key: {_RESTORE}")
    return coop, public_key


def load_certificates(folder: Path) -> list[tuple[str, HubKeyCertificate]]:
    """Every certificate of a hub key that this hub holds, the oldest first, with its text.

    Raises: IdentityError if one is damaged or is not signed by the identity key.
    """
    identity = load_identity(folder)
    if identity is None:
        return []
    found = []
    for path in sorted((folder / CERTIFICATES_NAME).glob("[1-9]*.json"), key=_number):
        try:
            text = _read(path, most=MAX_CERTIFICATE_CHARS + 1).rstrip("\n")
            certificate = open_certificate(text, coop=identity[0], identity=identity[1])
            if path.name != f"{certificate.number}.json":
                raise ValueError(f"expected the certificate of hub key {path.stem}, found {certificate.number}")
        except FileNotFoundError:
            raise IdentityError(f"{path}: is gone: {_RESTORE}") from None
        except ValueError as cause:
            raise IdentityError(f"{path}: {cause}: {_RESTORE}") from None
        found.append((text, certificate))
    return found


def _number(path: Path) -> int:
    if not path.stem.isascii() or not path.stem.isdigit() or len(path.stem) > 7:
        raise IdentityError(f"{path}: expected a number as its name: remove it")
    return int(path.stem)


def _read(path: Path, *, most: int) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise IdentityError(f"{path}: cannot be read: {error.strerror}") from None
    if len(raw) > most or not raw.isascii():
        raise IdentityError(f"{path}: expected at most {most} bytes of ASCII: {_RESTORE}")
    return raw.decode("ascii")
