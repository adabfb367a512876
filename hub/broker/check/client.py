"""One client of a check of the broker: connects as somebody, listens and publishes, and keeps what it got."""

import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from hub.broker.connection import BrokerAddress, sign_in

ANSWER_S: Final = 10.0
FAILURE: Final = 0x80


@dataclass(frozen=True, slots=True)
class HomesPlace:
    """Where homes connect. `ca_file` is None where the broker uses no TLS: on this computer only."""

    host: str
    port: int
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that a client got: its topic, and the filters it came by (empty if the broker does not say)."""

    topic: str
    filters: tuple[str, ...]


class CheckClient:
    """Connected or refused once `open` returns; each request waits for the broker's answer."""

    def __init__(self, client_id: str, *, transport: Any = "tcp") -> None:
        self._client_id = client_id
        self._answered = threading.Event()
        self._reasons: list[int] = []
        self._filters: list[str] = []
        self._heard: list[Heard] = []
        self.is_connected = False
        self.lost = 0
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            transport=transport,
            reconnect_on_failure=False,
        )
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message

    @classmethod
    def of_hub(cls, address: BrokerAddress) -> "CheckClient":
        """The hub's own rights, beside its session."""
        made = cls("", transport="tcp" if address.socket is None else "unix")
        sign_in(made._client, address)
        made._open(address.place, address.port or 1)
        return made

    @classmethod
    def of_home(
        cls, place: HomesPlace, *, client_id: str, identity: tuple[Path, Path] | None, will: str | None = None
    ) -> "CheckClient":
        """A client that claims this id, with the files of a certificate and its key, if any."""
        made = cls(client_id)
        if place.ca_file is not None:
            context = ssl.create_default_context(cafile=str(place.ca_file))
            # The broker is asked for on this computer; whether its names are right is no question of access.
            context.check_hostname = False
            if identity is not None:
                context.load_cert_chain(*identity)
            made._client.tls_set_context(context)
        if will is not None:
            made._client.will_set(will, b"check", qos=1)
        made._open(place.host, place.port)
        return made

    @property
    def heard(self) -> tuple[Heard, ...]:
        """What has arrived so far."""
        return tuple(self._heard)

    def listen(self, filters: Sequence[str]) -> int:
        """Subscribe to each; how many the broker granted."""
        granted = 0
        for name in filters:
            properties = Properties(PacketTypes.SUBSCRIBE)  # type: ignore[no-untyped-call]
            self._filters.append(name)
            properties.SubscriptionIdentifier = len(self._filters)
            self._answered.clear()
            self._client.subscribe(name, options=SubscribeOptions(qos=1), properties=properties)
            if self._wait() < FAILURE:
                granted += 1
        return granted

    def publish(self, topic: str) -> bool:
        """Whether the broker accepted a message on this topic."""
        self._answered.clear()
        self._client.publish(topic, b"check", qos=1)
        return self._wait() < FAILURE

    def close(self, *, with_will: bool = False) -> None:
        """Leave; `with_will`: the broker is told to publish the will, and has done so when this returns."""
        if with_will and self.is_connected:
            self._answered.clear()
            self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
            self._answered.wait(ANSWER_S)
        else:
            self._client.disconnect()
        self._client.loop_stop()

    def _open(self, host: str, port: int) -> None:
        try:
            self._client.connect(host, port, clean_start=True)
        except (OSError, ValueError):
            return
        self._client.loop_start()
        self._wait()

    def _wait(self) -> int:
        if not self._answered.wait(ANSWER_S):
            return FAILURE
        return self._reasons[-1] if self._reasons else FAILURE

    def _answer(self, reason: int) -> None:
        self._reasons.append(reason)
        self._answered.set()

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self.is_connected = not reason.is_failure
        self._answer(reason.value)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self.is_connected = False
        self.lost += 1
        self._answer(max(reason.value, FAILURE))

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any) -> None:
        self._answer(reasons[0].value)

    def _on_publish(self, _client: Any, _data: Any, _mid: int, reason: ReasonCode, _properties: Any) -> None:
        self._answer(reason.value)

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        numbers = getattr(message.properties, "SubscriptionIdentifier", [])
        names = tuple(self._filters[number - 1] for number in numbers if 0 < number <= len(self._filters))
        self._heard.append(Heard(message.topic, names))
