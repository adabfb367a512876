"""mbpoll, a program of its own on libmodbus, reads the simulated devices over TCP and over RTU on a pty."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from simulator.devices.image import DeviceImage
from simulator.devices.modbus_server import SimulatedLink
from simulator.world.families import family_map
from simulator.world.street import Street
from tests.simulator.devices.test_any_family import image_of

FAMILIES = ("eastron-sdm630", "huawei-sun2000", "carlo-gavazzi-em24", "sunspec-meter")
MBPOLL = shutil.which("mbpoll")
MOST = 40

pytestmark = pytest.mark.skipif(MBPOLL is None, reason="mbpoll is not installed: `make setup-test` does it as root")


async def read_with_mbpoll(*line: str, unit: int, function: int, address: int, count: int = 1) -> tuple[list[int], str]:
    """The words that mbpoll printed, and all it said."""
    kind = "4:hex" if function == 3 else "3:hex"
    place = ("-a", str(unit), "-t", kind, "-0", "-r", str(address), "-c", str(count), "-1", "-q", "-o", "10")
    asked = await asyncio.create_subprocess_exec(
        str(MBPOLL), *line[:-1], *place, line[-1], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await asked.communicate())[0].decode()
    return [int(word, 16) for word in re.findall(r"^\[\d+\]:\s+0x([0-9A-F]{4})", said, re.MULTILINE)], said


async def check_each_request(image: DeviceImage, now_s: int, line: tuple[str, ...]) -> None:
    """What mbpoll reads is what the device holds, for every request the agent would make, and nothing beside it."""
    shown, unit = image.words(now_s), image.unit.unit
    for span in image.parts[0].resolved.plan():
        count = min(span.count, MOST)
        held = [shown.get((span.function, at), 0) for at in range(span.address, span.address + count)]
        found, said = await read_with_mbpoll(
            *line, unit=unit, function=span.function, address=span.address, count=count
        )
        assert found == held, said
    _, said = await read_with_mbpoll(*line, unit=unit, function=image.functions[0], address=65_000)
    assert "Illegal data address" in said


@pytest.mark.parametrize("family", FAMILIES)
async def test_mbpoll_reads_over_tcp_what_a_device_holds(street: Street, noon_s: int, family: str) -> None:
    image = image_of(street, family_map(family))
    link = SimulatedLink([image], lambda: noon_s)
    port = await link.serve_tcp()
    try:
        await check_each_request(image, noon_s, ("-m", "tcp", "-p", str(port), "127.0.0.1"))
    finally:
        await link.close()


@pytest.mark.parametrize("family", ["eastron-sdm630", "carlo-gavazzi-em24"])
async def test_mbpoll_reads_over_a_serial_line_what_a_device_holds(
    street: Street, noon_s: int, tmp_path: Path, family: str
) -> None:
    image, bus = image_of(street, family_map(family)), tmp_path / "bus"
    link = SimulatedLink([image], lambda: noon_s)
    link.serve_rtu(bus)
    try:
        await check_each_request(image, noon_s, ("-m", "rtu", "-b", "9600", "-P", "none", str(bus)))
    finally:
        await link.close()
