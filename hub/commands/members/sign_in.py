"""`commonwatt-hub sign-in`: prints one-time links that sign members in to their pages."""

import argparse
import asyncio
import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hub.commands.members.named_look import add_by_and_reason, look_at_one
from hub.folder.addresses import members_address
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.storage.access_records import LINK_FIELDS
from hub.web.frame.tokens import TOKEN_BYTES, hash_token
from protocols.errors import RequestError
from protocols.timeline import Clock

LINK_LIFE_S: Final = 86_400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--member", required=True, nargs="+", metavar="ID", help="the member's id, such as m01")
    add_by_and_reason(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print a link for each member. Raises: RequestError with a one-line message."""
    links = asyncio.run(
        sign_in_links(args.data, member_ids=args.member, by=args.by, reason=args.reason, clock=open_clock(args.clock))
    )
    for member, link in zip(args.member, links, strict=True):
        sys.stdout.write((json.dumps({"member": member, "link": link}) if args.json else link) + "\n")
    return 0


async def sign_in_links(
    folder: Path, *, member_ids: Sequence[str], by: str, reason: str | None, clock: Clock
) -> list[str]:
    """A one-time link for each of these members. Each home's log says who made it and why, and so does every look
    through the session that the link opens: whoever has the link sees what the member sees.

    Raises: RequestError if a member is unknown or the maker is not on the board; no link is then made.
    """
    settings, _, store = await open_hub(folder, clock=clock, takes_rule=False)
    try:
        for member_id in member_ids:
            member = await store.member(member_id)
            if member is None:
                known = ", ".join(each.id for each in await store.members() if each.held_by is None)
                raise RequestError(f"there is no member {member_id[:40]!r}; members: {known or 'none yet'}")
            if member.held_by is not None:
                raise RequestError(f"{member_id} is a further home of {member.held_by}, who signs in for both")
        looks = {
            each: await look_at_one(store, by, member=each, reason=reason, command="sign-in", purpose="own.view")
            for each in member_ids
        }
        for each, look in looks.items():
            if homes := [seen.home.id for seen in await store.seen_homes(each)]:
                await store.log_access(look, homes, fields=LINK_FIELDS, rows=1)
        expires_at, links = int(clock.now()) + LINK_LIFE_S, []
        for member_id in member_ids:
            maker = "" if by == member_id else by
            token = secrets.token_urlsafe(TOKEN_BYTES)
            await store.add_sign_in(hash_token(token), member_id=member_id, expires_at=expires_at, made_by=maker)
            links.append(f"{members_address(folder, settings)}/sign-in/{token}")
        return links
    finally:
        await store.close()
