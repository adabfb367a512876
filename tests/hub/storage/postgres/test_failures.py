"""A server that goes away, is full or takes no writes: one line, nothing half written, and the store goes on."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from hub.storage.audit_records import FIRST_LINK, next_link
from hub.storage.errors import StoreAwayError, StoreError
from hub.storage.jobs.records import Job
from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.connections import connect, failover_warning, lock_number, told
from hub.storage.postgres.copying.between import copy_to_server
from hub.storage.postgres.prepare import prepare_store
from hub.storage.postgres.session import Session, is_away
from hub.storage.postgres.store import PostgresStore
from hub.storage.records import Access, Coop, Home, Member
from hub.storage.sqlite.store import SqliteStore
from tests.hub.postgres_server import Databases, Server, crash, start_again, start_server

COOP = Coop("street", "The Street", "Europe/Madrid", "EUR")
JOB = Access("job:look", "job", "settle.share")


def now() -> float:
    return 1_800_000_000.0


async def own_server(**settings: str) -> tuple[Server, StoreAddress]:
    server = start_server(**settings)
    admin = await server.ask()
    await admin.execute("CREATE DATABASE energy")
    admin.terminate()
    password = await prepare_store(server.admin("energy"), now=now, signer=None)
    assert password is not None
    return server, server.hub("energy", password)


@pytest.fixture
async def store(databases: Databases) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.open((await databases.fresh())[2], now=now)
    yield opened
    await opened.close()


async def test_an_open_store_outlives_its_server(caplog: pytest.LogCaptureFixture) -> None:
    server, address = await own_server()
    store = await PostgresStore.open(address, now=now)
    await store.set_coop(COOP)
    assert await store.coop() == COOP
    crash(server)
    for attempt in 3 * (lambda: store.put_job(Job("a", 1, None, "")), store.jobs):
        with pytest.raises(StoreAwayError) as refused:
            await attempt()
        assert len(str(refused.value).splitlines()) == 1
        assert address.place in str(refused.value)
    assert [line.getMessage().count("no receipt is signed") for line in caplog.records] == [1], "it is said once"
    with pytest.raises(StoreError, match="cannot open the store"):
        await PostgresStore.open(address, now=now)
    start_again(server)
    await store.put_job(Job("b", 2, None, ""))
    assert [job.name for job in await store.jobs()] == ["b"]
    assert await store.coop() == COOP
    assert [line.getMessage() for line in caplog.records[1:]] == [f"{address.place}: the store's server is back"]
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="the store is closed"):
        await store.put_job(Job("c", 3, None, ""))


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionRefusedError(111, "refused"), True),
        (FileNotFoundError(2, "no socket"), True),
        (TimeoutError(), True),
        (asyncpg.CannotConnectNowError("the database system is starting up"), True),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), True),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), False),
        (ssl.SSLCertVerificationError("certificate verify failed"), False),
        (ConnectionError("rejected SSL upgrade"), False),
        (asyncpg.ClientConfigurationError("`sslmode` parameter must be one of ..."), False),
        (asyncpg.InvalidPasswordError("password authentication failed"), False),
        (asyncpg.InvalidCatalogNameError("database does not exist"), False),
    ],
)
def test_what_passes_by_itself_is_told_from_a_wrong_address(error: Exception, passes: bool) -> None:
    assert is_away(error) == passes


async def test_a_server_that_takes_no_writes_is_left_alone_until_it_does() -> None:
    server, address = await own_server()
    store = await PostgresStore.open(address, now=now)
    admin = await server.ask()
    await admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    await admin.execute("SELECT pg_reload_conf()")
    admin.terminate()
    assert "takes writes" in await refusal_of(lambda: store.put_job(Job("a", 1, None, "")))
    with pytest.raises(StoreError, match="cannot open the store"):
        await PostgresStore.open(address, now=now)
    admin = await server.ask()
    await admin.execute("SET default_transaction_read_only = off")
    await admin.execute("ALTER SYSTEM SET default_transaction_read_only = off")
    await admin.execute("SELECT pg_reload_conf()")
    admin.terminate()
    async with asyncio.timeout(30):
        while True:  # the server's processes hear of it one after the other, and say so nowhere
            try:
                await store.put_job(Job("b", 2, None, ""))
                break
            except StoreError:
                await asyncio.sleep(0.05)
    assert "b" in [job.name for job in await store.jobs()]
    await store.close()


async def refusal_of(attempt: Callable[[], Awaitable[object]]) -> str:
    """Try until it is refused twice, by the open session and by the server: a setting reaches sessions in turn."""
    refused: list[str] = []
    async with asyncio.timeout(30):
        while len(refused) < 2:
            try:
                await attempt()
            except StoreError as error:
                refused.append(str(error))
            await asyncio.sleep(0.05)
    return refused[-1]


async def test_a_server_that_waits_for_no_standby_is_said_to_lose_the_last_readings() -> None:
    server, address = await own_server(fsync="on")
    warned = await failover_warning(address) or ""
    assert "may be missing" in warned
    assert "fsync" not in warned
    admin = await server.ask()
    await admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'second'")
    await admin.execute("SELECT pg_reload_conf()")
    admin.terminate()
    async with asyncio.timeout(30):
        while await failover_warning(address) is not None:  # a setting reaches new sessions after a moment
            await asyncio.sleep(0.05)
    crash(server)
    with pytest.raises(StoreError, match="cannot open the store"):
        await failover_warning(address)


async def test_a_server_that_waits_for_no_disk_is_said_to_lose_readings(databases: Databases) -> None:
    assert "fsync = off" in (await failover_warning((await databases.fresh())[2]) or "")


@pytest.mark.parametrize(
    ("given", "used"), [("off", "on"), ("local", "on"), ("on", "on"), ("remote_apply", "remote_apply")]
)
async def test_a_commit_is_on_disk_whatever_the_database_has_for_others(
    databases: Databases, given: str, used: str
) -> None:
    server, name, address = await databases.fresh()
    admin = await connect(server.admin(name))
    await admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = {given}")
    admin.terminate()
    store = await PostgresStore.open(address, now=now)
    assert await store.write(lambda db: db.execute_fetchall("SHOW synchronous_commit")) == [(used,)]
    await store.close()


async def test_numbers_have_no_gap_where_the_database_has_another_isolation_for_others(databases: Databases) -> None:
    server, name, address = await databases.fresh()
    admin = await connect(server.admin(name))
    await admin.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    stores = [await PostgresStore.open(address, now=now) for _ in range(2)]
    await stores[0].add_member(Member("m01", "One", "m@x.org", "en", True, 1), Home("h01", "Home", "m01"))
    await admin.execute(f"BEGIN; SELECT pg_advisory_xact_lock({lock_number(address.schema)})")
    look = Access("m01", "self", "self.view")
    both = [asyncio.create_task(each.log_access(look, ["h01"], fields="x", rows=1)) for each in stores]
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with asyncio.timeout(30):
        while await admin.fetchval(waiting) < 2:
            await asyncio.sleep(0.02)  # both writers are behind the lock once the server says so
    await admin.execute("COMMIT")
    await asyncio.gather(*both)
    assert await stores[0].last_access_line() == 2
    for store in stores:
        await store.close()
    admin.terminate()


async def test_a_wrong_address_is_said_in_one_line_without_its_password(databases: Databases) -> None:
    server, name, _ = await databases.fresh()
    for address, words in (
        (server.hub(name, "hush"), "password authentication failed"),
        (server.hub("nowhere", "hush"), "password authentication failed|does not exist"),
        (StoreAddress(f"postgresql://postgres:hush@/{name}?host=/nowhere", "street"), "cannot open the store"),
        (StoreAddress("postgresql://hub:hush@127.0.0.1:1/energy", "street"), "refused|Connect call failed"),
        (server.admin(name, schema="another"), "no store here, or none that this role may see"),
    ):
        with pytest.raises(StoreError, match=words) as refused:
            await PostgresStore.open(address, now=now)
        assert "hush" not in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1


async def test_a_full_disk_undoes_one_piece_of_work_and_says_so(databases: Databases) -> None:
    server, name, address = await databases.fresh()
    store = await PostgresStore.open(address, now=now)
    admin = await connect(server.admin(name))
    await admin.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
    )
    await admin.execute("CREATE TRIGGER full_disk BEFORE INSERT ON home FOR EACH ROW EXECUTE FUNCTION full_disk()")
    member = Member("m01", "One", "m@x.org", "en", True, 1)
    found = await asyncio.gather(
        store.add_member(member, Home("h01", "Home", "m01")),
        store.put_job(Job("a", 1, None, "")),
        return_exceptions=True,
    )
    assert isinstance(found[0], StoreError)
    assert "No space left on device" in str(found[0])
    assert found[1] is None, "what shared the commit is written"
    assert await store.members() == ()
    assert await store.member_changes() == ()
    await admin.execute("DROP TRIGGER full_disk ON home")
    await store.add_member(member, Home("h01", "Home", "m01"))
    assert [each.id for each in await store.homes()] == ["h01"]
    await store.close()
    admin.terminate()


async def test_a_commit_whose_answer_is_lost_is_no_success_and_can_be_repeated(store: PostgresStore) -> None:
    await store.set_coop(COOP)
    session: Any = store._writer
    execute = session.execute

    class Lossy:
        """The session, which loses the answer to one commit."""

        def __getattr__(self, name: str) -> Any:
            return getattr(session, name)

        async def execute(self, sql: str, *values: Any) -> str:
            status: str = await execute(sql, *values)
            if sql == "COMMIT":
                raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
            return status

    store._writer = Lossy()
    member = Member("m01", "One", "m@x.org", "en", True, 1)
    with pytest.raises(StoreError, match="closed in the middle"):
        await store.add_member(member, None)
    assert [each.id for each in await store.members()] == ["m01"], "it was made, and nobody was told"
    with pytest.raises(StoreError, match="already exists"):
        await store.add_member(member, None)


async def test_a_commit_that_was_cancelled_while_it_waited_for_its_standby_is_no_success() -> None:
    server, address = await own_server()
    store = await PostgresStore.open(address, now=now)
    admin = await server.ask("energy")
    await admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    await admin.execute("SELECT pg_reload_conf()")
    writing = asyncio.create_task(store.put_job(Job("a", 1, None, "")))
    waiting = "SELECT max(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    async with asyncio.timeout(30):
        while (pid := await admin.fetchval(waiting)) is None:
            # A setting reaches the server's processes after a moment: a commit before that waits for nobody.
            if writing.done():
                writing = asyncio.create_task(store.put_job(Job("a", 1, None, "")))
            await asyncio.sleep(0.02)
    await admin.execute("SELECT pg_cancel_backend($1::int)", pid)
    with pytest.raises(StoreAwayError, match="may be missing at the standby"):
        await writing
    await admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
    await admin.execute("SELECT pg_reload_conf()")
    await store.put_job(Job("b", 2, None, ""))
    assert [job.name for job in await store.jobs()] == ["a", "b"], "it goes on"
    await store.close()
    admin.terminate()


async def test_a_copy_whose_server_ends_in_the_middle_says_so_and_that_nothing_was_copied(tmp_path: Path) -> None:
    server, _ = await own_server()
    await (await SqliteStore.open(tmp_path / "hub.sqlite", now=now, create=True)).close()

    def report(_what: str, done: int, _of: int) -> None:
        if done == 5:
            crash(server)

    with pytest.raises(StoreAwayError, match=r"cannot copy: .*; nothing was copied: see the server's log") as refused:
        await copy_to_server(tmp_path / "hub.sqlite", server.admin("energy"), report=report)
    assert "cannot call" not in str(refused.value), "no name of a function of the driver"
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        "cannot call Connection.reset(): connection has been released back to the pool",
        "cannot call Transaction.__aexit__(): the underlying connection is closed",
    ],
)
def test_a_session_that_the_server_ended_is_told_in_plain_words(words: str) -> None:
    assert told(asyncpg.InterfaceError(words)) == "the server has ended the session"


async def test_writers_of_two_processes_take_turns_and_leave_one_chain(databases: Databases) -> None:
    _, _, address = await databases.fresh()
    stores = [await PostgresStore.open(address, now=now) for _ in range(2)]
    await stores[0].add_member(Member("m01", "One", "m@x.org", "en", True, 1), Home("h01", "Home", "m01"))
    look = Access("m01", "self", "self.view")
    work = [store.log_access(look, ["h01"], fields="x", rows=number) for number in range(40) for store in stores]
    await asyncio.gather(*work)
    assert await stores[0].access_line_count() == await stores[1].last_access_line() == 80, "numbers have no gap"
    async with stores[0].row_log() as view:
        lines = [line async for page in view.lines() for line in page]
        head = await view.head()
        assert await view.waiting() == ()
    link = FIRST_LINK
    for number, line in enumerate(lines, start=1):
        assert line.position == number
        link = next_link(link, line)
    assert head is not None
    assert (head.position, head.hash) == (len(lines), link)
    for store in stores:
        await store.close()


async def test_a_process_that_stops_in_a_transaction_gives_the_lock_back(databases: Databases) -> None:
    server, name, address = await databases.fresh()
    store = await PostgresStore.open(address, now=now)
    held: Session = await connect(server.admin(name))
    await held.execute("SET idle_in_transaction_session_timeout = 100")
    await held.execute(f"BEGIN; SELECT pg_advisory_xact_lock({lock_number(address.schema)})")
    await store.put_job(Job("a", 1, None, ""))
    assert [job.name for job in await store.jobs()] == ["a"]
    await store.close()
    held.terminate()
