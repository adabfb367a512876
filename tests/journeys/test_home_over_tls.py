"""The real agent and hub as processes over TLS: enrolled by the invitation, receipted, renewed after expiry."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agent.outbox.messages import OutboxError
from edge_agent.outbox.view import read_overview
from edge_agent.uplink.identity import load_identity
from edge_agent.uplink.tls.files import TlsFiles
from hub.__main__ import main
from hub.broker.mosquitto_files import find_mosquitto
from hub.broker.plans import free_port
from hub.trust.authority_files import FolderAuthority
from protocols.slots import SLOT_S
from protocols.timeline import Timeline
from tests.edge_agent.modbus_stand import Stand, meter_words
from tests.hub.intake.test_hub_killed import running_hub

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed here")
DAY_S = 86400
LOOK_EVERY_S = 0.1
LOOKS_A_SLOT = 10
DEVICE = """[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://127.0.0.1:{port}"
max_power_w = 15000
[poll]
interval_s = 300
boundary_window_s = 240
"""


class Place:
    """A hub for homes elsewhere and one home, each in its folder, on one timeline near the real time."""

    def __init__(self, folder: Path, *, meter_port: int) -> None:
        self.hub, self.home, self.clock = folder / "hub", folder / "home", folder / "clock.json"
        self.home.mkdir()
        (self.home / "agent.toml").write_text(DEVICE.format(port=meter_port))
        self.started_s = int(time.time()) // SLOT_S * SLOT_S
        self.slots = 0
        self.enrol_port = free_port("127.0.0.1")
        self.show_time()

    def show_time(self) -> None:
        """Certificates go by real time, so this stays within hours of it."""
        beside = self.clock.with_suffix(".part")
        beside.write_text(Timeline(time.time(), self.started_s + self.slots * SLOT_S, 0.0, None).text())
        beside.replace(self.clock)

    def agent(self, command: str, *more: str, text: str = "") -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-m", "edge_agent", command, "--config", str(self.home / "agent.toml"), *more]
        return subprocess.run(arguments, input=text, capture_output=True, text=True, timeout=120, check=False)

    def outbox(self) -> dict[str, int]:
        """How many messages there are, and how many wait for their receipt, as `status` counts them."""
        try:
            found = read_overview(self.home / "data", limit=0)
        except OutboxError:  # the agent is still making it
            return {"messages": 0, "waiting": 0}
        return {"messages": found.messages, "waiting": found.waiting}

    async def pass_slots(self, holds: Callable[[dict[str, int]], bool]) -> dict[str, int]:
        """Let a quarter hour end now and then until the outbox is as wanted."""
        looks = 0
        async with asyncio.timeout(180):
            while not holds(found := await asyncio.to_thread(self.outbox)):
                if looks % LOOKS_A_SLOT == 0:
                    self.slots += 1
                    self.show_time()
                looks += 1
                await asyncio.sleep(LOOK_EVERY_S)
        return found

    def tls(self) -> TlsFiles:
        found = load_identity(self.home / "data").tls
        assert found is not None
        return found

    def put_expired(self) -> int:
        """Give the agent a certificate that ended ten days ago, as one has that was off for long; when it ended."""
        agent, now_s = load_identity(self.home / "data").enrolment.agent, int(time.time())
        pem = FolderAuthority(self.hub).issue_agent(self.tls().request(), agent=agent, now_s=now_s - 40 * DAY_S)
        return self.tls().store(pem.decode()).ends_at


@asynccontextmanager
async def running_agent(place: Place) -> AsyncIterator[Path]:
    """The agent as a process, and its log; stopped as systemd would."""
    log = place.home / "agent.log"
    arguments = ["run", "--config", str(place.home / "agent.toml"), "--clock", str(place.clock)]
    with log.open("ab") as out:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge_agent", *arguments), stdout=out, stderr=out, env=dict(os.environ)
        )
    try:
        yield log
    finally:
        child.terminate()
        assert await asyncio.wait_for(child.wait(), 60) == 0


def on_the_hub(*arguments: str) -> int:
    return main(list(arguments))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    stand = Stand(meter_words(10_000))
    await stand.start()
    yield Place(tmp_path, meter_port=stand.port)
    await stand.stop()


async def test_a_home_enrols_sends_expires_and_renews(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("five words for the safe\n")
    data = ("--data", str(place.hub))
    init = ["init", "--name", "S", "--coop", "street", "--tz", "UTC", "--passphrase-file", str(passphrase), *data]
    assert await asyncio.to_thread(on_the_hub, *init) == 0
    public = (
        f'\n[public]\nhost = "localhost"\nbroker_port = {free_port("127.0.0.1")}\nenrol_port = {place.enrol_port}\n'
    )
    (place.hub / "hub.toml").write_text((place.hub / "hub.toml").read_text() + public)
    capsys.readouterr()
    invite = ["invite", "--member", "A", "--email", "a@b.c", "--json", *data, "--clock", str(place.clock)]
    assert await asyncio.to_thread(on_the_hub, *invite) == 0
    made: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert made["invitation"].startswith(f"commonwatt:?hub=https://localhost:{place.enrol_port}&coop=street&token=")

    async with running_hub(place.hub, clock=place.clock, broker_port=free_port("127.0.0.1")):
        enrolled = await asyncio.to_thread(place.agent, "enrol", text=made["invitation"] + "\n")
        assert enrolled.returncode == 0, enrolled.stderr
        first = place.tls().validity()
        assert first is not None
        assert "certificate valid until" in (await asyncio.to_thread(place.agent, "status")).stdout
        async with running_agent(place):
            await place.pass_slots(lambda box: box["messages"] > 0 and box["waiting"] == 0)
        told = json.loads((await asyncio.to_thread(place.agent, "status", "--json")).stdout)["outbox"]
        sent = place.outbox()  # the agent has stopped
        assert {name: told[name] for name in sent} == sent

        ended_at = place.put_expired()
        assert ended_at < time.time()
        status = (await asyncio.to_thread(place.agent, "status")).stdout
        assert "NOT SENDING: this agent's certificate has expired on" in status
        async with running_agent(place) as log:
            await place.pass_slots(lambda box: box["messages"] > sent["messages"] and box["waiting"] == 0)
        more = place.outbox()
        assert "the certificate was renewed" in log.read_text()
        renewed = place.tls().validity()
        assert renewed is not None
        assert renewed.ends_at >= first.ends_at

    # A new root while the home is on: it follows by itself.
    identity = load_identity(place.home / "data").enrolment.hub_public_key
    async with running_agent(place) as log:
        renew = ["authority", "renew", "--new-root", "--stolen", "--passphrase-file", str(passphrase), *data]
        assert await asyncio.to_thread(on_the_hub, *renew) == 0
        async with running_hub(place.hub, clock=place.clock, broker_port=free_port("127.0.0.1")):
            await place.pass_slots(lambda box: box["messages"] > more["messages"] and box["waiting"] == 0)
    more = place.outbox()
    assert "the co-op has a new root certificate" in log.read_text()
    assert (
        place.tls().root
        == FolderAuthority(place.hub).root_pem.decode()
        != load_identity(place.home / "data").enrolment.root
    )
    assert load_identity(place.home / "data").enrolment.hub_public_key == identity, "it did not enrol again"

    place.put_expired()
    async with running_agent(place):
        await place.pass_slots(lambda box: box["messages"] > more["messages"] and box["waiting"] > 0)
    said = log.read_text()
    assert "certificate has expired on" in said, "it measures, sends nothing and says why"
    assert "the certificate was not renewed" in said
    assert "Traceback" not in said
