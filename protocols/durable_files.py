"""Files that are either complete or absent after a power cut. Shared by all programs.

It does I/O, so no pure module imports it: not hub.core, and no other module in protocols.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def durable_file(path: Path, *, replace: bool = False) -> Iterator[BinaryIO]:
    """Write the file inside the `with` block; after it, the file is on disk under its name, readable only by its owner.

    If power fails or the block raises, `path` is as it was before. One writer at a time: the draft has a
    fixed name next to the file. If the folder cannot be synced after the rename, the new file stays.
    Raises: FileExistsError if the file exists and `replace` is not set; OSError if it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    if not replace and path.exists():
        raise FileExistsError(path)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # If power fails before this line, the old file (or none) remains; after it and the folder's fsync, the new one.
        part.replace(path)
        sync_folder(path.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """What the folder lists is on disk when this returns. Raises: OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes, *, replace: bool = False) -> None:
    """Write a whole file with these bytes. Raises: the same errors as durable_file."""
    with durable_file(path, replace=replace) as file:
        file.write(content)


def make_private_folder(folder: Path) -> None:
    """Make the folder, or take over an existing one, so that only its owner can look into it. Raises: OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
