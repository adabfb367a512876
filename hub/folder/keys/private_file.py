"""Reads a small file that only its owner may read, such as a key. Nobody else's eyes may have been on it."""

import os
from pathlib import Path
from typing import Final

from protocols.errors import IdentityError

MAX_FILE_BYTES: Final = 4096


def read_private_file(path: Path, *, what: str, missing: str) -> bytes:
    """The file's bytes, at most one more than MAX_FILE_BYTES; `what` names it for people, as in "the hub's key".

    Raises: IdentityError, with `missing` if there is no such file.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise IdentityError(missing) from None
    except OSError as error:
        raise IdentityError(f"{path}: cannot read {what}: {error.strerror}") from None
    if mode & 0o077:
        raise IdentityError(f"{path}: other users can read {what}; fix it with: chmod 600 {path}")
    return content
