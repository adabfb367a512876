"""What the hub left although the broker was told it is taken: the next receipt names it, and nothing stays missing."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hub.broker.connection import Delivery
from hub.intake import receiver
from hub.intake.fair_queues import MAX_EACH
from hub.intake.group.asking_again import ASK_EACH_S, FURTHEST, AskingAgain
from hub.intake.group.receipts import asked_for
from hub.intake.leases.work import AllAgents
from hub.intake.state import Rejection
from hub.storage.errors import StoreError
from hub.storage.records import AcceptedMessage
from protocols.wire.receipts import Receipt
from protocols.wire.refusal_reasons import RefusalReason
from tests.hub.intake.test_receiver import Bench, bench_on
from tests.hub.sending_home import SendingHome, open_store

OVER = 30


async def handled(bench: Bench) -> None:
    """Let intake work until nothing waits any more and nobody has to be asked."""
    async with asyncio.timeout(30):
        while bench.intake._admission.ready_in_s(0.0) is not None or bench.intake._asking.due_in_s(steady_s=0.0):
            await bench.intake.work_once()


def newest(bench: Bench) -> Receipt:
    return bench.broker.receipts()[-1]


async def test_what_found_no_room_is_named_in_the_receipt_after_the_rest_and_comes(tmp_path: Path) -> None:
    home = SendingHome("h01")
    store = await open_store(tmp_path, [home])
    bench = bench_on(store)
    await bench.intake.agents_changed()
    sent = [home.batch() for _ in range(MAX_EACH + OVER)]
    bench.intake.offer([Delivery(topic, sealed, 1, n, 1) for n, (topic, sealed) in enumerate(sent)])
    assert len(bench.broker.acknowledged) == OVER, "the broker was told that these are taken"
    await handled(bench)
    receipts = bench.broker.receipts()
    assert [each.gaps for each in receipts[:-1]] == [()] * (len(receipts) - 1), "what still waits is not asked for"
    assert (newest(bench).through_seq, newest(bench).gaps) == (MAX_EACH, ((MAX_EACH + 1, MAX_EACH + OVER),))
    first, last = newest(bench).gaps[0]
    await bench.receive(*sent[first - 1 : last - 10])
    assert (newest(bench).through_seq, newest(bench).gaps) == (last - 10, ((last - 9, last),)), "asked until all came"
    await bench.receive(*sent[last - 10 : last])
    assert (newest(bench).through_seq, newest(bench).gaps) == (len(sent), ())
    (left,) = await store.refusals()
    assert (left.agent, left.reason, left.count) == (home.agent, "too_many", OVER)
    await store.close()


async def test_what_a_failing_store_could_not_take_is_asked_for_when_it_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "STORE_RETRY_S", 0.0)
    monkeypatch.setattr(receiver, "ASK_AFTER_FAILURE_S", 0.0)
    home = SendingHome("h01")
    store = await open_store(tmp_path, [home])
    bench = bench_on(store)
    store_messages = store.store_messages

    async def fails(messages: Sequence[AcceptedMessage]) -> None:
        raise StoreError("the disk is full")

    sent = [home.batch() for _ in range(5)]
    await bench.receive(*sent[:2])
    monkeypatch.setattr(store, "store_messages", fails)
    await bench.receive(*sent[2:])
    assert newest(bench).through_seq == 2
    monkeypatch.setattr(store, "store_messages", store_messages)
    await handled(bench)
    assert (newest(bench).through_seq, newest(bench).gaps) == (2, ((3, 5),))
    assert bench.intake.tally.asked_again == 3
    await bench.receive(*sent[2:])
    assert (newest(bench).through_seq, newest(bench).gaps) == (5, ())
    await store.close()


async def test_garbage_and_strangers_are_asked_for_nothing(tmp_path: Path) -> None:
    home, stranger = SendingHome("h01"), SendingHome("h02")
    store = await open_store(tmp_path, [home])
    bench = bench_on(store)
    await bench.intake.agents_changed()
    topic, _ = home.batch()
    strange = stranger.batch()
    flood = [(topic, b"x")] * (MAX_EACH + 3) + [strange] * (MAX_EACH + 3)
    bench.intake.offer([Delivery(to, sealed, 1, n, 1) for n, (to, sealed) in enumerate(flood)])
    await handled(bench)
    assert bench.broker.sent == []
    await store.close()


async def test_more_copies_of_an_earlier_epochs_message_than_fit_are_answered_and_intake_comes_to_rest(
    tmp_path: Path,
) -> None:
    home = SendingHome("h01")
    store = await open_store(tmp_path, [home])
    bench = bench_on(store)
    old, old_head = home.batch(), home.previous
    await bench.receive(old)
    home.new_epoch()
    await bench.receive(home.batch())
    bench.intake.offer([Delivery(*old, 1, n, 1) for n in range(MAX_EACH + 1)])
    while bench.intake.admission.waiting:
        await bench.intake.work_once()
    assert bench.intake._asking.due_in_s(steady_s=0.0) is None, "nobody has to be asked any more"
    assert not bench.intake._asking.misses(home.agent), "the message is stored"
    assert (newest(bench).epoch, newest(bench).through_seq, newest(bench).head) == (1, 1, old_head)
    await store.close()


async def test_what_an_earlier_epoch_never_stored_is_asked_for_once(tmp_path: Path) -> None:
    home = SendingHome("h01")
    store = await open_store(tmp_path, [home])
    bench = bench_on(store)
    await bench.receive(home.batch())
    _, too_late = home.batch(), home.batch()
    home.new_epoch()
    await bench.receive(home.batch())
    bench.intake._asking.note([Delivery(*too_late, 1, 1, 1)], {home.agent}, due_s=0.0)
    await bench.intake.work_once()
    assert (newest(bench).epoch, newest(bench).through_seq, newest(bench).gaps) == (1, 1, ())
    assert bench.intake._asking.due_in_s(steady_s=0.0) is None
    await store.close()


def test_an_agent_that_no_receipt_asked_is_not_due_again_at_once() -> None:
    asking = AskingAgain("coop", has_waiting=lambda agent: False)
    asking.note_number("a1", epoch=1, seq=3, due_s=7.0)
    assert asking.take_due(steady_s=6.9) == set()
    assert asking.take_due(steady_s=7.0) == {("a1", 1)}
    asking.note_number("a1", epoch=1, seq=4, due_s=7.0)
    assert asking.take_due(steady_s=7.0) == set()
    assert asking.due_in_s(steady_s=7.0) == ASK_EACH_S
    assert asking.take_due(steady_s=7.0 + ASK_EACH_S) == {("a1", 1)}, "it is not forgotten either"


async def test_intake_outlives_a_store_that_is_away_for_long_and_asks_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "STORE_RETRY_S", 0.0)
    monkeypatch.setattr(receiver, "ASK_AFTER_FAILURE_S", 0.0)
    home = SendingHome("h01")
    store = await open_store(tmp_path, [home])
    bench = bench_on(store)
    sent = [home.batch() for _ in range(3)]
    await bench.receive(sent[0])

    async def fails(*_: object) -> None:
        raise StoreError("the server is away")

    with monkeypatch.context() as away:
        away.setattr(store, "store_messages", fails)
        away.setattr(store, "agents", fails)
        await bench.receive(*sent[1:])
        for _ in range(5):  # the agent is due each time, and its chain cannot be read
            await bench.intake.work_once()
    assert len(bench.broker.receipts()) == 1
    await handled(bench)
    assert (newest(bench).through_seq, newest(bench).gaps) == (1, ((2, 3),))
    await bench.receive(*sent[1:])
    assert (newest(bench).through_seq, newest(bench).gaps) == (3, ())
    await store.close()


async def test_what_comes_while_the_store_is_away_is_asked_for_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first group that fails is not the last: those after it come when intake no longer has its chains."""
    monkeypatch.setattr(receiver, "STORE_RETRY_S", 0.0)
    monkeypatch.setattr(receiver, "ASK_AFTER_FAILURE_S", 0.0)
    early, late = SendingHome("h01"), SendingHome("h02")
    store = await open_store(tmp_path, [early, late])
    bench = bench_on(store)
    await bench.intake.agents_changed()

    async def fails(*_: object) -> None:
        raise StoreError("the server is away")

    with monkeypatch.context() as away:
        away.setattr(store, "store_messages", fails)
        away.setattr(store, "agents", fails)
        await bench.receive(early.batch())
        for _ in range(3):
            await bench.receive(early.batch(), late.batch())
        sent = [late.batch() for _ in range(MAX_EACH + OVER)]
        bench.intake.offer([Delivery(topic, sealed, 1, n, 1) for n, (topic, sealed) in enumerate(sent)])
        while bench.intake.admission.waiting:
            await bench.intake.work_once()
    assert bench.broker.receipts() == []
    await handled(bench)
    asked = {each.agent: (each.through_seq, each.gaps) for each in bench.broker.receipts()}
    assert asked == {early.agent: (0, ((1, 4),)), late.agent: (0, ((1, 3 + MAX_EACH + OVER),))}
    await store.close()


async def test_the_agents_may_be_read_again_while_the_store_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that was read for chains which intake gives up meanwhile is neither lost nor put into the new ones."""
    monkeypatch.setattr(receiver, "STORE_RETRY_S", 0.0)
    home = SendingHome("h01")
    store = await open_store(tmp_path, [home])
    bench = bench_on(store)
    await bench.receive(home.batch())
    cut_offs, reached, goes_on = store.cut_offs, asyncio.Event(), asyncio.Event()

    async def waits() -> Any:
        reached.set()
        await goes_on.wait()
        return await cut_offs()

    async def fails(*_: object) -> None:
        raise StoreError("the server is away")

    with monkeypatch.context() as away:
        away.setattr(store, "cut_offs", waits)
        reading = asyncio.create_task(bench.intake.agents_changed())
        await reached.wait()
        away.setattr(store, "store_messages", fails)
        away.setattr(store, "agents", fails)
        failing = asyncio.create_task(bench.receive(home.batch()))
        async with asyncio.timeout(10):
            while not bench.intake.tally._store_errors:
                await asyncio.sleep(0)
        for _ in range(20):  # whatever a failed group does at once, it has done
            await asyncio.sleep(0)
        goes_on.set()
        await reading
        await failing
    await bench.receive(home.batch())
    assert newest(bench).through_seq == 1, "its chain is read from the store"
    await store.close()


class _GivingUp(AllAgents):
    """Has every agent until it is told to give all of them up."""

    is_behind, gives_up = False, False

    def covers(self, _agent: str) -> bool:
        return not self.gives_up

    def begin_change(self) -> bool:
        self.gives_up, self.is_behind = True, False
        return False


async def test_the_agents_may_be_read_again_while_their_shards_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = SendingHome("h01")
    store = await open_store(tmp_path, [home])
    bench = bench_on(store)
    bench.intake._work = work = _GivingUp(store)
    await bench.receive(home.batch())
    cut_offs, reached, goes_on = store.cut_offs, asyncio.Event(), asyncio.Event()

    async def waits() -> Any:
        reached.set()
        await goes_on.wait()
        return await cut_offs()

    monkeypatch.setattr(store, "cut_offs", waits)
    reading = asyncio.create_task(bench.intake.agents_changed())
    await reached.wait()
    work.is_behind = True
    following = asyncio.create_task(bench.intake.follow_shards())
    for _ in range(20):  # whatever it does at once, it has done
        await asyncio.sleep(0)
    goes_on.set()
    await reading
    await following
    assert bench.intake._state.chains == {}
    await store.close()


async def test_an_agent_that_is_gone_when_its_message_is_judged_is_a_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = SendingHome("h01")
    store = await open_store(tmp_path, [home])
    bench = bench_on(store)
    await bench.intake.agents_changed()
    open_all = bench.intake._opening.open_all

    async def opens_and_loses(*group: Any, **more: Any) -> Any:
        opened = await open_all(*group, **more)
        bench.intake._state.chains.clear()
        return opened

    monkeypatch.setattr(bench.intake._opening, "open_all", opens_and_loses)
    await bench.receive(home.batch())
    assert [(row.agent, row.reason) for row in await store.refusals()] == [("", "unknown_agent")]
    assert bench.broker.sent == []
    await store.close()


async def test_who_left_while_the_store_was_away_is_asked_for_nothing(tmp_path: Path) -> None:
    home, gone = SendingHome("h01"), SendingHome("h02")
    store = await open_store(tmp_path, [home])
    bench = bench_on(store)
    bench.intake._asking.note_number(gone.agent, epoch=1, seq=1, due_s=0.0)
    await bench.intake.work_once()
    assert not bench.intake._asking.misses(gone.agent), "the agents were read"
    bench.intake._asking.note_number(gone.agent, epoch=1, seq=1, due_s=0.0)
    await bench.intake.work_once()
    assert bench.intake._asking.due_in_s(steady_s=0.0), "it is not due again at once"
    assert bench.broker.sent == []
    await store.close()


async def test_a_new_epoch_is_asked_for_from_its_first_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "STORE_RETRY_S", 0.0)
    monkeypatch.setattr(receiver, "ASK_AFTER_FAILURE_S", 0.0)
    home = SendingHome("h01")
    store = await open_store(tmp_path, [home])
    bench = bench_on(store)
    store_messages = store.store_messages

    async def fails(messages: Sequence[AcceptedMessage]) -> None:
        raise StoreError("the disk is full")

    await bench.receive(*[home.batch() for _ in range(5)])
    home.new_epoch()
    sent = [home.batch() for _ in range(3)]
    monkeypatch.setattr(store, "store_messages", fails)
    await bench.receive(*sent)
    monkeypatch.setattr(store, "store_messages", store_messages)
    await handled(bench)
    assert (newest(bench).epoch, newest(bench).through_seq, newest(bench).gaps) == (2, 0, ((1, 3),))
    await store.close()


def test_what_an_unchecked_number_claims_is_asked_for_in_bounds_and_not_while_something_waits() -> None:
    waits = {"a-1"}
    asking = AskingAgain("coop", has_waiting=waits.__contains__)
    asking.note_number("a-1", epoch=1, seq=2**40, due_s=0.0)
    assert asking.take_due(steady_s=1.0) == set()
    waits.clear()
    assert asking.take_due(steady_s=1.0) == {("a-1", 1)}
    assert asking.asks_through("a-1", epoch=1, above=5) == 5 + FURTHEST


def test_refused_messages_of_an_agent_get_one_receipt_for_a_group() -> None:
    refused = [Rejection("a-1", RefusalReason.BROKEN_CHAIN, "", answer_epoch=epoch) for epoch in (3, 1, 2)]
    silent = Rejection("a-2", RefusalReason.BROKEN_CHAIN, "")
    assert asked_for([*refused, silent], []) == {("a-1", 2)}
