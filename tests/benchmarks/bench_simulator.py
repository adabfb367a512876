"""What the simulated street costs: requests per CPU second against a bare responder, a day of physics, a start."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

from simulator.devices.image import DeviceImage
from simulator.devices.modbus_server import SimulatedLink
from simulator.world.site import DAY_S, STEP_S, STEPS_PER_DAY
from simulator.world.street import Street

FIRST_DAY = 20600
NOW_S = (FIRST_DAY + 1) * DAY_S + 11 * 3600
REQUESTS = 3000
ROUNDS = 3
REGISTERS = 50
# The client runs in a process of its own, so that the CPU counted here is the server's alone.
CLIENT = f"""
import socket, struct, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as link:
    request = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 40070, {REGISTERS})
    for _ in range({REQUESTS}):
        link.sendall(request)
        left = 9 + 2 * {REGISTERS}
        while left:
            left -= len(link.recv(left))
"""
DEVICES, SECONDS = 2000, 5
MANY = f"""
import asyncio, struct, sys

async def ask(line, ready, go):
    port, unit, function, address, count = map(int, line.split())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = struct.pack(">HHHBBHH", 1, 0, 6, unit, function, address, count)
    async def once():
        writer.write(request)
        answer = await reader.readexactly(9 + 2 * count)
        assert answer[7] == function
    await once()
    ready.release()
    begins = await go
    loop = asyncio.get_running_loop()
    for second in range({SECONDS}):
        await asyncio.sleep(begins + second + port % 1000 / 1000 - loop.time())
        await once()

async def main():
    lines = sys.stdin.read().split("\\n")[:-1]
    ready, go = asyncio.Semaphore(0), asyncio.get_running_loop().create_future()
    tasks = [asyncio.create_task(ask(line, ready, go)) for line in lines]
    for _ in lines:
        await ready.acquire()
    print("ready", flush=True)
    go.set_result(asyncio.get_running_loop().time() + 0.1)
    await asyncio.gather(*tasks)

import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
asyncio.run(main())
"""
START = """
from simulator.world.street import Street
street = Street(seed=1, homes=12, first_day=20600)
for home in street.homes:
    street.physics(home.id).day(20636)
"""


def measure() -> dict[str, float]:
    """Figures from CPU time; of the rates the best of several interleaved rounds."""
    street = Street(seed=1, homes=12, first_day=FIRST_DAY)
    simulated, bare = 0.0, 0.0
    for _ in range(ROUNDS):
        bare = max(bare, asyncio.run(_requests_per_cpu_s(_serve_bare)))
        simulated = max(simulated, asyncio.run(_requests_per_cpu_s(lambda: _serve_simulated(street))))
    return {
        "requests_per_cpu_s": simulated,
        "bare_responder_requests_per_cpu_s": bare,
        "requests_per_cpu_s_to_bare_responder": simulated / bare,
        **_street_costs(street),
        "devices_2000_at_1_hz_cpu_share": asyncio.run(_many_devices(street)),
        **_start_costs(),
    }


async def _requests_per_cpu_s(serve: Callable[[], Awaitable[tuple[int, Callable[[], Awaitable[None]]]]]) -> float:
    port, close = await serve()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CLIENT, str(port))
    began_s = time.process_time()
    if await process.wait():
        raise RuntimeError("the client of the benchmark failed")
    spent_s = time.process_time() - began_s
    await close()
    return REQUESTS / spent_s


async def _serve_simulated(street: Street) -> tuple[int, Callable[[], Awaitable[None]]]:
    home = street.homes[0]
    images = [DeviceImage(unit, home, physics=street.physics(home.id), seed=1) for unit in home.units]
    link = SimulatedLink(images, lambda: NOW_S)
    return await link.serve_tcp(), link.close


async def _many_devices(street: Street) -> float:
    """The share of one core that 2,000 devices on ports of their own take while each is read once a second.

    The clients run in a process of their own; every answer is checked there.
    """
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    places = [(home, unit) for home in street.homes for unit in home.units if unit.link == "solar"]
    links = [
        SimulatedLink([DeviceImage(unit, home, physics=street.physics(home.id), seed=1)], lambda: NOW_S)
        for home, unit in (places[at % len(places)] for at in range(DEVICES))
    ]
    ports = [await link.serve_tcp() for link in links]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MANY, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    asked = [f"{port} {_first(link)}" for port, link in zip(ports, links, strict=True)]
    process.stdin.write(("\n".join(asked) + "\n").encode())
    process.stdin.close()
    await process.stdout.readline()
    began_s, answered = time.process_time(), sum(link.requests for link in links)
    await process.wait()
    spent_s = time.process_time() - began_s
    answered = sum(link.requests for link in links) - answered
    for link in links:
        await link.close()
    if process.returncode or answered != DEVICES * SECONDS:
        raise RuntimeError(f"{answered} of {DEVICES * SECONDS} requests were answered")
    return spent_s / SECONDS


def _first(link: SimulatedLink) -> str:
    """The one unit of a link, and a function, an address and a count that it has."""
    ((unit, image),) = link.images.items()
    area = image.areas[0]
    return f"{unit} {area.function} {area.address} {min(area.count, 20)}"


class _Bare(asyncio.Protocol):
    """The least that answers: no checks, no units, no registers to look up."""

    answer = bytes([1, 3, 2 * REGISTERS]) + bytes(2 * REGISTERS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.write(data[:4] + len(self.answer).to_bytes(2, "big") + self.answer)


async def _serve_bare() -> tuple[int, Callable[[], Awaitable[None]]]:
    server = await asyncio.get_running_loop().create_server(_Bare, "127.0.0.1", 0)

    async def close() -> None:
        server.close()
        await server.wait_closed()

    return server.sockets[0].getsockname()[1], close


def _street_costs(street: Street) -> dict[str, float]:
    """One simulated day of twelve homes: what flows, and every register of every unit renewed at every step."""
    day = FIRST_DAY + 2
    for home in street.homes:
        street.physics(home.id).day(day - 1)
    began_s = time.process_time()
    for home in street.homes:
        street.physics(home.id).day(day)
    physics_s = time.process_time() - began_s
    images = [
        DeviceImage(unit, home, physics=street.physics(home.id), seed=1) for home in street.homes for unit in home.units
    ]
    steps = STEPS_PER_DAY // 12
    began_s = time.process_time()
    for step in range(steps):
        for image in images:
            image.words(day * DAY_S + step * STEP_S)
    step_s = (time.process_time() - began_s) / steps
    return {
        "street_day_physics_cpu_s": physics_s,
        "street_day_registers_cpu_s": step_s * STEPS_PER_DAY,
        "registers_cpu_ms_per_step": step_s * 1000,
    }


def _start_costs() -> dict[str, float]:
    """A fresh process that builds twelve homes with 36 days behind them."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", START], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "start_with_36_days_cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "start_peak_memory_mb": after.ru_maxrss / 1024,
    }
