"""Backups over SFTP: with a program in the place of `sftp` that keeps to its batch language and can fail."""

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.backups.contents import WORK_NAME
from hub.backups.making import make_backup
from hub.backups.places import BackupError
from hub.backups.sealed_file import KeyLock
from hub.backups.sftp_place import SftpPlace
from hub.backups.snapshots import Keeping
from hub.folder.backup_settings import SftpAddress, parse_place
from hub.storage.records import Coop

COOP = Coop("sunny", "Sunny", "Europe/Madrid", "EUR")
KEY = KeyLock(bytes(20))

PROGRAM = """#!{python}
import os, shlex, shutil, sys
root, trouble = {root!r}, {trouble!r}
open(os.path.join(root, "..", "arguments"), "a").write(shlex.join(sys.argv[1:]) + "\\n")
if trouble == "refused":
    sys.exit("backup@nas: Permission denied (publickey).")
def there(path): return os.path.join(root, path.lstrip("/"))
for line in sys.stdin:
    print("sftp> " + line, end="")
    words = shlex.split(line)
    try:
        if words[0] == "ls":
            for name in [".", "..", *os.listdir(there(words[2]))]: print(os.path.join(words[2], name))
        if words[0] == "put":
            shutil.copyfile(words[1], there(words[2]))
            if trouble == "full":
                os.truncate(there(words[2]), 100); sys.exit("write remote: Failure")
            if trouble == "cut": os.truncate(there(words[2]), 70000)
        if words[0] == "get": shutil.copyfile(there(words[1]), words[2])
        if words[0] == "rename": os.rename(there(words[1]), there(words[2]))
        if words[0] == "rm": os.remove(there(words[1]))
    except OSError as error:
        sys.exit(f"{{words[0]}}: {{error.strerror}}")
"""


class Server:
    """A server's folder, reached through the program."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._tmp = tmp_path / "server" / "kept", tmp_path
        self.folder.mkdir(parents=True)
        (tmp_path / "bin").mkdir()
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        self.behave("well")

    def behave(self, trouble: str) -> None:
        program = self._tmp / "bin" / "sftp"
        root = str(self._tmp / "server")
        program.write_text(PROGRAM.format(python=sys.executable, root=root, trouble=trouble), encoding="utf-8")
        program.chmod(0o755)

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    @property
    def arguments(self) -> list[str]:
        return shlex.split((self._tmp / "arguments").read_text(encoding="utf-8").splitlines()[-1])


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "hub"
    assert main(["init", "--data", str(folder), "--name", "Sunny", "--coop", "sunny", "--tz", "Europe/Madrid"]) == 0
    return folder


@pytest.fixture
def hub(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "the hub's"))


def place_of(hub: Path) -> SftpPlace:
    key, hosts = hub / "ssh key", hub / "hosts"
    address = SftpAddress("backup", "nas.example", 2222, "/kept")
    return SftpPlace(address, work=hub / WORK_NAME, ssh_key=key, known_hosts=hosts)


def back_up(hub: Path, made_at: int) -> str:
    keeping = Keeping(daily=2, weekly=0, monthly=0)
    return make_backup(hub, coop=COOP, lock=KEY, place=place_of(hub), made_at=made_at, keeping=keeping).name


def test_backups_are_sent_read_back_renamed_and_thinned_out(server: Server, hub: Path) -> None:
    made = [back_up(hub, 1_796_000_000 + day * 86400) for day in range(3)]
    assert server.names == made[1:]
    assert not (hub / WORK_NAME).exists()


def test_the_key_and_the_known_host_are_passed_and_no_password_is_asked_for(server: Server, hub: Path) -> None:
    back_up(hub, 1_796_000_000)
    given = server.arguments
    assert given[-1] == "backup@nas.example"
    assert "BatchMode=yes" in given
    assert "StrictHostKeyChecking=yes" in given
    assert given[given.index("-i") + 1] == str(hub / "ssh key")
    assert f"UserKnownHostsFile={hub / 'hosts'}" in given
    assert given[given.index("-P") + 1] == "2222"


@pytest.mark.parametrize(
    ("trouble", "said"), [("refused", "Permission denied"), ("full", "write remote: Failure"), ("cut", "read back")]
)
def test_a_failed_delivery_leaves_the_older_backup_alone(server: Server, hub: Path, trouble: str, said: str) -> None:
    older = back_up(hub, 1_796_000_000)
    before = (server.folder / older).read_bytes()
    server.behave(trouble)
    with pytest.raises(BackupError, match=said) as failed:
        back_up(hub, 1_796_086_400)
    assert "\n" not in str(failed.value)
    assert server.names == [older], "what was sent so far is gone"
    server.behave("well")
    later = back_up(hub, 1_796_172_800)
    assert server.names == [older, later]
    assert (server.folder / older).read_bytes() == before


def test_a_folder_that_is_not_there_is_one_line(server: Server, hub: Path) -> None:
    server.folder.rmdir()
    with pytest.raises(BackupError, match="No such file"):
        back_up(hub, 1_796_000_000)


def test_a_missing_program_says_what_to_install(server: Server, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(server.folder))
    with pytest.raises(BackupError, match="install openssh-client"):
        back_up(hub, 1_796_000_000)


SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[int]:
    """A real server on this computer, which lets one key in; its port."""
    assert SSHD is not None
    places = (Path(SSHD).parents[1] / "lib" / "openssh" / "sftp-server", Path("/usr/lib/openssh/sftp-server"))
    sftp_server = next(path for path in places if path.exists())
    for name in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True, timeout=30)
    port = free_port()
    (tmp_path / "conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/client.pub\n"
        f"StrictModes no\nUsePAM no\nPidFile none\nSubsystem sftp {sftp_server}\n",
        encoding="ascii",
    )
    known = f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text(encoding='ascii')}"
    (tmp_path / "hosts").write_text(known, encoding="ascii")
    running = subprocess.Popen([SSHD, "-D", "-e", "-f", str(tmp_path / "conf")])
    try:
        for _ in range(200):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert running.poll() is None, "sshd ended"
            time.sleep(0.05)
        yield port
    finally:
        running.terminate()
        running.wait(timeout=20)


@pytest.mark.skipif(SSHD is None or shutil.which("sftp") is None, reason="no OpenSSH server and client here")
def test_a_real_server_takes_a_backup_and_a_wrong_host_key_is_one_line(sshd: int, hub: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    address = SftpAddress(getpass.getuser(), "127.0.0.1", sshd, str(kept))
    keeping, names = Keeping(daily=1, weekly=0, monthly=0), []
    for made_at in (1_796_000_000, 1_796_086_400):
        place = SftpPlace(address, work=hub / WORK_NAME, ssh_key=tmp_path / "client", known_hosts=tmp_path / "hosts")
        names.append(make_backup(hub, coop=COOP, lock=KEY, place=place, made_at=made_at, keeping=keeping).name)
    assert [path.name for path in kept.iterdir()] == names[1:]
    (tmp_path / "hosts").write_text("", encoding="ascii")
    with pytest.raises(BackupError, match="Host key verification failed"):
        place.names()


@pytest.mark.parametrize(
    "text",
    ["sftp://-oProxyCommand=x/y", "sftp://host", "sftp://a b@host/x", 'sftp://host/x"y', "sftp://host:0/x", "x/y"],
)
def test_an_address_that_could_be_taken_for_an_option_is_refused(text: str) -> None:
    assert parse_place(text) is None


def test_an_address_keeps_its_words() -> None:
    for text in ("sftp://backup@nas.example:2222/kept/sunny", "sftp://nas/kept"):
        assert str(parse_place(text)) == text
