"""Makes the backup that a hub's settings ask for: chooses the place, the key and what is kept."""

from dataclasses import dataclass
from pathlib import Path

from hub.backups.contents import WORK_NAME
from hub.backups.keys import load_backup_key
from hub.backups.making import MadeBackup, make_backup
from hub.backups.places import BackupError, BackupPlace, FolderPlace
from hub.backups.sealed_file import Lock
from hub.backups.sftp_place import SftpPlace
from hub.backups.snapshots import Keeping
from hub.folder.backup_settings import BackupSettings, SftpAddress
from hub.storage.records import Coop


@dataclass(frozen=True, slots=True)
class BackupWish:
    """What a person asks for besides the settings: another place, a passphrase instead of the key, a new disk."""

    to: Path | SftpAddress | None = None
    lock: Lock | None = None
    is_new_disk: bool = False


def back_up(
    folder: Path, *, coop: Coop, settings: BackupSettings | None, made_at: int, wish: BackupWish | None = None
) -> MadeBackup:
    """Make a backup now. At the place in the settings, then remove those no longer kept; elsewhere remove none.

    Raises: CommonwattError with one line.
    """
    wish = wish or BackupWish()
    lock = wish.lock or load_backup_key(folder)
    if wish.to is None and settings is None:
        raise BackupError("where to? Give --to FOLDER, or enter `to` in hub.toml under [backup]")
    to = wish.to or (settings.to if settings else None)
    assert to is not None
    is_settled = settings is not None and to == settings.to
    keeping = Keeping(settings.daily, settings.weekly, settings.monthly) if settings and is_settled else None
    return make_backup(
        folder,
        coop=coop,
        lock=lock,
        place=_place(to, folder=folder, settings=settings),
        made_at=made_at,
        keeping=keeping,
        is_first=wish.is_new_disk,
    )


def _place(to: Path | SftpAddress, *, folder: Path, settings: BackupSettings | None) -> BackupPlace:
    if isinstance(to, SftpAddress):
        ssh_key = settings.ssh_key if settings else None
        known_hosts = settings.known_hosts if settings else None
        return SftpPlace(to, work=(folder / WORK_NAME).absolute(), ssh_key=ssh_key, known_hosts=known_hosts)
    if to.resolve().is_relative_to(folder.resolve()):
        raise BackupError(f"{to}: inside the hub's own folder, which is lost with the disk: give a folder elsewhere")
    return FolderPlace(to)
