"""Indexes that a step builds while the hub writes: none waits for them, and a stopped try is finished by the next."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from hub.storage.errors import StoreError
from hub.storage.jobs.records import Job
from hub.storage.postgres.connections import connect
from hub.storage.postgres.names import owner_of
from hub.storage.postgres.online import online_indexes
from hub.storage.postgres.schema import known_migrations, migrate
from hub.storage.postgres.session import Session
from hub.storage.postgres.store import PostgresStore
from hub.storage.sql.backends.numbered_steps import Migration
from tests.hub.postgres_server import Databases

SQL = """-- online
-- Jobs by when they last ran; readings by their mark.
CREATE INDEX CONCURRENTLY job_last ON job (last_run_at) WHERE last_run_at IS NOT NULL;
CREATE INDEX CONCURRENTLY reading_mark ON reading (mark, slot);
"""
NEXT = Migration(len(known_migrations()) + 1, "next.sql", SQL)
STEPS = (*known_migrations(), NEXT)
INDEXES = """SELECT c.relname, i.indisvalid FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relname ~ 'job_last|mark' ORDER BY 1"""
BUILT = [("job_last", True), ("reading_2027_01_reading_mark", True), ("reading_mark", True)]
JANUARY, FEBRUARY = 1_998_720, 2_001_696
"""Slots in January and February of 2027."""


@asynccontextmanager
async def owner_and_store(databases: Databases) -> AsyncIterator[tuple[Session, Session, PostgresStore]]:
    """Two sessions, of which one acts as the tables' owner, and a hub's open store."""
    server, name, address = await databases.fresh()
    owner, other = await connect(server.admin(name)), await connect(server.admin(name))
    await owner.execute(f"SET ROLE {owner_of(address.schema)}")
    await owner.execute("SELECT make_month($1)", JANUARY)
    store = await PostgresStore.open(address, now=lambda: 1_800_000_000.0)
    yield owner, other, store
    await store.close()
    owner.terminate()
    other.terminate()


async def indexes(session: Session) -> list[tuple[str, bool]]:
    return [(str(name), bool(is_valid)) for name, is_valid in await session.fetch(INDEXES)]


async def waits(session: Session) -> None:
    """Until somebody builds an index and waits for those who were there before."""
    async with asyncio.timeout(30):
        while not await session.fetchval("SELECT count(*) FROM pg_stat_progress_create_index WHERE lockers_total > 0"):
            await asyncio.sleep(0.02)  # the server says so nowhere else
            await session.execute("SELECT pg_stat_clear_snapshot()")


async def test_the_hub_writes_while_an_index_is_built(databases: Databases) -> None:
    async with owner_and_store(databases) as (owner, other, store):
        await store.put_job(Job("a", 1, None, ""))
        await other.execute("BEGIN; INSERT INTO job VALUES ('held', 1, 1, '')")
        building = asyncio.create_task(migrate(owner, place="x", steps=STEPS))
        await waits(other)
        await store.put_job(Job("b", 2, 2, ""))
        assert [job.name for job in await store.jobs()] == ["a", "b"], "nobody waits behind the index"
        assert not building.done()
        await other.execute("COMMIT")
        assert await building == range(NEXT.number, NEXT.number + 1)
        assert await indexes(other) == BUILT
        await owner.execute("SELECT make_month($1)", FEBRUARY)
        assert len(await indexes(other)) == len(BUILT) + 1, "a new month has it from its beginning"
        assert await migrate(owner, place="x", steps=STEPS) == range(NEXT.number + 1, NEXT.number + 1)


@pytest.mark.parametrize(
    "held", ["INSERT INTO job VALUES ('held', 1, 1, '')", "LOCK reading_2027_01 IN ROW EXCLUSIVE MODE"]
)
async def test_what_a_stopped_try_left_half_built_is_built_by_the_next(databases: Databases, held: str) -> None:
    async with owner_and_store(databases) as (owner, other, _):
        await other.execute(f"BEGIN; {held}")
        pid = await owner.fetchval("SELECT pg_backend_pid()")
        building = asyncio.create_task(migrate(owner, place="x", steps=STEPS))
        await waits(other)
        await other.execute("SELECT pg_cancel_backend($1::int)", pid)
        with pytest.raises(asyncpg.QueryCanceledError):
            await building
        await other.execute("COMMIT")
        assert False in dict(await indexes(other)).values(), "an index is left that helps nobody"
        assert await owner.fetchval("SELECT max(number) FROM migration") == NEXT.number - 1
        await migrate(owner, place="x", steps=STEPS)
        assert await indexes(other) == BUILT
        assert await owner.fetchval("SELECT max(number) FROM migration") == NEXT.number


def test_an_online_step_holds_indexes_alone() -> None:
    assert [index.name for index in online_indexes(SQL, name="next.sql")] == ["job_last", "reading_mark"]
    assert online_indexes("CREATE INDEX a ON b (c);", name="x") == ()
    for wrong in ("CREATE INDEX a ON b (c)", "ALTER TABLE job ADD COLUMN note text", "SELECT 1"):
        with pytest.raises(StoreError, match=r"step x: only CREATE INDEX CONCURRENTLY can be done online"):
            online_indexes(f"-- online\n{wrong};\n", name="x")
    for step in known_migrations():
        online_indexes(step.sql, name=step.name)
