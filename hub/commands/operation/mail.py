"""`commonwatt-hub mail`: tries the mail server with a mail to one address, and shows what waits and what failed."""

import argparse
import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4
from zoneinfo import ZoneInfo

from hub.commands.members.invitations import EMAIL_WORDS, is_email
from hub.folder.addresses import members_address
from hub.folder.clock import open_clock
from hub.folder.opening import OpenHub, opened_hub
from hub.folder.settings import FILE_NAME
from hub.notices.messages import OutgoingMail, Sender, mail_message
from hub.notices.smtp import MailSession
from hub.storage.notice_records import Notice, NoticeState
from protocols.errors import RequestError
from protocols.timeline import Clock

TEST: Final = "test"
QUEUE: Final = "queue"
SHOWN_S: Final = 30 * 86_400
MOST_SHOWN: Final = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("what", choices=(TEST, QUEUE), help="test: send one mail now; queue: what waits or has failed")
    parser.add_argument("--to", metavar="ADDRESS", help="test: the address that gets the mail")
    parser.add_argument("--all", action="store_true", help="queue: also what was sent in the last 30 days")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Send the test mail or show the queue. Raises: RequestError, MailServerError or SettingsError with one line."""
    clock = open_clock(args.clock)
    if args.what == TEST:
        if args.to is None or args.all:
            raise RequestError("mail test: give --to with an address, and nothing else")
        if not is_email(args.to):
            raise RequestError(f"mail test: --to: expected {EMAIL_WORDS}")
        lines = asyncio.run(_send_test(args, clock=clock))
        sys.stdout.write(json.dumps({"sent": args.to}) + "\n" if args.json else lines)
        return 0
    if args.to is not None:
        raise RequestError("mail queue: --to does not go with it")
    rows = asyncio.run(_queue(args, clock=clock))
    if args.json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("".join(f"{_queue_line(row)}\n" for row in rows) or "nothing waits and nothing has failed\n")
    return 0


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
    return f"{row['made']}  {row['kind']}  to {row['member']}  {row['state']}, tried {row['tries']} times{waits}{why}"


def _local(at_s: int, hub: OpenHub) -> str:
    zone = ZoneInfo(hub.settings.coop.tz)
    return datetime.fromtimestamp(at_s, UTC).astimezone(zone).isoformat(timespec="minutes")
