"""The hub's connection to RabbitMQ: AMQP in its own thread, from the shards' quorum queues to the event loop.

As the link to an MQTT broker does: what is not acknowledged comes again, also through another node.
"""

import asyncio
import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Any, Final

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, NackError

from hub.broker.access_rules import is_check_topic
from hub.broker.connection import BrokerAddress, Delivery, LinkCounts
from hub.broker.link.outgoing import Outgoing, Seal, Taken, Waiting
from hub.broker.rabbitmq.definitions import EXCHANGE, routing_key, shard_queue, topic_of
from protocols.errors import CommonwattError
from protocols.wire.topics import SHARDS

log = logging.getLogger(__name__)
# It tells each step of a connection, and each failure several times; what matters is said here, once.
logging.getLogger("pika").setLevel(logging.CRITICAL)

AT_ONCE: Final = 16
"""Unacknowledged messages of one shard: with 64 shards about as many as over MQTT."""

HAND_OVER_S: Final = 0.005
HEARTBEAT_S: Final = 20
CONNECT_WITHIN_S: Final = 5.0
LOOK_S: Final = 1.0
CONFIRMED_AT_ONCE: Final = 20
"""So many messages that RabbitMQ has to confirm are sent before what came meanwhile gets its turn."""

_LASTING: Final = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent.value)
PAUSE_FIRST_S: Final = 0.5
PAUSE_MOST_S: Final = 10.0


class AmqpLink:
    """Connects to one node after the other, for ever, and keeps consuming; `deliver` is called in the event loop."""

    def __init__(
        self,
        *,
        coop: str,
        nodes: Sequence[tuple[str, int]],
        context: Callable[[], ssl.SSLContext],
        deliver: Callable[[list[Delivery]], None],
        shards: Collection[int] = range(SHARDS),
    ) -> None:
        """`nodes` are their hosts and ports; `context` makes what each connection signs in with; `shards` it hears."""
        self._wanted = frozenset(shard_queue(coop, shard) for shard in shards)
        self._consumers: dict[str, str] = {}
        self._coop = coop
        self._nodes = tuple(nodes)
        self._context = context
        self._deliver = deliver
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._arrived: deque[Delivery] = deque()
        self._outgoing = Outgoing()
        self._owed: set[int] = set()
        self._most_owed = 0
        self._sent = 0
        self._settled: deque[Delivery] = deque()
        self._returned: deque[Delivery] = deque()
        self._is_waking = False
        self._stops = threading.Event()
        self._thread: threading.Thread | None = None
        self._current: pika.BlockingConnection | None = None
        self._number = 0
        self._is_connected = False
        self._was_lost = False

    @property
    def is_connected(self) -> bool:
        """Whether the hub is connected to a node now."""
        return self._is_connected

    @property
    def connections(self) -> int:
        """How often the hub has been connected since it started."""
        return self._number

    @property
    def counts(self) -> LinkCounts:
        """What the link has carried since the hub started."""
        return LinkCounts(
            connections=self._number,
            unacknowledged=len(self._owed),
            most_unacknowledged=self._most_owed,
            to_send=len(self._outgoing),
            sent=self._sent,
            replaced=self._outgoing.replaced,
            dropped=self._outgoing.dropped,
        )

    def start(self, _address: BrokerAddress) -> None:
        """Start connecting; call inside the running event loop. Returns at once, even if no node is running.

        Any node does, so the address of one is not looked at.
        """
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="amqp", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Disconnect; what was not acknowledged stays in the queues."""
        self._stops.set()
        self._wake()
        if self._thread is not None:
            self._thread.join(2 * CONNECT_WITHIN_S)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell RabbitMQ not to deliver these again; those of an earlier connection it has put back already."""
        with self._lock:
            self._settled.extend(deliveries)
        self._wake()

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """These are another worker's: RabbitMQ puts them back into their queues."""
        with self._lock:
            self._returned.extend(deliveries)
        self._wake()

    def hear_shards(self, shards: Collection[int]) -> None:
        """Hear the messages of exactly these shards from now on, also over later connections."""
        self._wanted = frozenset(shard_queue(self._coop, shard) for shard in shards)
        self._wake()

    def publish(self, topic: str, sealed: bytes, *, is_kept: bool = False) -> None:
        """Send to the home if it is connected, at whichever node; dropped and counted if too many wait.

        Nothing is kept for later, whatever `is_kept` says: a home asks again for everything when it connects.
        """
        self._outgoing.put(topic, sealed)
        self._wake()

    def publish_latest(self, topic: str, seal: Seal, *, of: Hashable, taken: Taken | None = None) -> None:
        """Send once its turn has come, in place of an earlier one of this topic and `of` that was not sent yet.

        `taken` is called in the link's thread if RabbitMQ confirms the message.
        """
        self._outgoing.put_latest(topic, seal, of=of, taken=taken)
        self._wake()

    def _wake(self) -> None:
        """Let the thread send what is waiting: one call for many messages, as it costs more than a message."""
        connection = self._current
        with self._lock:
            if connection is None or self._is_waking:
                return
            self._is_waking = True
        try:
            connection.add_callback_threadsafe(lambda: None)
        except AMQPError:
            log.debug("the connection is gone: what waits is sent over the next one")

    def _run(self) -> None:
        pause_s, turn = PAUSE_FIRST_S, 0
        while not self._stops.is_set():
            node = self._nodes[turn % len(self._nodes)]
            turn += 1
            began_s, before = time.monotonic(), self._number
            try:
                self._serve(*node)
            except (AMQPError, OSError, CommonwattError) as error:
                self._note_lost(node, error)
            if self._number > before and time.monotonic() - began_s > PAUSE_MOST_S:
                pause_s = PAUSE_FIRST_S
            # Each node is tried before there is a longer pause.
            self._stops.wait(pause_s)
            if turn % len(self._nodes) == 0:
                pause_s = min(PAUSE_MOST_S, 2 * pause_s)

    def _note_lost(self, node: tuple[str, int], error: Exception) -> None:
        self._is_connected, self._current = False, None
        if not self._was_lost and not self._stops.is_set():
            words = str(error) or type(error).__name__
            log.warning("the broker on %s:%d does not serve the hub (%s); trying its nodes in turn", *node, words)
            self._was_lost = True

    def _serve(self, host: str, port: int) -> None:
        """One connection, until it ends or the hub stops. Raises: AMQPError, OSError, CommonwattError."""
        parameters = _parameters(host, port, context=self._context(), vhost=self._coop)
        connection = pika.BlockingConnection(parameters)
        try:
            with self._lock:
                # What an earlier connection was given, RabbitMQ has put back into the queues.
                self._number, self._owed = self._number + 1, set()
            channel = connection.channel()
            channel.basic_qos(prefetch_count=AT_ONCE)
            confirming = connection.channel()
            confirming.confirm_delivery()
            cancelled: list[Any] = []
            channel.add_on_cancel_callback(cancelled.append)
            self._consumers = {}
            self._consume(channel)
            self._current, self._is_connected = connection, True
            log.info("connected to the broker on %s:%d%s", host, port, " again" if self._was_lost else "")
            self._was_lost = False
            while not self._stops.is_set():
                connection.process_data_events(time_limit=LOOK_S)
                self._consume(channel)
                self._send(channel, confirming)
                if cancelled:
                    raise AMQPError("a shard's queue is gone")
        finally:
            self._is_connected, self._current = False, None
            if connection.is_open:
                connection.close()

    def _consume(self, channel: BlockingChannel) -> None:
        """Consume exactly the queues that are wanted."""
        wanted = self._wanted
        for queue in sorted(self._consumers.keys() - wanted):
            channel.basic_cancel(self._consumers.pop(queue))
        for queue in sorted(wanted - self._consumers.keys()):
            self._consumers[queue] = channel.basic_consume(queue, self._taker(self._number))

    def _send(self, channel: BlockingChannel, confirming: BlockingChannel) -> None:
        with self._lock:
            self._is_waking = False
            returned, settled = self._still_owed(self._returned), self._still_owed(self._settled)
        for tag in returned:
            channel.basic_reject(tag, requeue=True)
        for tag in settled:
            channel.basic_ack(tag)
        confirmed = 0
        while confirmed < CONFIRMED_AT_ONCE and (waiting := self._outgoing.take()) is not None:
            if (sealed := waiting.seal()) is None:
                continue
            if waiting.taken is None:
                channel.basic_publish(EXCHANGE, routing_key(waiting.topic), sealed)
            else:
                _send_confirmed(confirming, waiting, sealed)
                confirmed += 1
            self._sent += 1
        if confirmed == CONFIRMED_AT_ONCE:
            self._wake()

    def _still_owed(self, waiting: deque[Delivery]) -> list[int]:
        """The numbers of these deliveries for which RabbitMQ waits.

        Once each: what a slowed sender has waiting is told when it is put off and when it is handled, and RabbitMQ
        closes the channel over a number that it does not wait for.
        """
        told = dict.fromkeys(each.packet_id for each in waiting if each.connection == self._number)
        waiting.clear()
        found = [tag for tag in told if tag in self._owed]
        self._owed.difference_update(found)
        return found

    def _taker(self, number: int) -> Callable[[Any, Any, Any, bytes], None]:
        """Takes what is delivered over this connection."""

        def take(channel: Any, method: Any, _properties: Any, body: bytes) -> None:
            topic = topic_of(method.routing_key)
            if is_check_topic(topic):
                channel.basic_ack(method.delivery_tag)
                return
            with self._lock:
                is_first = not self._arrived
                self._arrived.append(Delivery(topic, bytes(body), 1, method.delivery_tag, number))
                self._owed.add(method.delivery_tag)
                self._most_owed = max(self._most_owed, len(self._owed))
            if is_first and self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.call_later, HAND_OVER_S, self._hand_over)

        return take

    def _hand_over(self) -> None:
        with self._lock:
            deliveries = list(self._arrived)
            self._arrived.clear()
        self._deliver(deliveries)


def _send_confirmed(channel: BlockingChannel, waiting: Waiting, sealed: bytes) -> None:
    """Send what is kept elsewhere until RabbitMQ has it. Raises: AMQPError."""
    try:
        channel.basic_publish(EXCHANGE, routing_key(waiting.topic), sealed, _LASTING)
    except NackError:
        log.debug("RabbitMQ did not take a message to a home: it is sent again")
    else:
        if waiting.taken is not None:
            waiting.taken()


def _parameters(host: str, port: int, *, context: ssl.SSLContext, vhost: str) -> pika.ConnectionParameters:
    return pika.ConnectionParameters(
        host,
        port,
        vhost,
        pika.credentials.ExternalCredentials(),
        ssl_options=pika.SSLOptions(context, host),
        heartbeat=HEARTBEAT_S,
        socket_timeout=CONNECT_WITHIN_S,
        stack_timeout=2 * CONNECT_WITHIN_S,
        blocked_connection_timeout=4 * HEARTBEAT_S,
        connection_attempts=1,
    )
