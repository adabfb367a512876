"""Two PostgreSQL servers, one of which follows the other and takes its place when it is killed; made for failovers."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from hub.broker.plans import free_port
from tests.hub.postgres_server import Server, launch, start_server

_HBA = b"""local all postgres trust
local replication postgres trust
host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""


def kill_at_once(server: Server) -> None:
    """SIGKILL for the server and each process it has, as when its computer fails."""
    pid = server.process.pid
    os.kill(pid, signal.SIGSTOP)  # it starts no more of them meanwhile
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for each in (*map(int, children), pid):
        os.kill(each, signal.SIGKILL)
    server.process.wait()


class Pair:
    """A primary and, where there is one, its standby; each has a port of its own, and the two change places."""

    def __init__(self) -> None:
        self.ports = (free_port("127.0.0.1"), free_port("127.0.0.1"))
        self.primary = self._first(self.ports[0])
        self.standby: Server | None = None

    def dsn(self, database: str) -> str:
        """The address of both, for the administrator."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"postgresql://postgres@{hosts}/{database}"

    @staticmethod
    def _first(port: int) -> Server:
        settings = {"listen_addresses": "127.0.0.1", "port": str(port), "fsync": "on"}
        return start_server({"pg_hba.conf": _HBA}, **settings)

    async def add_standby(self, *, is_waited_for: bool = True) -> None:
        """Make the other server from a copy of this one; with `is_waited_for`, no commit returns without it."""
        primary = self.primary
        port = next(str(each) for each in self.ports if str(each) != primary.port)
        folder = Path(tempfile.mkdtemp(prefix="cw-pg-"))
        if primary.user is not None:
            entry = pwd.getpwnam(primary.user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        await asyncio.to_thread(_copy, primary, folder / "data")
        settings = {**primary.settings, "port": port}
        self.standby = await asyncio.to_thread(launch, primary.bin, folder / "data", primary.user, settings)
        if is_waited_for:
            await self._wait_for_it()

    async def _wait_for_it(self) -> None:
        admin = await self.primary.ask()
        await admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'")
        await admin.execute("SELECT pg_reload_conf()")
        # From here on no commit returns that the standby does not have; those made before are there by then as well.
        waited_for = """SELECT count(*) FROM pg_stat_replication
            WHERE sync_state = 'quorum' AND flush_lsn >= $1::text::pg_lsn"""
        reached = await admin.fetchval("SELECT pg_current_wal_flush_lsn()::text")
        async with asyncio.timeout(60):
            while await admin.fetchval(waited_for, reached) != 1:
                reached = reached or await admin.fetchval("SELECT pg_current_wal_flush_lsn()::text")
                await asyncio.sleep(0.02)  # the server tells nobody that a standby has caught up
        admin.terminate()

    async def fail_over(self) -> None:
        """The primary is killed; the standby takes its place, waits for nobody, and takes writes when this returns."""
        assert self.standby is not None
        kill_at_once(self.primary)
        shutil.rmtree(self.primary.sockets)
        self.primary, self.standby = self.standby, None
        admin = await self.primary.ask()
        await admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await admin.execute("SELECT pg_reload_conf()")
        assert await admin.fetchval("SELECT pg_promote(true, 60)")
        admin.terminate()


def _copy(primary: Server, data: Path) -> None:
    source = f"host={primary.sockets} port={primary.port} user=postgres"
    done = subprocess.run(
        [primary.bin / "pg_basebackup", "-D", data, "-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync"],
        capture_output=True,
        text=True,
        check=False,
        user=primary.user,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
