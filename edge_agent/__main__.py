"""The agent's command line: the one place that reads files, chooses the concrete parts and connects them."""

from __future__ import annotations

import argparse
import asyncio
import codecs
import logging
import signal
import sys
import time
from collections.abc import Coroutine, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.settings import Settings, read_settings, require_close_readings
from protocols.command_line import OneLineParser, run_command
from protocols.errors import RequestError, SettingsError

if TYPE_CHECKING:
    from protocols.consent.rules import ConsentSet

TOKEN_MAX_BYTES = 1024
MAX_LISTED = 100_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 1 with one line on standard error when it could not."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    # The libraries' own log lines contain register contents and device addresses.
    for name in ("pymodbus", "asyncio", "aiosqlite"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return run_command("commonwatt-agent", lambda: int(options.command(options)))


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = OneLineParser(
        prog="commonwatt-agent",
        description="Reads the home's devices, seals what the household's consent lets out, and sends it to the hub.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    enrol = _command(commands, "enrol", _enrol, "enrol this home with the co-op's hub, using a one-time token")
    enrol.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="file with the token or the QR code's text (default: standard input)",
    )
    enrol.add_argument("--coop", metavar="ID", help="the co-op's id (default: hub.coop in the configuration)")
    _command(commands, "hub-key", _hub_key, "print the hub's public key, as the statement's page shows it")
    run = _command(commands, "run", _run, "read, seal and send until stopped")
    run.add_argument("--history", type=Path, metavar="FILE", help="a recording to send before going live")
    run.add_argument("--clock", type=Path, metavar="FILE", help="developers only: follow this timeline file")
    read = _command(commands, "read", _read, "read every point once and show its unit and raw register words")
    read.add_argument("--device", metavar="NAME", help="only the device of this name in the configuration")
    outbox = _command(commands, "outbox", _outbox, "show what has left the home and what is waiting")
    outbox.add_argument(
        "--limit", type=_count, default=20, metavar="N", help="how many messages to list, newest first (default: 20)"
    )
    outbox.add_argument(
        "--message", type=_message, metavar="NUMBER", help="show all that one message says, by its number in the list"
    )
    status = _command(commands, "status", _status, "show who this agent is, what waits, and which devices are silent")
    prompts = _command(
        commands, "prompts", _prompts, "show the hub's prompts, the reasons for them and the state of your answers"
    )
    for each in (outbox, prompts, status):
        each.add_argument("--json", action="store_true", help="print JSON")
    read.add_argument("--json", action="store_true", help="print JSON, with every raw register word")
    sent = _command(commands, "sent", _sent, "write what was sent of a month, to check a statement against it")
    sent.add_argument("--month", type=_month, required=True, metavar="YYYY-MM", help="the month")
    sent.add_argument("--member", required=True, metavar="ID", help="your member id, as the statement shows it")
    sent.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the file to write; must not be there yet"
    )
    answer = _command(commands, "answer", _answer, "answer a prompt; the running agent sends it")
    answer.add_argument("prompt", help="the prompt's id, as `prompts` shows it")
    answer.add_argument("choice", choices=("yes", "no", "never"), help="never: do not ask about this appliance again")
    answer.add_argument("--clock", type=Path, metavar="FILE", help="developers only: follow this timeline file")
    return parser


def _command(commands: argparse._SubParsersAction, name: str, function: object, words: str) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    sentence = f"{words[0].upper()}{words[1:]}."
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=sentence)
    help_text = "the home's configuration (default: agent.toml)"
    parser.add_argument("--config", type=Path, default=Path("agent.toml"), metavar="FILE", help=help_text)
    parser.set_defaults(command=function)
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a whole number of 0 or more")
    return int(text)


def _enrol(options: argparse.Namespace) -> int:
    from edge_agent.devices.assembly import make_fleet
    from edge_agent.setup.enrolment import enrol, find_root, require_new
    from edge_agent.setup.hub_site import fetch_root_document, is_secure, post_to
    from edge_agent.setup.invitation import read_given
    from edge_agent.uplink.consent_file import consent_draft
    from edge_agent.uplink.identity import hub_key_words

    settings = read_settings(options.config)
    # Before the token is used: what `run` would refuse must not cost it.
    make_fleet(settings)
    if settings.consent is not None and settings.consent.exists():
        _wanted_consent(settings, None)
    given = read_given(_token(options.token_file), settings, coop=options.coop)
    hub_url, coop, token = given.hub_url, given.coop, given.token
    with consent_draft(settings.consent) as draft:
        require_new(settings.data)
        fetch = partial(fetch_root_document, hub_url)
        root = find_root(token, coop=coop, fetch=fetch) if is_secure(hub_url) else ""
        identity = enrol(settings.data, token, coop=coop, post=post_to(hub_url, root=root), root=root)
        draft.write(identity.consent)
    answer = identity.enrolment
    print(f"enrolled as {answer.agent} for home {answer.home} of co-op {answer.coop}")
    print(f"the hub proved that it holds the key named in the token: {hub_key_words(answer)}")
    if draft.is_written:
        print(f"what may leave the home is listed in {settings.consent}")
    return 0


def _hub_key(options: argparse.Namespace) -> int:
    from edge_agent.uplink.identity import hub_key_words, load_enrolment

    print(hub_key_words(load_enrolment(read_settings(options.config).data)))
    return 0


def _token(path: Path | None) -> str:
    try:
        if path is None:
            if sys.stdin.isatty():
                print("the token or the invitation from the co-op's board: ", end="", file=sys.stderr, flush=True)
            return sys.stdin.readline(TOKEN_MAX_BYTES).removeprefix("\ufeff").strip()
        # Editors of some systems begin a file with a byte-order mark.
        return path.read_bytes()[:TOKEN_MAX_BYTES].removeprefix(codecs.BOM_UTF8).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else "not plain letters and digits"
        raise RequestError(f"{path or 'standard input'}: cannot read the token: {reason}") from None


def _run(options: argparse.Namespace) -> int:
    from edge_agent.clock import boot_clock, make_clock
    from edge_agent.program import AgentProgram, history_lines
    from edge_agent.uplink.identity import load_identity

    settings = read_settings(options.config)
    if options.clock is None:
        require_close_readings(settings)
    clock = make_clock(options.clock)
    identity = load_identity(settings.data)
    wanted = _wanted_consent(settings, identity.enrolment.home)
    # A timeline has no boot time and needs none: its times are known from the start.
    boot = None if options.clock else boot_clock
    is_synchronised = (lambda: True) if options.clock else None
    program = AgentProgram(settings, clock, identity, wanted=wanted, boot_clock=boot, is_synchronised=is_synchronised)
    try:
        with history_lines(options.history) as lines:
            asyncio.run(_until_stopped(program.run(lines, name=str(options.history))))
    except OSError as cause:
        raise RequestError(f"cannot continue: {cause}") from None
    return 0


def _wanted_consent(settings: Settings, home: str | None) -> ConsentSet | None:
    """The consent in the household's file; its home is not checked before the enrolment, which names it."""
    from edge_agent.household import read_consent, rules_to_come

    path = settings.consent
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else "not UTF-8: save it again with that encoding"
        raise SettingsError(f"{settings.source}: consent: {path}: cannot be read: {reason}") from None
    consent = read_consent(text, name=path.name, home=home)
    if home is None:
        rules_to_come(consent, name=path.name, now_s=time.time())
    return consent


async def _until_stopped(program: Coroutine[Any, Any, None]) -> None:
    work = asyncio.ensure_future(program)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        logging.getLogger("commonwatt.agent").info("stopped; messages without a receipt stay in the outbox")


def _read(options: argparse.Namespace) -> int:
    from edge_agent.devices.assembly import make_fleet
    from edge_agent.devices.readout import as_json, as_record, as_table, read_once

    settings = read_settings(options.config)
    fleet = make_fleet(settings)
    names = [device.name for device in settings.devices]
    if options.device and options.device not in names:
        raise RequestError(f"--device: no device {options.device!r}, expected one of {', '.join(names)}")
    readings, troubles = asyncio.run(read_once(fleet, only=options.device))
    if options.json:
        print(as_json([as_record(device, readout) for device, readout in readings]))
    elif readings:
        print("\n\n".join(as_table(device, readout) for device, readout in readings))
    for trouble in troubles:
        print(f"commonwatt-agent: {trouble}", file=sys.stderr)
    return 1 if troubles else 0


def _outbox(options: argparse.Namespace) -> int:
    from edge_agent.outbox.text import outbox_record, outbox_table
    from edge_agent.outbox.view import read_overview
    from edge_agent.uplink.identity import load_enrolment

    settings = read_settings(options.config)
    if options.message is not None:
        return _message_shown(settings.data, options.message)
    found = read_overview(settings.data, limit=min(options.limit, MAX_LISTED))
    print(outbox_record(found) if options.json else outbox_table(found, load_enrolment(settings.data).tz))
    return 0


def _message_shown(data: Path, number: tuple[int, int]) -> int:
    from edge_agent.outbox.contents import message_text
    from edge_agent.outbox.messages import OutboxError
    from edge_agent.outbox.view import read_message
    from edge_agent.uplink.identity import load_enrolment
    from protocols.wire.refusal_reasons import WireError

    kind, sealed = read_message(data, *number)
    try:
        print(message_text(kind, sealed, load_enrolment(data).tz))
    except WireError as error:
        raise OutboxError(f"message {number[0]}/{number[1]} cannot be read: {error.detail}") from None
    return 0


def _status(options: argparse.Namespace) -> int:
    from edge_agent.devices.limits import role_limits
    from edge_agent.devices.silence import read_troubles
    from edge_agent.outbox.opening import FILE_NAME
    from edge_agent.outbox.view import read_overview
    from edge_agent.status_text import status_record, status_text, trouble_lines
    from edge_agent.uplink.identity import hub_keys_of, load_enrolment, tls_of
    from edge_agent.uplink.tls.certificate_text import connection_lines

    settings = read_settings(options.config)
    enrolment, limits = load_enrolment(settings.data), role_limits(settings.devices)
    found = read_overview(settings.data, limit=0) if (settings.data / FILE_NAME).exists() else None
    names = {device.name for device in settings.devices}
    troubles = [each for each in read_troubles(settings.data) if each.device in names]
    tls = tls_of(settings.data, enrolment)
    validity = None if tls is None else tls.validity()
    who = (enrolment.agent, enrolment.home)
    if options.json:
        print(status_record(*who, found, limits=limits, troubles=troubles, certificate=validity))
    else:
        lines = trouble_lines(troubles, settings.devices, enrolment.tz)
        if (trouble := hub_keys_of(settings.data, enrolment, now=time.time).trouble()) is not None:
            lines.insert(0, f"NO RECEIPTS: {trouble}")
        lines = connection_lines(enrolment, validity, now_s=time.time()) + lines
        print(status_text(*who, found, limits=limits, troubles=lines))
    return 0


def _message(text: str) -> tuple[int, int]:
    epoch, _, seq = text.partition("/")
    if not all(part.isascii() and part.isdigit() and len(part) <= 10 for part in (epoch, seq)):
        raise argparse.ArgumentTypeError(f"{text[:30]!r} is not a message's number like 1/42")
    return int(epoch), int(seq)


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a month like 2026-05") from None


def _sent(options: argparse.Namespace) -> int:
    from edge_agent.outbox.sent_readings import sent_record, write_sent
    from edge_agent.outbox.view import read_sent
    from edge_agent.uplink.identity import load_enrolment
    from protocols.slots import slots_of_day

    settings = read_settings(options.config)
    tz = load_enrolment(settings.data).tz
    last = (options.month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    slots = range(slots_of_day(options.month, tz).start, slots_of_day(last, tz).stop)
    found = read_sent(settings.data, slots)
    write_sent(options.out, sent_record(options.member, found))
    print(f"{options.out}: {len(found)} of {len(slots)} quarter hours; give it to verify_statement.py with --own")
    return 0


def _prompts(options: argparse.Namespace) -> int:
    from edge_agent.outbox.view import list_prompts
    from edge_agent.prompt_text import prompts_record, prompts_text
    from edge_agent.uplink.identity import load_enrolment

    settings = read_settings(options.config)
    found = list_prompts(settings.data)
    print(prompts_record(found) if options.json else prompts_text(found, load_enrolment(settings.data).tz))
    return 0


def _answer(options: argparse.Namespace) -> int:
    from edge_agent.clock import make_clock
    from edge_agent.outbox.view import leave_answer
    from protocols.wire.messages import AnswerChoice

    choice = {"yes": AnswerChoice.YES, "no": AnswerChoice.NO, "never": AnswerChoice.NEVER_APPLIANCE}[options.choice]
    settings = read_settings(options.config)
    leave_answer(settings.data, options.prompt, choice=choice, now_s=make_clock(options.clock).now())
    print("saved; the running agent sends it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
