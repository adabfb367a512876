"""The backup key: made by the hub, kept by it for the nightly backup and by the board on paper for the day after.

On paper and in its file it is 40 letters and digits in groups of five; the last eight tell a slip of the pen.
"""

import base64
import binascii
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Final

from hub.backups.sealed_file import KeyLock
from hub.folder.keys.private_file import read_private_file
from protocols.durable_files import write_durably
from protocols.errors import IdentityError, InputError

KEY_NAME: Final = "backup.key"
SECRET_BYTES: Final = 20
CHECK_BYTES: Final = 5
GROUP: Final = 5
_READ_AS = str.maketrans("018", "OIB")
"""Digits that the alphabet lacks, because people take them for the letters."""


def key_text(lock: KeyLock) -> str:
    """The key as people write it down: eight groups of five, of A to Z and 2 to 7."""
    text = base64.b32encode(lock.secret + _check(lock.secret)).decode("ascii")
    return "-".join(text[start : start + GROUP] for start in range(0, len(text), GROUP))


def parse_key(text: str, *, source: str) -> KeyLock:
    """The key that a person typed; small letters, spaces and hyphens do not matter. Raises: InputError."""
    plain = "".join(text.split()).replace("-", "").upper().translate(_READ_AS)
    try:
        raw = base64.b32decode(plain) if plain.isascii() else b""
    except binascii.Error:
        raw = b""
    if len(raw) != SECRET_BYTES + CHECK_BYTES:
        raise InputError(
            f"{source}: not a backup key: expected eight groups of five letters and digits, as `backup key` showed them"
        )
    secret, check = raw[:SECRET_BYTES], raw[SECRET_BYTES:]
    if check != _check(secret):
        raise InputError(f"{source}: not a backup key: a letter of it is wrong, compare it with the paper")
    return KeyLock(secret)


def make_backup_key(folder: Path) -> KeyLock:
    """Make the hub's backup key; it is on disk before this returns. Raises: IdentityError if there is one already."""
    path, lock = folder / KEY_NAME, KeyLock(secrets.token_bytes(SECRET_BYTES))
    try:
        write_durably(path, f"{key_text(lock)}\n".encode("ascii"))
    except FileExistsError:
        raise IdentityError(
            f"{path}: there is a backup key already; show it with: commonwatt-hub backup key --show --data {folder}"
        ) from None
    except OSError as error:
        raise IdentityError(f"{path}: cannot write the backup key: {error.strerror}") from None
    return lock


def load_backup_key(folder: Path) -> KeyLock:
    """The hub's backup key. Raises: IdentityError if there is none, or others can read it; InputError if it is none."""
    path = folder / KEY_NAME
    content = read_private_file(
        path,
        what="the backup key",
        missing=(
            f"{folder}: this hub has no backup key; make one and write it down with: commonwatt-hub backup key"
            f" --data {folder}"
        ),
    )
    return parse_key(content.decode("ascii", "replace"), source=str(path))


def _check(secret: bytes) -> bytes:
    return sha256(b"commonwatt backup key: check\x00" + secret).digest()[:CHECK_BYTES]
