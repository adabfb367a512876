"""`commonwatt-hub invite`: adds members with their homes and prints the tokens for their agents."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from hub.board.inviting import Invitation, InviteWish
from hub.commands.members.invite_list import ListedInvitation, invite_list
from hub.commands.members.opened_inviter import invite
from hub.commands.periods import parse_day_argument
from hub.folder.agents_address import agents_address, whole_invitation
from hub.folder.clock import open_clock
from hub.folder.settings import HubSettings, load_settings
from hub.notices.invitation_mail import agent_install_lines
from hub.trust.invitation_code import svg_code, terminal_code
from protocols.durable_files import write_durably
from protocols.errors import RequestError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument(
        "--list",
        metavar="FILE",
        help="invite all on a CSV list: name,email,home,since,board; - reads it from standard input, so that no name"
        " or address appears among the arguments, which other users of this computer can see",
    )
    parser.add_argument("--member", metavar="NAME", help="the person's name; not needed for a known address")
    parser.add_argument("--email", help="the person's address; a known one gets a new token if the home has no agent")
    parser.add_argument(
        "--home",
        metavar="NAME",
        help="the home's name; the person's without it. Of a member with several homes: which, by its name or id",
    )
    parser.add_argument(
        "--new-home-for",
        metavar="ID",
        help="another home, with --home NAME, of a known member such as m03: settled, billed and paid on its own, with"
        " no second vote",
    )
    parser.add_argument("--board", action="store_true", help="the new member is on the technical board")
    parser.add_argument("--language", help="the language of the member's pages, such as en or es (default: en)")
    parser.add_argument(
        "--since", type=parse_day_argument, metavar="DAY", help="member since this local day; now without it"
    )
    parser.add_argument(
        "--replace",
        nargs="?",
        const="",
        metavar="AGENT",
        help="the new agent takes over from the one that a known member's home has, which is then shut out; where the"
        " home has several, name the one",
    )
    parser.add_argument(
        "--another-agent",
        action="store_true",
        help="a further agent in a known member's home, for devices that the first one cannot reach; it has a consent"
        " of its own, which begins with what membership needs",
    )
    parser.add_argument(
        "--follows",
        metavar="HOME",
        help="the new member moves in where this home, such as h03, was: nothing of the earlier member passes on",
    )
    parser.add_argument("--mail", action="store_true", help="send each new token by e-mail to the person as well")
    parser.add_argument(
        "--by",
        metavar="ID",
        help="who invites, a board member such as m01; the log of changes names them; not needed while nobody is on"
        " the board",
    )
    parser.add_argument(
        "--qr", type=Path, metavar="FILE", help="also write the invitation's QR code as an SVG picture; a new file"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Invite one person, or everybody on a list. Raises: RequestError with a one-line message."""
    if args.list is not None:
        one = (args.member, args.email, args.home, args.since, args.new_home_for, args.qr)
        if args.board or args.another_agent or args.follows or any(part is not None for part in (args.replace, *one)):
            raise RequestError("invite: --list FILE names everybody; leave out what is about one person")
        return _invite_everybody(args)
    if args.new_home_for is not None:
        about_person = (args.email, args.member, args.language)
        if args.board or args.another_agent or any(part is not None for part in (args.replace, *about_person)):
            raise RequestError("invite: --new-home-for is about a known member: leave out what is about a person")
    elif args.email is None:
        raise RequestError("invite: give --member NAME and --email ADDRESS, or --list FILE")
    if args.replace is not None and args.another_agent:
        raise RequestError("invite: --replace and --another-agent contradict each other: leave one out")
    wish = InviteWish(
        email=args.email or "",
        name=args.member,
        home_name=args.home,
        is_board=True if args.board else None,
        language=args.language,
        since=args.since,
        replaces=args.replace is not None,
        agent=args.replace or None,
        is_further=args.another_agent,
        follows=args.follows,
        by=args.by,
        new_home_for=args.new_home_for,
    )
    if args.qr is not None:
        _require_new_picture(args.qr, load_settings(args.data))
    made = asyncio.run(invite(args.data, wish, clock=open_clock(args.clock), is_mailed=args.mail))
    text = whole_invitation(load_settings(args.data), made.token)
    if args.json:
        sys.stdout.write(json.dumps(_record(made, text)) + "\n")
    else:
        _tell(made, text, folder=args.data, is_mailed=args.mail)
    if args.qr is not None and text is not None:
        _write_picture(args.qr, text)
    return 0


def _tell(made: Invitation, text: str | None, *, folder: Path, is_mailed: bool) -> None:
    what = "new member" if made.is_new else "known member"
    if made.member.held_by is not None:
        what = f"further home of {made.member.held_by}, kept as"
    sys.stdout.write(f"{what} {made.member.id} {made.member.name}, home {made.home.id} {made.home.name}\n")
    if made.beside:
        sys.stdout.write(f"the new agent works beside {', '.join(made.beside)}, which keeps what it brings\n")
    if made.replaces is not None:
        sys.stdout.write(f"the new agent takes over from {made.replaces}, which is shut out once the token is used\n")
    sys.stdout.write(f"token for the home's agent, good once within 24 hours: {made.token}\n")
    if text is not None:
        sys.stdout.write(f"or, with the hub's address, for `commonwatt-agent enrol`: {text}\n")
        if sys.stdout.isatty():
            sys.stdout.write(terminal_code(text))
        for line in agent_install_lines(folder, load_settings(folder)):
            sys.stdout.write(f"{line}\n")
    if is_mailed:
        sys.stdout.write(f"it is mailed to {made.member.email} by the running hub; see: commonwatt-hub mail queue\n")
    if made.is_new:
        sys.stdout.write(
            "a street's only home that feeds in should know first: its neighbours' shares narrow down what it feeds in"
            " on a day (docs/statements.md)\n"
        )
    else:
        sys.stdout.write("earlier tokens of this home that were not used are void\n")


def _require_new_picture(path: Path, settings: HubSettings) -> None:
    """Before the invitation is made. Raises: RequestError."""
    try:
        is_new = path.parent.is_dir() and not path.exists()
    except OSError as cause:
        raise RequestError(f"--qr {path}: cannot be written: {cause.strerror}; nobody was invited") from None
    if not is_new:
        raise RequestError(f"--qr {path}: expected a file that does not exist yet, in a folder that does")
    if agents_address(settings) is None:
        raise RequestError("--qr: homes cannot reach this hub yet: set [public] in hub.toml, or leave --qr out")


def _write_picture(path: Path, text: str) -> None:
    try:
        write_durably(path, svg_code(text))
    except OSError as cause:
        raise RequestError(f"--qr {path}: cannot be written: {cause.strerror}; the invitation was made") from None


def _record(made: Invitation, text: str | None) -> dict[str, str]:
    whole = {} if text is None else {"invitation": text}
    return {"member": made.member.id, "home": made.home.id, "token": made.token} | whole


def _invite_everybody(args: argparse.Namespace) -> int:
    everybody = asyncio.run(
        invite_list(
            args.data,
            args.list,
            language=args.language,
            by=args.by,
            clock=open_clock(args.clock),
            is_mailed=args.mail,
        )
    )
    invited = [each for each in everybody if isinstance(each, Invitation)]
    skipped = [each for each in everybody if isinstance(each, ListedInvitation)]
    settings = load_settings(args.data)
    whole = [whole_invitation(settings, each.token) for each in invited]
    if args.json:
        found = [_record(each, text) for each, text in zip(invited, whole, strict=True)]
        lines = [json.dumps(found)]
    else:
        lines = [
            f"{each.member.id}  {each.home.id}  {text or each.token}" for each, text in zip(invited, whole, strict=True)
        ]
        lines += [str(line) for line in agent_install_lines(args.data, settings)] if any(whole) else []
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    if not all(each.is_new for each in invited):
        sys.stderr.write("earlier tokens of the homes invited again that were not used are void\n")
    for each in skipped:
        sys.stderr.write(
            f"{each.member}  {each.home}  has the agent {each.agent}: left as it is; to replace the agent, invite"
            " this member alone with --replace\n"
        )
    return 0
