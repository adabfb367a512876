"""`commonwatt-hub let-in`: reads again what an agent sends that was cut off for sending far too much."""

import argparse
import asyncio
import sys
from pathlib import Path

from hub.folder.clock import open_clock
from hub.folder.opening import opened_hub
from protocols.errors import RequestError
from protocols.timeline import Clock


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--agent", required=True, metavar="ID", help="the agent's id, as `status` shows it")


def run(args: argparse.Namespace) -> int:
    """Let the agent in. Raises: RequestError with a one-line message."""
    asyncio.run(let_in(args.data, agent=args.agent, clock=open_clock(args.clock)))
    sys.stdout.write(f"{args.agent} is let in again: a running hub reads its messages within half a minute\n")
    return 0


async def let_in(folder: Path, *, agent: str, clock: Clock) -> None:
    """End the agent's cut-off. Raises: RequestError if it is not cut off."""
    async with opened_hub(folder, clock=clock) as hub:
        if not await hub.store.let_in(agent):
            cut = ", ".join(each.agent for each in await hub.store.cut_offs())
            raise RequestError(f"agent {agent[:40]!r} is not cut off; agents cut off: {cut or 'none'}")
