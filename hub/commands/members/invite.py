"""`commonwatt-hub invite`: adds members with their homes and prints the tokens for their agents."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from hub.commands.members.invitations import invite
from hub.commands.members.invite_list import invite_list
from hub.commands.periods import parse_day_argument
from hub.folder.clock import open_clock
from protocols.errors import RequestError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument(
        "--list", type=Path, metavar="FILE", help="invite all on a CSV list: name,email,home,since,board"
    )
    parser.add_argument("--member", metavar="NAME", help="the person's name")
    parser.add_argument("--email", help="the person's address; a known one gets a fresh token")
    parser.add_argument("--home", metavar="NAME", help="the home's name; the person's without it")
    parser.add_argument("--board", action="store_true", help="the member is on the technical board")
    parser.add_argument("--language", default="en", help="the language of the member's pages, such as en or es")
    parser.add_argument(
        "--since", type=parse_day_argument, metavar="DAY", help="member since this local day; now without it"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Invite one person, or everybody on a list. Raises: RequestError with a one-line message."""
    if args.list is not None:
        if args.board or any(part is not None for part in (args.member, args.email, args.home, args.since)):
            raise RequestError("invite: --list FILE names everybody; leave out what names one person")
        return _invite_everybody(args)
    if args.member is None or args.email is None:
        raise RequestError("invite: give --member NAME and --email ADDRESS, or --list FILE")
    made = asyncio.run(
        invite(
            args.data,
            name=args.member,
            email=args.email,
            home_name=args.home,
            is_board=args.board,
            language=args.language,
            since=args.since,
            clock=open_clock(args.clock),
        )
    )
    if args.json:
        sys.stdout.write(json.dumps({"member": made.member.id, "home": made.home.id, "token": made.token}) + "\n")
        return 0
    what = "new member" if made.is_new else "known member, left as it is:"
    sys.stdout.write(f"{what} {made.member.id} {made.member.name}, home {made.home.id} {made.home.name}\n")
    sys.stdout.write(f"token for the home's agent, good once within 24 hours: {made.token}\n")
    return 0


def _invite_everybody(args: argparse.Namespace) -> int:
    everybody = asyncio.run(invite_list(args.data, args.list, language=args.language, clock=open_clock(args.clock)))
    rows = [{"member": made.member.id, "home": made.home.id, "token": made.token} for made in everybody]
    sys.stdout.write((json.dumps(rows) if args.json else "\n".join("  ".join(row.values()) for row in rows)) + "\n")
    return 0
