"""A folder on another computer as the place of backups, reached with OpenSSH's program `sftp` in batch mode.

No password is ever asked for or passed on: the key comes from hub.toml or from the user's own ssh settings.
"""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

from hub.backups.places import PART, BackupError, disk_trouble
from hub.folder.backup_settings import SftpAddress

TIME_LIMIT_S: Final = 3 * 3600
CONNECT_LIMIT_S: Final = 30
RECEIVED: Final = ".received"


class SftpPlace:
    """One folder on one server. `work` is a private folder of ours for what is sent and read back."""

    def __init__(
        self, address: SftpAddress, *, work: Path, ssh_key: Path | None = None, known_hosts: Path | None = None
    ) -> None:
        self._address, self._work = address, work
        self._ssh_key, self._known_hosts = ssh_key, known_hosts
        self._is_begun = False

    @property
    def words(self) -> str:
        """The address."""
        return str(self._address)

    @property
    def drafts(self) -> Path:
        """The work folder."""
        return self._work

    def names(self) -> tuple[str, ...]:
        """The names of all files there. Raises: BackupError if the folder is not there: it is never created."""
        listed = self._batch(f"ls -1a {_quoted(self._address.path)}")
        lines = (line.strip() for line in listed.splitlines() if not line.startswith("sftp>"))
        return tuple(sorted(line.rsplit("/", 1)[-1] for line in lines if line))

    def draft(self, name: str) -> Path:
        """A file in the work folder."""
        with disk_trouble(self._work):
            path = self._work / (name + PART)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            return path

    def deliver(self, name: str) -> Path:
        """Send the draft, delete it here, and fetch what the server has now."""
        draft, received, there = self._work / (name + PART), self._work / (name + RECEIVED), self._path(name + PART)
        self._is_begun = True
        self._batch(f"put {_quoted(str(draft))} {there}", f"chmod 600 {there}")
        with disk_trouble(self._work):
            draft.unlink()
        self._batch(f"get {there} {_quoted(str(received))}")
        return received

    def keep(self, name: str) -> None:
        """Rename it on the server."""
        self._batch(f"rename {self._path(name + PART)} {self._path(name)}")

    def remove(self, name: str) -> None:
        """Remove one file on the server."""
        self._batch(f"rm {self._path(name)}")

    def clean(self, name: str) -> None:
        """Remove on the server what was sent so far; out of reach, it is left to the next backup."""
        if self._is_begun:
            with suppress(BackupError):
                self.remove(name + PART)

    def _path(self, name: str) -> str:
        return _quoted(f"{self._address.path.rstrip('/')}/{name}")

    def _batch(self, *commands: str) -> str:
        """Run the commands; the first that fails ends it. Raises: BackupError with the program's own last line."""
        program = shutil.which("sftp")
        if program is None:
            raise BackupError("the program sftp is missing: install openssh-client")
        options = ["-b", "-", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_LIMIT_S}"]
        if self._ssh_key is not None:
            options += ["-i", str(self._ssh_key), "-o", "IdentitiesOnly=yes"]
        if self._known_hosts is not None:
            options += ["-o", f"UserKnownHostsFile={self._known_hosts}", "-o", "StrictHostKeyChecking=yes"]
        if self._address.port is not None:
            options += ["-P", str(self._address.port)]
        target = f"{self._address.user}@{self._address.host}" if self._address.user else self._address.host
        try:
            done = subprocess.run(
                [program, *options, target],
                input="".join(f"{command}\n" for command in commands),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIME_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BackupError(f"{self.words}: sftp took longer than {TIME_LIMIT_S // 3600} hours") from None
        except OSError as error:
            raise BackupError(f"{program}: cannot be started: {error.strerror}") from None
        if done.returncode != 0:
            raise BackupError(f"{self.words}: {_said(done.stderr)}")
        return done.stdout


def _said(output: str) -> str:
    """What ssh or sftp complained about, in one line."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("Connection closed")] or lines or ["sftp failed"]
    return "; ".join(told[-2:])[:300]


def _quoted(path: str) -> str:
    """A path as one word of a batch: in double quotes, where a backslash protects, also from being a pattern."""
    protected = "".join(f"\\{sign}" if sign in '\\"*?[]' else sign for sign in path)
    return f'"{protected}"'
