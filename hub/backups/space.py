"""Whether the disks have room for what is about to be written; asked before anything is begun."""

import shutil
from pathlib import Path

from hub.backups.contents import files_of
from hub.backups.last_backup import LastBackup
from hub.folder.paths import STORE_NAME


def store_bytes(folder: Path) -> int:
    """How large a copy of the store can become. Raises: OSError."""
    parts = (folder / STORE_NAME, folder / f"{STORE_NAME}-wal")
    return sum(part.stat().st_size for part in parts if part.exists())


def other_bytes(folder: Path) -> int:
    """How large the files are that a backup holds besides the store. Raises: RequestError or OSError."""
    return sum(path.stat().st_size for _, path in files_of(folder))


def sealed_bytes(whole_bytes: int, *, last: LastBackup) -> int:
    """How large the next backup will be, about: a quarter more than the last one; the first, as large as the hub."""
    return min(whole_bytes, last.size_bytes * 5 // 4) if last.size_bytes else whole_bytes


def missing_room(*needs: tuple[Path, int]) -> tuple[Path, str] | None:
    """The first folder whose disk has too little room for all that is needed on it, and the figures; None if none.

    A folder that is not there yet counts as the folder it will be made in. Raises: OSError.
    """
    needed: dict[int, int] = {}
    for folder, size_bytes in needs:
        there = _existing(folder)
        device = there.stat().st_dev
        needed[device] = needed.get(device, 0) + size_bytes
        if (free := free_bytes(there)) < needed[device]:
            return folder, f"about {_words(needed[device])} are needed and {_words(free)} are free"
    return None


def free_bytes(folder: Path) -> int:
    """What a user other than root may still write on this folder's disk. Raises: OSError."""
    return shutil.disk_usage(folder).free


def _existing(folder: Path) -> Path:
    here = folder.resolve()
    while not here.exists() and here != here.parent:
        here = here.parent
    return here


def _words(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f} MiB" if size_bytes >= 2**20 else f"{size_bytes / 2**10:.0f} KiB"
