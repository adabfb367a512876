"""The command line `commonwatt-sim`: hands each command its options and turns every error into one line."""

import argparse
import logging
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code is returned."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # The library reports every frame it finds odd as an error of its own; ours are counted, not printed.
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    from simulator.families import UnknownFamily
    from simulator.faults import ScriptError
    from simulator.loads import MissingProfiles
    from simulator.residents import LinksError
    from simulator.shell_clock import ClockFileError
    from simulator.street_command import CommandError
    from simulator.street_files import StreetFileError

    try:
        return int(options.run(options) or 0)
    except (
        CommandError,
        ClockFileError,
        LinksError,
        MissingProfiles,
        ScriptError,
        StreetFileError,
        UnknownFamily,
    ) as problem:
        print(f"commonwatt-sim: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    from simulator.device_command import add_device_command
    from simulator.street_command import add_history_command, add_street_command

    parser = argparse.ArgumentParser(
        prog="commonwatt-sim", description="A simulated street of homes that speaks real Modbus."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add_device_command(commands)
    add_street_command(commands)
    add_history_command(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
