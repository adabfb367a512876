"""CPU of reading eight meters beside pymodbus alone, asking the same meters for the same registers in the same run.

`measure()` gives plain numbers. Only the reading side counts: the meters are another process. Both ask all eight at
once. First reading after reading, for what one costs; then as in a home, every 10 s, the whole agent (meter, history,
page, link to the hub) beside a program that does nothing else.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from pymodbus.client import AsyncModbusTcpClient

from edge_agent.devices.line import LineSettings
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.devices.reader import Device
from edge_agent.settings import Endpoint
from tests.benchmarks.moving_meters import moving_meters
from tests.edge_agent.agent_process import ROOT, agent_home
from tests.edge_agent.devices.test_reader import device
from tests.edge_agent.hand_clock import until
from tests.edge_agent.modbus_stand import Stand, meter_words
from tests.edge_agent.stub_hub import free_port

METERS = 8
READINGS = 20
ROUNDS = 60
EVERY_S = 10
SCANS = 8
BARS = {"reading_cpu_over_bare_pymodbus": 1.3}


def measure() -> dict[str, float]:
    """All figures; about two minutes, most of them waiting."""
    with moving_meters(METERS, every_reading_wh=1) as ports:
        found = asyncio.run(_one_after_another(ports))
    with moving_meters(METERS) as ports:
        return found | asyncio.run(_every_ten_seconds(ports))


async def _one_after_another(ports: list[int]) -> dict[str, float]:
    """Values decoded and in our units, beside the library's own conversion of them; the least of several rounds.

    Both are connected and have read once before: a home's meters are read all day. What that first reading costs (with
    placing the map on the device) is a figure of its own. What else the machine does only adds to a round's time.
    """
    ours, bare, first = [], [], []
    for _ in range(ROUNDS):
        for make, found in ((BareReader, bare), (OurReader, ours)):
            reader = make(ports)
            first_s = await _cpu_s(reader.connect)
            found.append(await _cpu_s(lambda reader=reader: _read_on(reader)))
            if found is ours:
                first.append(first_s)
            await reader.close()
    return {
        "reading_cpu_over_bare_pymodbus": min(ours) / min(bare),
        "reading_cpu_us": 1e6 * min(ours) / READINGS / METERS,
        "first_reading_cpu_us": 1e6 * min(first) / METERS,
    }


async def _cpu_s(read: Callable[[], Awaitable[None]]) -> float:
    began_s = time.process_time()
    await read()
    return time.process_time() - began_s


async def _read_on(reader: "BareReader | OurReader") -> None:
    for _ in range(READINGS):
        await reader.read()


class OurReader:
    """What the agent reads with, up to what its meter counts with."""

    def __init__(self, ports: list[int]) -> None:
        self._links = [ModbusLink(Endpoint("tcp", "127.0.0.1", port), LineSettings()) for port in ports]
        self._meters = [device("eastron-sdm630") for _ in ports]
        self._at_s = 0.0

    async def connect(self) -> None:
        await self.read()

    async def read(self) -> None:
        """All meters at once."""
        self._at_s += EVERY_S
        await asyncio.gather(*map(self._one, self._meters, self._links))

    async def _one(self, meter: Device, link: ModbusLink) -> None:
        meter.samples(await meter.read_places(link), self._at_s)

    async def close(self) -> None:
        for link in self._links:
            await link.close()


class BareReader:
    """What a person would write with the library: the same block of each meter, its values converted."""

    def __init__(self, ports: list[int]) -> None:
        self._clients = [AsyncModbusTcpClient("127.0.0.1", port=port) for port in ports]

    async def connect(self) -> None:
        for client in self._clients:
            await client.connect()
        await self.read()

    async def read(self) -> None:
        """All meters at once."""
        await asyncio.gather(*map(self._one, self._clients))

    async def _one(self, client: AsyncModbusTcpClient) -> None:
        answer = await client.read_input_registers(52, count=24, device_id=1)
        for first in (0, 20, 22):
            client.convert_from_registers(answer.registers[first : first + 2], client.DATATYPE.FLOAT32)

    async def close(self) -> None:
        for client in self._clients:
            client.close()


async def _bare_for_ever(ports: list[int]) -> None:
    reader = BareReader(ports)
    await reader.connect()
    while True:
        await asyncio.sleep(EVERY_S - time.time() % EVERY_S)
        await reader.read()


async def _every_ten_seconds(ports: list[int]) -> dict[str, float]:
    more = '\n[[device]]\nname = "d{}"\nmap = "eastron-sdm630"\nrole = "load"\nconnect = "{}"\nmax_power_w = 5000\n'
    devices = "".join(more.format(at, f"tcp://127.0.0.1:{port}") for at, port in enumerate(ports[1:], 1))
    with tempfile.TemporaryDirectory() as folder:
        async with agent_home(Path(folder), Stand(meter_words(1000)), devices=devices) as home:
            home.hub.time_s = time.time
            text = home.config.read_text().replace("interval_s = 300", f"interval_s = {EVERY_S}")
            text = text.replace(f":{home.stand.port}", f":{ports[0]}")
            home.config.write_text(text.replace('"off"', f'"127.0.0.1:{free_port()}"'))
            command = [*home.command("run", "--config", str(home.config))]
            with home.log.open("ab") as log:
                home.process = subprocess.Popen(command, cwd=ROOT, stderr=log, stdout=log)
            beside = [sys.executable, "-m", "tests.benchmarks.bench_reading", *map(str, ports)]
            with subprocess.Popen(beside, cwd=ROOT) as bare:
                try:
                    await until(lambda: "reads meter" in home.log.read_text(), 120)
                    return await _compare(home.process.pid, bare.pid)
                finally:
                    bare.kill()
                    await asyncio.to_thread(home.stop)


async def _compare(agent: int, bare: int) -> dict[str, float]:
    # From the middle between two readings, and not the first one, in which each connects.
    await asyncio.sleep(1.5 * EVERY_S + EVERY_S / 2 - time.time() % EVERY_S)
    ours, its = [], []
    for _ in range(SCANS):
        before = _process_ms(agent), _process_ms(bare)
        await asyncio.sleep(EVERY_S)
        ours.append(_process_ms(agent) - before[0])
        its.append(_process_ms(bare) - before[1])
    return {"agent_cpu_over_bare_pymodbus": median(ours) / median(its), "agent_cpu_ms_per_scan": median(ours)}


def _process_ms(pid: int) -> float:
    """CPU time of all threads, from the scheduler."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((each / "schedstat").read_text().split()[0]) for each in threads) / 1e6


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(_bare_for_ever([int(port) for port in sys.argv[1:]]))
    else:
        for name, value in measure().items():
            print(f"{name} {value:.3f}")
