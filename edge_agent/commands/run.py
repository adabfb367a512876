"""`run`: the agent itself, until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.commands.arguments import add_command
from edge_agent.commands.wanted_consent import wanted_consent
from edge_agent.settings import read_settings, require_close_readings
from protocols.errors import RequestError

if TYPE_CHECKING:
    from edge_agent.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Name the command and its arguments."""
    parser = add_command(commands, "run", run=_run, words="read, seal and send until stopped")
    parser.add_argument("--history", type=Path, metavar="FILE", help="a recording to send before going live")
    parser.add_argument("--clock", type=Path, metavar="FILE", help="developers only: follow this timeline file")


def _run(options: argparse.Namespace) -> int:
    from edge_agent.clock import boot_clock, make_clock
    from edge_agent.maps.coop.starting import keep_used_maps
    from edge_agent.program import AgentProgram, history_lines
    from edge_agent.uplink.identity import load_identity

    settings = read_settings(options.config)
    if options.clock is None:
        require_close_readings(settings)
    clock = make_clock(options.clock)
    identity = load_identity(settings.data)
    for line in keep_used_maps((each.map for each in settings.devices), settings.maps, settings.data):
        logging.getLogger("commonwatt.agent").info("%s", line)
    wanted = wanted_consent(settings, identity.enrolment.home)
    # A timeline has no boot time and needs none: its times are known from the start.
    boot = None if options.clock else boot_clock
    is_synchronised = (lambda: True) if options.clock else None
    program = AgentProgram(settings, clock, identity, wanted=wanted, boot_clock=boot, is_synchronised=is_synchronised)
    try:
        with history_lines(options.history) as lines:
            asyncio.run(_until_stopped(program.run(lines, name=str(options.history))))
    except OSError as cause:
        raise RequestError(f"cannot continue: {cause}") from None
    return 0


async def _until_stopped(program: Coroutine[Any, Any, None]) -> None:
    work = asyncio.ensure_future(program)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        logging.getLogger("commonwatt.agent").info("stopped; messages without a receipt stay in the outbox")
