"""A household's broker for tests: Mosquitto with one user, and a listener that plays Home Assistant at it."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hub.broker.mosquitto_files import find_mosquitto, password_hash
from tests.edge_agent.stub_hub import free_port, wait_for

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed here")
USER, PASSWORD = "commonwatt", "kettle-on-the-hob"


class HomeMosquitto:
    """The broker on a port that stays the same over restarts; what it retained is gone with it.

    `tls`: the files of its certificate and key; without them it speaks no TLS.
    """

    def __init__(self, folder: Path, *, tls: tuple[Path, Path] | None = None) -> None:
        self.port = free_port()
        self._config = folder / "home-broker.conf"
        users = folder / "home-broker.users"
        users.write_text(f"{USER}:{password_hash(PASSWORD, salt=bytes(12))}\n")
        users.chmod(0o600)
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {users}\nuser root\n"
            + (f"certfile {tls[0]}\nkeyfile {tls[1]}\n" if tls else "")
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = find_mosquitto()
        assert program is not None
        self._process = subprocess.Popen(
            [program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._is_listening, what="the home's broker")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _is_listening(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
            return True
        return False


class Listener:
    """Hears everything at the broker: the newest text of each topic, and which were told to it as retained."""

    def __init__(self, port: int, *, ca_file: Path | None = None) -> None:
        self.texts: dict[str, str] = {}
        self.history: list[tuple[str, str]] = []
        self.retained: set[str] = set()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
        self._client.username_pw_set(USER, PASSWORD)
        if ca_file is not None:
            self._client.tls_set(str(ca_file))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._is_ready = False
        self._client.on_subscribe = lambda *_: setattr(self, "_is_ready", True)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        wait_for(lambda: self._is_ready, what="the listener's subscription")

    def publish(self, topic: str, text: str, *, is_retained: bool = False) -> None:
        self._client.publish(topic, text, qos=1, retain=is_retained).wait_for_publish(20)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.texts[message.topic] = message.payload.decode()
        self.history.append((message.topic, message.payload.decode()))
        if message.retain:
            self.retained.add(message.topic)


@contextlib.contextmanager
def home_broker(folder: Path, *, tls: tuple[Path, Path] | None = None) -> Iterator[HomeMosquitto]:
    broker = HomeMosquitto(folder, tls=tls)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextlib.contextmanager
def listening(port: int, *, ca_file: Path | None = None) -> Iterator[Listener]:
    listener = Listener(port, ca_file=ca_file)
    try:
        yield listener
    finally:
        listener.close()
