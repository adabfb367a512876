"""`commonwatt-hub agents`: lists the homes' agents, and shuts one out whose key may be in other hands."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hub.commands.members.named_look import typed_reason
from hub.core.homes.measure_sources import measures_of
from hub.folder.clock import open_clock
from hub.folder.opening import opened_hub
from hub.storage.contract import Store
from hub.storage.life_records import VERDICTS
from hub.storage.records import Agent
from hub.storage.rule_records import day_of
from protocols.errors import RequestError
from protocols.quantities import Measure
from protocols.timeline import Clock

LIST: Final = "list"
REVOKE: Final = "revoke"
OBJECT: Final = "object"
DECIDE: Final = "decide"
TAKEN: Final[Mapping[str, tuple[str, ...]]] = {
    LIST: (),
    REVOKE: ("agent", "by", "reason"),
    OBJECT: ("agent", "by", "reason"),
    DECIDE: ("agent", "by", "reason", "verdict"),
}
"""Which options each word takes and needs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("what", nargs="?", default=LIST, choices=tuple(TAKEN), help="what to do (default: list)")
    parser.add_argument("--agent", metavar="ID", help="the agent, such as a-4k2f9c1d")
    parser.add_argument(
        "--by", metavar="ID", help="revoke, decide: who does, a board member such as m01; object: who lives in the home"
    )
    parser.add_argument(
        "--reason", metavar="TEXT", help="why; every member can read it after revoke and decide, the home after object"
    )
    parser.add_argument(
        "--verdict", choices=VERDICTS, help="decide: whether the agent counts, or is refused and shut out"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Revoke if asked, and list the agents. Raises: RequestError; nothing is then changed."""
    for name in ("agent", "by", "reason", "verdict"):
        is_given = getattr(args, name) is not None
        if is_given and name not in TAKEN[args.what]:
            raise RequestError(f"agents {args.what}: --{name} does not go with it")
        if not is_given and name in TAKEN[args.what]:
            raise RequestError(f"agents {args.what}: give --{name}")
    rows = asyncio.run(agents_listed(args.data, args, clock=open_clock(args.clock)))
    if args.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return 0
    for row in rows:
        state = "" if row["revoked"] is None else f"  shut out since {row['revoked']}"
        waits = "  an objection waits: not settled" if row["waits"] else ""
        brings = f"  brings {' '.join(row['brings'])}" if isinstance(row["brings"], list) and row["brings"] else ""
        sys.stdout.write(
            f"{row['agent']}  {row['home']}  {row['member']}  enrolled {row['enrolled']}{state}{brings}{waits}\n"
        )
    if not rows:
        sys.stdout.write("no agents yet\n")
    if args.what == REVOKE:
        sys.stdout.write(
            "what it sent before stays valid; for a new agent in that home: commonwatt-hub invite"
            f" --data {args.data} --email ADDRESS --by ID, with --another-agent if others work there\n"
        )
    return 0


async def agents_listed(folder: Path, args: argparse.Namespace, *, clock: Clock) -> list[dict[str, object]]:
    """The agents after the change. Raises: RequestError."""
    async with opened_hub(folder, clock=clock) as hub:
        if args.what != LIST and (problem := await _change(hub.store, args)) is not None:
            raise RequestError(f"agents {args.what}: {problem}")
        tz = hub.settings.coop.tz
        waiting = {key.agent for key in await hub.store.new_agent_keys() if key.waits}
        brought = {(each.home, each.meter): each.seat for each in await hub.store.meter_sources()}
        holders = {home.id: home.member_id for home in await hub.store.homes()}
        return [
            {
                "agent": agent.id,
                "home": agent.home_id,
                "member": holders[agent.home_id],
                "enrolled": day_of(agent.enrolled_at, tz),
                "revoked": None if agent.revoked_at is None else day_of(agent.revoked_at, tz),
                "brings": _brings(agent, brought),
                "waits": agent.id in waiting,
            }
            for agent in await hub.store.agents()
        ]


def _brings(agent: Agent, brought: Mapping[tuple[str, Measure], int]) -> list[str]:
    """The measures this agent brings to the hub, or will, if it follows the one that did."""
    meters = [meter for (home, meter), seat in brought.items() if (home, seat) == (agent.home_id, agent.seat)]
    if agent.revoked_at is not None:
        return []
    return [measure.code for measure in sorted(m for meter in meters for m in measures_of(meter))]


async def _change(store: Store, args: argparse.Namespace) -> str | None:
    reason = typed_reason(args.reason, command=f"agents {args.what}")
    if args.what == REVOKE:
        return await store.revoke_agent(args.agent, by=args.by, reason=reason)
    if args.what == OBJECT:
        return await store.object_to_agent(args.agent, member=args.by, reason=reason)
    return await store.decide_agent(args.agent, verdict=args.verdict, by=args.by, reason=reason)
