"""`commonwatt-hub backup`, `restore` and `verify --backup` as a board meets them, on real folders."""

import errno
import io
import json
import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.backups import contents, making, space
from hub.backups.keys import key_text, make_backup_key
from hub.backups.last_backup import (
    OLD_AFTER_S,
    LastBackup,
    backup_age_s,
    backup_warning,
    backup_words,
    read_last_backup,
)
from hub.backups.places import FolderPlace
from hub.trust.invitation_code import terminal_code

COOP = "sunny"


def run(*arguments: str | Path) -> int:
    return main([str(each) for each in arguments])


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with a backup key, a member, and files of its own in folders; the key beside it. Not to be written to."""
    place = tmp_path_factory.mktemp("kept")
    folder = place / "hub"
    assert run("init", "--data", folder, "--name", "Sol", "--coop", COOP, "--tz", "Europe/Madrid") == 0
    assert run("invite", "--data", folder, "--member", "Ana", "--email", "ana@example.org") == 0
    (place / "key").write_text(key_text(make_backup_key(folder)) + "\n", encoding="ascii")
    (place / "key").chmod(0o600)
    (folder / "authority").mkdir(mode=0o700, exist_ok=True)
    (folder / "authority" / "root.pem").write_bytes(os.urandom(200_000))
    (folder / "broker").mkdir(mode=0o700)
    (folder / "broker" / "client-id").write_text("hub-sunny-x", encoding="ascii")
    (folder / "broker" / "mosquitto.db").write_bytes(b"sessions")
    (folder / "running.json").write_text("{}", encoding="ascii")
    (folder / "tariff.toml.part").write_text("half", encoding="ascii")
    return place


@pytest.fixture
def hub(kept: Path, tmp_path: Path) -> Path:
    """A copy of that hub, with its key and an empty disk beside it."""
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    (tmp_path / "disk").mkdir()
    return tmp_path / "hub"


@pytest.fixture
def disk(hub: Path) -> Path:
    return hub.parent / "disk"


def backups(disk: Path) -> list[Path]:
    return sorted(disk.iterdir())


def made_backup(hub: Path, disk: Path) -> Path:
    before = set(backups(disk))
    assert run("backup", "--data", hub, "--to", disk) == 0
    (made,) = set(backups(disk)) - before
    return made


def said(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("commonwatt-hub: ")]
    assert len(lines) == 1
    return lines[0]


def restored(backup: Path, folder: Path) -> int:
    return run("restore", "--from", backup, "--data", folder, "--key-file", folder.parent / "key")


def test_a_restored_folder_is_the_hub_that_was_backed_up(hub: Path, disk: Path, tmp_path: Path) -> None:
    made = made_backup(hub, disk)
    assert made.name.startswith("sunny-2")
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert b"ana@example.org" not in made.read_bytes()
    assert restored(made, tmp_path / "new") == 0
    for name in ("hub.key", "salt.key", "backup.key", "hub.toml", "authority/root.pem", "broker/client-id"):
        assert (tmp_path / "new" / name).read_bytes() == (hub / name).read_bytes(), name
    found = {path.relative_to(tmp_path / "new").as_posix() for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert not found & {"broker/mosquitto.db", "running.json", "tariff.toml.part", "backup-state.json", "hub.lock"}
    with closing(sqlite3.connect(tmp_path / "new" / "hub.sqlite")) as db:
        assert db.execute("SELECT email FROM member").fetchall() == [("ana@example.org",)]
    assert run("verify", "--data", tmp_path / "new") == 0
    for path in (tmp_path / "new").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_backup_of_a_store_that_is_being_written_to_is_consistent(hub: Path, disk: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(hub / "hub.sqlite", isolation_level=None)) as db:
        db.execute("UPDATE member SET name = 'committed'")
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE member SET name = 'not committed'")
        made = made_backup(hub, disk)
        db.execute("ROLLBACK")
    assert restored(made, tmp_path / "new") == 0
    with closing(sqlite3.connect(tmp_path / "new" / "hub.sqlite")) as db:
        assert db.execute("SELECT name FROM member").fetchall() == [("committed",)]


def test_verify_opens_a_backup_and_checks_all_of_it(
    hub: Path, disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = made_backup(hub, disk)
    capsys.readouterr()
    assert run("verify", "--backup", made, "--key-file", tmp_path / "key", "--json") == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    with closing(sqlite3.connect(hub / "hub.sqlite", isolation_level=None)) as db:
        db.execute("UPDATE member SET joined_at = 5")
    made.unlink()
    assert run("backup", "--data", hub, "--to", disk, "--new-disk") == 0
    (later,) = backups(disk)
    assert run("verify", "--backup", later, "--key-file", tmp_path / "key") == 1
    assert "something does not hold" in capsys.readouterr().out


def test_a_passphrase_seals_and_opens(
    hub: Path, disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("long", "four words are good"), ("short", "tiny"), ("wrong", "four other words here")):
        (tmp_path / name).write_text(text + "\n", encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    assert run("backup", "--data", hub, "--to", disk, "--passphrase", "--passphrase-file", tmp_path / "short") == 1
    assert "needs at least 12 characters" in said(capsys)
    assert run("backup", "--data", hub, "--to", disk, "--passphrase", "--passphrase-file", tmp_path / "long") == 0
    (made,) = backups(disk)
    wrong = ("restore", "--from", made, "--data", tmp_path / "new", "--passphrase-file", tmp_path / "wrong")
    assert run(*wrong) == 1
    assert "wrong passphrase" in said(capsys)
    assert not (tmp_path / "new" / "hub.toml").exists()
    assert run(*wrong[:-1], tmp_path / "long") == 0


def test_restore_never_touches_a_folder_in_use(
    hub: Path, disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, before = made_backup(hub, disk), (hub / "hub.toml").read_bytes()
    assert restored(made, hub) == 1
    assert "there is a hub here already" in said(capsys)
    assert (hub / "hub.toml").read_bytes() == before
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    assert restored(made, tmp_path / "photos") == 1
    assert "not empty (cat.jpg" in said(capsys)
    (tmp_path / "broken" / "restore.part").mkdir(parents=True)
    assert restored(made, tmp_path / "broken") == 1
    assert "interrupted" in said(capsys)


@pytest.mark.parametrize("harm", ["cut", "bit", "foreign", "missing"])
def test_nothing_is_restored_from_a_file_that_is_not_a_whole_backup(
    hub: Path, disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    made = made_backup(hub, disk)
    raw = made.read_bytes()
    harmed = {"cut": raw[:-70_000], "bit": raw[:-5] + bytes([raw[-5] ^ 1]) + raw[-4:], "foreign": b"PK" + raw[2:]}
    if harm == "missing":
        made.unlink()
    else:
        made.write_bytes(harmed[harm])
    assert restored(made, tmp_path / "new") == 1
    expected = {"cut": "cut off", "bit": "damaged", "foreign": "not a backup", "missing": "cannot be read"}
    assert expected[harm] in said(capsys)
    assert not (tmp_path / "new").exists()


def test_a_good_backup_whose_settings_name_a_file_that_is_not_here_is_called_whole(
    hub: Path, disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plates = tmp_path / "plates.toml"
    plates.touch()
    with (hub / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[quality]\nplates_file = "{plates}"\n')
    made = made_backup(hub, disk)
    plates.unlink()
    assert restored(made, tmp_path / "new") == 1
    told = said(capsys)
    assert "is whole, but its hub.toml does not fit this computer: hub.toml: " in told
    assert f"{plates} does not" in told
    assert not (tmp_path / "new").exists()
    plates.touch()
    assert restored(made, tmp_path / "new") == 0


def test_a_place_that_is_not_there_is_never_created(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("backup", "--data", hub, "--to", tmp_path / "unmounted") == 1
    assert "is the backup disk mounted?" in said(capsys)
    assert not (tmp_path / "unmounted").exists()
    (hub / "inside").mkdir()
    assert run("backup", "--data", hub, "--to", hub / "inside") == 1
    assert "inside the hub's own folder" in said(capsys)


def test_a_place_whose_backups_are_gone_is_taken_for_an_unmounted_disk(
    hub: Path, disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = made_backup(hub, disk)
    made.unlink()
    assert run("backup", "--data", hub, "--to", disk) == 1
    assert f"are gone, the last was {made.name}" in said(capsys)
    assert backups(disk) == []
    assert run("backup", "--data", hub, "--to", disk, "--new-disk") == 0
    assert len(backups(disk)) == 1


class FullDisk(io.BytesIO):
    """A disk that is full after its first chunk."""

    def write(self, content: bytes, /) -> int:  # type: ignore[override]
        if self.tell() > 70_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(content)


def test_a_full_disk_leaves_the_older_backups_and_nothing_half_written(
    hub: Path, disk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    older = disk / "sunny-20260101T010000Z.cwbackup"
    older.write_bytes(b"an older one")
    monkeypatch.setattr(making, "_Counting", lambda _file: _counting(FullDisk()))
    assert run("backup", "--data", hub, "--to", disk) == 1
    assert "no space left for the backup" in said(capsys)
    assert backups(disk) == [older]
    assert not (hub / contents.WORK_NAME).exists()
    assert "no space left" in read_last_backup(hub).problem


def _counting(file: FullDisk, kind: type = making._Counting) -> object:
    return kind(file)


def test_a_backup_that_has_no_room_is_not_begun(
    hub: Path, disk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    older = made_backup(hub, disk).rename(disk / "sunny-20260101T010000Z.cwbackup")
    size, store = older.stat().st_size, (hub / "hub.sqlite").stat().st_size
    monkeypatch.setattr(FolderPlace, "draft", lambda *_: pytest.fail("something was written"))
    # Both are on one disk here: room for the copy of the store alone is too little.
    monkeypatch.setattr(space, "free_bytes", lambda _folder: store + size)
    assert run("backup", "--data", hub, "--to", disk) == 1
    line = said(capsys)
    assert f"{disk}: no space left for the backup (about" in line
    assert "are free): free some, or keep fewer" in line
    assert backups(disk) == [older]
    monkeypatch.undo()
    assert run("backup", "--data", hub, "--to", disk) == 0


def test_the_first_backup_needs_as_much_room_as_the_hub_and_a_later_one_a_quarter_more_than_the_last() -> None:
    assert space.sealed_bytes(1000, last=LastBackup()) == 1000
    assert space.sealed_bytes(1000, last=LastBackup(size_bytes=400)) == 500
    assert space.sealed_bytes(1000, last=LastBackup(size_bytes=4000)) == 1000


def test_a_restore_that_has_no_room_leaves_no_folder(
    hub: Path, disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, new = made_backup(hub, disk), tmp_path / "new"
    # More than the sealed file needs, less than what is in it.
    monkeypatch.setattr(space, "free_bytes", lambda _folder: made.stat().st_size + 1000)
    assert restored(made, new) == 1
    assert f"{new}: no space left for the restore (about" in said(capsys)
    assert not new.exists()


def test_a_disk_that_gives_back_other_bytes_is_noticed(
    hub: Path, disk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FolderPlace.deliver

    def deliver(self: FolderPlace, name: str) -> Path:
        path = real(self, name)
        raw = bytearray(path.read_bytes())
        raw[-100] ^= 1
        path.write_bytes(bytes(raw))
        return path

    monkeypatch.setattr(FolderPlace, "deliver", deliver)
    assert run("backup", "--data", hub, "--to", disk) == 1
    assert "not what had been written" in said(capsys)
    assert backups(disk) == []


def test_a_damaged_store_is_not_backed_up(hub: Path, disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = hub / "hub.sqlite"
    with closing(sqlite3.connect(store, isolation_level=None)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'member'").fetchone()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = bytearray(store.read_bytes())
    raw[(root - 1) * 4096 : root * 4096] = bytes(4096)
    store.write_bytes(bytes(raw))
    assert run("backup", "--data", hub, "--to", disk) == 1
    assert "the store is damaged" in said(capsys)
    assert backups(disk) == []


def test_what_an_earlier_backup_left_half_written_is_removed(hub: Path, disk: Path) -> None:
    half, foreign = disk / "sunny-20260101T010000Z.cwbackup.part", disk / "film.part"
    half.write_bytes(b"half")
    foreign.write_bytes(b"film")
    made = made_backup(hub, disk)
    assert backups(disk) == [foreign, made]


def test_the_place_of_the_settings_keeps_as_many_as_they_say(
    hub: Path, disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (hub / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[backup]\nto = "{disk}"\ndaily = 2\nweekly = 0\nmonthly = 0\n')
    old = [disk / f"sunny-2026010{day}T010000Z.cwbackup" for day in (1, 2, 3)]
    for path in (*old, disk / "other-20260101T010000Z.cwbackup"):
        path.write_bytes(b"an older one")
    assert run("backup", "--data", hub) == 0
    assert f"no longer kept: {old[1].name}" in capsys.readouterr().out
    left = [path.name[:14] for path in backups(disk)]
    assert left[:2] == ["other-20260101", "sunny-20260103"]
    assert len(left) == 3


def test_status_tells_the_newest_backup_and_what_is_wrong(
    hub: Path, disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("status", "--data", hub) == 0
    assert "backup: WARNING: nothing is backed up" in capsys.readouterr().out
    made = made_backup(hub, disk)
    assert run("status", "--data", hub) == 0
    assert f"backup: newest {made.name} in {disk}, 0 hours old" in capsys.readouterr().out
    made_at = read_last_backup(hub).made_at
    assert made_at is not None
    assert backup_age_s(hub, now_s=made_at + 7200) == 7200
    assert backup_warning(hub, now_s=made_at + OLD_AFTER_S, is_planned=True) is None
    assert (
        backup_warning(hub, now_s=made_at + OLD_AFTER_S + 1, is_planned=True)
        == "the newest backup is older than 48 hours"
    )
    server = {"now_s": made_at + OLD_AFTER_S + 1, "is_planned": False}
    assert "under [store]" in str(backup_warning(hub, **server, on_server=""))
    assert backup_warning(hub, **server, on_server="pg_dump at night") is None, "no hub sees a server's backups"
    assert backup_words(hub, **server, on_server="pg_dump at night").endswith("as hub.toml says: pg_dump at night")
    made.unlink()
    disk.rmdir()
    assert run("backup", "--data", hub, "--to", disk) == 1
    capsys.readouterr()
    assert run("status", "--data", hub) == 0
    assert "backup: WARNING: the last backup failed" in capsys.readouterr().out


@pytest.fixture
def busy(hub: Path) -> Iterator[Path]:
    with making._alone(hub):
        yield hub


def test_the_key_is_shown_when_it_is_made_and_when_asked_for(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("backup", "key", "--data", hub) == 1
    assert "backup key --show" in said(capsys)
    assert run("backup", "key", "--data", hub, "--show") == 0
    assert (tmp_path / "key").read_text(encoding="ascii").strip() in capsys.readouterr().out
    (hub / "backup.key").unlink()
    assert run("backup", "key", "--data", hub) == 0
    assert "keep it in a safe" in capsys.readouterr().out


def test_at_a_terminal_the_key_has_a_qr_code_and_in_a_file_it_has_none(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = terminal_code((tmp_path / "key").read_text(encoding="ascii").strip())
    assert run("backup", "key", "--data", hub, "--show") == 0
    assert code not in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run("backup", "key", "--data", hub, "--show") == 0
    assert code in capsys.readouterr().out


def test_only_one_backup_is_made_at_a_time(busy: Path, disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backup", "--data", busy, "--to", disk) == 1
    assert "being made already" in said(capsys)
