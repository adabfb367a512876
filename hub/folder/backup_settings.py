"""The table `[backup]` of hub.toml: where the nightly backups go, when they are made and how many are kept."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from protocols.errors import SettingsError

MOST_KEPT: Final = 1000
DEFAULT_HOUR: Final = 2
_SFTP = re.compile(
    r"sftp://(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9a-fA-F:]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[A-Za-z0-9._/@+~-]{1,400})",
    re.ASCII,
)

BACKUP_TEXT: Final = """
# [backup]                 # without it, nothing is backed up at night
# to = "/media/backup"     # a folder on another disk, or sftp://user@host/folder; it must be there already
# hour = 2                 # a quarter past this hour, every night
# daily = 7                # one backup is kept of each of so many days,
# weekly = 5               # of so many weeks,
# monthly = 12             # and of so many months; older ones are removed
# ssh_key = "backup_ssh"   # for sftp: the private key, without a passphrase; otherwise as in the user's ssh settings
# known_hosts = "backup_hosts"   # for sftp: the server's own key, as ssh-keyscan writes it
"""


@dataclass(frozen=True, slots=True)
class SftpAddress:
    """A folder on another computer, reached with the program `sftp`."""

    user: str | None
    host: str
    port: int | None
    path: str

    def __str__(self) -> str:
        user, port = f"{self.user}@" if self.user else "", f":{self.port}" if self.port else ""
        return f"sftp://{user}{self.host}{port}{self.path}"


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """Where backups go, when, and for how long. Units: hour is local to the co-op."""

    to: Path | SftpAddress
    hour: int
    daily: int
    weekly: int
    monthly: int
    ssh_key: Path | None = None
    known_hosts: Path | None = None


class Values(Protocol):
    """What this reads of a table of hub.toml."""

    def text(self, key: str, default: str | None = None, *, fits: Callable[[str], bool], expected: str) -> str:
        """A string that fits."""
        ...

    def number(self, key: str, default: int, *, least: int, most: int, unit: str = "") -> int:
        """A whole number within limits."""
        ...

    def file(self, key: str, folder: Path) -> Path | None:
        """A file that exists."""
        ...

    def wrong(self, key: str, expected: str) -> SettingsError:
        """The error that names the key."""
        ...


def read_backup(table: Values, folder: Path) -> BackupSettings:
    """The settings of the nightly backup; names of files are relative to `folder`. Raises: SettingsError."""
    expected = "a folder like /media/backup, or sftp://user@host/folder"
    to = parse_place(table.text("to", fits=lambda text: parse_place(text) is not None, expected=expected))
    assert to is not None
    settings = BackupSettings(
        to=to,
        hour=table.number("hour", DEFAULT_HOUR, least=0, most=23),
        daily=table.number("daily", 7, least=1, most=MOST_KEPT),
        weekly=table.number("weekly", 5, least=0, most=MOST_KEPT),
        monthly=table.number("monthly", 12, least=0, most=MOST_KEPT),
        ssh_key=table.file("ssh_key", folder),
        known_hosts=table.file("known_hosts", folder),
    )
    if isinstance(to, Path) and settings.ssh_key is not None:
        raise table.wrong("ssh_key", "none, as `to` is a folder of this computer")
    return settings


def parse_place(text: str) -> Path | SftpAddress | None:
    """A folder from the root on, or an address of SFTP; None for anything else."""
    if text.startswith("/"):
        return Path(text) if text.isprintable() else None
    found = _SFTP.fullmatch(text)
    if found is None or int(found["port"] or 22) not in range(1, 65536):
        return None
    return SftpAddress(found["user"], found["host"], int(found["port"]) if found["port"] else None, found["path"])
