"""`commonwatt-hub agents`: lists the homes' agents, and shuts one out whose key may be in other hands."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Final

from hub.commands.members.named_look import typed_reason
from hub.folder.clock import open_clock
from hub.folder.opening import opened_hub
from hub.storage.rule_records import day_of
from protocols.errors import RequestError
from protocols.timeline import Clock

LIST: Final = "list"
REVOKE: Final = "revoke"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("what", nargs="?", default=LIST, choices=(LIST, REVOKE), help="what to do (default: list)")
    parser.add_argument("--agent", metavar="ID", help="revoke: the agent, such as a-4k2f9c1d")
    parser.add_argument("--by", metavar="ID", help="revoke: who does, a board member such as m01; the log says so")
    parser.add_argument("--reason", metavar="TEXT", help="revoke: why, such as a stolen Pi; every member can read it")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Revoke if asked, and list the agents. Raises: RequestError; nothing is then changed."""
    options = {"--agent": args.agent, "--by": args.by, "--reason": args.reason}
    for name, value in options.items():
        if args.what == LIST and value is not None:
            raise RequestError(f"agents list: {name} does not go with it")
        if args.what == REVOKE and value is None:
            raise RequestError(f"agents revoke: give {name}")
    rows = asyncio.run(agents_listed(args.data, args, clock=open_clock(args.clock)))
    if args.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return 0
    for row in rows:
        state = "" if row["revoked"] is None else f"  shut out since {row['revoked']}"
        sys.stdout.write(f"{row['agent']}  {row['home']}  {row['member']}  enrolled {row['enrolled']}{state}\n")
    if not rows:
        sys.stdout.write("no agents yet\n")
    if args.what == REVOKE:
        sys.stdout.write(
            "what it sent before stays valid; for a new agent in that home: commonwatt-hub invite --email ADDRESS\n"
        )
    return 0


async def agents_listed(folder: Path, args: argparse.Namespace, *, clock: Clock) -> list[dict[str, object]]:
    """The agents after the change. Raises: RequestError."""
    async with opened_hub(folder, clock=clock) as hub:
        if args.what == REVOKE:
            reason = typed_reason(args.reason, command="agents revoke")
            problem = await hub.store.revoke_agent(args.agent, by=args.by, reason=reason)
            if problem is not None:
                raise RequestError(f"agents revoke: {problem}")
        tz = hub.settings.coop.tz
        holders = {home.id: home.member_id for home in await hub.store.homes()}
        return [
            {
                "agent": agent.id,
                "home": agent.home_id,
                "member": holders[agent.home_id],
                "enrolled": day_of(agent.enrolled_at, tz),
                "revoked": None if agent.revoked_at is None else day_of(agent.revoked_at, tz),
            }
            for agent in await hub.store.agents()
        ]
