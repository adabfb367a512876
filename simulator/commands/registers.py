"""`commonwatt-sim registers`: a device whose registers stand in a file, for any Modbus client."""

import argparse
import asyncio
from collections.abc import Iterator

from simulator.commands.serving import check_place, serve_until_stopped
from simulator.devices.modbus_server import SimulatedLink
from simulator.devices.register_image import RegisterImage, read_register_image
from simulator.services.clock import open_clock


def run_registers(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C. Raises: SimulatorError."""
    check_place(options)
    image = read_register_image(options.file, options.unit)
    link = SimulatedLink([], open_clock(None).now, recorded=[image])
    asyncio.run(serve_until_stopped(link, options, lambda where: _lines(image, where)))


def _lines(image: RegisterImage, where: str) -> Iterator[str]:
    functions = " and ".join(str(each) for each in sorted({function for function, _ in image.words}))
    yield f"{len(image.words)} registers answer at {where}, unit {image.unit}, function {functions}."
    yield "Any other is refused with exception 2. Press Ctrl-C to stop."
