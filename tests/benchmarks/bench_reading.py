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
from edge_agent.settings import Endpoint
from tests.benchmarks.moving_meters import moving_meters
from tests.edge_agent.agent_process import ROOT, agent_home
from tests.edge_agent.devices.test_reader import device
from tests.edge_agent.hand_clock import until
from tests.edge_agent.modbus_stand import Stand, meter_words
from tests.edge_agent.stub_hub import free_port

METERS = 8
READINGS = 60
ROUNDS = 9
EVERY_S = 10
SCANS = 8


def measure() -> dict[str, float]:
    """All figures; about two minutes, most of them waiting."""
    with moving_meters(METERS, every_reading_wh=1) as ports:
        found = asyncio.run(_one_after_another(ports))
    with moving_meters(METERS) as ports:
        return found | asyncio.run(_every_ten_seconds(ports))


async def _one_after_another(ports: list[int]) -> dict[str, float]:
    """Values decoded and in our units, beside the library's own conversion of them; the median of several rounds."""
    ours, bare = [], []
    for _ in range(ROUNDS):
        bare.append(await _cpu_s(lambda: _read_bare(ports, READINGS)))
        ours.append(await _cpu_s(lambda: _read_ours(ports)))
    return {
        "reading_cpu_over_bare_pymodbus": median(ours) / median(bare),
        "reading_cpu_us": 1e6 * median(ours) / READINGS / METERS,
    }


async def _cpu_s(read: Callable[[], Awaitable[None]]) -> float:
    began_s = time.process_time()
    await read()
    return time.process_time() - began_s


async def _read_ours(ports: list[int]) -> None:
    links = [ModbusLink(Endpoint("tcp", "127.0.0.1", port), LineSettings()) for port in ports]
    meters = [device("eastron-sdm630") for _ in ports]

    async def one(at: int, reading: int) -> None:
        meters[at].samples(await meters[at].read_places(links[at]), float(reading))

    for reading in range(READINGS):
        await asyncio.gather(*(one(at, reading) for at in range(len(ports))))
    for link in links:
        await link.close()


async def _read_bare(ports: list[int], readings: int, every_s: float = 0.0) -> None:
    """What a person would write with the library: the same block of each meter, its values converted."""
    clients = [AsyncModbusTcpClient("127.0.0.1", port=port) for port in ports]
    for client in clients:
        await client.connect()

    async def one(client: AsyncModbusTcpClient) -> None:
        answer = await client.read_input_registers(52, count=24, device_id=1)
        for first in (0, 20, 22):
            client.convert_from_registers(answer.registers[first : first + 2], client.DATATYPE.FLOAT32)

    for _ in range(readings):
        if every_s:
            await asyncio.sleep(every_s - time.time() % every_s)
        await asyncio.gather(*(one(client) for client in clients))
    for client in clients:
        client.close()


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
        asyncio.run(_read_bare([int(port) for port in sys.argv[1:]], 10**6, EVERY_S))
    else:
        for name, value in measure().items():
            print(f"{name} {value:.3f}")
