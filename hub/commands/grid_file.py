"""`commonwatt-hub grid-file`: writes and checks files for the grid operator, and compares its readings with ours."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hub.books.counted_readings import DayRule, counted_inputs, rules_of_days
from hub.commands.members.named_look import add_by, look_at_all
from hub.console.output_files import read_file, read_json_table, write_new
from hub.core.grid.austria import MeteringPoints, austrian_series, write_austrian_csv
from hub.core.grid.comparison import compare_sources
from hub.core.grid.files import (
    MICRO_PER_WH,
    Direction,
    GridReadings,
    QuarterHours,
    quarter_hours,
    read_quarter_hours,
)
from hub.core.grid.netted_series import NettedPoints, netted_series
from hub.core.grid.pairs import pairs_of_settlement, write_pairs
from hub.core.grid.spain import CoefficientFileError, read_coefficients, write_coefficients
from hub.core.grid.tables import GridFileError
from hub.core.rules.input_checks import RejectedInputError
from hub.core.settlement.case_file import read_case
from hub.core.settlement.period import Settlement, settle
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.folder.setting_values import is_zone
from hub.storage.access_records import GRID_FIELDS
from hub.storage.records import SettlementInputs
from protocols.errors import RequestError
from protocols.slots import SLOTS_PER_HOUR, Slot, day_of, slots_of_day
from protocols.timeline import Clock

REFUSED_STATUS: Final = 2
POINTS_HELP: Final = 'JSON: {"m01": {"consumption": POINT, "generation": POINT or null}}'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments: the name of a task, and the task's own arguments."""
    tasks = parser.add_subparsers(title="tasks", required=True, metavar="TASK")
    spain = _task(tasks, "spain", _spain, "write Spain's coefficient file CAU_YYYY.txt for the distributor")
    spain.add_argument("--cau", required=True, help="the plant's CAU: 26 characters")
    spain.add_argument("--year", type=int, required=True, help="the year the coefficients are for")
    spain.add_argument("--weights", type=Path, required=True, metavar="FILE", help="JSON: whole number by CUPS")
    spain.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write it to")
    check = _task(tasks, "check-spain", _check_spain, "say everything that is wrong with a coefficient file")
    check.add_argument("file", type=Path, metavar="FILE", help="the text file as it was sent or got")
    check.add_argument("--cau", help="the plant it must be of")
    austria = _task(tasks, "austria", _austria, "write a settled case as Austria's figures by metering point")
    austria.add_argument("--case", type=Path, required=True, metavar="FILE", help="a case file with slot numbers")
    austria.add_argument("--points", type=Path, required=True, metavar="FILE", help=POINTS_HELP)
    austria.add_argument("--tz", default="Europe/Vienna", help="the case's time zone (default Europe/Vienna)")
    austria.add_argument("--out", type=Path, required=True, metavar="FILE", help="a name that ends in .csv or .xlsx")
    pairs = _task(tasks, "pairs", _pairs, "write a settled case as coefficients by producer and consumer")
    pairs.add_argument("--case", type=Path, required=True, metavar="FILE", help="a case file with slot numbers")
    pairs.add_argument("--out", type=Path, required=True, metavar="FILE", help="the CSV to write")
    compare = _task(tasks, "compare", _compare, "the grid operator's quarter hours beside our own")
    compare.add_argument("--grid", type=Path, required=True, metavar="FILE", help="its CSV, or XLSX of Austria")
    compare.add_argument("--own", type=Path, metavar="FILE", help="our readings as such a file")
    compare.add_argument("--data", type=Path, metavar="DIR", help="or the hub's data folder, with --points and --by")
    add_by(compare, required=False)
    compare.add_argument("--points", type=Path, metavar="FILE", help=POINTS_HELP)
    compare.add_argument("--tz", help="the file's time zone; the hub's without it")
    compare.add_argument("--tolerance-wh", type=int, default=1, metavar="N", help="may differ (default 1)")
    compare.add_argument("--clock", type=Path, metavar="FILE", help="for developers: live by this timeline file")
    compare.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Do the named task. Raises: RequestError with a one-line message; nothing has then been written."""
    try:
        return int(args.task(args))
    except GridFileError as refusal:
        raise RequestError(f"grid-file: {refusal}") from None
    except RejectedInputError as refusal:
        raise RequestError(f"grid-file: not settled ({refusal.code}): {refusal.detail}") from None


def own_series(
    inputs: SettlementInputs, points: Mapping[str, MeteringPoints], errors: NDArray[np.int64]
) -> tuple[QuarterHours, ...]:
    """The hub's readings as series by metering point; members without a point are left out.

    `errors` are those that agents state of what they derive, in Wh and percent of both directions together.
    Shape: `errors` is (slots, members, 2).
    """
    both_wh = np.maximum(inputs.demand_wh, 0) + np.maximum(inputs.surplus_wh, 0)
    most_micro_kwh = np.maximum(errors[..., 0] * MICRO_PER_WH, both_wh * MICRO_PER_WH * errors[..., 1] // 100)
    error = np.where(inputs.derived, most_micro_kwh, 0)
    series = []
    for column, member in enumerate(inputs.members):
        mine = points.get(member, MeteringPoints(None))
        sides: tuple[tuple[str | None, Direction, NDArray[np.int64]], ...] = (
            (mine.consumption, "consumption", inputs.demand_wh),
            (mine.generation, "generation", inputs.surplus_wh),
        )
        for point, way, energy in sides:
            if point is not None:
                wh = energy[:, column].tolist()
                found = quarter_hours(point, way, first_slot=inputs.first_slot, energy_wh=wh)
                series.append(replace(found, error_micro_kwh=error[:, column]))
    return tuple(series)


def _task(
    tasks: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    task: Callable[[argparse.Namespace], int],
    description: str,
) -> argparse.ArgumentParser:
    parser = tasks.add_parser(name, help=description, description=description[0].upper() + description[1:] + ".")
    parser.set_defaults(task=task)
    return parser


def _spain(args: argparse.Namespace) -> int:
    weights = {cups: _whole_number(cups, weight) for cups, weight in read_json_table(args.weights).items()}
    name, content = write_coefficients(args.cau, args.year, weights=weights)
    write_new(args.out / name, content)
    sys.stdout.write(f"{args.out / name}: {len(weights)} coefficients, together 1,000000\n")
    return 0


def _whole_number(cups: str, weight: object) -> int:
    if isinstance(weight, bool) or not isinstance(weight, int):
        raise GridFileError(f"{cups}: the weight is not a whole number from 0")
    return weight


def _check_spain(args: argparse.Namespace) -> int:
    try:
        read = read_coefficients(args.file.name, read_file(args.file), cau=args.cau)
    except CoefficientFileError as refusal:
        for problem in refusal.problems:
            where = "" if problem.line is None else f"line {problem.line}: "
            sys.stdout.write(f"{problem.rule}: {where}{problem.text}\n")
        return REFUSED_STATUS
    sys.stdout.write(f"{args.file}: good, {len(read.coefficients_ppm)} coefficients of {read.cau} for {read.year}\n")
    return 0


def _austria(args: argparse.Namespace) -> int:
    _check_zone(args.tz)
    points = _read_points(args.points)
    series = austrian_series(_settled_case(args.case), points)
    if args.out.suffix == ".xlsx":
        names = [(point, member) for member, held in points.items() for point in (held.consumption, held.generation)]
        holders = {point: member for point, member in names if point is not None}
        content: bytes = _sheets().write_sheets(series, args.tz, names=holders)
    elif args.out.suffix == ".csv":
        content = write_austrian_csv(series, args.tz)
    else:
        raise RequestError(f"grid-file: {args.out}: choose a name that ends in .csv or .xlsx")
    write_new(args.out, content)
    sys.stdout.write(f"{args.out}: {len(series)} figures of {len(series[0].slots)} quarter hours\n")
    return 0


def _pairs(args: argparse.Namespace) -> int:
    rows = pairs_of_settlement(_settled_case(args.case))
    write_new(args.out, write_pairs(rows))
    sys.stdout.write(f"{args.out}: {len(rows)} coefficients\n")
    return 0


def _compare(args: argparse.Namespace) -> int:
    if (args.own is None) == (args.data is None) or (args.data is not None and args.points is None):
        raise RequestError("grid-file compare: give --own FILE, or --data DIR with --points FILE")
    if args.tolerance_wh < 0:
        raise RequestError("grid-file compare: --tolerance-wh is below 0")
    if args.data is None:
        if args.tz is None:
            raise RequestError("grid-file compare: --own needs --tz, such as Europe/Vienna")
        _check_zone(args.tz)
        grid = _read_series(args.grid, args.tz)
        own = _read_series(args.own, args.tz).series
    else:
        points, clock = _read_points(args.points), open_clock(args.clock)
        grid, own = asyncio.run(_from_hub(args.data, args.grid, points=points, tz=args.tz, by=args.by, clock=clock))
    findings = compare_sources(own, grid.series, tolerance_wh=args.tolerance_wh)
    if args.json:
        found = {"findings": [asdict(one) for one in findings], "unclear": [asdict(one) for one in grid.unclear]}
        json.dump(found, sys.stdout)
        sys.stdout.write("\n")
        return 0
    for row in grid.unclear:
        sys.stdout.write(
            f"{row.point} {row.direction}, line {row.line}: {row.local_time} occurs twice but is listed once\n"
        )
    for finding in findings:
        sys.stdout.write(finding.line() + "\n")
    sys.stdout.write(f"{len(findings)} findings in {len(grid.series)} series\n")
    return 0


async def _from_hub(
    folder: Path, file: Path, *, points: Mapping[str, MeteringPoints], tz: str | None, by: str | None, clock: Clock
) -> tuple[GridReadings, tuple[QuarterHours, ...]]:
    """The file and the hub's readings for its days, both netted; every home's log records the access."""
    settings, _, store = await open_hub(folder, clock=clock)
    try:
        access = await look_at_all(
            store, by, command="grid-file compare", purpose="settle.share", reason="the grid operator's file"
        )
        if unknown := sorted(set(points) - {member.id for member in await store.members()}):
            raise RequestError(f"grid-file compare: the points name {unknown[0][:40]!a}, who is no member")
        zone = tz or settings.coop.tz
        _check_zone(zone)
        grid = _read_series(file, zone, takes_hours=True)
        if not grid.series:
            raise RequestError(f"grid-file compare: {file}: no reading whose time is clear")
        day = day_of(min(one.first_slot for one in grid.series), settings.coop.tz)
        last = day_of(max(one.slots.stop for one in grid.series) - 1, settings.coop.tz)
        slots = range(_first_slot(day, settings.coop.tz), _first_slot(last + timedelta(days=1), settings.coop.tz))
        homes = [home.id for home in await store.homes()]
        await store.log_access(access, homes, fields=GRID_FIELDS, rows=len(slots))
        rules = await rules_of_days(store, slots, tz=settings.coop.tz)
        inputs = await counted_inputs(store, slots, rules=rules, access=access)
        errors = await store.stated_errors(slots=slots)
        own = netted_own(inputs, points, errors=errors, rules=rules)
        return replace(grid, series=netted_series(grid.series, netted_points(points, rules))), own
    finally:
        await store.close()


def netted_own(
    inputs: SettlementInputs,
    points: Mapping[str, MeteringPoints],
    *,
    errors: NDArray[np.int64],
    rules: Sequence[DayRule],
) -> tuple[QuarterHours, ...]:
    """The hub's readings by metering point, netted; also where a member has a point in one direction only.

    Shape: `errors` as in `own_series`.
    """
    both = {
        member: MeteringPoints(mine.consumption or f"no point: {member}", mine.generation or f"no point: {member}")
        for member, mine in points.items()
    }
    named = {point for mine in points.values() for point in (mine.consumption, mine.generation)}
    netted = netted_series(own_series(inputs, both, errors), netted_points(both, rules))
    return tuple(each for each in netted if each.point in named)


def netted_points(points: Mapping[str, MeteringPoints], rules: Sequence[DayRule]) -> list[NettedPoints]:
    """Within which time each member's points are netted, by the rule of each day."""
    nettings = []
    for member, mine in points.items():
        slots: dict[str, set[Slot]] = {"15min": set(), "60min": set()}
        for day in rules:
            time = day.rule.netting_at(member)
            if time in slots:
                slots[time].update(day.slots[:: SLOTS_PER_HOUR if time == "60min" else 1])
        quarters, hours = frozenset(slots["15min"]), frozenset(slots["60min"])
        nettings.append(NettedPoints(mine.consumption, mine.generation, quarters, hours))
    return nettings


def _first_slot(day: date, tz: str) -> int:
    return slots_of_day(day, tz)[0]


def _read_series(path: Path, tz: str, *, takes_hours: bool = False) -> GridReadings:
    content = read_file(path)
    try:
        if path.suffix == ".xlsx":
            return GridReadings(tuple(one for one in _sheets().read_sheets(content, tz) if one.code == "total"), ())
        return read_quarter_hours(content, tz, takes_hours=takes_hours)
    except GridFileError as refusal:
        raise RequestError(f"grid-file: {path}: {refusal}") from None


def _settled_case(path: Path) -> Settlement:
    readings, rule = read_case(read_json_table(path))
    if not readings.slots:
        raise RequestError(f"grid-file: {path}: there are no intervals")
    return settle(readings, rule)


def _read_points(path: Path) -> dict[str, MeteringPoints]:
    points = {}
    for member, held in read_json_table(path).items():
        table = held if isinstance(held, dict) else {}
        unknown = sorted(set(table) - {"consumption", "generation"})
        if unknown:
            raise RequestError(f"grid-file: {path}: {member[:40]!a} has no key {unknown[0][:40]!a}: {POINTS_HELP}")
        known = {name: table.get(name) for name in ("consumption", "generation")}
        if not table or not all(isinstance(p, str | None) for p in known.values()):
            raise RequestError(f"grid-file: {path}: {member[:40]!a} is not {POINTS_HELP}")
        points[member] = MeteringPoints(known["consumption"], known["generation"])
    return points


def _check_zone(tz: str) -> None:
    if not is_zone(tz):
        raise RequestError(f"--tz {tz[:40]!r}: expected a time zone like Europe/Vienna")


def _sheets() -> ModuleType:
    try:
        from hub.exchange import grid_sheets  # noqa: PLC0415 - an optional package
    except ImportError:
        raise RequestError("a spreadsheet needs the package openpyxl: install the extra 'sheets'") from None
    return grid_sheets
