"""Only files of a hub's folder come out of a backup: no link, no path that leads elsewhere."""

import errno
import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from hub.backups.contents import files_of, unpack
from hub.backups.sealed_file import KeyLock, SealedFileError, SealedReader, SealedWriter
from protocols.errors import RequestError

KEY = KeyLock(bytes(20))


def sealed(*entries: tarfile.TarInfo, tail: bytes = b"") -> SealedReader:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for entry in entries:
            archive.addfile(entry, io.BytesIO(bytes(entry.size)))
    file = io.BytesIO()
    writer = SealedWriter(file, KEY, words={})
    writer.write(gzip.compress(plain.getvalue()) + tail)
    writer.finish()
    file.seek(0)
    return SealedReader(file, KEY, name="b")


def entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 3) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.size = kind, size if kind == tarfile.REGTYPE else 0
    found.linkname = "hub.toml"
    return found


@pytest.mark.parametrize(
    "bad",
    [
        *(entry(name) for name in ("/etc/passwd", "../out", "a/../../out")),
        *(entry("x", kind) for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)),
    ],
    ids=lambda each: f"{each.name}-{each.type!r}",
)
def test_an_entry_that_is_no_plain_file_inside_is_refused(bad: tarfile.TarInfo, tmp_path: Path) -> None:
    with pytest.raises(SealedFileError, match="not a file of a hub's folder"):
        unpack(sealed(bad, entry("hub.sqlite")), name="b", into=tmp_path / "new")


def test_a_backup_without_a_store_or_with_a_file_twice_is_refused() -> None:
    with pytest.raises(SealedFileError, match=r"holds no hub\.sqlite"):
        unpack(sealed(entry("hub.toml")), name="b", into=None)
    with pytest.raises(SealedFileError, match="twice"):
        unpack(sealed(entry("hub.toml"), entry("hub.toml")), name="b", into=None)


def test_what_is_no_archive_is_refused_in_one_line() -> None:
    with pytest.raises(SealedFileError, match="not a backup of a hub"):
        unpack(sealed(entry("hub.sqlite"), tail=b"more"), name="b", into=None)
    assert unpack(sealed(entry("hub.sqlite")), name="b", into=None) == 1


def test_a_link_to_a_file_is_taken_as_the_file_and_one_to_a_folder_is_refused(tmp_path: Path) -> None:
    hub, other = tmp_path / "hub", tmp_path / "other"
    hub.mkdir()
    other.mkdir()
    (other / "hub.toml").write_text("x", encoding="ascii")
    (hub / "hub.toml").symlink_to(other / "hub.toml")
    assert [name for name, _ in files_of(hub)] == ["hub.toml"]
    (hub / "keys").symlink_to(other)
    with pytest.raises(RequestError, match="a link to a folder"):
        list(files_of(hub))


def test_a_folder_that_cannot_be_read_is_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys").mkdir()
    look = os.scandir

    def refusing(place: str) -> object:
        if Path(place).name == "keys":
            raise PermissionError(errno.EACCES, "Permission denied", str(place))
        return look(place)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(RequestError, match="keys: cannot be read, so nothing was backed up: Permission denied"):
        list(files_of(tmp_path))
