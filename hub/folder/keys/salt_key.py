"""The hub's salt key: kept in its data folder like its identity, but a key of its own, which signs nothing.

hub.core.statements.seals says what it is for. A folder from before it existed gets one when it is first needed.
"""

import hmac
import logging
import os
import secrets
from pathlib import Path
from tempfile import mkstemp
from typing import Final

from hub.core.statements.seals import KEY_BYTES, Seals
from hub.folder.keys.private_file import read_private_file
from hub.folder.paths import SALT_NAME
from protocols.errors import IdentityError

log = logging.getLogger(__name__)

_SECRET_LABEL: Final = b"commonwatt/3 hub secret\x00"


def load_seals(folder: Path) -> Seals:
    """The seals of the hub in this folder; creates their key if there is none.

    Raises: IdentityError if the key is readable by others, is not a salt key, or cannot be read or written.
    """
    path = folder / SALT_NAME
    if not path.exists():
        make_salt_key(path)
    text = read_private_file(
        path,
        what="the hub's salt key",
        missing=f"{path}: the hub's salt key is missing: restore it from the backup that holds hub.key",
    )
    try:
        return Seals(bytes.fromhex(text.decode("ascii")))
    except ValueError:
        raise IdentityError(
            f"{path}: expected {2 * KEY_BYTES} hex digits: restore it from the backup that holds hub.key"
        ) from None


def load_own_secret(folder: Path) -> bytes:
    """What hides keys and words in the store from whoever has the store alone. It outlasts every hub key.

    Units: 32 bytes. Raises: as `load_seals`.
    """
    return hmac.digest(load_seals(folder).key, _SECRET_LABEL, "sha256")


def make_salt_key(path: Path) -> None:
    """Create a salt key unless there is one; it is on disk before this returns.

    Of several programs that create it at once, one succeeds, and all of them then read that one's key. If power fails,
    there is either no key or a whole one, perhaps beside an unused draft. Raises: IdentityError.
    """
    try:
        descriptor, draft = mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".part")
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(KEY_BYTES) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        finally:
            Path(draft).unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        return
    except OSError as error:
        raise IdentityError(f"{path}: cannot write the hub's salt key: {error.strerror}") from None
    log.info("created %s: back it up together with hub.key", path.name)
