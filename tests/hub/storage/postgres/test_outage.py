"""A server that is away, refuses access or is full is told in one line when it begins and in one when it is over."""

import asyncpg
import pytest

from hub.storage.errors import StoreAwayError, StoreError, StoreFullError, StoreRefusedError
from hub.storage.jobs.records import Job
from hub.storage.postgres.outage import QUIET_S, Outage
from hub.storage.postgres.store import PostgresStore
from tests.hub.postgres_server import SCHEMA, Databases

AWAY = ConnectionRefusedError(111, "refused")
REFUSED = asyncpg.InsufficientPrivilegeError("permission denied for table job")
FULL = asyncpg.DiskFullError("No space left on device")


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line.getMessage() for line in caplog.records]


@pytest.mark.parametrize(
    ("cause", "kind", "begins", "ends"),
    [
        (AWAY, StoreAwayError, "trying again until it is back", "the store's server is back"),
        (REFUSED, StoreRefusedError, "mend the password or the rights", "lets the hub in again"),
        (asyncpg.InvalidPasswordError("x"), StoreRefusedError, "mend the password", "lets the hub in again"),
        (asyncpg.UndefinedTableError("x"), StoreRefusedError, "mend the password", "lets the hub in again"),
        (FULL, StoreFullError, "make room there", "has room again"),
    ],
)
def test_each_trouble_begins_and_ends_with_one_line(
    cause: Exception, kind: type[StoreError], begins: str, ends: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    outage = Outage("there", steady_s=clock)
    for _ in range(3):
        error = outage.error("write", cause, told="words")
        assert type(error) is kind
        assert error.is_said, "whoever catches it adds no line of its own"
        assert type(outage.error("be read", cause, told="words")) is kind
    assert isinstance(outage.trouble, kind)
    clock.now_s += QUIET_S[kind]
    outage.note_done("write")
    assert outage.trouble is not None, "reading still fails"
    outage.note_done("be read")
    assert outage.trouble is None
    lines = said(caplog)
    assert len(lines) == 2, lines
    assert begins in lines[0]
    assert ends in lines[1]


def test_what_goes_well_in_between_does_not_end_a_full_server(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    outage = Outage("there", steady_s=clock)
    for _ in range(20):
        outage.error("write", FULL, told="no room")
        clock.now_s += QUIET_S[StoreFullError] / 2
        outage.note_done("write")
    assert isinstance(outage.trouble, StoreFullError)
    assert len(said(caplog)) == 1


def test_a_trouble_of_another_kind_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage("there", steady_s=Clock())
    outage.error("write", AWAY, told="refused")
    outage.error("write", FULL, told="no room")
    assert isinstance(outage.trouble, StoreFullError)
    assert len(said(caplog)) == 2


def test_a_mistake_in_one_statement_is_no_trouble_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage("there", steady_s=Clock())
    error = outage.error("write", asyncpg.NumericValueOutOfRangeError("too large"), told="too large")
    assert type(error) is StoreError
    assert not error.is_said
    assert outage.trouble is None
    assert said(caplog) == []


async def test_rights_that_were_taken_away_are_one_trouble_for_readers_and_writers(
    databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    server, name, address = await databases.fresh()
    store = await PostgresStore.open(address, now=lambda: 1_800_000_000.0)
    assert store.trouble is None
    admin = await server.ask(name)
    await admin.execute(f"REVOKE USAGE ON SCHEMA {SCHEMA} FROM {SCHEMA}_hub")
    for _ in range(3):
        with pytest.raises(StoreRefusedError, match="does not exist, or this role may not see it"):
            await store.put_job(Job("a", 1, None, ""))
        with pytest.raises(StoreRefusedError):
            await store.jobs()
    assert isinstance(store.trouble, StoreRefusedError)
    assert len(said(caplog)) == 1
    await admin.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {SCHEMA}_hub")
    await store.put_job(Job("b", 2, None, ""))
    assert [job.name for job in await store.jobs()] == ["b"]
    admin.terminate()
    await store.close()


async def test_a_piece_of_work_that_finds_no_room_is_a_trouble_though_the_commit_is_made(databases: Databases) -> None:
    server, name, address = await databases.fresh()
    store = await PostgresStore.open(address, now=lambda: 1_800_000_000.0)
    admin = await server.ask(name)
    await admin.execute(
        f"CREATE FUNCTION {SCHEMA}.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
    )
    await admin.execute(
        f"CREATE TRIGGER full_disk BEFORE INSERT ON {SCHEMA}.job FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.full_disk()"
    )
    with pytest.raises(StoreFullError, match="No space left on device"):
        await store.put_job(Job("a", 1, None, ""))
    assert isinstance(store.trouble, StoreFullError)
    assert await store.jobs() == ()
    admin.terminate()
    await store.close()
