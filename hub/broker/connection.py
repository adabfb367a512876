"""The hub's connection to the broker: a paho client in its own thread that hands messages to the event loop.

It acknowledges a message only when asked to, and reads no further while WINDOW messages are not acknowledged.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from hub.broker.access_rules import is_check_topic
from hub.broker.link.outgoing import Outgoing, Seal, Taken
from hub.broker.link.socket_loop import SocketLoop
from protocols.wire.topics import SHARDS, up_filters

log = logging.getLogger(__name__)

WINDOW: Final = 1000
"""How many unacknowledged messages the broker may send, and after how many the hub reads no further.

Mosquitto 2.0 sends a client with a backlog up to six times its receive maximum: then the hub stops reading.
"""

HAND_OVER_S: Final = 0.005
"""How long messages are collected for the event loop: in a flood, waking it for each costs more than the message."""

SESSION_S: Final = 7 * 86400
SENDING: Final = 50
"""How many messages to homes wait for the broker's acknowledgement; those after them wait their turn here."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as delivered. `connection` is the number of its connection, the only one it is acknowledged on.

    `broker` says which of several brokers it came from.
    """

    topic: str
    payload: bytes
    qos: int
    packet_id: int
    connection: int
    broker: int = 0


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and how the hub signs in there. With `socket`, a Unix socket is used instead of the port."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    socket: Path | None = None

    @property
    def place(self) -> str:
        """What a client connects to: the socket's name or the host."""
        return self.host if self.socket is None else str(self.socket)

    @property
    def words(self) -> str:
        """The place for people."""
        return f"{self.host}:{self.port}" if self.socket is None else str(self.socket)


def sign_in(client: mqtt.Client, address: BrokerAddress) -> None:
    """Give the client the user, password and certificates of this address; call it before connecting."""
    if address.username is not None:
        client.username_pw_set(address.username, address.password)
    if address.ca_file is not None:
        client.tls_set(
            ca_certs=str(address.ca_file),
            certfile=str(address.cert_file) if address.cert_file else None,
            keyfile=str(address.key_file) if address.key_file else None,
        )


@dataclass(frozen=True, slots=True)
class LinkCounts:
    """What a link has carried since the hub started; no word of any home.

    `pauses`: how often reading was put off until the hub had room again. `left_unread`: messages at QoS 0 without room.
    `replaced`: receipts that a newer one made superfluous before they were signed. `dropped`: found no room to wait.
    """

    connections: int = 0
    unacknowledged: int = 0
    most_unacknowledged: int = 0
    pauses: int = 0
    left_unread: int = 0
    to_send: int = 0
    sent: int = 0
    replaced: int = 0
    dropped: int = 0


class BrokerLink:
    """Connects, reconnects forever with growing pauses, and keeps its session and subscriptions.

    `deliver` is called in the event loop with messages in the order in which they arrived.
    """

    def __init__(
        self,
        *,
        client_id: str,
        filters: Sequence[str],
        deliver: Callable[[list[Delivery]], None],
        number: int = 0,
        session_s: int = SESSION_S,
        coop: str = "",
    ) -> None:
        """`number` is its broker's, of several; the broker keeps the session for `session_s`.

        With `coop` it hears no shard of that co-op until `hear_shards` says which.
        """
        self._filters = tuple(filters)
        self._coop = coop
        self._session_s = session_s
        self._deliver = deliver
        self._number = number
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._arrived: deque[Delivery] = deque()
        self._owed: dict[int, Delivery] = {}
        self._settled: set[int] = set()
        self._most_owed = 0
        self._connection = 0
        self._place = ""
        self._outgoing = Outgoing()
        self._sending = 0
        self._untaken: dict[int, Taken] = {}
        self._sent = 0
        self._left_unread = 0
        self._client_id = client_id
        self._was_lost = False
        self._is_connected = False
        self._client: mqtt.Client | None = None
        self._socket_loop: SocketLoop | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the hub is connected to the broker now."""
        return self._is_connected

    @property
    def connections(self) -> int:
        """How often the hub has been connected since it started."""
        return self._connection

    @property
    def counts(self) -> LinkCounts:
        """What the link has carried since the hub started."""
        return LinkCounts(
            connections=self._connection,
            unacknowledged=len(self._owed),
            most_unacknowledged=self._most_owed,
            pauses=0 if self._socket_loop is None else self._socket_loop.pauses,
            left_unread=self._left_unread,
            to_send=len(self._outgoing),
            sent=self._sent,
            replaced=self._outgoing.replaced,
            dropped=self._outgoing.dropped,
        )

    def start(self, address: BrokerAddress) -> None:
        """Start connecting; call inside the running event loop. Returns at once, even if the broker is not running."""
        self._loop = asyncio.get_running_loop()
        self._place = address.words
        client = self._client = self._new_client("tcp" if address.socket is None else "unix")
        sign_in(client, address)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._session_s
        properties.ReceiveMaximum = WINDOW
        client.connect_async(address.place, address.port or 1, keepalive=30, clean_start=False, properties=properties)
        self._socket_loop = SocketLoop(client, may_read=self._has_room, feed=self._feed, failed=self._on_connect_fail)
        self._socket_loop.start()

    def stop(self) -> None:
        """Disconnect; the broker keeps the session and the messages that arrive for the hub in the meantime."""
        if self._socket_loop is not None:
            self._socket_loop.stop()

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker not to deliver these again, in the order in which they arrived, as MQTT demands.

        One that is not acknowledged yet holds back those after it. Source: MQTT 5.0, 4.6 [MQTT-4.6.0-2].
        """
        with self._lock:
            self._settled.update(id(delivery) for delivery in deliveries if id(delivery) in self._owed)
            ready = []
            for key, delivery in self._owed.items():
                if key not in self._settled and delivery.connection == self._connection:
                    break
                ready.append(key)
            told = [self._owed.pop(key) for key in ready]
            self._settled.difference_update(ready)
        for delivery in told:
            if self._client is not None and delivery.connection == self._connection:
                self._client.ack(delivery.packet_id, delivery.qos)
        self._wake()

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """These are another worker's. MQTT has no way back: their agents send them again, as the next receipt asks."""
        self.acknowledge(deliveries)

    def hear_shards(self, shards: Collection[int]) -> None:
        """Hear the messages of exactly these shards from now on, also over later connections."""
        wanted = up_filters(self._coop, shards)
        with self._lock:
            before, self._filters = self._filters, wanted
        client = self._client
        if client is None or not self._is_connected:
            return
        if new := [name for name in wanted if name not in before]:
            client.subscribe([(name, SubscribeOptions(qos=1)) for name in new])
        if old := [name for name in before if name not in wanted]:
            client.unsubscribe(old)
        self._wake()

    def publish(self, topic: str, sealed: bytes, *, is_kept: bool = False) -> None:
        """Send once the broker is connected; dropped and counted if too many wait (agents will ask again).

        `is_kept`: the broker keeps it and gives it to whoever subscribes later (MQTT: retained).
        """
        self._outgoing.put(topic, sealed, is_kept=is_kept)
        self._wake()

    def publish_latest(self, topic: str, seal: Seal, *, of: Hashable, taken: Taken | None = None) -> None:
        """Send once its turn has come, in place of an earlier one of this topic and `of` that was not sent yet.

        `seal` makes the message; it is called in another thread, and not at all if a newer one comes before its turn.
        So is `taken`, if the broker acknowledges the message.
        """
        self._outgoing.put_latest(topic, seal, of=of, taken=taken)
        self._wake()

    def _wake(self) -> None:
        if self._socket_loop is not None:
            self._socket_loop.wake()

    def _has_room(self) -> bool:
        return len(self._owed) < WINDOW

    def _feed(self) -> None:
        """Hand the client what it may send now; the rest stays in the queue, where a newer receipt can replace it."""
        client = self._client
        while self._is_connected and client is not None and self._sending < SENDING:
            waiting = self._outgoing.take()
            if waiting is None:
                return
            if (sealed := waiting.seal()) is None:
                continue
            self._sending += 1
            self._sent += 1
            sent = client.publish(waiting.topic, sealed, qos=1, retain=waiting.is_kept)
            if waiting.taken is not None:
                self._untaken[sent.mid] = waiting.taken

    def _new_client(self, transport: Literal["tcp", "unix"]) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            transport=transport,
            manual_ack=True,
        )
        client.max_inflight_messages_set(SENDING)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _on_connect(
        self, client: mqtt.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            if not self._was_lost:
                log.warning("the broker refused the hub: %s; trying again until it accepts", reason)
            self._was_lost = True
            return
        if self._socket_loop is not None:
            self._socket_loop.note_connected()
        with self._lock:
            self._connection += 1
            self._is_connected = True
            wanted = self._filters
        if self._coop and (old := sorted(set(_all_filters(self._coop)) - set(wanted))):
            client.unsubscribe(old)  # what an earlier connection of this session heard
        if wanted:
            client.subscribe([(name, SubscribeOptions(qos=1)) for name in wanted])
        log.info("connected to the broker%s", " again" if self._was_lost else "")
        self._was_lost = False

    def _on_publish(
        self, _client: mqtt.Client, _userdata: Any, mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._sending -= 1
        # What a lost connection swallowed the client sends again over the next one, under the same number.
        if (taken := self._untaken.pop(mid, None)) is not None and not reason.is_failure:
            taken()

    def _on_connect_fail(self) -> None:
        if not self._was_lost:
            log.warning("the broker on %s does not answer; trying again until it does", self._place)
            self._was_lost = True

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._is_connected = False
        if reason.is_failure and not self._was_lost:
            log.warning("the connection to the broker was lost (%s); trying again until it answers", reason)
            self._was_lost = True

    def _on_message(self, client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        loop = self._loop
        if self._socket_loop is not None:
            self._socket_loop.note_packet()
        if is_check_topic(message.topic):
            if message.qos > 0:
                client.ack(message.mid, message.qos)
            return
        if loop is None:
            return
        with self._lock:
            # Nothing slows a sender down at QoS 0: messages that do not fit are dropped, and the agent resends them.
            if message.qos == 0 and len(self._arrived) >= WINDOW:
                self._left_unread += 1
                return
            is_first = not self._arrived
            delivery = Delivery(
                message.topic, bytes(message.payload), message.qos, message.mid, self._connection, self._number
            )
            self._arrived.append(delivery)
            if delivery.qos > 0:
                # Known by the object itself: the broker uses a packet id again as soon as it is acknowledged.
                self._owed[id(delivery)] = delivery
                self._most_owed = max(self._most_owed, len(self._owed))
        if is_first:
            loop.call_soon_threadsafe(loop.call_later, HAND_OVER_S, self._hand_over)

    def _hand_over(self) -> None:
        with self._lock:
            deliveries = list(self._arrived)
            self._arrived.clear()
        self._deliver(deliveries)


def _all_filters(coop: str) -> tuple[str, ...]:
    return (*up_filters(coop), *up_filters(coop, range(SHARDS)))
