"""Workers over one store: who has lost a shard writes nothing and signs nothing, and the others go on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from edge_agent.outbox.messages import ChainLink, ReceiptState
from edge_agent.uplink.receipt_effects import ReceiptMeaning, advance_receipts, meaning_of
from hub.broker.connection import Delivery
from hub.storage.shared.records import HubProcess, Lease, LeaseTable
from hub.storage.sqlite.store import SqliteStore
from protocols.wire.envelope import open_sealed
from protocols.wire.receipts import decode_receipt
from protocols.wire.topics import SHARDS, shard_of
from tests.hub.intake.leases.two_workers import Worker, let_expire
from tests.hub.intake.test_receiver import KEY
from tests.hub.sending_home import NOW_S, SendingHome, enrol, open_store


def apart(first: SendingHome, home: str = "h01") -> SendingHome:
    """An agent of this home in another shard."""
    second = SendingHome(home)
    while shard_of(second.agent) == shard_of(first.agent):
        second = SendingHome(home)
    return second


@pytest.fixture
async def homes() -> list[SendingHome]:
    """Two homes whose agents are in different shards."""
    first = SendingHome("h01")
    return [first, apart(first, "h02")]


@pytest.fixture
async def store(tmp_path: Path, homes: list[SendingHome]) -> AsyncIterator[SqliteStore]:
    opened = await open_store(tmp_path, homes)
    yield opened
    await opened.close()


async def numbers(store: SqliteStore, home: SendingHome) -> list[int]:
    rows = await store.read(
        lambda db: db.execute_fetchall("SELECT seq FROM message WHERE agent = ? ORDER BY position", (home.agent,))
    )
    return [int(row[0]) for row in rows]


async def test_a_worker_alone_has_every_shard_and_hears_them_all(store: SqliteStore, homes: list[SendingHome]) -> None:
    worker = Worker("a", store)
    await worker.turn()
    assert worker.broker.hears == set(range(SHARDS))
    await worker.receive(homes[0].batch(), homes[1].batch())
    assert sorted(each.agent for each in worker.broker.receipts()) == sorted(home.agent for home in homes)


async def test_a_worker_that_was_held_up_writes_nothing_and_signs_nothing(
    store: SqliteStore, homes: list[SendingHome]
) -> None:
    held_up, other = Worker("a", store), Worker("b", store)
    await held_up.turn()
    first, second = homes[0].batch(), homes[0].batch()
    await held_up.receive(first)
    receipted = len(held_up.broker.receipts())
    await let_expire(store, held_up)
    await other.turn()
    assert len(other.shards.working) == SHARDS

    await held_up.receive(second)
    assert await numbers(store, homes[0]) == [1], "its commit was refused"
    assert len(held_up.broker.returned) == 1, "the message is left to the other one"
    await other.receive(second)
    assert await numbers(store, homes[0]) == [1, 2]
    assert len(held_up.broker.receipts()) == receipted
    assert [each.through_seq for each in other.broker.receipts()] == [2]
    assert held_up.shards.working == {}
    assert held_up.broker.hears == frozenset()


async def test_who_lost_a_shard_answers_no_message_that_it_remembers(
    store: SqliteStore, homes: list[SendingHome]
) -> None:
    held_up, other = Worker("a", store), Worker("b", store)
    await held_up.turn()
    first, second = homes[0].batch(), homes[0].batch()
    await held_up.receive(first)
    await let_expire(store, held_up)
    await other.turn()
    await other.receive(second)
    before = len(held_up.broker.receipts())
    await held_up.receive(first)  # stored long ago: nothing has to be written before its receipt
    assert len(held_up.broker.receipts()) == before, "it would have said less than the other one's receipt"


async def test_a_receipt_that_is_signed_after_the_shard_was_lost_says_what_was_stored_when_it_was_not(
    store: SqliteStore, homes: list[SendingHome]
) -> None:
    """Between the look at the clock and the signature a worker may be held up for however long."""
    held_up, other = Worker("a", store), Worker("b", store)
    await held_up.turn()
    first, second = homes[0].batch(), homes[0].batch()
    held_up.broker.is_slow = True
    await held_up.receive(first)
    await let_expire(store, held_up)
    held_up.now_s = other.now_s = NOW_S + 60
    await other.turn()
    await other.receive(second)
    (new,) = other.broker.receipts()
    ((topic, seal),) = held_up.broker.unsealed
    sealed = seal()
    assert sealed is not None, "by its own clock, which stood still with it, its lease is not over"
    old = decode_receipt(open_sealed(sealed, topic, KEY.public_key()))
    assert (old.through_seq, old.stored_at) == (1, NOW_S), "it is as old as what it says"
    assert (new.through_seq, new.stored_at) == (2, NOW_S + 60)
    known = advance_receipts(new, ReceiptState(0), now_s=NOW_S + 90)
    link = ChainLink(new.epoch, 3, new.head)
    meaning = meaning_of(old, next_link=link, own_hash=old.head, so_far=known, now_s=NOW_S + 90)
    assert meaning is ReceiptMeaning.OLD, "the home keeps to the newer one"


async def test_what_is_of_the_shards_that_are_left_is_stored_all_the_same(
    store: SqliteStore, homes: list[SendingHome]
) -> None:
    worker, other = Worker("a", store), Worker("b", store)
    await worker.turn()
    lost = shard_of(homes[0].agent)
    await let_expire(store, worker, shards=[lost])
    other.is_deaf = True
    await other.shards.turn_once()  # it is known now, but has no share yet
    other.is_deaf = False
    await other.turn()
    assert other.shards.working.keys() == {lost}
    await worker.receive(homes[0].batch(), homes[1].batch())
    assert (await numbers(store, homes[0]), await numbers(store, homes[1])) == ([], [1])
    assert [each.agent for each in worker.broker.receipts()] == [homes[1].agent]


async def test_who_joins_gets_a_share_once_the_other_has_given_it_up(
    store: SqliteStore, homes: list[SendingHome]
) -> None:
    worker, joining = Worker("a", store), Worker("b", store)
    await worker.turn()
    await joining.turn()
    assert joining.shards.working == {}, "nothing is free yet"
    await worker.turn()
    assert len(worker.shards.working) == SHARDS // 2, "it has ceased to work on what is too much"
    await joining.turn()
    assert joining.shards.working == {}, "and has not given it back yet"
    await worker.turn()
    await joining.turn()
    assert worker.shards.working.keys() ^ joining.shards.working.keys() == set(range(SHARDS))
    assert (worker.broker.hears, joining.broker.hears) == (worker.shards.working.keys(), joining.shards.working.keys())
    for home in homes:
        of_home = worker if worker.shards.covers(home.agent) else joining
        await of_home.receive(home.batch())
        assert await numbers(store, home) == [1]


async def test_who_gave_a_share_up_works_on_it_again_when_the_other_has_left(store: SqliteStore) -> None:
    worker, joining = Worker("a", store), Worker("b", store)
    for each in (worker, joining, worker, worker, joining):
        await each.turn()
    assert len(joining.shards.working) == SHARDS // 2
    await store.leave(joining.name)
    await worker.turn()
    assert worker.shards.working.keys() == set(range(SHARDS))


async def test_new_shards_are_heard_when_intake_knows_their_agents_and_not_before(store: SqliteStore) -> None:
    worker = Worker("a", store)
    await worker.shards.turn_once()
    assert worker.work.begin_change()
    assert worker.broker.hears == frozenset()
    worker.work.complete_change()
    assert worker.broker.hears == set(range(SHARDS))


async def test_a_topic_that_no_agent_can_have_goes_back(store: SqliteStore) -> None:
    worker = Worker("a", store)
    await worker.turn()
    strange = [
        Delivery(f"a/b/{shard}/c", b"", 1, n, 1) for n, shard in enumerate(("1" * 5000, "64", "-1", "x", "\u0663"))
    ]
    own = Delivery(SendingHome("h01").batch()[0], b"", 1, 9, 1)
    assert worker.work.own([strange[0], own, *strange[1:]]) == [own]
    assert worker.broker.returned == strange


async def test_what_another_workers_new_agent_of_the_home_brought_first_is_brought_once(
    store: SqliteStore, homes: list[SendingHome]
) -> None:
    """This worker does not know that the home has a second agent."""
    worker, other = Worker("a", store), Worker("b", store)
    second = apart(homes[0])
    await worker.turn()
    await let_expire(store, worker, shards=[shard_of(second.agent)])
    other.is_deaf = True
    await other.shards.turn_once()
    other.is_deaf = False
    await other.turn()
    # So that it has no more than the one shard, and the worker keeps all others.
    await store.write(lambda db: db.execute("UPDATE process SET wants_shards = 0 WHERE id = 'b'"))
    await worker.turn()
    await enrol(store, second, member="m01", is_further=True)
    await other.intake.agents_changed()
    await other.receive(second.batch())
    await worker.receive(homes[0].batch())
    rows = await store.read(lambda db: db.execute_fetchall("SELECT DISTINCT agent FROM measure_source"))
    assert [row[0] for row in rows] == [second.agent]
    assert await numbers(store, homes[0]) == [1]


async def test_a_new_worker_asks_for_what_is_missing(store: SqliteStore, homes: list[SendingHome]) -> None:
    gone, other = Worker("a", store), Worker("b", store)
    await gone.turn()
    sent = [homes[0].batch() for _ in range(5)]
    await gone.receive(*sent[:2])
    await let_expire(store, gone)
    await other.turn()
    await other.receive(sent[4])
    assert [(each.through_seq, each.gaps) for each in other.broker.receipts()] == [(2, ((3, 4),))]


async def test_a_worker_that_hears_no_broker_leaves_its_shards(store: SqliteStore) -> None:
    worker, other = Worker("a", store), Worker("b", store)
    await worker.turn()
    worker.is_deaf = True
    await worker.turn()
    await worker.turn()
    await other.turn()
    assert (len(worker.shards.working), len(other.shards.working)) == (0, SHARDS)


async def test_a_worker_that_is_not_sure_of_its_shards_says_nothing(
    store: SqliteStore, homes: list[SendingHome]
) -> None:
    worker = Worker("a", store)
    await worker.turn()
    worker.steady[0] = 9.9
    await worker.receive(homes[0].batch())
    assert len(worker.broker.receipts()) == 1
    worker.steady[0] = 10.0
    await worker.receive(homes[0].batch())
    assert len(worker.broker.receipts()) == 1, "ten seconds after its last turn it cannot know"
    await worker.turn()
    await worker.receive(homes[0].batch())
    assert [each.through_seq for each in worker.broker.receipts()] == [1, 3]


async def test_a_lease_is_counted_from_before_the_question(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, take, agent = Worker("a", store), store.take_turn, SendingHome("h01").agent

    async def slow(own: HubProcess, decide: Callable[[LeaseTable], tuple[Lease, ...]]) -> LeaseTable:
        table = await take(own, decide)
        worker.steady[0] += 4
        return table

    monkeypatch.setattr(store, "take_turn", slow)
    await worker.turn()
    worker.steady[0] = 9.9
    assert worker.shards.may_tell(agent)
    worker.steady[0] = 10.0
    assert not worker.shards.may_tell(agent)


async def test_a_worker_that_leaves_in_order_gives_everything_back(store: SqliteStore) -> None:
    worker, other = Worker("a", store), Worker("b", store)
    running = asyncio.create_task(worker.shards.run())
    await worker.shards.has_turned.wait()
    running.cancel()
    await asyncio.wait({running})
    await other.turn()
    assert len(other.shards.working) == SHARDS


async def test_the_store_knows_which_agents_a_worker_knows(store: SqliteStore) -> None:
    worker = Worker("a", store)
    await worker.turn()
    looked = worker.shards.looks_at_agents()
    before_ms = (await store.lease_table()).now_ms
    looked(True)
    (turned,) = (await store.lease_table()).processes
    await worker.turn()
    (own,) = (await store.lease_table()).processes
    assert own.agents_ms == turned.heard_ms <= before_ms
    worker.steady[0] += 1.5
    worker.shards.looks_at_agents()(True)
    await worker.turn()
    (later,) = (await store.lease_table()).processes
    assert later.agents_ms == own.heard_ms + 1500
