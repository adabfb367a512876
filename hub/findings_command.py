"""`commonwatt-hub findings`: what is wrong with a day's readings, in plain sentences, for the board to act on."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

from hub.clock import open_clock
from hub.commands import CommandError
from hub.core.quality import Finding
from hub.new_files import read_json_table
from hub.program import open_hub
from hub.quality_findings import Plates, findings_of_day
from hub.settled_period import written_day
from protocols.quantities import Measure
from protocols.slots import iso
from protocols.timeline import Clock

SEVERITY_WORDS = {"hold": "holds credits", "check": "look at it", "note": "note"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes besides --data and --clock."""
    parser.add_argument("--day", type=written_day, required=True, metavar="DAY", help="a local day")
    parser.add_argument(
        "--plates",
        type=Path,
        metavar="FILE",
        help='what each can do at most, in W: {"h01": {"pv_production": 6000}}; without it sizes are not compared',
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Print them. Raises: CommandError with one line."""
    plates = {} if args.plates is None else read_plates(read_json_table(args.plates))
    found = asyncio.run(findings_of_hub(args.data, day=args.day, plates=plates, clock=open_clock(args.clock)))
    sys.stdout.write(json.dumps([finding_json(each) for each in found]) + "\n" if args.json else finding_lines(found))
    return 0


async def findings_of_hub(folder: Path, *, day: date, plates: Plates, clock: Clock) -> tuple[Finding, ...]:
    """The findings of a day of the hub in `folder`. Raises: CommandError."""
    settings, _, store = await open_hub(folder, clock=clock)
    try:
        weather = settings.weather
        place = None if weather is None else (weather.latitude, weather.longitude)
        if unknown := sorted({*plates} - {home.id for home in await store.homes()}):
            raise CommandError(f"--plates: there is no home {unknown[0][:40]!r}")
        return await findings_of_day(store, day=day, place_deg=place, plates=plates)
    finally:
        await store.close()


def read_plates(table: Mapping[str, object]) -> Plates:
    """The nameplates of a file. Raises: CommandError."""
    codes = {measure.code: measure for measure in Measure}
    plates: dict[str, dict[Measure, int]] = {}
    for home, row in table.items():
        if not isinstance(row, dict):
            raise CommandError(f"--plates {home[:40]!r}: expected a table of measures and W")
        for code, power_w in row.items():
            if code not in codes or isinstance(power_w, bool) or not isinstance(power_w, int) or power_w <= 0:
                raise CommandError(f"--plates {home[:40]!r}: expected whole W by {', '.join(codes)}")
        plates[home] = {codes[code]: power_w for code, power_w in row.items()}
    return plates


def finding_json(finding: Finding) -> dict[str, object]:
    """One finding for programs."""
    measure = None if finding.measure is None else finding.measure.code
    return {**asdict(finding), "measure": measure, "numbers": dict(finding.numbers), "from": iso(finding.first_slot)}


def finding_lines(found: Sequence[Finding]) -> str:
    """The findings for people."""
    if not found:
        return "nothing found\n"
    return "".join(f"{each.home}  {SEVERITY_WORDS[each.severity]:<13}  {each.sentence}\n" for each in found)
