"""The agent's package for 64-bit ARM does its work on one: help, maps, and a slot of a meter sealed into the outbox."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from protocols.slots import start_of
from tests.edge_agent.agent_process import FIRST, AgentHome, agent_home
from tests.edge_agent.hand_clock import until
from tests.edge_agent.modbus_stand import Stand, meter_words
from tests.packages.arm64_machine import Arm64Machine, CannotFetchError, why_not

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.campaign


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Arm64Machine:
    if reason := why_not():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("arm64")
    try:
        made = Arm64Machine(folder / "machine")
    except CannotFetchError as cause:
        pytest.skip(str(cause))
    build = [sys.executable, str(ROOT / ".ci/debs/build.py"), "--arch", "arm64", "--to", str(folder / "debs")]
    subprocess.run(build, check=True, timeout=2000)
    (deb,) = (folder / "debs").glob("commonwatt-agent_*.deb")
    made.install(deb, folder / "package")
    return made


def told(machine: Arm64Machine, *arguments: str) -> str:
    command = machine.command("-m", "edge_agent", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.timeout(3600)
def test_it_is_another_machine_and_the_package_is_what_runs_there(machine: Arm64Machine) -> None:
    code = "import platform, edge_agent, cbor2, cryptography; print(platform.machine(), edge_agent.__file__)"
    done = subprocess.run(machine.command("-c", code), capture_output=True, text=True, timeout=600, check=True)
    arch, where = done.stdout.split()
    assert arch == "aarch64"
    assert not Path(where).is_relative_to(ROOT)
    assert "usage: commonwatt-agent" in told(machine, "--help")


@pytest.mark.timeout(1800)
def test_it_lists_every_map(machine: Arm64Machine) -> None:
    shown = told(machine, "map", "list")
    families = [path.stem for path in (ROOT / "firmware_configs/devices").glob("*.toml")]
    assert [family for family in families if family not in shown] == []


@pytest.mark.timeout(1800)
async def test_it_reads_a_meter_for_a_slot_and_the_hub_gets_the_batch(
    machine: Arm64Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AgentHome, "command", lambda _, *rest: machine.command("-m", "edge_agent", *rest))
    async with agent_home(tmp_path, Stand(meter_words(1000))) as home:
        # An emulated computer is slow: it may take this long to answer.
        home.config.write_text(home.config.read_text().replace("timeout_ms = 5000", "timeout_ms = 20000"))
        home.start()
        await until(lambda: home.stand.requests, 900)
        home.stand.words |= meter_words(1200)
        home.set_time(start_of(FIRST + 1) + 5)
        await until(lambda: home.hub.batches, 600)
        assert home.hub.batches[0].slot == FIRST
        assert await asyncio.to_thread(home.stop) == 0
        assert (tmp_path / "data" / "outbox.sqlite").stat().st_size > 0
