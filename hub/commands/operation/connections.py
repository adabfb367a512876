"""`commonwatt-hub connections`: what each home's grid connection carries; the board enters the agreement's figure."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

from hub.books.view import read_heads
from hub.commands.periods import local_today, parse_day_argument
from hub.core.quality.connection_limits import ConnectionLimit
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.quality.connections import MOST_CONNECTION_W, home_limits
from hub.storage.contract import BookStore
from hub.storage.finding_records import ConnectionAgreement
from protocols.errors import RequestError
from protocols.slots import slot_of, slots_of_day
from protocols.timeline import Clock

SOURCE_WORDS = {
    "agreement": "from its agreement",
    "rulebook": "from the rulebook, no agreement entered",
    "country": "usual in the country, no agreement entered",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.description = "List the limit of each home's grid connection, or enter the figure of its agreement."
    parser.add_argument("--home", metavar="ID", help="enter the figure of this home")
    parser.add_argument("--power-w", type=int, metavar="W", help="with --home: the most power its agreement allows")
    parser.add_argument("--by", metavar="ID", help="with --home: who enters it, a member of the board such as m01")
    parser.add_argument(
        "--since",
        type=parse_day_argument,
        metavar="DAY",
        help="with --home: the first day it holds (default: today); a day that is settled is refused",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(args: argparse.Namespace) -> int:
    """List, or enter one figure and list. Raises: RequestError; nothing has then changed."""
    if args.home is None and (args.power_w is not None or args.by is not None or args.since is not None):
        raise RequestError("connections: --power-w, --by and --since go with --home")
    clock = open_clock(args.clock)
    limits = asyncio.run(
        enter_and_list(args.data, home=args.home, power_w=args.power_w, by=args.by, since=args.since, clock=clock)
    )
    rows = [{"home": home, "limit_w": each.power_w, "from": each.source} for home, each in sorted(limits.items())]
    sys.stdout.write(json.dumps(rows) + "\n" if args.json else limit_lines(limits))
    return 0


async def enter_and_list(
    folder: Path, *, home: str | None, power_w: int | None, by: str | None, since: date | None, clock: Clock
) -> Mapping[str, ConnectionLimit]:
    """Enter the figure, if any; then each home's limit on the day it holds from, or now. Raises: RequestError."""
    settings, _, store = await open_hub(folder, clock=clock)
    try:
        slot = slot_of(clock.now())
        if home is not None:
            if power_w is None or by is None:
                raise RequestError("connections: --home needs --power-w W and --by ID")
            if not 0 < power_w <= MOST_CONNECTION_W:
                raise RequestError(f"connections: --power-w: expected 1 to {MOST_CONNECTION_W} W")
            today = local_today(clock, settings.coop.tz)
            if since is not None and since < today:
                await _refuse_settled(store, since=since, today=today)
            residents = await store.residents()
            if home not in residents:
                raise RequestError(f"connections: there is no home {home[:40]!r}")
            member = await store.member(by)
            if member is None or not member.is_board:
                raise RequestError(f"connections: {by[:40]!r} is not a member of the board")
            if by in residents[home]:
                raise RequestError("connections: another member of the board has to enter the figure of your own home")
            slot = slots_of_day(since or today, settings.coop.tz).start
            await store.add_connection_agreement(ConnectionAgreement(home, power_w, slot, by, int(clock.now())))
        return await home_limits(store, slot=slot)
    finally:
        await store.close()


async def _refuse_settled(store: BookStore, *, since: date, today: date) -> None:
    """Raises: RequestError if a day from `since` on is booked: another limit would change what was given and taken."""
    ends = (since.isoformat(), (today - timedelta(days=1)).isoformat())
    booked = [run.day for run in (await read_heads(store, days=ends)).runs]
    if booked:
        last = date.fromisoformat(max(booked))
        raise RequestError(
            f"connections: --since: {last} is settled, and another limit would change what is booked for it; the first"
            f" day still open is {last + timedelta(days=1)} (a reading held before that is decided with `findings`)"
        )


def limit_lines(limits: Mapping[str, ConnectionLimit]) -> str:
    """Each home's limit for people."""
    if not limits:
        return "no home yet\n"
    return "".join(
        f"{home}  {each.power_w:>7} W  {SOURCE_WORDS[each.source]}\n" for home, each in sorted(limits.items())
    )
