"""Where backups are put: a folder that is there already, on another disk. The place over SFTP has a module of its own.

A backup is written under a temporary name, read back, and only then gets its own; others are never touched meanwhile.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from hub.backups.snapshots import own_snapshots
from protocols.errors import CommonwattError

PART: Final = ".part"
NO_SPACE: Final = "no space left for the backup"
KEEP_FEWER: Final = "daily, weekly, monthly in hub.toml"


class BackupError(CommonwattError):
    """A backup could not be made; the older ones are as they were."""


class BackupPlace(Protocol):
    """Where one co-op's backups are."""

    @property
    def words(self) -> str:
        """The place, for people."""
        ...

    @property
    def drafts(self) -> Path:
        """The folder on this computer in which a backup is written first."""
        ...

    def names(self) -> tuple[str, ...]:
        """The names of all files there. Raises: BackupError."""
        ...

    def draft(self, name: str) -> Path:
        """The path of a new file here, to be written and synced by the caller. Raises: BackupError."""
        ...

    def deliver(self, name: str) -> Path:
        """Bring the draft there, under a temporary name; returns a file with what is there now. Raises: BackupError."""
        ...

    def keep(self, name: str) -> None:
        """Give what was delivered its own name. Raises: BackupError."""
        ...

    def remove(self, name: str) -> None:
        """Remove a backup, or with the ending .part what was left half written. Raises: BackupError."""
        ...

    def clean(self, name: str) -> None:
        """Remove what an unfinished delivery left behind, as far as that is possible."""
        ...


class FolderPlace:
    """A folder on this computer, such as a mounted disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def words(self) -> str:
        """The folder."""
        return str(self._folder)

    @property
    def drafts(self) -> Path:
        """The folder itself."""
        return self._folder

    def names(self) -> tuple[str, ...]:
        """The names of all files there. Raises: BackupError if the folder is not there: it is never created."""
        with self._trouble():
            return tuple(sorted(entry.name for entry in os.scandir(self._folder)))

    def draft(self, name: str) -> Path:
        """The temporary name in the folder itself."""
        with self._trouble():
            path = self._folder / (name + PART)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            return path

    def deliver(self, name: str) -> Path:
        """It is there already; the next read of it comes from the disk, as far as the system does as it is told."""
        path = self._folder / (name + PART)
        with self._trouble(), path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return path

    def keep(self, name: str) -> None:
        """Rename; if power fails before this returns, the backup has one name or the other and is whole."""
        with self._trouble():
            if (self._folder / name).exists():
                raise BackupError(f"{self._folder / name}: there is a backup of this second already: try again")
            (self._folder / (name + PART)).rename(self._folder / name)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def remove(self, name: str) -> None:
        """Remove one file."""
        with self._trouble():
            (self._folder / name).unlink(missing_ok=True)

    def clean(self, name: str) -> None:
        """Remove the draft."""
        with suppress(OSError):
            (self._folder / (name + PART)).unlink(missing_ok=True)

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        with disk_trouble(self._folder):
            yield


@contextmanager
def disk_trouble(folder: Path) -> Iterator[None]:
    """Turns what a disk may answer into one line with what to do. Raises: BackupError."""
    try:
        yield
    except OSError as error:
        raise BackupError(f"{folder}: {_advice(error)}") from None


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "the folder is not there: is the backup disk mounted? It is never created, lest backups go to another"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{NO_SPACE}: free some, or keep fewer ({KEEP_FEWER})"
    if error.errno == errno.EROFS:
        return "cannot be written (read-only): under systemd add ReadWritePaths= for it, see docs/day-two.md"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "the hub's user may not write there: give it the folder with chown"
    return f"cannot be used: {error.strerror or error}"


def half_written(names: tuple[str, ...], *, coop: str) -> tuple[str, ...]:
    """What earlier backups of this co-op left half written."""
    drafts = {name.removesuffix(PART): name for name in names if name.endswith(PART)}
    return tuple(drafts[name] for name in own_snapshots(drafts, coop=coop))
