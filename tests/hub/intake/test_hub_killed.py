"""A real hub killed with kill -9 in the middle of a stream: everything with a receipt is still stored (I1, I2)."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.__main__ import main
from hub.broker.connection import BrokerAddress, BrokerLink, Delivery
from hub.broker.plans import free_port
from protocols.enrolment.handshake import build_request, open_answer
from protocols.enrolment.token import parse_token
from protocols.slots import start_of
from protocols.timeline import Timeline
from protocols.wire import topics
from protocols.wire.envelope import open_sealed
from protocols.wire.receipts import decode_receipt
from tests.hub.sending_home import FIRST_SLOT, SendingHome

MESSAGES = 600
WINDOW = 20


@asynccontextmanager
async def running_hub(
    folder: Path, *, clock: Path, broker_port: int, log: int | None = None
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A hub in a separate process, with the address of its pages; stopped as Ctrl-C would unless it has ended.

    Its log goes to the open file `log`, or to that of the tests.
    """
    arguments = [
        "run",
        "--data",
        str(folder),
        "--clock",
        str(clock),
        "--web-port",
        "0",
        "--broker-port",
        str(broker_port),
    ]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", *arguments),
        stdout=subprocess.PIPE,
        stderr=log,
        env=dict(os.environ, PYTHONPATH="."),
    )
    assert child.stdout is not None
    try:
        line = (await asyncio.wait_for(child.stdout.readline(), 60)).decode()
        assert "pages on http://" in line
        yield child, line.split()[2].rstrip(",")
    finally:
        if child.returncode is None:
            child.terminate()
            assert await asyncio.wait_for(child.wait(), 30) == 0, "a hub that is asked to stop ends with status 0"


def post(url: str, body: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Sender:
    """A small uplink: a window of messages that only receipts move, sent again when no receipts come."""

    def __init__(self, home: SendingHome, *, hub_key: Ed25519PublicKey, port: int) -> None:
        self._sent = [home.batch(FIRST_SLOT + n) for n in range(MESSAGES)]
        self._hub_key = hub_key
        self.through = 0
        self._offered = 0
        down = topics.down_filter("street", home.agent)
        self._link = BrokerLink(client_id=home.agent, filters=[down], deliver=self._take)
        self._link.start(BrokerAddress("127.0.0.1", port))

    def _take(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            receipt = decode_receipt(open_sealed(delivery.payload, delivery.topic, self._hub_key))
            self.through = max(self.through, receipt.through_seq)
        self._link.acknowledge(deliveries)

    async def send_until(self, holds: Callable[[], bool], *, within_s: float = 90) -> None:
        """Keep the window full; when no receipt comes for a second, send the window again."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within_s):
            moved_at, last = loop.time(), -1
            while not holds():
                if self.through != last:
                    moved_at, last = loop.time(), self.through
                if loop.time() - moved_at > 1.0:
                    self._offered, moved_at = self.through, loop.time()
                while self._link.is_connected and self._offered < min(MESSAGES, self.through + WINDOW):
                    self._link.publish(*self._sent[self._offered])
                    self._offered += 1
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        await asyncio.to_thread(self._link.stop)


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Path, str]:
    hub = tmp_path / "hub"
    assert main(["init", "--data", str(hub), "--name", "S", "--coop", "street", "--tz", "Europe/Madrid"]) == 0
    capsys.readouterr()
    clock = tmp_path / "clock.json"
    clock.write_text(Timeline(0, start_of(FIRST_SLOT + MESSAGES + 1), 0, None).text())
    invite = ["invite", "--data", str(hub), "--member", "A", "--email", "a@b.c", "--clock", str(clock), "--json"]
    assert main(invite) == 0
    return hub, json.loads(capsys.readouterr().out)["token"]


@pytest.mark.parametrize("kind", ["iotcore", "auto"])
async def test_every_message_with_a_receipt_is_stored_whenever_the_hub_is_killed(
    folder: tuple[Path, str], kind: str
) -> None:
    hub, token = folder
    (hub / "hub.toml").write_text(
        (hub / "hub.toml").read_text().replace('kind = "auto"', f'kind = "{kind}"\nallow_other_users = true')
    )
    clock, port = hub.parent / "clock.json", free_port("127.0.0.1")
    home = SendingHome("h01")
    async with running_hub(hub, clock=clock, broker_port=port) as (child, pages):
        request = build_request(home.key, token=parse_token(token), coop="street")
        status, body = await asyncio.to_thread(post, f"{pages}/api/enrol", request)
        assert status == 200, body
        answer = open_answer(body, token=parse_token(token), request=request.encode(), agent_public_key=home.public_key)
        assert (answer.agent, answer.home, answer.broker_port) == (home.agent, "h01", port)
        status, body = await asyncio.to_thread(
            post, f"{pages}/api/enrol", build_request(SendingHome("h01").key, token=parse_token(token), coop="street")
        )
        assert status == 409
        assert "the invitation was already used by another agent" in json.loads(body)["error"]
        sender = Sender(home, hub_key=Ed25519PublicKey.from_public_bytes(answer.hub_public_key), port=port)
        await sender.send_until(lambda: sender.through >= 150)
        child.kill()
        await child.wait()
    receipted = sender.through
    assert receipted < MESSAGES, "the hub was killed in the middle"
    assert stored(hub) >= receipted
    async with running_hub(hub, clock=clock, broker_port=port):
        await sender.send_until(lambda: sender.through == MESSAGES)
        await sender.stop()
    assert stored(hub) == MESSAGES
    with sqlite3.connect(hub / "hub.sqlite") as db:
        assert db.execute("SELECT count(*), count(DISTINCT slot) FROM reading WHERE measure = 1").fetchone() == (
            MESSAGES,
            MESSAGES,
        )
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert await asyncio.to_thread(main, ["verify", "--data", str(hub), "--clock", str(clock)]) == 0


def stored(hub: Path) -> int:
    with sqlite3.connect(hub / "hub.sqlite") as db:
        numbers = [row[0] for row in db.execute("SELECT seq FROM message ORDER BY seq")]
    assert numbers == list(range(1, len(numbers) + 1)), "none missing, none repeated"
    return len(numbers)
