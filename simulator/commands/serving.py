"""Serves one link where the command line says, until a person or a signal ends it."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Iterable

from simulator.devices.modbus_server import SimulatedLink
from simulator.errors import SimulatorError


def check_place(options: argparse.Namespace) -> None:
    """Whether `--port` and `--unit` can be. Raises: SimulatorError."""
    if not 0 <= options.port <= 65535 or not 1 <= options.unit <= 247:
        raise SimulatorError("expected --port 0 to 65535 and --unit 1 to 247")


async def serve_until_stopped(
    link: SimulatedLink, options: argparse.Namespace, tell: Callable[[str], Iterable[str]]
) -> None:
    """Serve at `--rtu` or `--port`; `tell` gives the lines to print once it answers. Raises: SimulatorError."""
    try:
        if options.rtu:
            link.serve_rtu(options.rtu)
            where = str(options.rtu)
        else:
            where = f"127.0.0.1 port {await link.serve_tcp(options.port)}"
    except OSError as problem:
        raise SimulatorError(f"cannot serve at {options.rtu or options.port}: {problem.strerror or problem}") from None
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sys.stdout.write("\n".join(tell(where)) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await link.close()
