"""The table [backup] of hub.toml: each mistake is one line with its key; without the table nothing is planned."""

import re
from pathlib import Path

import pytest

from hub.folder.backup_settings import SftpAddress
from hub.folder.clock import open_clock
from hub.folder.first_settings import settings_text
from hub.folder.settings import HubSettings, parse_settings
from hub.processes.planned_jobs import planned_backup
from hub.storage.records import Coop
from protocols.errors import SettingsError

TEXT = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR"))


def parsed(folder: Path, lines: str) -> HubSettings:
    return parse_settings(f"{TEXT}\n[backup]\n{lines}\n".encode(), name="hub.toml", folder=folder)


def test_the_nightly_backup_is_due_a_quarter_past_its_hour(tmp_path: Path) -> None:
    settings = parsed(tmp_path, 'to = "/media/backup"\nhour = 3')
    (job,) = planned_backup(tmp_path, settings=settings, clock=open_clock(None))
    assert job.next_due(1_780_000_000) == 1_780_017_300  # 2026-05-29 03:15 in Madrid
    none = parse_settings(TEXT.encode(), name="hub.toml", folder=tmp_path)
    assert planned_backup(tmp_path, settings=none, clock=open_clock(None)) == ()


def test_the_lines_that_init_writes_are_valid_once_they_are_switched_on(tmp_path: Path) -> None:
    for name in ("backup_ssh", "backup_hosts"):
        (tmp_path / name).write_bytes(b"key")
    lines = re.findall(r"^# (to|hour|daily|weekly|monthly|ssh_key|known_hosts) = (\S+)", TEXT, re.MULTILINE)
    assert len(lines) == 7
    table = dict(lines) | {"to": '"sftp://backup@nas/kept"'}
    backup = parsed(tmp_path, "\n".join(f"{key} = {value}" for key, value in table.items())).backup
    assert backup is not None
    assert backup.to == SftpAddress("backup", "nas", None, "/kept")
    assert (backup.daily, backup.weekly, backup.monthly, backup.ssh_key) == (7, 5, 12, tmp_path / "backup_ssh")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("daily = 7", "backup.to: expected a folder like"),
        ('to = "backup"', "backup.to: expected a folder like"),
        ('to = "/b"\ndaily = 0', "backup.daily: expected a whole number from 1"),
        ('to = "/b"\nhour = 24', "backup.hour: expected a whole number from 0 to 23"),
        ('to = "/b"\nssh_key = "hub.toml"', "backup.ssh_key: expected a file that exists"),
        ('to = "/b"\nyearly = 3', "backup.yearly: no such setting"),
    ],
)
def test_a_wrong_setting_is_told_with_its_key(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        parsed(tmp_path, lines)
