"""`commonwatt-hub findings`: lists what is wrong with readings, checks a day now, or records a board decision."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path

from hub.commands.members.named_look import look_at_all
from hub.commands.periods import local_today, parse_day_argument
from hub.console.output_files import read_json_table
from hub.core.quality.home_checks import Finding
from hub.core.quality.settlement_check import VERDICTS
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.quality.decisions import DecisionError, decide_finding
from hub.quality.findings import check_day_quality
from hub.quality.listing import finding_lines, found_lines
from hub.quality.nameplate_limits import read_nameplates
from hub.storage.access_records import FINDING_FIELDS
from hub.storage.finding_records import FindingRow
from protocols.errors import RequestError
from protocols.slots import format_slot
from protocols.timeline import Clock

LISTED_DAYS = 31


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.description = (
        f"List the findings of the last {LISTED_DAYS} days and all that waits for the board, or decide on one."
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--day", type=parse_day_argument, metavar="DAY", help="check a local day now, and store nothing"
    )
    chosen.add_argument(
        "--decide",
        nargs=2,
        metavar=("ID", "DECISION"),
        help=f"the board's decision on a finding: {', '.join(VERDICTS)}",
    )
    parser.add_argument("--member", "--by", metavar="ID", help="who looks or decides: a board member such as m01")
    parser.add_argument("--reason", metavar="TEXT", help="with --decide: why; the member of the home reads it")
    parser.add_argument(
        "--plates",
        type=Path,
        metavar="FILE",
        help='with --day: the most power panels can produce, in W: {"h01": {"pv_production": 6000}}',
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(args: argparse.Namespace) -> int:
    """List, check or decide. Raises: RequestError with a one-line message."""
    clock = open_clock(args.clock)
    if args.decide is None and args.reason is not None:
        raise RequestError("findings: --reason goes with --decide")
    if args.plates is not None and args.day is None:
        raise RequestError("findings: --plates goes with --day")
    if args.day is not None:
        found, tz = asyncio.run(
            find_on_day(args.data, day=args.day, plates_file=args.plates, by=args.member, clock=clock)
        )
        text = json.dumps([found_json(each) for each in found]) + "\n" if args.json else found_lines(found, tz)
    elif args.decide is not None:
        row, tz = asyncio.run(decide_on(args.data, args.decide, member=args.member, reason=args.reason, clock=clock))
        text = json.dumps(row.plain()) + "\n" if args.json else finding_lines([row], tz)
    else:
        rows, tz = asyncio.run(list_findings(args.data, by=args.member, clock=clock))
        text = json.dumps([row.plain() for row in rows]) + "\n" if args.json else finding_lines(rows, tz)
    sys.stdout.write(text)
    return 0


async def find_on_day(
    folder: Path, *, day: date, plates_file: Path | None, by: str | None, clock: Clock
) -> tuple[tuple[Finding, ...], str]:
    """The findings of a check of the day, made now, and the co-op's time zone. Raises: RequestError."""
    settings, _, store = await open_hub(folder, clock=clock)
    chosen = settings if plates_file is None else replace(settings, plates_file=plates_file)
    try:
        weather = settings.weather
        place_deg = None if weather is None else (weather.latitude, weather.longitude)
        nameplates = {} if chosen.plates_file is None else read_nameplates(read_json_table(chosen.plates_file))
        if unknown := sorted({*nameplates} - {home.id for home in await store.homes()}):
            raise RequestError(f"--plates: there is no home {unknown[0][:40]!r}")
        access = await look_at_all(store, by, command="findings", purpose="settle.share", reason=f"a check of {day}")
        await store.log_access(access, [home.id for home in await store.homes()], fields=FINDING_FIELDS, rows=1)
        quality = await check_day_quality(store, day=day, place_deg=place_deg, nameplates=nameplates)
        return quality.found, settings.coop.tz
    finally:
        await store.close()


async def list_findings(folder: Path, *, by: str | None, clock: Clock) -> tuple[tuple[FindingRow, ...], str]:
    """Recent days' findings and all that await a decision, and the co-op's time zone; the homes' logs record it."""
    settings, _, store = await open_hub(folder, clock=clock)
    since = local_today(clock, settings.coop.tz) - timedelta(days=LISTED_DAYS)
    try:
        access = await look_at_all(store, by, command="findings", purpose="settle.share", reason="the list of findings")
        return await store.findings(access=access, since=since.isoformat()), settings.coop.tz
    finally:
        await store.close()


async def decide_on(
    folder: Path, decision: Sequence[str], *, member: str | None, reason: str | None, clock: Clock
) -> tuple[FindingRow, str]:
    """Store the board's decision; also gives the co-op's time zone. Raises: RequestError; nothing has then changed."""
    number, verdict = decision
    if member is None or reason is None:
        raise RequestError("findings: --decide needs --member ID and --reason TEXT")
    if not (number.isascii() and number.isdecimal() and len(number) < 16):
        raise RequestError(f"findings: no finding has the number {number[:20]!r}; run without --decide to list them")
    if verdict not in VERDICTS:
        raise RequestError(f"findings: {verdict[:20]!r} is not one of {', '.join(VERDICTS)}")
    settings, _, store = await open_hub(folder, clock=clock)
    try:
        who = await store.member(member)
        if who is None:
            raise RequestError(f"findings: there is no member {member[:40]!r}")
        at = int(clock.now())
        row = await decide_finding(store, int(number), member=who, verdict=verdict, reason=reason, at=at)
        return row, settings.coop.tz
    except DecisionError as problem:
        raise RequestError(f"findings: {problem}") from None
    finally:
        await store.close()


def found_json(finding: Finding) -> dict[str, object]:
    """A finding of this check, for programs."""
    measure = None if finding.measure is None else finding.measure.code
    return {
        **asdict(finding),
        "measure": measure,
        "numbers": dict(finding.numbers),
        "from": format_slot(finding.first_slot),
    }
