"""A backup by pg_dump, brought to another server as docs/postgres.md says: `verify` finds what it found before."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.folder.elsewhere.store_settings import ADDRESS_NAME
from hub.storage.postgres.names import owner_of
from tests.hub.commands.server.test_db import Moved, hub, settled, verified
from tests.hub.postgres_server import start_server

__all__ = ["hub"]


def run_tool(moved: Moved, name: str, *words: str) -> None:
    """One of the server's own programs, as its superuser."""
    place = ["-h", str(moved.server.sockets), "-p", moved.server.port, "-U", "postgres"]
    done = subprocess.run([moved.server.bin / name, *place, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_dump_restored_on_another_server_is_the_same_hub(
    hub: Moved,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.moves()
    before = settled(hub.place, capsys)
    found = verified(hub.place, capsys)
    dump = tmp_path / "street.dump"
    run_tool(hub, "pg_dump", "--format=custom", f"--schema={hub.schema}", f"--file={dump}", hub.database)
    there = Moved(hub.folder, Path(hub.place[3]), start_server(), "energy")
    there.schema = hub.schema
    there.dsn = there.server.admin("energy", schema=hub.schema).dsn

    async def make() -> None:
        admin = await there.server.ask()
        await admin.execute("CREATE DATABASE energy")
        await admin.execute(f"CREATE ROLE {owner_of(hub.schema)} NOLOGIN")
        admin.terminate()

    asyncio.run(make())
    run_tool(there, "pg_restore", "--no-acl", "--exit-on-error", "-d", "energy", str(dump))
    was = (hub.folder / ADDRESS_NAME).read_text()
    assert there.db("prepare", "--to", there.dsn, "--schema", there.schema) == 0
    assert (hub.folder / ADDRESS_NAME).read_text() != was, "the new server's own address"
    assert verified(there.place, capsys) == found
    capsys.readouterr()
    assert there.db("restored") == 0
    assert "restore confirm" in capsys.readouterr().out
    assert there.db("restored") == 1
    assert "noted already" in capsys.readouterr().err
    assert main(["restore", "confirm", *there.place, "--by", "nobody"]) == 1
    assert "is not on the board" in capsys.readouterr().err, "and until somebody is, nothing is published or paid"
    again = settled(there.place, capsys)
    assert [row["result_hash"] for row in again] == [row["result_hash"] for row in before]
    assert all(not row["entries_booked"] for row in again), "these days are booked already"
