"""The hub's link to RabbitMQ, with a channel that is as strict as RabbitMQ's about what is acknowledged."""

import asyncio
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from hub.broker.connection import BrokerAddress, Delivery
from hub.broker.rabbitmq.link import CONFIRMED_AT_ONCE, AmqpLink
from hub.intake.fair_queues import FairQueues
from protocols.wire.topics import downlink_topic, shard_of, uplink_topic

pika = pytest.importorskip("pika")
COOP, SLOWED = "street", "a-x"
TOPIC = uplink_topic(COOP, SLOWED, kind="batch")


class StrictNode:
    """One connection and its channel: an acknowledgement that RabbitMQ does not wait for closes the channel (406)."""

    def __init__(self, *_parameters: Any) -> None:
        self.is_open = True
        self.acknowledged: list[int] = []
        self.unknown: list[int] = []
        self._given = 0
        self._open: set[int] = set()
        self._to_give: list[bytes] = []
        self._takers: list[Callable[..., None]] = []
        self.consumed: list[str] = []
        self.returned: list[int] = []
        self._woken = threading.Event()
        self.refuses = 0
        self.confirmed: list[bytes] = []

    def channel(self) -> "StrictNode":
        return self

    def confirm_delivery(self) -> None:
        """From here on what is published is confirmed or refused before the call returns."""

    def basic_publish(self, _exchange: str, _key: str, body: bytes, properties: Any = None) -> None:
        if properties is not None and self.refuses:
            self.refuses -= 1
            raise pika.exceptions.NackError([])
        self.confirmed += [body] * (properties is not None)

    def basic_qos(self, *, prefetch_count: int) -> None:
        assert prefetch_count > 0

    def add_on_cancel_callback(self, _callback: Callable[..., None]) -> None:
        """Nobody deletes a queue here."""

    def basic_consume(self, queue: str, taker: Callable[..., None]) -> str:
        self._takers.append(taker)
        self.consumed.append(queue)
        return f"of {queue}"

    def basic_cancel(self, consumer: str) -> None:
        self.consumed.remove(consumer.removeprefix("of "))

    def basic_reject(self, tag: int, *, requeue: bool) -> None:
        assert requeue
        self.basic_ack(tag)
        self.acknowledged.remove(tag)
        self.returned.append(tag)

    def basic_ack(self, tag: int) -> None:
        if tag not in self._open:
            self.unknown.append(tag)
            raise pika.exceptions.ChannelClosedByBroker(406, f"PRECONDITION_FAILED - unknown delivery tag {tag}")
        self._open.remove(tag)
        self.acknowledged.append(tag)

    def add_callback_threadsafe(self, _callback: Callable[[], None]) -> None:
        self._woken.set()

    def process_data_events(self, *, time_limit: float) -> None:
        self._woken.wait(time_limit)
        self._woken.clear()
        while self._to_give:
            self._given += 1
            self._open.add(self._given)
            method = SimpleNamespace(routing_key=TOPIC.replace("/", "."), delivery_tag=self._given)
            self._takers[shard_of(SLOWED)](self, method, None, self._to_give.pop(0))

    def give(self, body: bytes) -> None:
        self._to_give.append(body)
        self._woken.set()

    def close(self) -> None:
        self.is_open = False


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)  # another thread gets there


async def test_what_a_slowed_sender_has_waiting_is_acknowledged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[StrictNode] = []

    def connect(parameters: Any) -> StrictNode:
        made.append(StrictNode(parameters))
        return made[-1]

    monkeypatch.setattr(pika, "BlockingConnection", connect)
    monkeypatch.setattr("hub.broker.rabbitmq.link._parameters", lambda *_given, **_named: None)
    arrived: list[Delivery] = []
    link = AmqpLink(coop=COOP, nodes=[("r1", 5671)], context=ssl.create_default_context, deliver=arrived.extend)
    link.start(BrokerAddress("r1", 5671))
    try:
        await until(lambda: link.is_connected)
        node, queues = made[0], FairQueues()
        for body in (b"one", b"two"):
            node.give(body)
        await until(lambda: len(arrived) == 2)
        # As intake does it: one waits when its sender is slowed, one comes after that; both are told at once...
        queues.put(SLOWED, arrived[0])
        link.acknowledge(queues.slow([SLOWED])[1])
        queues.put(SLOWED, arrived[1])
        link.acknowledge([arrived[1]])
        await until(lambda: not link.counts.unacknowledged)
        # ...and again with the group in which they are handled.
        handled = [*queues.take(5.0), *queues.take(6.0)]
        assert handled == [replace(each, qos=0) for each in arrived]
        link.acknowledge(handled)
        node.give(b"three")
        await until(lambda: len(arrived) == 3 or bool(node.unknown))
        link.acknowledge([arrived[-1], arrived[-1]])
        await until(lambda: len(node.acknowledged) == 3 or bool(node.unknown))
        assert (node.unknown, sorted(node.acknowledged)) == ([], [1, 2, 3])
        assert link.connections == 1, "the channel stayed open"
    finally:
        await asyncio.to_thread(link.stop)


async def test_a_worker_consumes_its_shards_alone_and_puts_back_what_is_another_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[StrictNode] = []

    def connect(parameters: Any) -> StrictNode:
        made.append(StrictNode(parameters))
        return made[-1]

    monkeypatch.setattr(pika, "BlockingConnection", connect)
    monkeypatch.setattr("hub.broker.rabbitmq.link._parameters", lambda *_given, **_named: None)
    arrived: list[Delivery] = []
    context = ssl.create_default_context
    link = AmqpLink(coop=COOP, nodes=[("r1", 5671)], context=context, deliver=arrived.extend, shards=())
    link.start(BrokerAddress("r1", 5671))
    try:
        await until(lambda: link.is_connected)
        node = made[0]
        assert node.consumed == []
        link.hear_shards(range(64))
        await until(lambda: len(node.consumed) == 64)
        for body in (b"one", b"two"):
            node.give(body)
        await until(lambda: len(arrived) == 2)
        link.hear_shards([3, 7])
        link.give_back([arrived[0]])
        link.acknowledge(arrived)
        await until(lambda: node.acknowledged == [2] or bool(node.unknown))
        assert (node.returned, node.unknown, sorted(node.consumed)) == ([1], [], ["cw1.street.3.up", "cw1.street.7.up"])
    finally:
        await asyncio.to_thread(link.stop)


async def test_what_is_kept_until_it_is_taken_is_told_when_the_node_has_confirmed_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[StrictNode] = []

    def connect(parameters: Any) -> StrictNode:
        made.append(StrictNode(parameters))
        made[-1].refuses = 1
        return made[-1]

    monkeypatch.setattr(pika, "BlockingConnection", connect)
    monkeypatch.setattr("hub.broker.rabbitmq.link._parameters", lambda *_given, **_named: None)
    link = AmqpLink(coop=COOP, nodes=[("r1", 5671)], context=ssl.create_default_context, deliver=lambda _: None)
    link.start(BrokerAddress("r1", 5671))
    count = CONFIRMED_AT_ONCE + 5
    taken: list[int] = []
    try:
        for number in range(count):
            topic = downlink_topic(COOP, SLOWED, kind="prompt")
            link.publish_latest(topic, partial(bytes, [number]), of=number, taken=partial(taken.append, number))
        await until(lambda: len(taken) == count - 1)
        assert taken == list(range(1, count)), "the first was refused: whoever keeps it sends it again"
        assert made[0].confirmed == [bytes([number]) for number in range(1, count)]
    finally:
        await asyncio.to_thread(link.stop)
