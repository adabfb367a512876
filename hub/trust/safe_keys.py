"""The two keys that belong into a safe, root key and identity key: which of them are on the hub, and both opened.

A file from the safe holds both, one after the other. Older ones hold the root key alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.folder.keys.rotation import identity_file, identity_in
from hub.folder.keys.signer import load_signer
from hub.trust.authority_files import FOLDER_NAME, ROOT_KEY_NAME, read_key_file, read_root, root_key_in
from hub.trust.certificates import Key
from protocols.errors import RequestError


@dataclass(frozen=True, slots=True)
class SafeKeys:
    """Opened. `root` is None where it was not needed, `identity` for a hub whose hub key is itself the identity key."""

    root: Key | None = field(repr=False)
    identity: Ed25519PrivateKey | None = field(repr=False)


def keys_on_hub(folder: Path) -> dict[str, Path]:
    """The files of these keys that are on the hub, by what to call them."""
    files = {"root key": folder / FOLDER_NAME / ROOT_KEY_NAME, "identity key": identity_file(folder)}
    return {words: path for words, path in files.items() if path.exists()}


def open_safe_keys(
    files: Sequence[Path], *, folder: Path, root: x509.Certificate | None, passphrase: bytes
) -> SafeKeys:
    """Both keys, from these files of one passphrase. For a new root the old one's key is not needed: `root` is None.

    Raises: RequestError if one is missing, does not open, or is another co-op's; AuthorityError, IdentityError.
    """
    content = b"\n".join(read_key_file(path) for path in files)
    where = ", ".join(str(path) for path in files)
    is_one_key = load_signer(folder).certificate is None
    if root is None and not is_one_key:
        return SafeKeys(None, identity_in(content, folder=folder, passphrase=passphrase, where=where))
    # With one key there is no identity file yet: the passphrase must be the root key's.
    root_key = root_key_in(content, root or read_root(folder), passphrase, where=where)
    if is_one_key:
        return SafeKeys(root_key, None)
    return SafeKeys(root_key, identity_in(content, folder=folder, passphrase=passphrase, where=where))


def safe_files(given: Sequence[Path], *, folder: Path) -> tuple[Path, ...]:
    """The files that hold the keys: those given, and what is on the hub. Raises: RequestError if there are none."""
    for path in given:
        try:
            is_there = path.exists()
        except OSError as error:
            raise RequestError(f"{path}: the hub's user cannot read it: {error.strerror}") from None
        if not is_there:
            raise RequestError(f"{path}: no such file: give the one from the safe with --root-key FILE")
    found = (*given, *keys_on_hub(folder).values())
    if not found:
        raise RequestError(
            f"{folder / FOLDER_NAME / ROOT_KEY_NAME}: no root key here: give the file from the safe with"
            " --root-key FILE"
        )
    return found
