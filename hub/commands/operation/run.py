"""`commonwatt-hub run`: runs the hub until it is stopped, whole or one process of it with one role."""

import argparse
import asyncio
import sys

from hub.processes.roles.names import ROLES
from hub.processes.roles.running import run_role
from hub.processes.running import run_hub
from protocols.errors import RequestError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument(
        "--web-port", type=_port, metavar="N", help="serve pages here instead of web.port; 0: any free one"
    )
    parser.add_argument(
        "--role",
        choices=tuple(ROLES),
        help="one process of a hub on a PostgreSQL server, beside others here or on other machines (docs/postgres.md)",
    )
    parser.add_argument("--broker-port", type=_port, metavar="N", help="instead of broker.port; 0: any free one")


def run(args: argparse.Namespace) -> int:
    """Run the hub; each line it announces is printed immediately. Raises: CommonwattError."""
    if args.role is not None:
        if args.broker_port is not None:
            raise RequestError("run --role: no broker is started, so that --broker-port has no use")
        if args.web_port is not None and args.role != "web":
            raise RequestError(
                f"run --role {args.role}: pages are served by --role web alone, so --web-port has no use"
            )
        asyncio.run(run_role(args.data, args.role, clock_file=args.clock, web_port=args.web_port, announce=_announce))
        return 0
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
