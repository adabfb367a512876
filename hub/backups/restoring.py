"""Makes a hub's folder from a backup: whole and checked, or not at all. It never touches a folder that holds a hub."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.backups.contents import WHOLE_BYTES, unpack
from hub.backups.sealed_file import Lock, SealedFileError, SealedHeader, SealedReader, read_header
from hub.backups.space import missing_room
from hub.folder.settings import FILE_NAME, load_settings
from protocols.durable_files import make_private_folder
from protocols.errors import CommonwattError, RequestError, SettingsError

WORK_NAME: Final = "restore.part"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a backup held: whose it is, when it was made (unix s), and how many files."""

    coop: str
    made_at: int
    files: int


def restore(backup: Path, folder: Path, *, lock: Lock, check: Callable[[Path, Restored], None]) -> Restored:
    """Unpack the backup into an empty or new folder. `check` is shown the files before any has its own name.

    hub.toml comes last: until it is there, the folder holds no hub. Raises: CommonwattError with one line.
    """
    _require_empty(folder)
    _require_room(backup, folder)
    is_new = not folder.exists()
    try:
        make_private_folder(folder)
        work = folder / WORK_NAME
        work.mkdir(mode=0o700)
    except OSError as error:
        raise RequestError(f"{folder}: cannot make the folder: {error.strerror}") from None
    try:
        found = unpack_checked(backup, work, lock=lock)
        check(work, found)
        _settle(work, folder)
    except OSError as error:
        raise RequestError(f"{folder}: cannot be written: {error.strerror}; nothing was restored") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if is_new:
            with suppress(OSError):  # after a refusal it is empty; otherwise it holds the hub and stays
                folder.rmdir()
    return found


def unpack_checked(backup: Path, work: Path, *, lock: Lock) -> Restored:
    """Unpack the backup into an empty folder and read its settings: they name the co-op that its header names.

    Raises: SealedFileError, or RequestError if it cannot be read or its settings do not fit here; OSError for the
    folder.
    """
    try:
        file = backup.open("rb")
    except OSError as error:
        raise RequestError(f"{backup}: cannot be read: {error.strerror}") from None
    with file:
        reader = SealedReader(file, lock, name=str(backup))
        files = unpack(reader, name=str(backup), into=work)
    try:
        settings = load_settings(work)
        coop, made_at = _told(reader.header)
    except (CommonwattError, ValueError) as error:
        # The settings are read where they were unpacked for a moment: the path in the line helps nobody.
        said = str(error).replace(f"{work}{os.sep}", "")
        if isinstance(error, SettingsError) and (work / FILE_NAME).is_file():
            raise RequestError(
                f"{backup}: is whole, but its hub.toml does not fit this computer: {said}; put a missing file there,"
                " or install the version that made the backup, and restore again"
            ) from None
        raise SealedFileError(f"{backup}: what is inside is not a hub ({said})") from None
    if settings.coop.id != coop:
        raise SealedFileError(f"{backup}: says it is of {coop} and holds the hub of {settings.coop.id}")
    return Restored(coop, made_at, files)


def _told(header: SealedHeader) -> tuple[str, int]:
    try:
        return header.words["coop"], int(header.words["made_at"])
    except KeyError:
        raise ValueError("its header does not say whose it is") from None


def _require_room(backup: Path, folder: Path) -> None:
    """Before anything is written. Backups from before say nothing of their size unpacked: then at least their own."""
    try:
        with backup.open("rb") as file:
            words, least = read_header(file, name=str(backup)).words, backup.stat().st_size
        said = words.get(WHOLE_BYTES, "")
        short = missing_room((folder, max(least, int(said) if said.isdecimal() and len(said) < 16 else 0)))
    except OSError as error:
        raise RequestError(f"{backup}: cannot be read: {error.strerror}") from None
    if short is not None:
        raise RequestError(f"{folder}: no space left for the restore ({short[1]}): nothing was restored; free some")


def _require_empty(folder: Path) -> None:
    try:
        others = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise RequestError(f"{folder}: cannot be used: {error.strerror}") from None
    if FILE_NAME in others:
        raise RequestError(f"{folder}: there is a hub here already: restore into a new folder")
    if WORK_NAME in others:
        raise RequestError(f"{folder}: holds a restore that was interrupted: delete the folder and restore again")
    if others:
        raise RequestError(f"{folder}: not empty ({others[0][:40]} is there): restore into a new folder")


def _settle(work: Path, folder: Path) -> None:
    """Give each file its own place, hub.toml last. If power fails before that, the folder holds no hub."""
    names = sorted((path.name for path in work.iterdir()), key=lambda name: (name == FILE_NAME, name))
    for name in names:
        if name == FILE_NAME:
            _sync(folder)
        (work / name).rename(folder / name)
    _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
