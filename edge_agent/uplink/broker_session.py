"""The agent's connection to the broker: a paho client in its own thread that passes everything on to the event loop.

It knows no message: `mqtt_link` decides what is sent and what an arrival means.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
import time
from collections.abc import Callable
from threading import Thread
from typing import Any, Protocol

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.uplink.pace.waits import ReconnectWaits
from edge_agent.uplink.tls.trouble import tls_trouble
from protocols.wire.envelope import MAX_SEALED_BYTES

log = logging.getLogger("commonwatt.agent")

IN_FLIGHT = 20
KEEP_ALIVE_S = 60
SESSION_S = 86400
GOODBYE_S = 5.0
LOOK_EVERY_S = 10.0
"""How long paho's thread sleeps while nothing comes and nothing is to be sent; a publish wakes it at once."""


class LinkListener(Protocol):
    """What hears of the connection, always in the event loop."""

    def note_up(self) -> None: ...
    def note_down(self, words: str) -> None: ...
    def note_message(self, topic: str, sealed: bytes) -> None: ...


class _CalmClient(Client):
    """A paho client whose thread wakes up for the keep-alive only, not every second."""

    def loop_forever(self, timeout: float = LOOK_EVERY_S, retry_first_connection: bool = False) -> MQTTErrorCode:
        """As paho's own, with a longer sleep."""
        return super().loop_forever(timeout, retry_first_connection)


class BrokerSession:
    """One client id, one subscription; reconnects for ever after the pauses that `waits` gives."""

    def __init__(
        self,
        listener: LinkListener,
        *,
        client_id: str,
        topic_filter: str,
        waits: ReconnectWaits,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """`context` is what TLS goes by; None for a broker on this computer."""
        self._listener = listener
        self._waits = waits
        self._filter = topic_filter
        self.paho = _CalmClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=True,
        )
        if context is not None:
            self.paho.tls_set_context(context)
        self.paho.max_inflight_messages_set(IN_FLIGHT)
        self.paho.max_queued_messages_set(4 * IN_FLIGHT)
        self._draw_wait()
        self._is_over = False
        self.paho.on_pre_connect = self._on_pre_connect
        self.paho.on_connect = self._on_connect
        self.paho.on_subscribe = self._on_subscribe
        self.paho.on_connect_fail = self._on_connect_fail
        self.paho.on_disconnect = self._on_disconnect
        self.paho.on_message = self._on_message

    def start(self, host: str, port: int) -> None:
        """Start connecting; call inside the running event loop. Returns at once."""
        self._loop = asyncio.get_running_loop()
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_S
        self.paho.connect_async(host, port, keepalive=KEEP_ALIVE_S, clean_start=False, properties=properties)
        self.paho.loop_start()

    def publish(self, topic: str, sealed: bytes) -> bool:
        """Hand a message to the broker; False if no more fit on the way just now."""
        return self.paho.publish(topic, sealed, qos=1).rc == 0

    async def leave(self) -> None:
        """Disconnect, with a time limit: a broker that accepts no more bytes would block paho's thread."""
        self.paho.on_disconnect = None
        self.paho.disconnect()
        ending = Thread(target=self.paho.loop_stop, name="uplink-end", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, GOODBYE_S)

    def _draw_wait(self) -> None:
        """Let paho's next attempt come after a random time: each call of it also ends paho's own doubling."""
        wait_s = self._waits.next_s()
        # paho adds it to a time in seconds: whole ones would let all homes that lost one broker knock together.
        self.paho.reconnect_delay_set(min_delay=wait_s, max_delay=wait_s)  # type: ignore[arg-type]

    # The next six run in paho's thread and only pass things on.
    def _on_pre_connect(self, _client: Client, _data: Any) -> None:
        self._is_over = False

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._hand_over(self._listener.note_down, f"refused: {reason}")
            return
        client.subscribe(self._filter, options=SubscribeOptions(qos=1))

    def _on_subscribe(self, _client: Client, _data: Any, _mid: Any, reasons: Any, _properties: Any) -> None:
        # Only now: a receipt sent before the broker knows the subscription would be lost.
        if any(reason.is_failure for reason in reasons):
            self._hand_over(self._listener.note_down, "does not allow this agent to receive from the hub")
        else:
            self._waits.note_connected()
            self._hand_over(self._listener.note_up)

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        self._draw_wait()
        # paho calls this while it handles the error, and does not pass it on.
        cause = sys.exception()
        trouble = tls_trouble(cause, now_s=time.time()) if isinstance(cause, ssl.SSLError) else "cannot be reached"
        self._hand_over(self._listener.note_down, trouble)

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        # paho tells of one end twice where no answer to its keep-alive came: the second is no failed attempt.
        if self._is_over:
            return
        self._is_over = True
        self._draw_wait()
        self._hand_over(self._listener.note_down, f"closed the connection: {reason}")

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        if len(message.payload) <= MAX_SEALED_BYTES:
            self._hand_over(self._listener.note_message, message.topic, bytes(message.payload))

    def _hand_over(self, call: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            log.debug("the agent is stopping: a message from the broker came too late")
