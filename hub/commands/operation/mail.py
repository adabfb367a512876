"""`commonwatt-hub mail`: tries the mail server, shows what waits and what failed, and who wants which mail."""

import argparse
import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4
from zoneinfo import ZoneInfo

from hub.board.inviting import EMAIL_WORDS
from hub.commands.members.named_look import board_member
from hub.folder.addresses import members_address
from hub.folder.clock import open_clock
from hub.folder.opening import OpenHub, opened_hub
from hub.folder.settings import FILE_NAME
from hub.notices.messages import OutgoingMail, Sender, mail_message
from hub.notices.smtp import MailSession
from hub.storage.life_records import is_email
from hub.storage.notice_records import BOARD_KINDS, CHOSEN_KINDS, Notice, NoticeKind, NoticeState
from protocols.errors import RequestError
from protocols.timeline import Clock

TEST: Final = "test"
QUEUE: Final = "queue"
CHOICES: Final = "choices"
KINDS: Final = tuple(kind.value for kind in (*CHOSEN_KINDS, *BOARD_KINDS))
SHOWN_S: Final = 30 * 86_400
MOST_SHOWN: Final = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument(
        "what",
        choices=(TEST, QUEUE, CHOICES),
        help="test: send one mail now; queue: what waits or has failed; choices: who wants which mail",
    )
    parser.add_argument("--to", metavar="ADDRESS", help="test: the address that gets the mail")
    parser.add_argument("--all", action="store_true", help="queue: also what was sent in the last 30 days")
    parser.add_argument("--member", metavar="ID", help="choices: the member whose choice you enter, such as m03")
    parser.add_argument("--on", choices=KINDS, help="choices: switch this kind on for the member, who asked for it")
    parser.add_argument("--off", choices=KINDS, help="choices: switch this kind off for the member")
    parser.add_argument("--by", metavar="ID", help="choices: the board member who enters it; the member's page says so")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Send the test mail or show the queue. Raises: RequestError, MailServerError or SettingsError with one line."""
    clock = open_clock(args.clock)
    _check_options(args)
    if args.what == TEST:
        if not is_email(args.to):
            raise RequestError(f"mail test: --to: expected {EMAIL_WORDS}")
        lines = asyncio.run(_send_test(args, clock=clock))
        sys.stdout.write(json.dumps({"sent": args.to}) + "\n" if args.json else lines)
        return 0
    if args.what == CHOICES:
        rows, line, nothing = asyncio.run(_choices(args, clock=clock)), _choice_line, "nobody has switched mail on"
    else:
        rows, line, nothing = (
            asyncio.run(_queue(args, clock=clock)),
            _queue_line,
            "nothing waits and nothing has failed",
        )
    if args.json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("".join(f"{line(row)}\n" for row in rows) or f"{nothing}\n")
    return 0


def _check_options(args: argparse.Namespace) -> None:
    """Raises: RequestError for an option that does not go with what is asked for, or one that is missing."""
    takes = {TEST: ("to",), QUEUE: ("all",), CHOICES: ("member", "on", "off", "by")}
    for name in ("to", "all", "member", "on", "off", "by"):
        if getattr(args, name) not in (None, False) and name not in takes[args.what]:
            raise RequestError(f"mail {args.what}: --{name} does not go with it")
    if args.what == TEST and args.to is None:
        raise RequestError("mail test: give --to with an address")
    given = [args.member, args.by, args.on or args.off]
    if args.what == CHOICES and any(given) and not all(given):
        raise RequestError("mail choices: a change needs --member, --by, and --on or --off with a kind")
    if args.on is not None and args.on == args.off:
        raise RequestError(f"mail choices: --on and --off both say {args.on}")


async def _choices(args: argparse.Namespace, *, clock: Clock) -> list[dict[str, object]]:
    async with opened_hub(args.data, clock=clock) as hub:
        if args.member is not None:
            await board_member(hub.store, args.by, command="mail choices")
            member = await hub.store.member(args.member)
            if member is None:
                raise RequestError(f"mail choices: there is no member {args.member[:40]!r}")
            if member.held_by is not None:
                raise RequestError(f"mail choices: {member.id} is a further home of {member.held_by}: name that member")
            for kind, is_on in ((args.on, True), (args.off, False)):
                if kind is not None:
                    await hub.store.choose_notice(args.member, NoticeKind(kind), is_on=is_on, by=args.by)
        return [
            {"member": each.member, "kind": each.kind.value, "by": each.made_by, "since": _local(each.made_at, hub)}
            for each in await hub.store.notice_choices()
            if each.is_on
        ]


def _choice_line(row: dict[str, object]) -> str:
    return f"{row['member']}  {row['kind']}  since {row['since']}, entered by {row['by']}"


async def _send_test(args: argparse.Namespace, *, clock: Clock) -> str:
    async with opened_hub(args.data, clock=clock) as hub:
        settings, mail = hub.settings, hub.settings.mail
        if mail is None:
            raise RequestError(
                f"mail test: the hub sends no mail: enter a mail server in {args.data / FILE_NAME}, [mail]"
            )
        pages = members_address(args.data, settings)
        text = (
            f"This is a test from the hub of {settings.coop.name}. If you can read it, the hub's mail reaches this"
            f" address. Links in mail begin with {pages}"
        )
        outgoing = OutgoingMail(
            mark=f"{settings.coop.id}.test.{uuid4().hex}",
            name="",
            address=args.to,
            subject=f"{settings.coop.name}: a test",
            text=text,
            made_at=hub.opened_at,
        )
        session = MailSession(mail)
        try:
            message = mail_message(outgoing, Sender(settings.coop.name, mail.sender, mail.reply_to))
            answer = await asyncio.to_thread(session.send, message)
        finally:
            await asyncio.to_thread(session.close)
        if answer.state is not NoticeState.SENT:
            later = "" if answer.state else " for now"
            raise RequestError(f"mail test: the mail server refused the mail{later}: {answer.words}")
        lines = f"{mail.server}:{mail.port} took the mail to {args.to}: look into that mailbox, and into its spam\n"
        if any(local in pages for local in ("//127.", "//localhost", "//[::1]")):
            lines += (
                f"links in mail would begin with {pages}, which opens on this computer only: enter the name under which"
                " members reach the pages in web.names\n"
            )
        return lines


async def _queue(args: argparse.Namespace, *, clock: Clock) -> list[dict[str, object]]:
    async with opened_hub(args.data, clock=clock) as hub:
        notices = await hub.store.notices(since=hub.opened_at - SHOWN_S, most=MOST_SHOWN)
        return [_row(each, hub) for each in notices if args.all or each.state is not NoticeState.SENT]


def _row(notice: Notice, hub: OpenHub) -> dict[str, object]:
    return {
        "number": notice.id,
        "made": _local(notice.made_at, hub),
        "kind": notice.kind.value,
        "member": notice.member,
        "state": notice.state.value,
        "tries": notice.tries,
        "next_try": _local(notice.next_try_at, hub) if notice.state is NoticeState.WAITING else None,
        "why": notice.answer,
    }


def _queue_line(row: dict[str, object]) -> str:
    waits = f"  next try {row['next_try']}" if row["next_try"] else ""
    why = f": {row['why']}" if row["why"] else ""
    if row["state"] == NoticeState.BOUNCED.value:
        why += f"; enter another address: commonwatt-hub members edit --member {row['member']} --email ADDRESS --by ID"
    return f"{row['made']}  {row['kind']}  to {row['member']}  {row['state']}, tries: {row['tries']}{waits}{why}"


def _local(at_s: int, hub: OpenHub) -> str:
    zone = ZoneInfo(hub.settings.coop.tz)
    return datetime.fromtimestamp(at_s, UTC).astimezone(zone).isoformat(timespec="minutes")
