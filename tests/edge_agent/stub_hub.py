"""A hub for the agent's tests: a real broker beside it, real verification and real receipts, memory for a store."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hub.broker.embedded import rumqttd_configuration
from protocols.consent.rules import default_consent
from protocols.consent.text import consent_toml
from protocols.enrolment.answer import EnrolAnswer, build_answer
from protocols.wire import topics
from protocols.wire.chain import FIRST_PREVIOUS, START, ChainPlacement, Position, place_message
from protocols.wire.clock_check import ClockAnswer, ClockQuestion, decode_question, encode_clock_answer
from protocols.wire.envelope import batch_hash, open_sealed, seal
from protocols.wire.messages import decode_answer, decode_consent_notice
from protocols.wire.meter_notices import MeterNotice, decode_meter
from protocols.wire.readings import Batch, decode_batch
from protocols.wire.receipts import Receipt, encode_receipt
from protocols.wire.refusal_notices import RefusalNotice, encode_refusal
from protocols.wire.refusal_reasons import RefusalReason, WireError

DECODE = {"batch": decode_batch, "answer": decode_answer, "consent": decode_consent_notice}
COOP, HOME, AGENT = "sonnenstrasse", "h01", "a-test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition, timeout_s: float = 60.0, what: str = "the condition"):
    """Poll until the condition gives something true, and return that."""
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come within {timeout_s} s")


class BrokerProcess:
    """The embedded broker on a loopback port that stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._config = folder / "broker.toml"
        self._config.write_text(rumqttd_configuration("127.0.0.1", self.port))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hub.broker.embedded", str(self._config)], stdin=subprocess.PIPE
        )
        wait_for(self._is_listening, what="the broker")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process = None

    def _is_listening(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
            return True
        return False


@contextlib.contextmanager
def running_broker(folder: Path) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


class StubHub:
    """Verifies, keeps and receipts what one agent sends. `answers=False` keeps but does not receipt."""

    def __init__(self, broker_port: int, agent_key: Ed25519PublicKey) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.agent_key = agent_key
        self.port = broker_port
        self.position: Position = START
        self.messages: dict[tuple[int, int], tuple[str, bytes, bytes]] = {}
        self.refused: Counter[str] = Counter()
        self.deliveries = 0
        self.answers = True
        self.at_s = 1_789_000_000
        self.unreadable: set[bytes] = set()
        self.questions: list[ClockQuestion] = []
        self.meters: list[MeterNotice] = []
        self.time_s: Callable[[], float] | None = None
        self.lock = threading.Lock()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="stub-hub", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topics.up_filters(COOP)[0], qos=1)
        self._client.on_message = self._on_message

    def start(self) -> "StubHub":
        self._client.connect_async("127.0.0.1", self.port)
        self._client.loop_start()
        wait_for(self._client.is_connected, what="the stub hub's connection")
        return self

    def restart(self) -> "StubHub":
        """Connect again after `stop`, with all it holds."""
        return self.start()

    def stop(self) -> None:
        self._client.disconnect()
        # paho waits without end for a broker that no longer takes its last packet; that end is not under test here.
        ending = threading.Thread(target=self._client.loop_stop, daemon=True)
        ending.start()
        ending.join(10)

    def answer(self, agent: str = AGENT) -> EnrolAnswer:
        return EnrolAnswer(
            coop=COOP,
            home=HOME,
            agent=agent,
            shard=topics.shard_of(agent),
            hub_public_key=self.key.public_key().public_bytes_raw(),
            broker_host="127.0.0.1",
            broker_port=self.port,
            tz="Europe/Berlin",
            consent=consent_toml(default_consent(HOME)),
        )

    def write_enrolment(self, data: Path, agent: str = AGENT) -> None:
        (data / "enrolment.json").write_text(build_answer(self.answer(agent)))

    @property
    def batches(self) -> list[Batch]:
        with self.lock:
            return [decode_batch(payload) for _, (kind, payload, _) in sorted(self.messages.items()) if kind == "batch"]

    def publish(self, kind: str, payload: bytes, *, key: Ed25519PrivateKey | None = None) -> None:
        topic = topics.downlink_topic(COOP, AGENT, kind=kind)
        self._client.publish(topic, seal(key or self.key, topic, payload), qos=1)

    def restore(self, through: int, *, epoch: int | None = None) -> None:
        """Go back to what was held at a number of an epoch, as a hub restored from a backup does, a while later."""
        with self.lock:
            at = (epoch or self.position.epoch, through)
            self.messages = {key: value for key, value in self.messages.items() if key <= at}
            newest = max(self.messages, default=None)
            self.position = Position(*newest, batch_hash(self.messages[newest][2])) if newest else START
            self.at_s += 3600

    def send_receipt(self, *, key: Ed25519PrivateKey | None = None, through: int | None = None) -> None:
        with self.lock:
            position = self.position
        seq = position.seq if through is None else through
        head = position.head if through is None else bytes([7]) * 32
        receipt = Receipt(AGENT, max(1, position.epoch), seq, head, (), self.at_s, ())
        self.publish("receipt", encode_receipt(receipt), key=key)

    def _tell_time(self, question: ClockQuestion) -> None:
        self.questions.append(question)
        if self.time_s is not None:
            answer = ClockAnswer(question.agent, question.nonce, int(self.time_s()))
            self.publish("time", encode_clock_answer(answer))

    def _on_message(self, client: Client, _data: object, message: MQTTMessage) -> None:
        self.deliveries += 1
        try:
            topic = topics.require_uplink_topic(message.topic, COOP)
            sealed = bytes(message.payload)
            payload = open_sealed(sealed, message.topic, self.agent_key)
            if topic.kind == "time":
                self._tell_time(decode_question(payload))
                return
            if topic.kind == "meter":
                self.meters.append(decode_meter(payload))
                return
            if topic.kind == "maps":
                return
            if batch_hash(sealed) in self.unreadable:
                notice = RefusalNotice(AGENT, self.at_s, batch_hash(sealed), RefusalReason.GARBAGE)
                self.publish("refused", encode_refusal(notice))
                return
            header = DECODE[topic.kind](payload).header
            with self.lock:
                held = self.messages.get((header.epoch, header.seq))
                held_hash = batch_hash(held[2]) if held else None
                where = place_message(self.position, header, own_hash=batch_hash(sealed), held_hash=held_hash)
                if where is ChainPlacement.NEXT:
                    self.messages[header.epoch, header.seq] = (topic.kind, payload, sealed)
                    self.position = Position(header.epoch, header.seq, batch_hash(sealed))
        except WireError as error:
            self.refused[error.reason.value] += 1
            if error.reason not in (RefusalReason.REPLAYED, RefusalReason.OUT_OF_ORDER, RefusalReason.BROKEN_CHAIN):
                return
        if self.answers and header.epoch > self.position.epoch:
            nothing = Receipt(AGENT, header.epoch, 0, FIRST_PREVIOUS, (), self.at_s, ())
            self.publish("receipt", encode_receipt(nothing))
        elif self.answers:
            self.send_receipt()
