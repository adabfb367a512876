"""A place on a server whose making or updating stopped in the middle is made whole by the next `db prepare`."""

import secrets

import pytest

from hub.storage.errors import StoreError
from hub.storage.jobs.records import Job
from hub.storage.postgres import prepare
from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.connections import connect
from hub.storage.postgres.names import runner_of
from hub.storage.postgres.prepare import prepare_store
from hub.storage.postgres.store import PostgresStore
from hub.storage.sql.row_log.protection import LOGGED
from tests.hub.postgres_server import Databases, Server

_FORMS = "SELECT count(DISTINCT source) FROM row_log WHERE change = 'form'"


def now() -> float:
    return 1_800_000_000.0


async def stop(*_: object, **__: object) -> None:
    """Stands in for a part that is not reached."""
    raise StoreError("stopped")


async def elsewhere(databases: Databases) -> tuple[Server, str, StoreAddress]:
    """(server, database, the administrator's address) for a schema and roles that are not there yet."""
    server, name, _ = await databases.fresh()
    return server, name, server.admin(name, schema=f"s{secrets.token_hex(4)}")


async def said_by_admin(admin: StoreAddress, sql: str) -> object:
    session = await connect(admin)
    try:
        return await session.fetchval(sql)
    finally:
        session.terminate()


@pytest.mark.parametrize("part", ["migrate", "install_log", "_grant"])
async def test_a_place_whose_making_stopped_is_finished_with_the_password_that_was_kept(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    server, database, admin = await elsewhere(databases)
    kept: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(prepare, part, stop)
        with pytest.raises(StoreError, match="stopped"):
            await prepare_store(admin, now=now, signer=None, keep=kept.append)
    assert await prepare_store(admin, now=now, signer=None, keep=kept.append) is None
    assert await said_by_admin(admin, _FORMS) == len(LOGGED), "the log begins with every table"
    store = await PostgresStore.open(server.hub(database, kept[-1], schema=admin.schema), now=now)
    await store.put_job(Job("a", 1, None, ""))
    await store.close()


async def test_there_is_no_role_whose_password_could_not_be_kept(databases: Databases) -> None:
    _, _, admin = await elsewhere(databases)

    def full(_: str) -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="the disk is full"):
        await prepare_store(admin, now=now, signer=None, keep=full)
    role = f"SELECT count(*) FROM pg_roles WHERE rolname = '{runner_of(admin.schema)}'"
    assert await said_by_admin(admin, role) == 0


async def test_what_an_interrupted_update_did_not_take_over_is_taken_over_by_the_next(databases: Databases) -> None:
    server, name, _ = await databases.fresh()
    admin = server.admin(name)
    session = await connect(admin)
    # As a step leaves it that brings a table with rows: the log is whole, and has never heard of it.
    await session.execute("ALTER TABLE member ADD COLUMN more bigint")
    await session.execute("ALTER TABLE member DISABLE TRIGGER USER")
    await session.execute("INSERT INTO member VALUES ('m01', 'One', 'm@x.org', 'en', 1, 1, NULL)")
    await session.execute("ALTER TABLE member ENABLE TRIGGER USER")
    before = await session.fetchval("SELECT count(*) FROM row_log WHERE source = 'member' AND change = 'form'")
    assert await prepare_store(admin, now=now, signer=None) is None
    forms = await session.fetchval("SELECT count(*) FROM row_log WHERE source = 'member' AND change = 'form'")
    taken = await session.fetchval("SELECT count(*) FROM row_log WHERE source = 'member' AND change = 'taken over'")
    assert (before, forms, taken) == (1, 2, 1)
    session.terminate()
