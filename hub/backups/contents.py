"""What of a hub's folder a backup holds, packed into one stream, and unpacked again into an empty folder."""

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, cast

from hub.backups.last_backup import STATE_NAME
from hub.backups.sealed_file import SealedFileError, SealedReader, SealedWriter
from hub.folder.paths import (
    BROKER_NAME,
    CHECKPOINT_NAME,
    LOCK_NAME,
    REFUSED_CHECKPOINT_NAME,
    ROLES_LOCK_NAME,
    RUNNING_NAME,
    STORE_NAME,
    VERIFICATION_NAME,
)
from protocols.errors import RequestError

WORK_NAME: Final = "backup.part"
"""The folder in the hub's own where a backup is prepared; whatever lies in it is of no use afterwards."""
LOCK_OF_BACKUPS: Final = "backup.lock"
WHOLE_BYTES: Final = "whole_bytes"
"""The word of a backup's header that says how large the hub's files are, unpacked. Unit: byte."""

LEFT_OUT: Final = frozenset(
    {
        LOCK_NAME,
        RUNNING_NAME,
        STORE_NAME,
        f"{STORE_NAME}-wal",
        f"{STORE_NAME}-shm",
        WORK_NAME,
        LOCK_OF_BACKUPS,
    }
) | {STATE_NAME, CHECKPOINT_NAME, REFUSED_CHECKPOINT_NAME, VERIFICATION_NAME}
KEPT_OF_BROKER: Final = "client-id"
"""The broker's own files are written again at each start; only this name lets an external one keep what is waiting."""
MAX_FILES: Final = 100_000
COPY_BYTES: Final = 1 << 20


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """The name in the backup and the path of each file but the store, in order of names.

    Links to files count as files; sockets and unfinished files (*.part) do not. Raises: RequestError for a folder that
    cannot be read and for a link to one, because what is in it would be missing.
    """
    for place, folders, names in os.walk(folder, onerror=_refuse_unread):
        here = Path(place)
        if here == folder:
            folders[:] = [name for name in folders if name not in LEFT_OUT]
        folders.sort()
        for name in folders:
            if (here / name).is_symlink():
                raise RequestError(f"{here / name}: a link to a folder, which a backup cannot hold: move it in here")
        for name in sorted(names):
            path, inside = here / name, (here / name).relative_to(folder).as_posix()
            if inside in LEFT_OUT or inside.startswith(ROLES_LOCK_NAME) or name.endswith(".part") or not path.is_file():
                continue
            if inside.startswith(f"{BROKER_NAME}/") and inside != f"{BROKER_NAME}/{KEPT_OF_BROKER}":
                continue
            yield inside, path


def _refuse_unread(error: OSError) -> None:
    raise RequestError(f"{error.filename}: cannot be read, so nothing was backed up: {error.strerror}")


def pack(folder: Path, *, store: Path, out: SealedWriter) -> int:
    """Write the folder's files, with `store` as the store, into the sealed file. Returns how many files.

    Raises: RequestError or OSError.
    """
    count = 0
    with (
        gzip.GzipFile(fileobj=cast(BinaryIO, out), mode="wb", compresslevel=1, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, path in (*files_of(folder), (STORE_NAME, store)):
            with _opened(path) as file:
                _add(archive, name, file)
            count += 1
    return count


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise RequestError(f"{path}: cannot be read, so nothing was backed up: {error.strerror}") from None


def _add(archive: tarfile.TarFile, name: str, file: BinaryIO) -> None:
    size = os.fstat(file.fileno()).st_size
    # A log that grows meanwhile is taken as far as it reached; one that shrinks is filled up with nothing.
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, stat.S_IRUSR | stat.S_IWUSR, int(os.fstat(file.fileno()).st_mtime)
    archive.addfile(entry, _Exactly(file, size))


class _Exactly(io.RawIOBase):
    """Just so many bytes of a file, filled up with zeros if it has become shorter."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        content = self._file.read(wanted)
        self._left -= wanted
        return content + bytes(wanted - len(content))


def unpack(reader: SealedReader, *, name: str, into: Path | None) -> int:
    """Write the backup's files into an empty folder, or with None only read them all. Returns how many files.

    If it raises, what lies in the folder is of no use. Raises: SealedFileError if it is not a whole backup of a hub;
    OSError if the folder cannot be written.
    """
    found: set[str] = set()
    try:
        with (
            gzip.GzipFile(fileobj=cast(BinaryIO, reader), mode="rb") as packed,
            tarfile.open(fileobj=packed, mode="r|") as archive,
        ):
            for entry in archive:
                inside = _safe_name(entry, name=name)
                if inside in found or len(found) >= MAX_FILES:
                    raise SealedFileError(f"{name}: holds a file twice, or too many: not a backup of a hub")
                found.add(inside)
                file = archive.extractfile(entry)
                assert file is not None
                _copy(cast(BinaryIO, file), None if into is None else into / inside, root=into)
            while packed.read(COPY_BYTES):
                pass
    except (tarfile.TarError, gzip.BadGzipFile, EOFError) as error:
        raise SealedFileError(f"{name}: what is inside is not a backup of a hub ({error})") from None
    if reader.read(1):
        raise SealedFileError(f"{name}: holds more than a backup of a hub")
    if STORE_NAME not in found:
        raise SealedFileError(f"{name}: holds no {STORE_NAME}: not a backup of a hub")
    return len(found)


def _safe_name(entry: tarfile.TarInfo, *, name: str) -> str:
    """The entry's name, if it is a plain file inside the folder. Raises: SealedFileError."""
    path = PurePosixPath(entry.name)
    if not entry.isreg() or path.is_absolute() or not path.parts or ".." in path.parts:
        raise SealedFileError(f"{name}: holds {entry.name[:60]!r}, which is not a file of a hub's folder")
    return path.as_posix()


def _copy(file: BinaryIO, path: Path | None, *, root: Path | None) -> None:
    if path is None or root is None:
        while file.read(COPY_BYTES):
            pass
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        while content := file.read(COPY_BYTES):
            target.write(content)
        target.flush()
        os.fsync(target.fileno())
