"""Two workers take the backlog of many homes into PostgreSQL, beside bare verification and COPY of the same batches.

`python -m tests.benchmarks.bench_backlog_postgres` takes 24 hours of 10,000 homes; `make bench` a small part of it.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.prepare import prepare_store
from hub.storage.postgres.store import PostgresStore
from hub.storage.sql.connection import Connection
from protocols.wire.topics import shard_of
from tests.benchmarks.postgres_backlog.bare import TABLES
from tests.benchmarks.postgres_backlog.server_cpu import server_cpu_s
from tests.benchmarks.postgres_backlog.signed import DSN, METERS, Backlog, consent_of, sign_all, street_home
from tests.benchmarks.postgres_backlog.worker import KEY
from tests.hub.postgres_server import SCHEMA, Server, start_server, stop_server
from tests.hub.sending_home import COOP

WORKERS: Final = 2
SHORT: Final = Backlog(homes=1_000, each=20, workers=WORKERS)
WHOLE: Final = Backlog(homes=10_000, each=96, workers=WORKERS)
# As a server has them by itself; the tests' own servers do without.
_SETTINGS: Final = {"fsync": "on", "autovacuum": "on", "shared_buffers": "128MB"}
_BYTES_SQL: Final = """SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'"""
BARS: Final = {"cpu_over_bare": 1.5, "rss_mb": 200.0, "longest_step_ms": 50.0, "left": 0}


def measure() -> dict[str, object]:
    """A backlog of 20,000 batches. CPU of workers and server together, each also for the bare way.

    `cpu_over_bare`: how many times the CPU time of bare verification and COPY. `longest_step_ms`: the most CPU time
    in which a worker's event loop gave nothing else a turn. `rss_mb`: the most memory of a worker.
    """
    return asyncio.run(taken(SHORT))


async def taken(backlog: Backlog) -> dict[str, object]:
    """The figures of one backlog; one worker's where it says `most` or `longest`, else of all together."""
    with tempfile.TemporaryDirectory() as name:
        files = await sign_all(backlog, Path(name))
        server = start_server(**_SETTINGS)
        try:
            bare, bare_server_s = await _bare(server, backlog, files)
            address = await _prepared(server, backlog)
            before_bytes = await _stored_bytes(server)
            intake, server_s = await _share(server, backlog, files, module="worker", dsn=address.dsn, words=(SCHEMA,))
            stored_bytes = await _stored_bytes(server) - before_bytes
            store = await PostgresStore.open(address, now=lambda: 0.0)
            stored = await store.message_count()
            await store.close()
        finally:
            stop_server(server)
    assert stored == backlog.batches, f"{stored} of {backlog.batches} batches are stored"
    workers_s, bare_s = (sum(each["cpu_s"] for each in both) for both in (intake, bare))
    count_us = 1e6 / backlog.batches
    return {
        "homes": backlog.homes,
        "batches": backlog.batches,
        "wall_s": max(each["wall_s"] for each in intake),
        "bare_wall_s": max(each["wall_s"] for each in bare),
        "workers_us_per_batch": workers_s * count_us,
        "server_us_per_batch": server_s * count_us,
        "stored_bytes_per_batch": stored_bytes / backlog.batches,
        "bare_workers_us_per_batch": bare_s * count_us,
        "bare_server_us_per_batch": bare_server_s * count_us,
        "cpu_over_bare": (workers_s + server_s) / (bare_s + bare_server_s),
        "rss_mb": max(each["rss_mb"] for each in intake),
        "longest_step_ms": max(each["longest_step_ms"] for each in intake),
        "receipts_for_each_batch": sum(each["receipts"] for each in intake) / backlog.batches,
        "left": sum(each["left"] for each in intake),
    }


async def _bare(server: Server, backlog: Backlog, files: Sequence[Path]) -> tuple[list[dict[str, float]], float]:
    admin = await server.ask()
    await admin.execute("CREATE DATABASE bare")
    admin.terminate()
    admin = await server.ask("bare")
    await admin.execute(TABLES)
    admin.terminate()
    return await _share(server, backlog, files, module="bare", dsn=server.admin("bare").dsn)


async def _prepared(server: Server, backlog: Backlog) -> StoreAddress:
    """A store in which the homes are enrolled, with what they share."""
    admin = await server.ask()
    await admin.execute("CREATE DATABASE energy")
    admin.terminate()
    signer = KEY
    password = await prepare_store(server.admin("energy"), now=lambda: 0.0, signer=signer)
    assert password is not None
    address = server.hub("energy", password)
    store = await PostgresStore.open(address, now=lambda: 0.0, signer=signer)
    await store.set_coop(COOP)
    homes = [street_home(number) for number in range(backlog.homes)]

    async def enrol(db: Connection) -> None:
        members = [(f"m{each.home}", each.home, f"{each.home}@x.org", "en", 0, 0) for each in homes]
        await db.add_rows("member", ("id", "name", "email", "language", "is_board", "joined_at"), members)
        await db.add_rows("home", ("id", "name", "member_id"), [(e.home, e.home, f"m{e.home}") for e in homes])
        agents = [(each.agent, each.home, shard_of(each.agent), each.public_key, 1) for each in homes]
        await db.add_rows("agent", ("id", "home_id", "shard", "public_key", "enrolled_at"), agents)
        consents = [(each.home, each.consent_version, consent_of(each), 1, 1) for each in homes]
        await db.add_rows("consent", ("home", "version", "document", "received_at", "seat"), consents)
        # What each home's agent brings was decided long before it was away.
        sources = [(each.home, int(meter), each.agent, 0, 0, 1) for each in homes for meter in METERS]
        columns = ("home", "measure", "agent", "after_position", "first_slot", "since_at")
        await db.add_rows("measure_source", columns, sources)

    await store.write(enrol)
    await store.close()
    return address


async def _stored_bytes(server: Server) -> int:
    """The size of the store's tables and indexes, without what was deleted in them."""
    session = await server.ask("energy")
    await session.execute("VACUUM")
    found = await session.fetchval(_BYTES_SQL, SCHEMA)
    session.terminate()
    return int(found)


async def _share(
    server: Server, backlog: Backlog, files: Sequence[Path], *, module: str, dsn: str, words: Sequence[str] = ()
) -> tuple[list[dict[str, float]], float]:
    """What each worker says when all have done their shares, and the CPU seconds that the server spent meanwhile."""
    counts = [str(each) for each in (backlog.homes, backlog.each, backlog.workers)]
    workers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"tests.benchmarks.postgres_backlog.{module}", str(file), *words, *counts),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=dict(os.environ, **{DSN: dsn}),
        )
        for file in files
    ]
    for each in workers:
        assert each.stdout is not None
        assert await each.stdout.readline() == b"ready\n"
    before_s = server_cpu_s(server.process.pid)
    for each in workers:
        assert each.stdin is not None
        each.stdin.write(b"go\n")
    said = [(await each.communicate())[0] for each in workers]
    # What the server still has to write of it is part of it.
    admin = await server.ask()
    await admin.execute("CHECKPOINT")
    admin.terminate()
    return [json.loads(each) for each in said], server_cpu_s(server.process.pid) - before_s


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_backlog_postgres", description=__doc__)
    parser.add_argument("--homes", type=int, default=WHOLE.homes, metavar="N", help="default: %(default)s")
    parser.add_argument("--each", type=int, default=WHOLE.each, metavar="N", help="batches of each (%(default)s)")
    parser.add_argument("--workers", type=int, default=WORKERS, metavar="N", help="default: %(default)s")
    chosen = parser.parse_args()
    began = time.monotonic()
    figures: dict[str, Any] = asyncio.run(taken(Backlog(chosen.homes, chosen.each, chosen.workers)))
    for key, value in figures.items():
        print(f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}")
    print(f"all of it took {time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
