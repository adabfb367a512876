"""Short visits to the broker with the hub's own rights: to see that rules are in force, and to end a client's session.

Each function blocks; call it in a thread.
"""

import threading
import time
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from hub.broker.connection import BrokerAddress, sign_in

VISIT_S: Final = 5.0
AGAIN_S: Final = 0.05
NOT_ALLOWED: Final = 0x80
"""MQTT 5: reason codes from here on are failures."""


def is_allowed_to_write(address: BrokerAddress, topic: str, *, within_s: float = VISIT_S) -> bool:
    """Whether the broker lets the hub write this topic before the time is over; asks again until it does."""
    until = time.monotonic() + within_s
    with _Visit(address, client_id="") as visit:
        while visit.is_connected and time.monotonic() < until:
            if visit.publish(topic) < NOT_ALLOWED:
                return True
            time.sleep(AGAIN_S)
    return False


def end_session(address: BrokerAddress, client_id: str) -> bool:
    """Take this client's session over and end it: a connected client is disconnected. False: no connection."""
    with _Visit(address, client_id=client_id) as visit:
        return visit.is_connected


class _Visit:
    """One connection with a clean session, for as long as the block lasts."""

    def __init__(self, address: BrokerAddress, *, client_id: str) -> None:
        self._address = address
        self._came = threading.Event()
        self._reason = NOT_ALLOWED
        self.is_connected = False
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            transport="unix" if address.socket is not None else "tcp",
            reconnect_on_failure=False,
        )
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish

    def __enter__(self) -> "_Visit":
        sign_in(self._client, self._address)
        try:
            self._client.connect(self._address.place, self._address.port or 1, clean_start=True)
        except (OSError, ValueError):
            return self
        self._client.loop_start()
        self._came.wait(VISIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str) -> int:
        """The broker's reason code for a message on this topic."""
        self._came.clear()
        self._client.publish(topic, b"", qos=1)
        return self._reason if self._came.wait(VISIT_S) else NOT_ALLOWED

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self.is_connected = not reason.is_failure
        self._came.set()

    def _on_publish(self, _client: Any, _data: Any, _mid: int, reason: ReasonCode, _properties: Any) -> None:
        self._reason = reason.value
        self._came.set()
