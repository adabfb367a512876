"""New messages have their lines in the log of rows from the hub itself: the same that their trigger would give."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.storage.audit_records import ADDED
from hub.storage.errors import StoreConflictError
from hub.storage.postgres.connection import KnownMonths, ServerConnection
from hub.storage.postgres.connections import connect
from hub.storage.postgres.row_log.install import table_forms
from hub.storage.postgres.row_log.own_lines import own_lines
from hub.storage.postgres.row_log.triggers import spelled_row
from hub.storage.postgres.store import PostgresStore
from hub.storage.records import AcceptedMessage, Coop, Home, Member
from hub.storage.sql.connection import Connection
from hub.storage.sql.messages import MESSAGE_COLUMNS
from tests.hub.postgres_server import Databases

AGENT = "a-1"
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=9)
NUMBERS = st.integers(0, 2**63 - 1)


@pytest.fixture
async def store(databases: Databases) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.open((await databases.fresh())[2], now=lambda: 1.8e9)
    await opened.set_coop(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    await opened.add_member(Member("m1", "Ana", "a@x.org", "en", False, 1), Home("h1", "One", "m1"))
    await opened.write(
        lambda db: db.execute("INSERT INTO agent VALUES (?, 'h1', 1, ?, 1, NULL, 1)", (AGENT, bytes(32)))
    )
    yield opened
    await opened.close()


def message(seq: int, *, refused: str | None = None) -> AcceptedMessage:
    return AcceptedMessage(
        *(
            AGENT,
            "h1",
            1,
            seq,
            "batch",
            seq.to_bytes(32),
            b"" if refused else b"sealed",
            7,
            None if refused else 1_990_000,
        ),
        *((), (), (), None, None, None, refused),
    )


async def compared(store: PostgresStore) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """(what the log says of each message, what the table has), both as digests by row key."""
    async with store.row_log() as log:
        lines = [line async for page in log.lines() for line in page if line.source == "message"]
        said = {line.row_key: line.digest for line in lines if line.change == ADDED}
        held = {key: digest async for page in log.rows("message") for key, digest in page}
        assert await log.waiting() == ()
    return said, held


async def test_the_log_has_a_line_of_each_new_message_and_none_of_one_that_was_undone(store: PostgresStore) -> None:
    await store.store_messages([message(1), message(2, refused="clock_window")])
    with pytest.raises(StoreConflictError):
        await store.store_messages([message(3), replace(message(2), hash=bytes(32))])

    async def undone(db: Connection) -> None:
        await db.add_logged_rows(
            "message", MESSAGE_COLUMNS, [(9, AGENT, 9, 1, "batch", bytes(32), b"", 1, None, None, None)]
        )
        raise ValueError("this piece of work fails")

    with pytest.raises(ValueError, match="fails"):
        await store.write(undone)
    await store.store_messages([message(3)])
    said, held = await compared(store)
    assert said == held
    assert sorted(said) == ["[1]", "[2]", "[3]"]


async def test_a_message_that_somebody_else_adds_is_told_by_the_trigger(store: PostgresStore) -> None:
    await store.store_messages([message(1)])
    sql = (
        "INSERT INTO message SELECT 2, agent, epoch, 2, kind, hash, sealed, received_at, NULL, NULL, NULL FROM message"
    )
    await store.write(lambda db: db.execute(sql))
    said, held = await compared(store)
    assert said == held
    assert sorted(said) == ["[1]", "[2]"]


async def test_every_text_of_a_row_is_the_servers(databases: Databases) -> None:
    server, name, _ = await databases.fresh()
    session = await connect(server.admin(name))
    await session.execute("SET search_path TO street; ALTER TABLE message DISABLE TRIGGER ALL; DELETE FROM message")
    forms = await table_forms(ServerConnection(session, KnownMonths(lambda: 0.0)))
    (form,) = [each for each in forms if each.table == "message"]
    assert [column[0] for column in form.keys] == ["position"]
    left_out = {"sealed"}
    assert [name for name in MESSAGE_COLUMNS if name not in left_out] == [column[0] for column in form.columns]
    key, content, _ = spelled_row(form, "message")
    rows: list[tuple[object, ...]] = []

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.tuples(
            TEXTS,
            NUMBERS,
            NUMBERS,
            TEXTS,
            st.binary(min_size=32, max_size=32),
            NUMBERS,
            st.none() | NUMBERS,
            st.none() | TEXTS,
        )
    )
    def collect(row: tuple[object, ...]) -> None:
        agent, epoch, seq, kind, hashed, received_at, slot, refused = row
        rows.append(
            (
                len(rows) + 1,
                agent,
                epoch,
                seq,
                kind,
                hashed,
                b"",
                received_at,
                None if refused is not None else slot,
                slot,
                refused,
            )
        )

    collect()
    await session.execute("ALTER TABLE message DROP CONSTRAINT message_agent_epoch_seq_key")
    await session.copy_records_to_table("message", records=rows, columns=list(MESSAGE_COLUMNS))
    found = {str(row[0]): str(row[1]) for row in await session.fetch(f"SELECT {key}, {content} FROM message")}
    session.terminate()
    assert found == {line[2]: line[4] for line in own_lines("message", MESSAGE_COLUMNS, rows)}
