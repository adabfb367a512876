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
    parser.add_argument(
        "--by", required=True, metavar="ID", help="the board member who does, such as m01; the log says so"
    )
    parser.add_argument("--agent", required=True, metavar="ID", help="the agent's id, as `status` shows it")


def run(args: argparse.Namespace) -> int:
    """Let the agent in. Raises: RequestError with a one-line message."""
    asyncio.run(let_in(args.data, agent=args.agent, by=args.by, clock=open_clock(args.clock)))
    sys.stdout.write(f"{args.agent} is let in again: a running hub reads its messages within half a minute\n")
    return 0


async def let_in(folder: Path, *, agent: str, by: str, clock: Clock) -> None:
    """End the agent's cut-off. Raises: RequestError if it is not cut off, or `by` is not on the board."""
    async with opened_hub(folder, clock=clock) as hub:
        problem = await hub.store.let_in(agent, by=by)
        if problem is not None:
            raise RequestError(f"let-in: {problem}")
