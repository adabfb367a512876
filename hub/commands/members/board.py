"""`commonwatt-hub board`: shows who is on the technical board, and appoints or removes a member."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from hub.folder.clock import open_clock
from hub.folder.opening import OpenHub, opened_hub
from hub.storage.records import Member
from protocols.errors import RequestError
from protocols.timeline import Clock


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--appoint", metavar="ID", help="put this member, such as m03, on the board")
    what.add_argument("--remove", metavar="ID", help="take this member off the board")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Change the board if asked, and show it. Raises: RequestError with a one-line message."""
    clock = open_clock(args.clock)
    board = asyncio.run(change_board(args.data, appoint=args.appoint, remove=args.remove, clock=clock))
    if args.json:
        sys.stdout.write(json.dumps([{"member": member.id, "name": member.name} for member in board]) + "\n")
    else:
        sys.stdout.write("".join(f"{member.id}  {member.name}\n" for member in board) or "nobody\n")
    return 0


async def change_board(folder: Path, *, appoint: str | None, remove: str | None, clock: Clock) -> list[Member]:
    """The board after the change.

    Raises: RequestError if the member is unknown, the change would change nothing, or nobody would be left.
    """
    async with opened_hub(folder, clock=clock) as hub:
        if appoint is not None:
            await _set(hub, appoint, is_board=True)
        if remove is not None:
            await _set(hub, remove, is_board=False)
        return [member for member in await hub.store.members() if member.is_board]


async def _set(hub: OpenHub, member_id: str, *, is_board: bool) -> None:
    members = await hub.store.members()
    member = next((each for each in members if each.id == member_id), None)
    if member is None:
        known = ", ".join(each.id for each in members)
        raise RequestError(f"there is no member {member_id[:40]!r}; members: {known or 'none yet'}")
    if not is_board and [each.id for each in members if each.is_board] == [member_id]:
        raise RequestError(f"{member_id} is the only board member: appoint another one first")
    if not await hub.store.set_board(member_id, is_board=is_board):
        raise RequestError(f"{member_id} is {'already' if is_board else 'not'} on the board: nothing was changed")
