"""Nothing that was given for homes is lost while the store fails, is slow, or the worker is not sure of its shards."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from hub.intake.leases import outgoing as sending
from hub.intake.leases.leased_link import LeasedLink
from hub.intake.leases.outgoing import AGAIN_S
from hub.processes.roles import outgoing as roles_outgoing
from hub.processes.roles.outgoing import StoredOutgoing
from hub.storage.errors import StoreError
from hub.storage.shared.records import OutgoingMessage
from hub.storage.sqlite.store import SqliteStore
from tests.hub.intake.leases.two_workers import Worker
from tests.hub.processes.roles.test_shared_work import TOPIC, sender_of, stay, within
from tests.hub.sending_home import open_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_store(tmp_path)
    yield opened
    await opened.close()


async def stored(store: SqliteStore) -> list[bytes]:
    return [each.sealed for each in (await store.outgoing(range(64), limit=9))[1]]


async def test_the_oldest_go_first_when_nothing_can_be_stored_for_long(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles_outgoing, "MOST_WAITING", 2)
    outgoing = StoredOutgoing(store)
    for sealed in (b"1", b"2", b"3", b"4"):
        outgoing.publish(TOPIC, sealed)
    await outgoing.flush()
    assert await stored(store) == [b"3", b"4"]


async def test_what_is_taken_while_others_are_stored_is_stored_next(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    outgoing, put = StoredOutgoing(store), store.put_outgoing

    async def meanwhile(messages: Sequence[OutgoingMessage]) -> None:
        await put(messages)
        if messages[0].sealed == b"first":
            outgoing.publish(TOPIC, b"second")

    monkeypatch.setattr(store, "put_outgoing", meanwhile)
    outgoing.publish(TOPIC, b"first")
    await outgoing.flush()
    await outgoing.flush()
    assert await stored(store) == [b"first", b"second"]


async def test_what_the_store_could_not_take_is_stored_when_it_works_again(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles_outgoing, "RETRY_S", 0.0)
    outgoing, put, tries = StoredOutgoing(store), store.put_outgoing, [0]
    is_stored = asyncio.Event()

    async def fails_twice(messages: Sequence[OutgoingMessage]) -> None:
        tries[0] += 1
        if tries[0] <= 2:
            raise StoreError("the disk is full")
        await put(messages)
        is_stored.set()

    monkeypatch.setattr(store, "put_outgoing", fails_twice)
    outgoing.publish(TOPIC, b"sealed")
    running = asyncio.create_task(outgoing.run())
    await within(is_stored.wait())
    assert await stored(store) == [b"sealed"]
    running.cancel()
    await asyncio.wait({running})


async def test_what_could_not_be_sent_for_doubt_is_handed_over_again_after_half_a_minute(store: SqliteStore) -> None:
    outgoing = StoredOutgoing(store)
    outgoing.publish(TOPIC, b"prompt")
    await outgoing.flush()
    worker = Worker("a", store)
    await worker.turn()
    worker.steady[0] = 60.0
    sender = sender_of(worker, store)
    await sender.look()
    await worker.turn()
    await sender.look()
    assert worker.broker.sent == [], "it was handed over, and its turn in the link may still come"
    await stay(worker, seconds=AGAIN_S)
    await sender.look()
    assert worker.broker.sent == [(TOPIC, b"prompt")]


async def test_what_no_broker_acknowledges_keeps_nothing_back(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "AT_ONCE", 2)
    outgoing, worker = StoredOutgoing(store), Worker("a", store)
    for sealed in (b"1", b"2", b"3"):
        outgoing.publish(TOPIC, sealed)
    await outgoing.flush()
    await worker.turn()
    sender = sender_of(worker, store)
    for sent in ([b"1", b"2"], [b"1", b"2", b"3"]):
        await sender.look()
        assert [each[1] for each in worker.broker.sent] == sent


async def test_what_the_broker_keeps_for_later_is_sent_for_any_shard_and_nothing_else_is(store: SqliteStore) -> None:
    worker = Worker("a", store)
    link = LeasedLink(worker.broker, may_tell=worker.shards.may_tell)
    for is_kept in (False, True):
        link.publish(TOPIC, b"kept" if is_kept else b"passing", is_kept=is_kept)
    assert worker.broker.sent == [(TOPIC, b"kept")], "it has no shard"
    await worker.turn()
    link.publish(TOPIC, b"passing")
    link.publish("a/topic/of/nobody", b"passing")
    assert worker.broker.sent == [(TOPIC, b"kept"), (TOPIC, b"passing")]
