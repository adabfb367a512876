"""Makes one backup of a hub, which may be running: packed, sealed, brought to its place, read back and kept."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from hub.backups.contents import COPY_BYTES, LOCK_OF_BACKUPS, WHOLE_BYTES, WORK_NAME, pack, unpack
from hub.backups.last_backup import LastBackup, read_last_backup, write_last_backup
from hub.backups.places import KEEP_FEWER, NO_SPACE, BackupError, BackupPlace, disk_trouble, half_written
from hub.backups.sealed_file import Lock, SealedFileError, SealedReader, SealedWriter
from hub.backups.snapshots import Keeping, no_longer_kept, own_snapshots, snapshot_name
from hub.backups.space import missing_room, other_bytes, sealed_bytes, store_bytes
from hub.folder.opening import copy_store
from hub.folder.paths import STORE_NAME
from hub.storage.records import Coop
from protocols.errors import CommonwattError


@dataclass(frozen=True, slots=True)
class MadeBackup:
    """A backup that was read back and found whole, and which older ones were removed for it."""

    name: str
    files: int
    size_bytes: int
    removed: tuple[str, ...] = ()


def make_backup(
    folder: Path,
    *,
    coop: Coop,
    lock: Lock,
    place: BackupPlace,
    made_at: int,
    keeping: Keeping | None,
    is_first: bool = False,
) -> MadeBackup:
    """Make a backup of the hub in `folder`; with `keeping`, then remove those that are no longer kept.

    The hub remembers how it ended. With `is_first`, a place that has lost the backups it had is taken as new.
    Raises: CommonwattError with one line; then nothing half written is left and every older backup is as it was.
    """
    last = read_last_backup(folder)
    try:
        with _alone(folder), _work_folder(folder) as work:
            names = place.names()
            _refuse_lost(last, names, place=place, coop=coop.id, is_first=is_first)
            for name in half_written(names, coop=coop.id):
                place.remove(name)
            _require_room(folder, place=place, last=last)
            made = _make(folder, work, coop=coop, lock=lock, place=place, made_at=made_at)
            if keeping is not None:
                old = no_longer_kept((*names, made.name), coop=coop.id, keeping=keeping, tz=coop.tz)
                for name in old:
                    place.remove(name)
                made = MadeBackup(made.name, made.files, made.size_bytes, old)
    except CommonwattError as error:
        _remember(
            folder,
            LastBackup(last.made_at, last.place, last.name, last.size_bytes, tried_at=made_at, problem=str(error)),
        )
        raise
    _remember(folder, LastBackup(made_at, place.words, made.name, made.size_bytes, tried_at=made_at))
    return made


def _make(folder: Path, work: Path, *, coop: Coop, lock: Lock, place: BackupPlace, made_at: int) -> MadeBackup:
    name = snapshot_name(coop.id, made_at)
    copy = work / STORE_NAME
    with disk_trouble(folder):
        copy_store(folder, copy)
        whole_bytes = copy.stat().st_size + other_bytes(folder)
    words = {"coop": coop.id, "name": coop.name, "made_at": str(made_at), WHOLE_BYTES: str(whole_bytes)}
    try:
        draft = place.draft(name)
        try:
            with disk_trouble(draft.parent), draft.open("wb") as file:
                counting = _Counting(file)
                writer = SealedWriter(counting, lock, words=words)
                files = pack(folder, store=copy, out=writer)
                writer.finish()
                file.flush()
                os.fsync(file.fileno())
            copy.unlink()
            _compare(place.deliver(name), counting, lock=lock, files=files, name=name)
            place.keep(name)
        except BaseException:
            place.clean(name)
            raise
    finally:
        copy.unlink(missing_ok=True)
    return MadeBackup(name, files, counting.size)


class _Counting:
    """A file that also says how much was written and what its hash is."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.size, self.hash = file, 0, sha256()

    def write(self, content: bytes) -> int:
        self.size += len(content)
        self.hash.update(content)
        return self._file.write(content)


def _compare(path: Path, written: _Counting, *, lock: Lock, files: int, name: str) -> None:
    """Read back what lies at the place now: it opens, and is byte for byte what was written. Raises: BackupError."""
    with disk_trouble(path.parent), path.open("rb") as file:
        seen = sha256()
        while content := file.read(COPY_BYTES):
            seen.update(content)
        file.seek(0)
        try:
            count = unpack(SealedReader(file, lock, name=name), name=name, into=None)
        except SealedFileError as error:
            raise BackupError(f"read back, it was not what had been written: {error}: check the disk") from None
    if seen.digest() != written.hash.digest() or count != files:
        raise BackupError(f"{name}: read back, it was not what had been written: check the disk")


def _refuse_lost(last: LastBackup, names: tuple[str, ...], *, place: BackupPlace, coop: str, is_first: bool) -> None:
    if is_first or last.place != place.words or not last.name or own_snapshots(names, coop=coop):
        return
    raise BackupError(
        f"{place.words}: the backups that were here are gone, the last was {last.name}: is the disk mounted? If it is a"
        " new one: commonwatt-hub backup --new-disk"
    )


def _require_room(folder: Path, *, place: BackupPlace, last: LastBackup) -> None:
    """Before anything is written: room for a copy of the store here, and for the backup there. Raises: BackupError."""
    with disk_trouble(folder):
        copy = store_bytes(folder)
        sealed = sealed_bytes(copy + other_bytes(folder), last=last)
        short = missing_room((folder, copy), (place.drafts, sealed))
    if short is not None:
        raise BackupError(f"{short[0]}: {NO_SPACE} ({short[1]}): free some, or keep fewer ({KEEP_FEWER})")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One backup of a hub at a time. The lock is released when the process ends, however it ends."""
    with disk_trouble(folder), (folder / LOCK_OF_BACKUPS).open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BackupError(f"{folder}: a backup is being made already") from None
        yield


@contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """A folder for what is needed only meanwhile; emptied before and after, because a crash may leave it."""
    work = folder / WORK_NAME
    with disk_trouble(folder):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _remember(folder: Path, last: LastBackup) -> None:
    with suppress(OSError):  # the backup counts all the same; a full disk of the hub is said elsewhere
        write_last_backup(folder, last)
