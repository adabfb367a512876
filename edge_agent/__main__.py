"""The agent's command line: every command is a module of `commands`, which loads what it needs when it runs."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from edge_agent.commands import device_maps, enrol, household, outbox, prompts, read, run, sent, status
from protocols.command_line import OneLineParser, run_command

_ADDERS = (
    household.add_setup,
    household.add_scan,
    enrol.add,
    run.add,
    read.add,
    outbox.add,
    status.add,
    household.add_doctor,
    household.add_consent,
    household.add_page,
    prompts.add,
    sent.add,
    household.add_export,
    prompts.add_answer,
    device_maps.add,
)
"""In the order of `--help`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 1 with one line on standard error when it could not."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    # The libraries' own log lines contain register contents and device addresses.
    for name in ("pymodbus", "asyncio", "aiosqlite"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return run_command("commonwatt-agent", lambda: int(options.command(options)))


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = OneLineParser(
        prog="commonwatt-agent",
        description="Reads the home's devices, seals what the household's consent lets out, and sends it to the hub.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in _ADDERS:
        add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
