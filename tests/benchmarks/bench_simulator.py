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
