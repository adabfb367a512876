"""Writes a file that finding or set-up keeps beside agent.toml, and says what to do where that fails."""

from __future__ import annotations

import errno
from pathlib import Path

from protocols.durable_files import write_durably
from protocols.errors import RequestError

_ADVICE = {
    errno.EACCES: ": run this with sudo",
    errno.EPERM: ": run this with sudo",
    errno.ENOSPC: ": free some space first",
    errno.EROFS: ": the disk may be damaged, or choose another folder with --config",
    errno.EEXIST: ": it is no folder: choose another one with --config",
    errno.ENOTDIR: ": choose another folder with --config",
}


def write_beside(path: Path, content: bytes) -> None:
    """Write the whole file; its folder is made if it is not there. Raises: RequestError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(path, content, replace=True)
    except OSError as cause:
        raise cannot_write(path, cause) from None


def cannot_write(path: Path, cause: OSError) -> RequestError:
    """What stands in the way, and what to do about it."""
    return RequestError(f"cannot write {path}: {cause.strerror or cause}{_ADVICE.get(cause.errno or 0, '')}")
