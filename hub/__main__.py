"""`commonwatt-hub`: reads the command line, calls the room that does the work, and turns every error into one line."""

import argparse
import asyncio
import contextlib
import importlib
import json
import logging
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from hub.console.progress import Progress
from hub.core.local_dates import parse_day
from hub.folder.clock import open_clock
from protocols.command_line import OneLineParser
from protocols.errors import CommonwattError, RequestError

FAILED = 1
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser(given[0] if given else "").parse_args(given)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except CommonwattError as error:
        print(f"commonwatt-hub: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED


def _init(options: argparse.Namespace) -> int:
    from hub.commands.members.invitations import init_hub
    from hub.storage.records import Coop

    coop = Coop(options.coop, options.name, options.tz, options.currency)
    asyncio.run(init_hub(options.data, coop=coop, clock=open_clock(options.clock)))
    print(f"made the hub of {options.name} in {options.data}; look at {options.data / 'hub.toml'}, then:")
    print(f"  commonwatt-hub run --data {options.data}")
    return 0


def _run(options: argparse.Namespace) -> int:
    from hub.running import run_hub

    def announce(line: str) -> None:
        print(line, flush=True)

    asyncio.run(
        run_hub(
            options.data,
            clock=open_clock(options.clock),
            web_port=options.web_port,
            broker_port=options.broker_port,
            announce=announce,
        )
    )
    return 0


def _invite(options: argparse.Namespace) -> int:
    from hub.commands.members.invitations import invite

    if options.list is not None:
        if options.board or any(part is not None for part in _person(options)):
            raise RequestError("invite: --list FILE names everybody; leave out what names one person")
        return _invite_list(options)
    if options.member is None or options.email is None:
        raise RequestError("invite: give --member NAME and --email ADDRESS, or --list FILE")
    made = asyncio.run(
        invite(
            options.data,
            name=options.member,
            email=options.email,
            home_name=options.home,
            is_board=options.board,
            language=options.language,
            since=options.since,
            clock=open_clock(options.clock),
        )
    )
    if options.json:
        print(json.dumps({"member": made.member.id, "home": made.home.id, "token": made.token}))
        return 0
    what = "new member" if made.is_new else "known member, left as it is:"
    print(f"{what} {made.member.id} {made.member.name}, home {made.home.id} {made.home.name}")
    print(f"token for the home's agent, good once within 24 hours: {made.token}")
    return 0


def _person(options: argparse.Namespace) -> tuple[object, ...]:
    return options.member, options.email, options.home, options.since


def _invite_list(options: argparse.Namespace) -> int:
    from hub.commands.members.invite_list import invite_list

    clock = open_clock(options.clock)
    everybody = asyncio.run(invite_list(options.data, options.list, language=options.language, clock=clock))
    rows = [{"member": made.member.id, "home": made.home.id, "token": made.token} for made in everybody]
    print(json.dumps(rows) if options.json else "\n".join("  ".join(row.values()) for row in rows))
    return 0


def _sign_in(options: argparse.Namespace) -> int:
    from hub.commands.members.invitations import sign_in_links

    links = asyncio.run(sign_in_links(options.data, member_ids=options.member, clock=open_clock(options.clock)))
    for member, link in zip(options.member, links, strict=True):
        print(json.dumps({"member": member, "link": link}) if options.json else link)
    return 0


def _status(options: argparse.Namespace) -> int:
    from hub.commands.members.invitations import status_lines, status_of

    status = asyncio.run(status_of(options.data, clock=open_clock(options.clock)))
    print(json.dumps(status) if options.json else status_lines(status), end="\n" if options.json else "")
    return 0


def _settle(options: argparse.Namespace) -> int:
    from hub.commands.trials.settle_case import run_settle_command

    of_hub = (options.data, options.day, options.month, options.kind, options.decision)
    if options.case is not None:
        if options.preview or any(part is not None for part in of_hub):
            raise RequestError("settle: --case FILE stands alone or with --previous; leave out what belongs to a hub")
        return run_settle_command(options.case, options.previous, as_json=options.json, out=sys.stdout, err=sys.stderr)
    if options.previous is not None:
        raise RequestError("settle: --previous FILE goes with --case FILE")
    if options.kind is not None or options.preview or options.decision is not None:
        from hub.commands.month import run_month

        return run_month(options)
    from hub.commands.board import days_of_month

    if options.data is None or (options.day is None) == (options.month is None):
        raise RequestError("settle: give --case FILE, or --data DIR with --day DAY or --month MONTH")
    days = tuple(options.day) if options.day is not None else days_of_month(options.month)
    asyncio.run(_print_settled(options, days))
    return 0


async def _print_settled(options: argparse.Namespace, days: Sequence[date]) -> None:
    """Each day as it is booked, so that a refusal later in the month hides none of them."""
    from hub.commands.board import settle_days, settled_line

    async with contextlib.aclosing(settle_days(options.data, days=days, clock=open_clock(options.clock))) as rows:
        async for row in rows:
            print(json.dumps(row) if options.json else settled_line(row), flush=True)


def _verify(options: argparse.Namespace) -> int:
    from hub.commands.board import verify_hub, verify_lines

    progress = Progress(sys.stderr)
    clock = open_clock(options.clock)
    found = asyncio.run(verify_hub(options.data, clock=clock, only=options.only, tell=progress.report))
    progress.end()
    print(json.dumps(found) if options.json else verify_lines(found), end="\n" if options.json else "")
    return 0 if found["ok"] else FAILED


def _report(options: argparse.Namespace) -> int:
    from hub.commands.board import report_hub

    last = options.to or options.first
    report = asyncio.run(report_hub(options.data, first=options.first, last=last, clock=open_clock(options.clock)))
    print(json.dumps(report, indent=None if options.json else 2))
    return 0


def _day(text: str) -> date:
    try:
        return parse_day(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a day like 2026-11-21") from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a port from 0 (any free one) to 65535")
    return int(text)


# Commands with a module of their own: name, module, needs --data, words. The module loads only when it is called.
_ROOMS = (
    ("runs", "hub.commands.runs", True, "list runs of months, what falls due and which days are marked for it"),
    ("approve", "hub.commands.approve", True, "approve a run of a month as a board member, or publish it"),
    ("bills", "hub.commands.bills", True, "list the bills and credit notes a run of a month brings, or would bring"),
    ("funds", "hub.commands.funds", True, "book a month's fees, a year's surplus or grants from a voted plan"),
    ("trial-balance", "hub.commands.trial_balance", True, "sum every account: the ledger must come to zero"),
    ("ledger", "hub.commands.ledger", True, "write the ledger as beancount text, CSV or JSON"),
    ("statement", "hub.commands.statement", True, "write a member's statement of a month with all that checks it"),
    ("what-if", "hub.commands.trials.what_if", True, "try a sharing rule on settled days; nothing is booked"),
    ("fairness", "hub.commands.trials.fairness", True, "report what members added to sharing beside what they got"),
    ("findings", "hub.commands.findings", True, "say what is wrong with a day's readings"),
    ("account", "hub.commands.account", True, "enter or show a member's bank account and direct-debit mandate"),
    ("payments", "hub.commands.payments", True, "pay out and collect what is due, and book what the bank did"),
    ("bank-file", "hub.commands.bank_file", None, "write a bank file (SEPA) of payouts or collections"),
    ("grid-file", "hub.commands.grid_file", None, "write, read or compare grid operators' files"),
    ("presets", "hub.commands.trials.presets", None, "list the sharing rules of countries, ready to fill in"),
)


def _add_rooms(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", *, called: str) -> None:
    for name, module_name, needs_data, words in _ROOMS:
        parser = commands.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        if needs_data is not None:
            parser.add_argument("--data", type=Path, required=needs_data, metavar="DIR", help="the hub's data folder")
        if needs_data is not None or name == "bank-file":
            parser.add_argument("--clock", type=Path, metavar="FILE", help="for developers: live by this timeline file")
        if name == called:
            module = importlib.import_module(module_name)
            module.add_arguments(parser)
            parser.set_defaults(command=module.run)


def _parser(called: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = OneLineParser(prog="commonwatt-hub", description="The hub of an energy co-op.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_init(commands)
    run = _command(commands, "run", _run, "run the hub: broker, intake, timetable and pages")
    run.add_argument(
        "--web-port", type=_port, metavar="N", help="serve pages here instead of web.port; 0: any free one"
    )
    run.add_argument("--broker-port", type=_port, metavar="N", help="instead of broker.port; 0: any free one")
    _add_invite(commands)
    link = _command(commands, "sign-in", _sign_in, "print a one-time link that signs a member in")
    link.add_argument("--member", required=True, nargs="+", metavar="ID", help="the member's id, such as m01")
    link.add_argument("--json", action="store_true", help="print JSON")
    _add_settle(commands)
    verify = _command(commands, "verify", _verify, "check every message, entry and run again")
    verify.add_argument("--only", choices=("messages", "books"), help="this half alone, as when both are run at once")
    verify.add_argument("--json", action="store_true", help="print JSON")
    report = _command(commands, "report", _report, "report local days: completeness, forecasts, prompts, books")
    report.add_argument("--from", dest="first", type=_day, required=True, metavar="DAY", help="the first local day")
    report.add_argument("--to", type=_day, metavar="DAY", help="the last local day; the first without it")
    report.add_argument("--json", action="store_true", help="print one line of JSON")
    _add_rooms(commands, called=called)
    status = _command(commands, "status", _status, "say how the hub stands")
    status.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    words: str,
    *,
    needs_data: bool = True,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
    parser.set_defaults(command=run)
    parser.add_argument("--data", type=Path, required=needs_data, metavar="DIR", help="the hub's data folder")
    parser.add_argument("--clock", type=Path, metavar="FILE", help="for developers: live by this timeline file")
    return parser


def _add_init(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    init = _command(commands, "init", _init, "make a new hub: its key, its store and hub.toml")
    init.add_argument("--name", required=True, help="the co-op's name")
    init.add_argument("--coop", required=True, metavar="ID", help="the co-op's id: 1 to 32 of a-z, 0-9 and -")
    init.add_argument("--tz", required=True, help="the co-op's time zone, such as Europe/Madrid")
    init.add_argument("--currency", default="EUR", help="such as EUR")


def _add_invite(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    invite = _command(commands, "invite", _invite, "add a member with a home and print the token for its agent")
    invite.add_argument(
        "--list", type=Path, metavar="FILE", help="invite all on a CSV list: name,email,home,since,board"
    )
    invite.add_argument("--member", metavar="NAME", help="the person's name")
    invite.add_argument("--email", help="the person's address; a known one gets a fresh token")
    invite.add_argument("--home", metavar="NAME", help="the home's name; the person's without it")
    invite.add_argument("--board", action="store_true", help="the member is on the technical board")
    invite.add_argument("--language", default="en", help="the language of the member's pages, such as en or es")
    invite.add_argument("--since", type=_day, metavar="DAY", help="member since this local day; now without it")
    invite.add_argument("--json", action="store_true", help="print JSON")


def _add_settle(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    settle = _command(commands, "settle", _settle, "settle a case file, or days of this hub", needs_data=False)
    settle.add_argument("--case", metavar="FILE", help="a case file")
    settle.add_argument("--previous", metavar="FILE", help="with --case: the result printed before, for the difference")
    settle.add_argument(
        "--day", type=_day, nargs="+", metavar="DAY", help="with --data: settle these closed local days, in this order"
    )
    settle.add_argument("--month", metavar="MONTH", help="with --data: settle all days of a month like 2026-05")
    kinds = ("M1", "R1", "R2", "RF", "X")
    settle.add_argument("--kind", choices=kinds, help="with --month: book this run of the month; X: after a dispute")
    settle.add_argument(
        "--preview", action="store_true", help="with --month: say what a run would change, book nothing"
    )
    settle.add_argument("--decision", metavar="TEXT", help="with --kind X: the decision that the run carries out")
    settle.add_argument("--json", action="store_true", help="print one line of JSON")


if __name__ == "__main__":
    sys.exit(main())
