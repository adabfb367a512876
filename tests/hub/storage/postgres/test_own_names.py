"""Tables that the hub's role makes for its own session stand in for none of the co-op's in a trigger."""

import asyncpg
import pytest

from hub.storage.postgres.connections import connect
from hub.storage.postgres.session import Session
from tests.hub.postgres_server import SCHEMA, Databases

_MESSAGE = f"""INSERT INTO {SCHEMA}.message (position, agent, epoch, seq, kind, hash, sealed, received_at)
VALUES (1, 'a1', 1, 1, 'reading', decode(repeat('00', 32), 'hex'), 'signed', 0)"""
_ACCOUNT = f"INSERT INTO {SCHEMA}.account VALUES (1, 'm01', 'One', 'DE00', 'm01', 0)"
_SHADOWS = """CREATE TEMP TABLE agent (id text, home_id text); CREATE TEMP TABLE erasure (home text);
CREATE TEMP TABLE person_erasure (member text);
CREATE TEMP TABLE row_log_waiting (LIKE street.row_log_waiting INCLUDING ALL);
CREATE TEMP TABLE member_change (id bigint);
INSERT INTO pg_temp.agent VALUES ('a1', 'h01'); INSERT INTO pg_temp.erasure VALUES ('h01');
INSERT INTO pg_temp.person_erasure VALUES ('m01'); INSERT INTO pg_temp.member_change VALUES (41)"""


async def shadowing(databases: Databases) -> Session:
    """A session of the hub's role that would look at its own tables first, as it may ask for."""
    server, name, address = await databases.fresh()
    admin = await connect(server.admin(name))
    await admin.execute("SET session_replication_role = replica")  # the rows that these two refer to do not matter
    for sql in (_MESSAGE, _ACCOUNT):
        await admin.execute(sql)
    admin.terminate()
    session = await connect(address)
    await session.execute(f"SET search_path = {SCHEMA}")
    await session.execute(_SHADOWS)
    return session


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (f"UPDATE {SCHEMA}.message SET sealed = ''", "a signed message is never changed"),
        (f"UPDATE {SCHEMA}.account SET name = '', iban = ''", "an account is never changed"),
    ],
)
async def test_nothing_is_erased_because_of_a_table_that_the_session_made(
    databases: Databases, sql: str, said: str
) -> None:
    session = await shadowing(databases)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=said):
        await session.execute(sql)
    session.terminate()


async def test_a_change_is_reported_to_the_co_ops_own_log(databases: Databases) -> None:
    session = await shadowing(databases)
    await session.execute(f"INSERT INTO {SCHEMA}.member VALUES ('m01', 'One', 'm@x.org', 'en', 1, 1, NULL)")
    assert await session.fetchval(f"SELECT count(*) FROM {SCHEMA}.row_log_waiting WHERE source = 'member'") == 1
    assert await session.fetchval("SELECT count(*) FROM pg_temp.row_log_waiting") == 0
    session.terminate()


async def test_rows_are_numbered_by_the_co_ops_own_table(databases: Databases) -> None:
    session = await shadowing(databases)
    assert await session.fetchval(f"SELECT {SCHEMA}.next_member_change()") == 1
    session.terminate()
