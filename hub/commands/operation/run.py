"""`commonwatt-hub run`: runs the hub until it is stopped: broker, intake, timetable and pages."""

import argparse
import asyncio
import sys

from hub.processes.running import run_hub


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument(
        "--web-port", type=_port, metavar="N", help="serve pages here instead of web.port; 0: any free one"
    )
    parser.add_argument("--broker-port", type=_port, metavar="N", help="instead of broker.port; 0: any free one")


def run(args: argparse.Namespace) -> int:
    """Run the hub; each line it announces is printed immediately."""
    asyncio.run(
        run_hub(
            args.data,
            clock_file=args.clock,
            web_port=args.web_port,
            broker_port=args.broker_port,
            announce=_announce,
        )
    )
    return 0


def _announce(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a port from 0 (any free one) to 65535")
    return int(text)
