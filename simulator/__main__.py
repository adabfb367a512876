"""The command line `commonwatt-sim`: options, and every error as one line. Heavy modules load when a command runs."""

import argparse
import logging
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from protocols.command_line import OneLineParser, run_command
from simulator.commands.demo import add_demo_command
from simulator.commands.demo_scale import add_demo_scale_command
from simulator.files.agent import FAST_INTERVAL_S, HUB_URL, INTERVAL_S
from simulator.world.families import find_map


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # The library logs every odd frame as an error; the simulator sends odd frames on purpose.
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    return run_command("commonwatt-sim", lambda: int(options.run(options) or 0))


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = OneLineParser(
        prog="commonwatt-sim", description="A simulated street of homes that speaks real Modbus."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    device, registers, street, history = (
        commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
        for name, words in (
            ("device", "serve one device for any Modbus client"),
            ("registers", "serve the registers in a file, as recorded from a device"),
            ("street", "serve a street of homes: Modbus devices, weather service, truth"),
            ("history", "write each home's recording of the days before a given time"),
        )
    )
    _add_device(device)
    _add_registers(registers)
    _add_street(street)
    _add_history(history)
    add_demo_command(commands)
    add_demo_scale_command(commands)
    return parser


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("family", help="the id of a device family, such as shelly-pro3em; a wrong one names all")
    parser.add_argument("--maps", type=Path, metavar="PATH", help="a folder of register maps, or one map's file")
    parser.add_argument("--variant", metavar="NAME", help="which variant of its map the device is")
    _add_place(parser)
    parser.add_argument("--hostile", action="store_true", help="answer every other request wrongly, in any way")
    parser.add_argument("--fault", action="append", metavar="KIND", help="misbehave in this way; a wrong one names all")
    parser.add_argument("--seed", type=int, default=1, help="the seed of its street (default 1)")
    parser.add_argument("--clock", type=Path, metavar="FILE", help="follow the timeline in this file")
    parser.set_defaults(run=_run_device)


def _add_registers(parser: argparse.ArgumentParser) -> None:
    words = "lines of function, address and hexadecimal words, such as '3 40000: 5375 6E53'"
    parser.add_argument("file", type=Path, help=words)
    _add_place(parser)
    parser.set_defaults(run=_run_registers)


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=5020, help="TCP port on 127.0.0.1, 0 for a free one (default 5020)")
    parser.add_argument("--rtu", type=Path, metavar="PATH", help="serve RTU on a pty at this path instead")
    parser.add_argument("--unit", type=int, default=1, help="unit id (default 1)")


def _add_street(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--homes", type=int, default=12, help="how many homes (default 12)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same street (default 1)")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder for street.json and homes/")
    parser.add_argument("--clock", type=Path, metavar="FILE", help="follow the timeline in this file")
    parser.add_argument("--rate", type=float, default=1.0, help="without --clock: times real speed (default 1)")
    parser.add_argument(
        "--first-day", type=_date, metavar="DATE", help="the street's first day (UTC); default 36 days ago"
    )
    parser.add_argument("--faults", type=Path, metavar="FILE", help="a TOML script of [[fault]] tables")
    parser.add_argument(
        "--counts-apart",
        action="store_true",
        help="homes with panels and no battery have a meter that counts each phase by itself; the legal meter nets",
    )
    parser.add_argument("--hub", default=HUB_URL, help=f"the hub's address to put into agent.toml (default {HUB_URL})")
    parser.add_argument(
        "--residents", type=Path, metavar="FILE", help="JSON file of home ids and sign-in links; waits until it exists"
    )
    parser.add_argument(
        "--interval",
        type=int,
        help=f"agents' polling interval in s (default {INTERVAL_S}, with --clock {FAST_INTERVAL_S})",
    )
    parser.set_defaults(run=_run_street)


def _add_history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--street", type=Path, required=True, metavar="DIR", help="a folder that `street` created")
    parser.add_argument("--days", type=int, default=35, help="how many days back (default 35)")
    parser.add_argument("--until", type=_moment, required=True, metavar="ISO", help="like 2026-06-01T00:00Z")
    parser.set_defaults(run=_run_history)


def _run_device(options: argparse.Namespace) -> None:
    find_map(options.family, options.maps).varied(options.variant)
    from simulator.commands.device import run_device

    run_device(options)


def _run_registers(options: argparse.Namespace) -> None:
    from simulator.commands.registers import run_registers

    run_registers(options)


def _run_street(options: argparse.Namespace) -> None:
    from simulator.commands.street import run_street

    run_street(options)


def _run_history(options: argparse.Namespace) -> None:
    from simulator.commands.street import run_history

    run_history(options)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a day like 2026-06-01, found {text!r}") from None


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a time like 2026-06-01T00:00Z, found {text!r}") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


if __name__ == "__main__":
    sys.exit(main())
