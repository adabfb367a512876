"""A hub of several processes for tests: one store on an embedded server, one local Mosquitto, real role processes.

Its homes share one MQTT connection; each has its own chain and a window that only receipts move.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.__main__ import main
from hub.broker.connection import BrokerAddress, BrokerLink, Delivery
from hub.broker.mosquitto_files import find_mosquitto
from hub.broker.plans import free_port
from hub.folder.clock import open_clock
from hub.folder.elsewhere.store_settings import ADDRESS_NAME
from hub.folder.keys.signer import load_signer
from hub.folder.opening import open_hub
from hub.storage.postgres.connections import connect
from protocols.slots import start_of
from protocols.timeline import Timeline
from protocols.wire.envelope import open_sealed
from protocols.wire.receipts import decode_receipt
from protocols.wire.topics import parse_topic
from tests.hub.postgres_server import SCHEMA, Server, start_server
from tests.hub.sending_home import FIRST_SLOT, SendingHome, enrol

WINDOW = 8
AGAIN_S = 1.0
STARTS_WITHIN_S = 90.0
ENDS_WITHIN_S = 60.0


def start_broker(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A Mosquitto that lets everybody in, and its port."""
    program = find_mosquitto()
    if program is None:
        pytest.skip("mosquitto is not installed")
    port = free_port("127.0.0.1")
    configuration = folder / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([program, "-c", str(configuration)], **quiet), port  # type: ignore[call-overload]


@dataclass
class ManyHub:
    """The hub's folder, its server and its broker. `start` adds a process."""

    folder: Path
    clock: Path
    server: Server
    broker_port: int
    started: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, role: str, *more: str, folder: Path | None = None) -> asyncio.subprocess.Process:
        """A process with this role, once it is at work."""
        place = folder or self.folder
        command = ["run", "--data", str(place), "--clock", str(self.clock), "--role", role, *more]
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub", *command), stdout=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=".")
        )
        self.started.append(child)
        assert child.stdout is not None
        line = (await asyncio.wait_for(child.stdout.readline(), STARTS_WITHIN_S)).decode()
        assert line.startswith(f"role {role}: "), line
        return child

    async def stop(self) -> None:
        """End every process that still runs, each in order."""
        running = [child for child in self.started if child.returncode is None]
        for child in running:
            child.terminate()
        for child in running:
            assert await asyncio.wait_for(child.wait(), ENDS_WITHIN_S) == 0

    async def stored(self) -> dict[str, list[int]]:
        """The numbers of the stored messages of each agent, in the order in which they were stored."""
        found: dict[str, list[int]] = {}
        session = await connect(self.server.admin("energy"))
        try:
            for agent, seq in await session.fetch("SELECT agent, seq FROM message ORDER BY position"):
                found.setdefault(str(agent), []).append(int(seq))
        finally:
            session.terminate()
        return found


async def part_pid(child: asyncio.subprocess.Process) -> int:
    """The process of the part that this role process has started."""
    listed = await asyncio.create_subprocess_exec("pgrep", "-P", str(child.pid), stdout=subprocess.PIPE)
    said, _ = await listed.communicate()
    return int(said.split()[0])


async def signal_all(child: asyncio.subprocess.Process, number: int) -> None:
    """Send this to a role process and its part, as losing or pausing a machine would."""
    os.kill(await part_pid(child), number)
    child.send_signal(number)


async def kill(child: asyncio.subprocess.Process) -> None:
    """The whole machine of this process is gone."""
    await signal_all(child, signal.SIGKILL)
    await child.wait()


@asynccontextmanager
async def many_hub(
    folder: Path, homes: list[SendingHome], *, slots: int, store_address: str | None = None
) -> AsyncIterator[ManyHub]:
    """A hub with these homes enrolled, whose clock allows `slots` messages of each."""
    hub, clock = folder / "hub", folder / "clock.json"
    init = ["init", "--data", str(hub), "--name", "S", "--coop", "street", "--tz", "Europe/Madrid"]
    assert await asyncio.to_thread(main, init) == 0
    clock.write_text(Timeline(0, start_of(FIRST_SLOT + slots + 1), 0, None).text())
    server = start_server()
    admin = await server.ask()
    await admin.execute("CREATE DATABASE energy")
    admin.terminate()
    prepare = ["db", "prepare", "--data", str(hub), "--to", server.admin("energy").dsn, "--schema", SCHEMA]
    assert await asyncio.to_thread(main, [*prepare, "--clock", str(clock)]) == 0
    broker, port = start_broker(folder)
    settings = (hub / "hub.toml").read_text().replace('kind = "auto"', 'kind = "external"')
    settings = settings.replace("port = 1883", f"port = {port}")
    (hub / "hub.toml").write_text(f'{settings}\n[store]\nschema = "{SCHEMA}"\naddress_file = "{ADDRESS_NAME}"\n')
    assert f"port = {port}" in settings
    _, _, store = await open_hub(hub, clock=open_clock(clock))
    for number, home in enumerate(homes, start=1):
        await enrol(store, home, member=f"m{number:03d}")  # type: ignore[arg-type]
    await store.close()
    made = ManyHub(hub, clock, server, port)
    try:
        yield made
        await made.stop()
    finally:
        for child in made.started:
            if child.returncode is None:
                child.send_signal(signal.SIGCONT)
                await kill(child)
        broker.terminate()
        broker.wait()


class Street:
    """Homes that send until everything has a receipt."""

    def __init__(
        self, hub: ManyHub, homes: list[SendingHome], *, messages: int, batches_a_second: float = float("inf")
    ) -> None:
        """`batches_a_second` of each home, until they are told to hurry."""
        key = load_signer(hub.folder).identity
        self._hub_key = key if isinstance(key, Ed25519PublicKey) else Ed25519PublicKey.from_public_bytes(key)
        self._sent = {home.agent: [home.batch(FIRST_SLOT + n) for n in range(messages)] for home in homes}
        self._messages = messages
        self._batches_a_second = batches_a_second
        self._began_s = asyncio.get_running_loop().time()
        self.through = dict.fromkeys(self._sent, 0)
        self._offered = dict.fromkeys(self._sent, 0)
        self._moved_at = dict.fromkeys(self._sent, 0.0)
        self._link = BrokerLink(client_id="homes", filters=["cw1/street/+/+/down/receipt"], deliver=self._take)
        self._link.start(BrokerAddress("127.0.0.1", hub.broker_port))

    @property
    def receipted(self) -> int:
        """How many messages have a receipt."""
        return sum(self.through.values())

    @property
    def is_done(self) -> bool:
        """Whether every message has one."""
        return self.receipted == self._messages * len(self._sent)

    def hurry(self) -> None:
        """From now on the homes send as fast as receipts come."""
        self._batches_a_second = float("inf")

    @property
    def _made(self) -> int:
        """How many batches each home has made so far."""
        made = (asyncio.get_running_loop().time() - self._began_s) * self._batches_a_second
        return int(min(self._messages, made))

    def _take(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            receipt = decode_receipt(open_sealed(delivery.payload, delivery.topic, self._hub_key))
            agent = parse_topic(delivery.topic).agent
            self.through[agent] = max(self.through[agent], receipt.through_seq)
            for first, last in receipt.gaps:
                for seq in range(first, min(last, first + WINDOW) + 1):
                    self._publish(agent, seq)
        self._link.acknowledge(deliveries)

    def _publish(self, agent: str, seq: int) -> None:
        if 0 < seq <= self._messages:
            self._link.publish(*self._sent[agent][seq - 1])

    async def send_until(self, holds: Callable[[], bool], *, within_s: float = 150) -> None:
        """Keep each window full; a window without a receipt for a second is sent again."""
        loop = asyncio.get_running_loop()
        last = dict(self.through)
        async with asyncio.timeout(within_s):
            while not holds():
                for agent, through in self.through.items():
                    if through != last[agent]:
                        last[agent], self._moved_at[agent] = through, loop.time()
                    if loop.time() - self._moved_at[agent] > AGAIN_S:
                        self._offered[agent], self._moved_at[agent] = through, loop.time()
                    while self._link.is_connected and self._offered[agent] < min(self._made, through + WINDOW):
                        self._offered[agent] = max(self._offered[agent], through) + 1
                        self._publish(agent, self._offered[agent])
                await asyncio.sleep(0.01)  # the pace of these homes: nothing is awaited by it

    async def stop(self) -> None:
        """Disconnect."""
        await asyncio.to_thread(self._link.stop)


def said_in(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """What a command printed as JSON."""
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def own_folder() -> Path:
    """A folder whose path is short enough for a socket in it."""
    return Path(tempfile.mkdtemp(prefix="cw-many-"))
