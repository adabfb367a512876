"""A session at the household's broker: a paho client in its own thread that passes everything on to the event loop.

MQTT 3.1.1, which every broker in a home speaks. It reconnects for ever; nothing waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any, Final, Protocol

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge_agent.home_broker.address import Credentials, HomeBroker
from edge_agent.home_broker.failures import closed_words, failure_words

log = logging.getLogger("commonwatt.agent")

KEEP_ALIVE_S: Final = 30
LONGEST_PAUSE_S: Final = 30
GOODBYE_S: Final = 3.0
MAX_MESSAGE_BYTES: Final = 16_384
MAX_WAITING: Final = 100


class BrokerListener(Protocol):
    """What hears of the session, always in the event loop."""

    def note_up(self) -> None: ...
    def note_down(self, words: str) -> None: ...
    def note_message(self, topic: str, payload: bytes, *, is_retained: bool) -> None: ...


class HomeBrokerSession:
    """One client at one broker with its subscriptions. `will`: topic and words the broker tells when we are gone."""

    def __init__(
        self,
        listener: BrokerListener,
        address: HomeBroker,
        *,
        credentials: Credentials,
        client_id: str,
        topics: Sequence[str],
        will: tuple[str, str] | None = None,
    ) -> None:
        self._listener = listener
        self._address = address
        self._topics = tuple(topics)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_answered = False
        self.is_up = False
        self._paho = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv311,
            clean_session=True,
            reconnect_on_failure=True,
        )
        if credentials.username is not None:
            self._paho.username_pw_set(credentials.username, credentials.password)
        if credentials.context is not None:
            self._paho.tls_set_context(credentials.context)
        if will is not None:
            self._paho.will_set(will[0], will[1], qos=1, retain=True)
        self._paho.max_queued_messages_set(MAX_WAITING)
        self._paho.reconnect_delay_set(min_delay=1, max_delay=LONGEST_PAUSE_S)
        self._paho.on_connect = self._on_connect
        self._paho.on_subscribe = self._on_subscribe
        self._paho.on_connect_fail = self._on_connect_fail
        self._paho.on_disconnect = self._on_disconnect
        self._paho.on_message = self._on_message

    def start(self) -> None:
        """Start connecting; call inside the running event loop. Returns at once."""
        self._loop = asyncio.get_running_loop()
        self._paho.connect_async(self._address.host, self._address.port, keepalive=KEEP_ALIVE_S)
        self._paho.loop_start()

    def publish(self, topic: str, text: str, *, is_retained: bool = False) -> None:
        """Tell the broker; forgotten if it is not there. What is retained is sent until the broker has it."""
        if self.is_up:
            self._paho.publish(topic, text, qos=1 if is_retained else 0, retain=is_retained)

    async def leave(self) -> None:
        """Disconnect, with a time limit: a broker that accepts no more bytes would block paho's thread."""
        self.is_up = False
        if self._loop is None:
            return
        self._paho.on_disconnect = None
        self._paho.disconnect()
        ending = Thread(target=self._paho.loop_stop, name="home-broker-end", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, GOODBYE_S)

    def _note_up(self) -> None:
        self.is_up = True
        self._listener.note_up()

    def _note_down(self, words: str) -> None:
        self.is_up = False
        self._listener.note_down(words)

    # The next five run in paho's thread and only pass things on.
    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._has_answered = True
        if reason.is_failure:
            self._hand_over(self._note_down, f"refused ({reason}): are username and password_file right?")
        elif self._topics:
            client.subscribe([(topic, 1) for topic in self._topics])
        else:
            self._hand_over(self._note_up)

    def _on_subscribe(self, _client: Client, _data: Any, _mid: Any, reasons: Any, _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._hand_over(self._note_down, "does not let this user read the topics")
        else:
            self._hand_over(self._note_up)

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        # paho calls this while it handles the error, and does not pass it on.
        self._hand_over(self._note_down, failure_words(sys.exception(), self._address))

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._hand_over(self._note_down, closed_words(str(reason), self._address, has_answered=self._has_answered))

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        if len(message.payload) <= MAX_MESSAGE_BYTES:
            self._hand_over(self._note_message, message.topic, bytes(message.payload), message.retain)

    def _note_message(self, topic: str, payload: bytes, is_retained: bool) -> None:
        self._listener.note_message(topic, payload, is_retained=is_retained)

    def _hand_over(self, call: Callable[..., None], *arguments: Any) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            log.debug("the agent is stopping: a message from the home's broker came too late")
