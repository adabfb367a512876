"""A hub that runs as its own process with enrolled homes, and one honest home that measures its receipts."""

import asyncio
import json
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt

from hub.broker.plans import free_port
from hub.commands.operation.init import init_hub
from hub.folder.elsewhere.broker_settings import LOOPBACK
from hub.folder.opening import open_hub
from hub.folder.paths import RUNNING_NAME, STORE_NAME
from hub.folder.settings import load_settings
from hub.storage.records import Home, Member
from hub.web.frame.tokens import hash_token
from protocols.slots import slot_of
from protocols.timeline import Clock
from protocols.wire import topics
from protocols.wire.envelope import open_sealed
from protocols.wire.receipts import decode_receipt
from tests.benchmarks.attacks.agent_line import AgentLine, certified_line
from tests.hub.sending_home import COOP, SendingHome, enrol

REAL = Clock(real=time.time)
ANSWERED_WITHIN_S = 60.0


async def prepare(
    folder: Path, homes: Sequence[SendingHome], *, clicking: int = 0, broker: str = "iotcore"
) -> list[str]:
    """Make a hub in which these homes are enrolled; returns the session tokens of `clicking` members with homes.

    With Mosquitto as `broker` it serves homes elsewhere, over TLS.
    """
    await init_hub(folder, coop=COOP, clock=REAL, passphrase=b"" if broker == "iotcore" else b"five words for the safe")
    settings = folder / "hub.toml"
    text = settings.read_text().replace('kind = "auto" ', f'kind = "{broker}"')
    if broker != "iotcore":
        ports = f"broker_port = {free_port(LOOPBACK)}\nenrol_port = {free_port(LOOPBACK)}\n"
        text += f'\n[public]\nhost = "{LOOPBACK}"\n{ports}'
    settings.write_text(text)
    _, _, store = await open_hub(folder, clock=REAL)
    try:
        for number, home in enumerate(homes, start=1):
            await enrol(store, home, member=f"m{number:02d}")
        tokens = [secrets.token_urlsafe(16) for _ in range(clicking)]
        for number, token in enumerate(tokens):
            member = Member(f"c{number:03d}", f"C{number:03d}", f"c{number}@x.example", "en", False, 0)
            await store.add_member(member, Home(f"k{number:03d}", f"K{number:03d}", member.id))
            link = hash_token(f"link{number}")
            now = int(time.time())
            await store.add_sign_in(link, member_id=member.id, expires_at=now + 3600)
            await store.redeem_sign_in(link, session_hash=hash_token(token), expires_at=now + 3600, now=now)
    finally:
        await store.close()
    return tokens


@contextmanager
def running(folder: Path, *options: str) -> Iterator[dict[str, object]]:
    """The hub of this folder as a process, with more options of `run`.

    Gives what it writes into running.json, and `homes_port`, where agents reach the broker.
    """
    command = [sys.executable, "-m", "hub", "run", "--data", str(folder), "--web-port", "0", "--broker-port", "0"]
    command += options
    public = load_settings(folder).public
    with (folder / "run.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            until_s = time.monotonic() + 60
            while not (folder / RUNNING_NAME).exists():
                if process.poll() is not None or time.monotonic() > until_s:
                    raise AssertionError((folder / "run.log").read_text())
                time.sleep(0.05)
            where = json.loads((folder / RUNNING_NAME).read_text())
            where["homes_port"] = int(where["broker_port"]) if public is None else public.broker_port
            while not _answers(where["homes_port"]):
                if time.monotonic() > until_s:
                    raise AssertionError((folder / "run.log").read_text())
                time.sleep(0.05)
            yield where
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def line_of(folder: Path, where: Mapping[str, object], home: SendingHome) -> AgentLine:
    """How this home's agent reaches the broker of the running hub."""
    port = int(str(where["homes_port"]))
    is_in_the_clear = load_settings(folder).public is None
    return AgentLine(port) if is_in_the_clear else certified_line(folder, port, agent=home.agent)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_cut_off(folder: Path, agent: str) -> bool:
    """Whether the hub has cut this agent off."""

    async def ask() -> bool:
        _, _, store = await open_hub(folder, clock=REAL, takes_rule=False)
        try:
            return any(each.agent == agent for each in await store.cut_offs())
        finally:
            await store.close()

    return (folder / STORE_NAME).exists() and asyncio.run(ask())


class HonestHome:
    """Sends one live batch after the other and measures how long each waits for its receipt, in seconds."""

    def __init__(self, home: SendingHome, *, line: AgentLine, hub_key: object) -> None:
        self._home = home
        self._hub_key = hub_key
        self._through = 0
        self._answered = threading.Condition()
        self._client = line.client(home.agent)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda *_: self._subscribe()
        self._client.connect(LOOPBACK, line.port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def begin(self) -> None:
        """Return when the first receipt has come: agent and hub may still be connecting."""
        self._one(resend_s=0.5)

    def send_what_is_refused(self) -> None:
        """Return when a batch from the day after tomorrow was refused: the receipt answers its number too."""
        self._one(ahead=2 * 96)

    def receipts_for(self, seconds: float, *, pause_s: float = 0.04) -> list[float]:
        """Each batch's wait. Raises: AssertionError if one waits longer than any batch may."""
        waits = []
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            waits.append(self._one())
            time.sleep(pause_s)
        return waits

    def _one(self, *, resend_s: float = 20.0, ahead: int = -1) -> float:
        topic, sealed = self._home.batch(slot_of(time.time()) + ahead)
        began_s = time.monotonic()
        self._client.publish(topic, sealed, qos=1)
        with self._answered:
            while self._through < self._home.seq:
                if not self._answered.wait(resend_s) and self._through < self._home.seq:
                    if time.monotonic() - began_s > ANSWERED_WITHIN_S:
                        raise AssertionError("a batch waited for its receipt for more than 60 s")
                    # Again, because a broker that did not know the agent yet has refused it.
                    self._subscribe()
                    self._client.publish(topic, sealed, qos=1)
        return time.monotonic() - began_s

    def _subscribe(self) -> None:
        self._client.subscribe(topics.down_filter(COOP.id, self._home.agent), qos=1)

    def _on_message(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        if not message.topic.endswith("/receipt"):
            return
        receipt = decode_receipt(open_sealed(message.payload, message.topic, self._hub_key))  # type: ignore[arg-type]
        with self._answered:
            self._through = max(self._through, receipt.through_seq)
            self._answered.notify_all()
