"""`commonwatt-hub members`: lists members, and changes what the board may change about them; each change is logged."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from hub.board.inviting import EMAIL_WORDS, NAME_WORDS, check_language
from hub.commands.periods import parse_day_argument
from hub.folder.clock import open_clock
from hub.folder.opening import OpenHub, opened_hub
from hub.folder.setting_values import is_name
from hub.storage.household_records import HomeAdult, new_member
from hub.storage.life_records import ROLES, ChangeKind, LoggedChange, MemberEdit, end_of_membership, is_email
from hub.storage.records import Home, Member
from hub.storage.rule_records import day_of
from protocols.errors import RequestError
from protocols.timeline import Clock

LIST: Final = "list"
LOG: Final = "log"
EDIT: Final = "edit"
BEGIN: Final = "begin-role"
END: Final = "end-role"
SESSIONS: Final = "end-sessions"
ADD_ADULT: Final = "add-adult"
END_ADULT: Final = "end-adult"
MOVE_OUT: Final = "move-out"
STAY: Final = "stay"
TAKEN: Final[Mapping[str, tuple[str, ...]]] = {
    LIST: (),
    LOG: (),
    EDIT: ("member", "by", "name", "email"),
    BEGIN: ("member", "by", "role"),
    END: ("member", "by", "role"),
    SESSIONS: ("member", "by"),
    ADD_ADULT: ("home", "member", "name", "email", "language", "by"),
    END_ADULT: ("home", "member", "by"),
    MOVE_OUT: ("member", "by", "last_day"),
    STAY: ("member", "by"),
}
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    **TAKEN,
    EDIT: ("member", "by"),
    BEGIN: ("member", "role"),
    END: ("member", "role"),
    ADD_ADULT: ("home", "by"),
}
"""A role may begin without `--by` while nobody is on the board: the store asks for it from then on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("what", nargs="?", default=LIST, choices=tuple(TAKEN), help="what to do (default: list)")
    parser.add_argument("--member", metavar="ID", help="the member, such as m03")
    parser.add_argument("--by", metavar="ID", help="who makes the change, a board member such as m01; the log says so")
    parser.add_argument("--home", metavar="ID", help="add-adult, end-adult: the home they live in, such as h03")
    parser.add_argument("--name", help="edit: the person's new name; add-adult: the name of somebody new here")
    parser.add_argument("--email", help="edit: the person's new address; add-adult: the address of somebody new here")
    parser.add_argument("--language", help="add-adult: the language of their pages, such as en or es (default: en)")
    parser.add_argument("--role", choices=ROLES, help="begin-role, end-role: which")
    parser.add_argument(
        "--last-day", type=parse_day_argument, metavar="DAY", help="move-out: the membership's last day, included"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Make the change if asked, and show the members or the log. Raises: RequestError; nothing is then changed."""
    _check_options(args)
    rows = asyncio.run(_change_and_show(args, clock=open_clock(args.clock)))
    if args.json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
    else:
        lines = change_lines(rows) if args.what == LOG else member_lines(rows)
        sys.stdout.write("".join(f"{line}\n" for line in lines) or "nobody\n")
    return 0


def _check_options(args: argparse.Namespace) -> None:
    for name in ("home", "member", "by", "name", "email", "language", "role", "last_day"):
        shown = f"--{name.replace('_', '-')}"
        is_given = getattr(args, name) is not None
        if is_given and name not in TAKEN[args.what]:
            raise RequestError(f"members {args.what}: {shown} does not go with it")
        if not is_given and name in NEEDED[args.what]:
            raise RequestError(f"members {args.what}: give {shown}")
    if args.what == EDIT and args.name is None and args.email is None:
        raise RequestError("members edit: give --name, --email, or both")
    if args.name is not None and not is_name(args.name):
        raise RequestError(f"members {args.what}: --name: expected {NAME_WORDS}")
    if args.email is not None and not is_email(args.email):
        raise RequestError(f"members {args.what}: --email: expected {EMAIL_WORDS}")
    if args.what == ADD_ADULT and (args.member is None) == (args.name is None or args.email is None):
        raise RequestError("members add-adult: give --member, or --name and --email of somebody new here")
    if args.language is not None:
        check_language(args.language)


async def _change_and_show(args: argparse.Namespace, *, clock: Clock) -> list[dict[str, object]]:
    async with opened_hub(args.data, clock=clock) as hub:
        problem = await _change(hub, args)
        if isinstance(problem, str):
            raise RequestError(f"members {args.what}: {problem}")
        if args.what == LOG:
            return [line_of(change, hub.settings.coop.tz) for change in await hub.store.member_changes()]
        return await members_listed(hub)


async def _change(hub: OpenHub, args: argparse.Namespace) -> str | int | None:
    store, by = hub.store, args.by or ""
    if args.what == EDIT:
        return await store.edit_member(
            args.member, MemberEdit(args.name, args.email, is_mailed=hub.settings.mail is not None), by=by
        )
    if args.what in (BEGIN, END):
        return await store.change_role(args.member, args.role, begins=args.what == BEGIN, by=by)
    if args.what == SESSIONS:
        return await store.end_sessions(args.member, by=by)
    if args.what == ADD_ADULT:
        return await _add_adult(hub, args)
    if args.what == END_ADULT:
        return await store.end_adult(args.home, args.member, by=by)
    if args.what == MOVE_OUT:
        return await _move_out(hub, args.member, args.last_day, by=by)
    if args.what == STAY:
        member = await store.member(args.member)
        last_day = "" if member is None or member.left_at is None else last_day_of(member.left_at, hub.settings.coop.tz)
        return await store.set_left(args.member, None, last_day=last_day, by=by)
    return None


async def _add_adult(hub: OpenHub, args: argparse.Namespace) -> str | None:
    members = await hub.store.members()
    if args.member is not None:
        known = next((each for each in members if each.id == args.member), None)
        if known is None:
            return f"there is no member {args.member[:40]!r}; commonwatt-hub members lists them"
        return await hub.store.add_adult(args.home, known, by=args.by)
    if taken := next((each.id for each in members if each.email.casefold() == args.email.casefold()), None):
        return f"member {taken} has this address: give --member {taken} instead of --name and --email"
    new = new_member(members, name=args.name, email=args.email, language=args.language, joined_at=hub.opened_at)
    return await hub.store.add_adult(args.home, new, by=args.by)


async def _move_out(hub: OpenHub, member: str, last_day: date, *, by: str) -> str | None:
    left_at = end_of_membership(last_day, today=hub.today, tz=hub.settings.coop.tz)
    if isinstance(left_at, str):
        return left_at
    return await hub.store.set_left(member, left_at, last_day=last_day.isoformat(), by=by)


async def members_listed(hub: OpenHub) -> list[dict[str, object]]:
    """Every member with homes, roles and days, and what a mail server said if it refuses the address, for JSON."""
    homes, holders, adults = await hub.store.homes(), await hub.store.role_holders(), await hub.store.adults()
    bounced = {each.address: each.answer for each in await hub.store.bounces()}
    tz = hub.settings.coop.tz
    return [
        _row(each, homes, holders, adults, tz=tz) | {"mail_refused": bounced.get(each.email.casefold())}
        for each in await hub.store.members()
    ]


def _row(
    member: Member,
    homes: tuple[Home, ...],
    holders: Mapping[str, tuple[str, ...]],
    adults: tuple[HomeAdult, ...],
    *,
    tz: str,
) -> dict[str, object]:
    return {
        "member": member.id,
        "name": member.name,
        "email": member.email,
        "homes": [home.id for home in homes if home.member_id == member.id],
        "held_by": member.held_by,
        "lives_in": [adult.home for adult in adults if adult.member == member.id],
        "roles": [role for role in ROLES if member.id in holders[role]],
        "since": day_of(member.joined_at, tz),
        "last_day": None if member.left_at is None else last_day_of(member.left_at, tz),
    }


def last_day_of(left_at: int, tz: str) -> str:
    """The last local day of a membership that ends at this time."""
    return day_of(left_at - 1, tz)


def member_lines(rows: list[dict[str, object]]) -> list[str]:
    """The members for people."""
    lines = []
    for row in rows:
        homes, lived, roles = row["homes"], row["lives_in"], row["roles"]
        assert isinstance(homes, list)
        assert isinstance(lived, list)
        assert isinstance(roles, list)
        parts = [
            str(row["member"]),
            str(row["name"]),
            str(row["email"]),
            ", ".join([*homes, *(f"lives in {home}" for home in lived)]) or "no home",
        ]
        parts += [f"further home of {row['held_by']}"] if row["held_by"] else []
        parts += [", ".join(roles)] if roles else []
        parts.append(f"since {row['since']}")
        parts += [f"last day {row['last_day']}"] if row["last_day"] else []
        parts += [f"the address refuses mail: {row['mail_refused']}"] if row["mail_refused"] else []
        lines.append("  ".join(parts))
    return lines


def line_of(change: LoggedChange, tz: str) -> dict[str, object]:
    """A line of the log with its local time, for JSON. Whoever objects to an agent does so for themselves."""
    at = datetime.fromtimestamp(change.at, UTC).astimezone(ZoneInfo(tz)).isoformat(timespec="minutes")
    by = change.member if change.kind == ChangeKind.AGENT_OBJECTED else change.by
    return change.plain() | {"by": by, "time": at}


def _link(row: dict[str, object]) -> str:
    return f" (signed in with a link made by {row['link_by']})" if row["link_by"] else ""


def change_lines(rows: list[dict[str, object]]) -> list[str]:
    """The log for people."""
    return [
        f"{row['time']}  {row['member']}  {row['change']}{' ' if row['subject'] else ''}{row['subject']}"
        f"  by {row['by'] or 'nobody named'}{_link(row)}{': ' if row['reason'] else ''}{row['reason']}"
        for row in rows
    ]
