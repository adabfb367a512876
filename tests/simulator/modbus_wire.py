"""A served link for tests, and a raw client that sees every byte: what a library would hide shows here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from simulator.devices.faults import FaultScript
from simulator.devices.image import DeviceImage
from simulator.devices.modbus_server import LinkLimits, SimulatedLink
from simulator.world.homes import SimulatedHome
from simulator.world.street import Street


def images_of(street: Street, home: SimulatedHome, link: str, script: FaultScript | None = None) -> list[DeviceImage]:
    """The units of one link of a home."""
    physics = street.physics(home.id)
    return [
        DeviceImage(unit, home, physics=physics, seed=street.seed, disturbance=script)
        for unit in home.units
        if unit.link == link
    ]


@asynccontextmanager
async def served(
    street: Street, home_id: str, *, now_s: float, script: FaultScript | None = None, manners: LinkLimits | None = None
) -> AsyncIterator[tuple[SimulatedLink, int]]:
    """The first TCP link of a home on a free port."""
    home = street.home(home_id)
    images = images_of(street, home, next(iter(home.links)), script)
    link = SimulatedLink(images, lambda: now_s, script=script, manners=manners)
    port = await link.serve_tcp()
    try:
        yield link, port
    finally:
        await link.close()


def read_frame(address: int, count: int, *, unit: int = 1, function: int = 3, tid: int = 1) -> bytes:
    """One read request as it goes over TCP."""
    body = bytes([unit, function]) + address.to_bytes(2, "big") + count.to_bytes(2, "big")
    return tid.to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(2, "big") + body


async def exchange(port: int, request: bytes, *, answers: int = 1, within_s: float = 5.0) -> list[bytes]:
    """Send bytes on a fresh connection; the answers that come, each without its header of 6 bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        found = []
        async with asyncio.timeout(within_s):
            for _ in range(answers):
                header = await reader.readexactly(6)
                found.append(await reader.readexactly(int.from_bytes(header[4:6], "big")))
        return found
    finally:
        writer.close()
