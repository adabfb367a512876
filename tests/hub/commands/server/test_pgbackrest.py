"""A backup by pgBackRest, as docs/postgres.md says: after the server is killed its hub is there to the last commit."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.commands.server.test_db import DAYS, Moved, hub, settled, verified
from tests.hub.postgres_pair import kill_at_once
from tests.hub.postgres_server import Server, candidates, start_again, start_server

__all__ = ["hub"]

UNPACKED = Path(__file__).parents[4] / "build" / "pgbackrest" / "usr" / "bin" / "pgbackrest"
PROGRAM = shutil.which("pgbackrest") or (str(UNPACKED) if UNPACKED.exists() else None)

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(
        PROGRAM is None, reason="pgBackRest is not here: Debian's package pgbackrest, or .ci/pgbackrest"
    ),
]


class Repository:
    """Where pgBackRest keeps copies and the server's log, and its settings for one server."""

    def __init__(self, folder: Path, user: str | None) -> None:
        self.folder, self._user, self.config = folder, user, folder / "pgbackrest.conf"
        self.own(folder)

    def own(self, path: Path) -> None:
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def command(self, *words: str) -> list[str]:
        return [f"{self.folder}/pgbackrest", f"--config={self.config}", "--stanza=street", *words]

    def configure(self, server: Server) -> None:
        paths = "".join(f"{name}-path={self.folder}/{name}\n" for name in ("repo1", "log", "lock", "spool"))
        self.config.write_text(
            f"[global]\n{paths}repo1-retention-full=2\nstart-fast=y\nlog-level-console=warn\n"
            f"[street]\npg1-path={server.data}\npg1-socket-path={server.sockets}\npg1-port={server.port}\n"
            "pg1-user=postgres\n"
        )

    def run(self, *words: str) -> str:
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, check=False, user=self._user, cwd="/"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def kept() -> Iterator[tuple[Server, Repository]]:
    """Debian's server, of the version that its pgBackRest knows, whose log goes to a repository."""
    programs = [each for each in candidates() if str(each).startswith("/usr/lib/postgresql")]
    folder = Path(tempfile.mkdtemp(prefix="cw-kept-"))
    shutil.copy(str(PROGRAM), folder / "pgbackrest")  # where the server's own user reaches it
    # The server has to be there before its settings for pgBackRest can be: until then a push fails, and is tried again.
    push = f"{folder}/pgbackrest --config={folder}/pgbackrest.conf --stanza=street archive-push %p"
    server = start_server(found=programs, fsync="on", archive_mode="on", archive_command=push)
    repository = Repository(folder, server.user)
    repository.configure(server)
    yield server, repository
    shutil.rmtree(folder)


async def ask(server: Server, *statements: str) -> object:
    """What the server's superuser is told by the last of these."""
    admin = await server.ask()
    try:
        for statement in statements[:-1]:
            await admin.execute(statement)
        return await admin.fetchval(statements[-1])
    finally:
        admin.terminate()


async def archived(server: Server) -> None:
    """The server's log so far is in the repository."""
    last = str(await ask(server, "SELECT pg_walfile_name(pg_switch_wal())"))
    async with asyncio.timeout(60):
        while str(await ask(server, "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver")) < last:
            await asyncio.sleep(0.05)  # the server archives in its own time, and tells nobody


async def recovered(server: Server) -> None:
    async with asyncio.timeout(60):
        while await ask(server, "SELECT pg_is_in_recovery()"):
            await asyncio.sleep(0.05)  # it tells nobody when it has read its log to the end


def restored(server: Server, repository: Repository, *, log: Path | None) -> Server:
    """The server's files from the repository, with the newest of its `log` if that could be saved."""
    shutil.rmtree(server.data)
    server.data.mkdir(mode=0o700)
    repository.own(server.data)
    repository.run("restore")
    for path in () if log is None else log.glob("0*"):
        shutil.copy(path, server.data / "pg_wal")
        repository.own(server.data / "pg_wal" / path.name)
    # Two servers come from one repository here: neither adds to it.
    again = start_again(server, archive_mode="off")
    asyncio.run(recovered(again))
    return again


def test_a_hub_is_restored_to_the_last_commit(
    hub: Moved, kept: tuple[Server, Repository], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, repository = kept
    asyncio.run(ask(server, "CREATE DATABASE energy", "SELECT 1"))
    there = Moved(hub.folder, Path(hub.place[3]), server, "energy")
    there.moves()
    for words in (("stanza-create",), ("check",), ("backup", "--type=full")):
        repository.run(*words)
    settled(there.place, capsys, days=DAYS[:3])
    in_repository = verified(there.place, capsys)
    asyncio.run(archived(server))
    settled(there.place, capsys, days=DAYS[3:])
    last = verified(there.place, capsys)
    assert last != in_repository
    kill_at_once(server)
    log = tmp_path / "pg_wal"
    shutil.copytree(server.data / "pg_wal", log)
    server = restored(server, repository, log=None)
    assert verified(there.place, capsys) == in_repository, "without the disk: what was archived"
    kill_at_once(server)
    restored(server, repository, log=log)
    assert verified(there.place, capsys) == last, "with the log from the disk: every commit"
