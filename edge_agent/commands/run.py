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

STOPPED = "stopped; messages without a receipt stay in the outbox"

if TYPE_CHECKING:
    from edge_agent.commands.arguments import Commands
    from edge_agent.page.setting_up.running import ShowHome
    from edge_agent.program import AgentProgram


def add(commands: Commands) -> None:
    """Name the command and its arguments."""
    parser = add_command(commands, "run", run=_run, words="read, seal and send until stopped")
    parser.add_argument("--history", type=Path, metavar="FILE", help="a recording to send before going live")
    parser.add_argument("--clock", type=Path, metavar="FILE", help="developers only: follow this timeline file")


def _run(options: argparse.Namespace) -> int:
    from edge_agent.program import history_lines

    program = make_program(options.config, options.clock)
    try:
        with history_lines(options.history) as lines:
            asyncio.run(until_stopped(program.run(lines, name=str(options.history)), STOPPED))
    except OSError as cause:
        raise RequestError(f"cannot continue: {cause}") from None
    return 0


def make_program(config: Path, timeline: Path | None, *, show_home: ShowHome | None = None) -> AgentProgram:
    """The agent of an enrolled home; `show_home` shows it in place of its own page. Raises: CommonwattError."""
    from edge_agent.clock import boot_clock, make_clock
    from edge_agent.maps.coop.starting import keep_used_maps
    from edge_agent.program import AgentProgram
    from edge_agent.uplink.identity import load_identity

    settings = read_settings(config)
    if timeline is None:
        require_close_readings(settings)
    identity = load_identity(settings.data)
    for line in keep_used_maps((each.map for each in settings.devices), settings.maps, settings.data):
        logging.getLogger("commonwatt.agent").info("%s", line)
    return AgentProgram(
        settings,
        make_clock(timeline),
        identity,
        wanted=wanted_consent(settings, identity.enrolment.home),
        # A timeline has no boot time and needs none: its times are known from the start.
        boot_clock=None if timeline else boot_clock,
        is_synchronised=(lambda: True) if timeline else None,
        show_home=show_home,
    )


async def until_stopped(program: Coroutine[Any, Any, None], last_words: str) -> None:
    """Run it until it ends, or a signal ends it."""
    work = asyncio.ensure_future(program)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        logging.getLogger("commonwatt.agent").info("%s", last_words)
