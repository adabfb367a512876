"""`commonwatt-hub board`: shows who is on the technical board, and appoints or removes a member."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from hub.folder.clock import open_clock
from hub.folder.opening import OpenHub, opened_hub
from hub.storage.life_records import BOARD_ROLE
from hub.storage.records import Member
from protocols.errors import RequestError
from protocols.timeline import Clock


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--appoint", metavar="ID", help="put this member, such as m03, on the board")
    what.add_argument("--remove", metavar="ID", help="take this member off the board")
    parser.add_argument(
        "--by", metavar="ID", help="who makes the change, a board member; not needed while nobody is on the board"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Change the board if asked, and show it. Raises: RequestError with a one-line message."""
    clock = open_clock(args.clock)
    if args.by is not None and args.appoint is None and args.remove is None:
        raise RequestError("board: --by goes with --appoint or --remove")
    by = args.by or ""
    board = asyncio.run(change_board(args.data, appoint=args.appoint, remove=args.remove, by=by, clock=clock))
    if args.json:
        sys.stdout.write(json.dumps([{"member": member.id, "name": member.name} for member in board]) + "\n")
    else:
        sys.stdout.write("".join(f"{member.id}  {member.name}\n" for member in board) or "nobody\n")
    return 0


async def change_board(folder: Path, *, appoint: str | None, remove: str | None, by: str, clock: Clock) -> list[Member]:
    """The board after the change.

    Raises: RequestError if the member is unknown, `by` is not on a board that has members, the change would change
    nothing, or nobody would be left.
    """
    async with opened_hub(folder, clock=clock) as hub:
        if appoint is not None:
            await _set(hub, appoint, begins=True, by=by)
        if remove is not None:
            await _set(hub, remove, begins=False, by=by)
        return [member for member in await hub.store.members() if member.is_board]


async def _set(hub: OpenHub, member: str, *, begins: bool, by: str) -> None:
    problem = await hub.store.change_role(member, BOARD_ROLE, begins=begins, by=by)
    if problem is not None:
        raise RequestError(f"board: {problem}")
