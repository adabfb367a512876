"""Durable files: after a failure at any moment the old file is whole, and the new one is on disk under its name."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.durable_files import durable_file, make_private_folder, write_durably

ROOT = Path(__file__).parents[2]


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A machine on which new files would be readable and writable by everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_its_content_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_durably(tmp_path / "key", b"secret")
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert names(tmp_path) == ["key"]


def test_a_file_written_in_parts_appears_only_when_the_block_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with durable_file(path) as file:
        file.write(b"se")
        file.flush()
        assert not path.exists()
        file.write(b"cret")
    assert path.read_bytes() == b"secret"


@pytest.mark.usefixtures("open_umask")
def test_only_the_owner_may_read_it_also_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with durable_file(path) as file:
        file.write(b"secret")
        assert [mode(found) for found in tmp_path.iterdir()] == [0o600]
    assert mode(path) == 0o600


@pytest.mark.usefixtures("open_umask")
def test_a_replaced_file_is_the_owners_alone_again(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"old")
    assert mode(path) == 0o666
    write_durably(path, b"new", replace=True)
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)


def test_an_existing_file_is_refused_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_durably(path, b"old")
    with pytest.raises(FileExistsError):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["key"]
    write_durably(path, b"new", replace=True)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("failure", [OSError("disk"), ValueError("form"), KeyboardInterrupt()])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_failure_in_the_block_leaves_what_was_there(
    tmp_path: Path, failure: BaseException, old: bytes | None
) -> None:
    path = tmp_path / "key"
    if old is not None:
        path.write_bytes(old)

    def fail_halfway() -> None:
        with durable_file(path, replace=True) as file:
            file.write(b"half")
            raise failure

    with pytest.raises(type(failure)):
        fail_halfway()
    assert names(tmp_path) == ([] if old is None else ["key"])
    assert old is None or path.read_bytes() == old


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_program_killed_in_the_block_leaves_what_was_there(tmp_path: Path, old: bytes | None) -> None:
    path = tmp_path / "key"
    if old is not None:
        path.write_bytes(old)
    script = (
        "import os, signal, sys; from pathlib import Path; from protocols.durable_files import durable_file\n"
        "with durable_file(Path(sys.argv[1]), replace=True) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert names(tmp_path) == (["key.part"] if old is None else ["key", "key.part"])
    assert old is None or path.read_bytes() == old
    write_durably(path, b"new", replace=True)
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["key"]


def test_a_link_left_under_the_working_name_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"untouched")
    (tmp_path / "key.part").symlink_to(other)
    write_durably(tmp_path / "key", b"secret")
    assert other.read_bytes() == b"untouched"
    assert not (tmp_path / "key").is_symlink()
    assert names(tmp_path) == ["key", "other"]


@pytest.mark.parametrize("where", ["missing/key", "file/key"])
def test_a_place_that_cannot_be_written_is_an_os_error(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError):
        write_durably(tmp_path / where, b"secret")
    assert names(tmp_path) == ["file"]


def test_the_content_is_on_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut would leave cannot be seen here, so the order of the two flushes is: file, then folder."""
    path = tmp_path / "key"
    path.write_bytes(b"old")
    flushed: list[tuple[str, bytes]] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        size = os.fstat(descriptor).st_size if kind == "file" else len(b"secret")
        assert size == len(b"secret"), "flushed before everything was written"
        flushed.append((kind, path.read_bytes()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    write_durably(path, b"secret", replace=True)
    assert flushed == [("file", b"old"), ("folder", b"secret")]


def test_a_folder_made_before_is_closed_to_others(tmp_path: Path) -> None:
    made = tmp_path / "data"
    made.mkdir(mode=0o755)
    made.chmod(0o755)
    for folder in (made, tmp_path / "new" / "data"):
        make_private_folder(folder)
        assert folder.stat().st_mode & 0o777 == 0o700
