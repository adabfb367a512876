"""The real agent as a process of its own, on a timeline the test controls, with a stub hub beside it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from edge_agent.uplink.identity import own_key
from protocols.slots import start_of
from protocols.timeline import Timeline
from tests.edge_agent.modbus_stand import Stand
from tests.edge_agent.stub_hub import StubHub, running_broker

FIRST = 2_000_000
ROOT = Path(__file__).resolve().parents[2]

CONFIG = """
[hub]
url = "http://127.0.0.1:1"
coop = "sonnenstrasse"
[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://127.0.0.1:{port}"
max_power_w = 15000
timeout_ms = 5000
[poll]
interval_s = 300
boundary_window_s = 240
[page]
listen = "off"
"""


class AgentHome:
    """A home's folder, its meter, its hub, and the agent that is started and stopped in it."""

    def __init__(self, folder: Path, stand: Stand, hub: StubHub) -> None:
        self.folder = folder
        self.stand = stand
        self.hub = hub
        self.config = folder / "agent.toml"
        self.timeline = folder / "clock.json"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "agent.log"

    def set_time(self, now_s: float, *, rate: float = 0.0, hold_at_s: float | None = None) -> None:
        text = Timeline(time.time(), now_s, rate, hold_at_s).text()
        beside = self.timeline.with_suffix(".part")
        beside.write_text(text)
        beside.replace(self.timeline)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "edge_agent", *arguments]

    def start(self, *more: str) -> None:
        with self.log.open("ab") as log:
            arguments = ("run", "--config", str(self.config), "--clock", str(self.timeline), *more)
            self.process = subprocess.Popen(self.command(*arguments), cwd=ROOT, stderr=log, stdout=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def call(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        command, *rest = arguments
        return subprocess.run(
            self.command(command, "--config", str(self.config), *rest),
            cwd=ROOT, capture_output=True, text=True, input=text, timeout=60, check=False,
        )  # fmt: skip

    def resident_mb(self) -> float:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


@contextlib.asynccontextmanager
async def agent_home(folder: Path, stand: Stand, *, devices: str = "") -> AsyncIterator[AgentHome]:
    """A home ready to start, enrolled; everything is ended in the end."""
    await stand.start()
    (folder / "data").mkdir()
    key = own_key(folder / "data")
    with running_broker(folder) as broker:
        hub = await asyncio.to_thread(StubHub(broker.port, key.public_key()).start)
        hub.write_enrolment(folder / "data")
        home = AgentHome(folder, stand, hub)
        home.config.write_text(CONFIG.format(port=stand.port) + devices)
        home.set_time(start_of(FIRST))
        try:
            yield home
        finally:
            if home.process is not None and home.process.poll() is None:
                os.kill(home.process.pid, signal.SIGKILL)
                home.process.wait()
            await asyncio.to_thread(hub.stop)
            await stand.stop()
