"""The hub key: created once, kept in the data folder, readable only by its user. It signs what the hub sends."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from hub.folder.keys.private_file import read_private_file
from protocols.durable_files import write_durably
from protocols.errors import IdentityError


def make_key(path: Path) -> Ed25519PrivateKey:
    """Create a key; it is on disk before this returns. Raises: IdentityError if one exists or it cannot be written."""
    key = Ed25519PrivateKey.generate()
    try:
        write_durably(path, pem_of(key))
    except FileExistsError:
        raise IdentityError(f"{path}: already exists; nothing written") from None
    except OSError as error:
        raise IdentityError(f"{path}: cannot write the hub's key: {error.strerror}") from None
    return key


def pem_of(key: Ed25519PrivateKey) -> bytes:
    """The key as its file holds it (PKCS #8, not encrypted)."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_key(path: Path) -> Ed25519PrivateKey:
    """The key in this file. Raises: IdentityError if it is missing, readable by others, or not an Ed25519 key."""
    pem = read_private_file(
        path,
        what="the hub's key",
        missing=f"{path}: the hub's key is missing: restore it from a backup, homes trust no other key",
    )
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise IdentityError(f"{path}: expected an Ed25519 private key in PEM form") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise IdentityError(f"{path}: expected an Ed25519 key, found another kind")
    return key
