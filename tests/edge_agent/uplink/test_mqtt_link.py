"""The uplink over a real broker: in order, at most 20 on the way, forgotten only on the hub's own receipt."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.uplink import broker_session
from edge_agent.uplink.broker_session import IN_FLIGHT
from protocols.wire.chain import Position
from protocols.wire.envelope import batch_hash
from protocols.wire.messages import PromptNotice, encode_prompt
from protocols.wire.receipts import Receipt, encode_receipt
from tests.edge_agent.deaf_broker import DeafBroker, heard, small_line
from tests.edge_agent.hand_clock import until
from tests.edge_agent.line_to_hub import NOW, line
from tests.edge_agent.stub_hub import AGENT, BrokerProcess, running_broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with running_broker(tmp_path) as running:
        yield running


async def test_everything_arrives_once_in_order_and_is_receipted(tmp_path: Path, broker: BrokerProcess) -> None:
    async with line(tmp_path, broker) as made, made.running():
        await made.add(150)
        await made.all_receipted(150)
        assert [batch.slot for batch in made.hub.batches] == list(range(2_000_000, 2_000_150))
        assert not made.hub.refused
        assert made.hub.deliveries == 150


async def test_without_receipts_only_a_window_leaves_and_nothing_is_forgotten(
    tmp_path: Path, broker: BrokerProcess
) -> None:
    async with line(tmp_path, broker, answers=False) as made, made.running():
        await made.add(60)
        await until(lambda: made.hub.position.seq == IN_FLIGHT)
        await asyncio.sleep(1.2)
        assert made.hub.position.seq == IN_FLIGHT
        assert await made.waiting() == 60
        assert IN_FLIGHT < made.hub.deliveries <= IN_FLIGHT + 3, "one is sent again to ask, not the whole window"
        made.hub.answers = True
        await made.all_receipted(60)


async def test_forged_receipts_and_prompts_change_nothing(tmp_path: Path, broker: BrokerProcess) -> None:
    async with line(tmp_path, broker, answers=False) as made, made.running():
        await made.add(3)
        await until(lambda: made.hub.position.seq == 3)
        stranger = Ed25519PrivateKey.generate()
        made.hub.send_receipt(key=stranger)
        prompt = PromptNotice("p1", "oven", 1, 1, 2, 2, 5, (), 9)
        made.hub.publish("prompt", encode_prompt(prompt), key=stranger)
        made.hub.publish("receipt", b"\x00" * 300)
        await until(lambda: made.uplink.ignored == 3)
        assert await made.waiting() == 3
        made.hub.publish("prompt", encode_prompt(prompt))
        made.hub.send_receipt()
        await made.all_receipted(3)
        assert not await made.outbox.keep_prompt("p1", b"", now_s=NOW), "the hub's own prompt is kept"


async def test_a_broker_that_dies_and_returns_costs_nothing(tmp_path: Path, broker: BrokerProcess) -> None:
    async with line(tmp_path, broker) as made, made.running():
        await made.add(30)
        await made.all_receipted(30)
        for through in (60, 90):
            await asyncio.to_thread(broker.stop)
            await made.add(30)
            await asyncio.to_thread(broker.start)
            await made.all_receipted(through)
        assert [batch.slot for batch in made.hub.batches] == list(range(2_000_000, 2_000_090))
        assert not made.hub.refused


async def test_while_the_household_wants_nothing_sent_nothing_is_and_later_everything(
    tmp_path: Path, broker: BrokerProcess
) -> None:
    async with line(tmp_path, broker) as made, made.running():
        await made.add(3)
        await made.all_receipted(3)
        made.is_stopped = True
        made.uplink.wake()
        await until(lambda: not made.uplink.is_connected)
        await made.add(4)
        made.uplink.wake()
        await asyncio.sleep(1.2)  # the uplink had time for many looks
        assert (made.hub.position.seq, await made.waiting()) == (3, 4)
        assert not made.uplink.is_connected, "not even that the agent is there is told"
        made.is_stopped = False
        made.uplink.wake()
        await made.all_receipted(7)


async def test_a_broker_that_is_not_there_at_first(tmp_path: Path, broker: BrokerProcess) -> None:
    async with line(tmp_path, broker) as made:
        await asyncio.to_thread(broker.stop)
        async with made.running():
            await made.add(5)
            await asyncio.sleep(0.1)
            await asyncio.to_thread(broker.start)
            await made.all_receipted(5)


async def test_what_the_hub_lost_is_sent_again_when_it_asks(tmp_path: Path, broker: BrokerProcess) -> None:
    async with line(tmp_path, broker) as made, made.running():
        await made.add(10)
        await made.all_receipted(10)
        with made.hub.lock:
            kept = {key: value for key, value in made.hub.messages.items() if key[1] <= 6}
            sixth = kept[made.hub.position.epoch, 6][2]
            made.hub.messages, made.hub.position = kept, Position(made.hub.position.epoch, 6, batch_hash(sixth))
            epoch, head = made.hub.position.epoch, made.hub.position.head
        receipt = Receipt(AGENT, epoch, 6, head, ((7, 9),), 1, ())
        made.hub.publish("receipt", encode_receipt(receipt))
        await until(lambda: made.hub.position.seq == 9)


async def test_an_unsaved_receipt_is_saved_when_the_agent_stops(tmp_path: Path, broker: BrokerProcess) -> None:
    async with line(tmp_path, broker) as made:
        async with made.running():
            await made.add(4)
            await until(lambda: made.uplink._receipted.through == 4)
        assert await made.waiting() == 0


async def test_a_broker_that_stops_reading_holds_neither_the_end_nor_a_message(
    tmp_path: Path, broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_session, "GOODBYE_S", 0.2)
    deaf = DeafBroker()
    try:
        async with line(tmp_path, broker) as made:
            made.uplink = made.make_uplink(deaf.port)
            opened = made.uplink._client._make

            def on_a_small_line(context: ssl.SSLContext | None) -> broker_session.BrokerSession:
                session = opened(context)
                session.paho.on_socket_open = small_line
                return session

            monkeypatch.setattr(made.uplink._client, "_make", on_a_small_line)
            async with made.running():
                await made.add(3 * IN_FLIGHT)
                await heard(deaf)
                await until(lambda: len(made.uplink._in_flight) == IN_FLIGHT, 60, "the window is full")
                session = made.uplink._client._session
                assert session is not None
                assert session.paho.want_write(), "more than the line takes"
            assert await made.waiting() == 3 * IN_FLIGHT
            made.uplink = made.make_uplink()
            async with made.running():
                await made.all_receipted(3 * IN_FLIGHT)
            assert [batch.slot for batch in made.hub.batches] == list(range(2_000_000, 2_000_000 + 3 * IN_FLIGHT))
    finally:
        deaf.close()


def test_the_window_is_the_one_that_was_decided() -> None:
    assert IN_FLIGHT == 20
