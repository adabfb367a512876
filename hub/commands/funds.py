"""`commonwatt-hub funds`: previews or books a month's fees, a year's surplus or grants from a plan file."""

import argparse
import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Final

from hub.books.days import SettlementStores
from hub.commands.members.named_look import add_by, look_at_all
from hub.commands.periods import local_today, parse_month
from hub.console.output_files import read_file
from hub.core.ledger.fund_approvals import FUND_KINDS
from hub.core.ledger.fund_entries import NANO_PER_MICRO, FeeScale, SurplusShares
from hub.core.ledger.run_calendar import days_of
from hub.core.rules.input_checks import RejectedInputError, require_integer
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.money.funds import FundPlan, FundResult, book_fund, plan_fees, plan_grants, plan_year, preview_fund
from protocols.errors import RequestError
from protocols.timeline import Clock
from protocols.toml_text import TomlTextError, read_toml

DECIDED_CHARS_MAX: Final = 200
KEYS: Final[Mapping[str, frozenset[str]]] = {
    "fees": frozenset({"decided", "usual", "steps", "chosen"}),
    "year-end": frozenset({"decided", "reserve_ppm", "solidarity_ppm", "patronage_ppm", "buy_weight", "sell_weight"}),
    "grants": frozenset({"decided", "grants"}),
}
NEEDED: Final = {
    "fees": {
        "steps": "a table of what each step costs a month, in millionths of the currency, like [steps] full = 3000000",
        "usual": 'the step of whoever has chosen none, like usual = "full"',
    },
    "year-end": dict.fromkeys(
        ("reserve_ppm", "solidarity_ppm", "patronage_ppm"), "a whole number; the three _ppm together are 1000000"
    ),
    "grants": {"grants": "a table of amounts in millionths of the currency, like [grants] m03 = 25000000"},
}
"""What a plan must have besides `decided`, and what is expected there."""

PERIODS: Final = {"fees": "--month", "year-end": "--year", "grants": "--day"}

Table = dict[str, object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("what", choices=sorted(KEYS), help="what to book")
    parser.add_argument("--plan", type=Path, required=True, metavar="FILE", help="the voted plan, a TOML file")
    add_by(parser)
    parser.add_argument("--month", metavar="MONTH", help="fees: of this month, like 2026-05")
    parser.add_argument("--year", type=int, metavar="YEAR", help="year-end: the surplus of this year")
    parser.add_argument("--day", metavar="DAY", help="grants: booked on this local day")
    parser.add_argument("--preview", action="store_true", help="say what would be booked, book nothing")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Book the plan or print what it would book. Raises: RequestError with a one-line message."""
    given = {"--month": args.month, "--year": args.year, "--day": args.day}
    wanted = PERIODS[args.what]
    if [name for name, value in given.items() if value is not None] != [wanted]:
        raise RequestError(f"funds {args.what}: give {wanted} and no other period")
    plan = read_plan(args.plan, args.what)
    clock = open_clock(args.clock)
    result = asyncio.run(
        book_plan(args.data, args.what, plan, period=str(given[wanted]), by=args.by, preview=args.preview, clock=clock)
    )
    sys.stdout.write(json.dumps(result_json(result)) + "\n" if args.json else result_lines(result, args.preview))
    return 0


async def book_plan(
    folder: Path, what: str, plan: Table, *, period: str, by: str, preview: bool, clock: Clock
) -> FundResult:
    """Book a plan on the hub in this folder, or preview it. Raises: RequestError; then nothing is booked."""
    settings, signer, store = await open_hub(folder, clock=clock)
    try:
        # Each member's amounts are shown, so the access is first recorded in each home's log (I12).
        homes = [home.id for home in await store.homes()]
        access = await look_at_all(
            store, by, command="funds", purpose="settle.share", reason="a fund's bookings were shown"
        )
        await store.log_access(access, homes, fields=f"funds {what}", rows=1)
        found = await _planned(store, what, plan, period=period, today=local_today(clock, settings.coop.tz))
        if preview:
            return await preview_fund(store, found)
        return await book_fund(store, found, made_at=int(clock.now()), key=signer)
    except RejectedInputError as refusal:
        raise RequestError(f"funds {what}: refused: {refusal}") from None
    finally:
        await store.close()


async def _planned(store: SettlementStores, what: str, plan: Table, *, period: str, today: date) -> FundPlan:
    decided = str(plan["decided"])
    if what == "fees":
        month = parse_month(period)
        _require_over(days_of(month)[-1], today, period)
        steps = {step: _nano(value, f"steps.{step}") for step, value in _table(plan, "steps").items()}
        chosen = {member: _step(value, f"chosen.{member}") for member, value in _table(plan, "chosen").items()}
        scale = FeeScale(steps, str(plan.get("usual", "")), chosen)
        return await plan_fees(store, month=month, scale=scale, decided=decided)
    if what == "year-end":
        year = int(period)
        if not 2000 <= year <= 9999:
            raise RequestError(f"funds: --year {year} is not a year like 2026")
        _require_over(date(year, 12, 31), today, period)
        names = ("reserve_ppm", "solidarity_ppm", "patronage_ppm")
        parts = [require_integer(plan.get(name), name) for name in names]
        weights = [require_integer(plan.get(name, 1), name) for name in ("buy_weight", "sell_weight")]
        return await plan_year(store, year=year, shares=SurplusShares(*parts, *weights), decided=decided)
    try:
        day = date.fromisoformat(period)
    except ValueError:
        raise RequestError(f"funds: --day {period[:20]!r} is not a day like 2026-11-21") from None
    if day > today:
        raise RequestError(f"funds: {day} is in the future")
    grants = {member: _nano(value, f"grants.{member}") for member, value in _table(plan, "grants").items()}
    return await plan_grants(store, day=day, grants_nano=grants, decided=decided)


def read_plan(path: Path, what: str) -> Table:
    """The plan in this file. Raises: RequestError."""
    try:
        plan = read_toml(read_file(path))
    except TomlTextError as error:
        raise RequestError(f"{path}: not a TOML file: {error}") from None
    known = ", ".join(sorted(KEYS[what]))
    if unknown := sorted(set(plan) - KEYS[what]):
        raise RequestError(f"{path}: {unknown[0]}: not a key of a plan of {what}: use {known}")
    decided = plan.get("decided")
    if not isinstance(decided, str) or not decided.isprintable() or not 1 <= len(decided) <= DECIDED_CHARS_MAX:
        raise RequestError(f'{path}: decided: expected who decided it and when, like "assembly of 2026-03-12"')
    for name, expected in NEEDED[what].items():
        if name not in plan:
            raise RequestError(f"{path}: {name}: missing, expected {expected}")
    return plan


def _table(plan: Table, name: str) -> Table:
    value = plan.get(name, {})
    if not isinstance(value, dict):
        raise RejectedInputError("malformed", f"{name} is not a table")
    return value


def _step(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise RejectedInputError("malformed", f"{where} is not the name of a step")
    return value


def _nano(value: object, where: str) -> int:
    return require_integer(value, f"{where} (in millionths of the currency)") * NANO_PER_MICRO


def _require_over(last: date, today: date, period: str) -> None:
    if last >= today:
        raise RequestError(f"funds: {period} is not over yet")


def result_json(result: FundResult) -> Table:
    """A fund run for programs."""
    return asdict(result)


def result_lines(result: FundResult, is_preview: bool) -> str:
    """A fund run for people: the change in each account."""
    if not result.entries:
        return f"{result.day}: the books already agree with the plan; nothing to book\n"
    sums: dict[str, int] = defaultdict(int)
    for entry in result.entries:
        for posting in entry.postings:
            sums[posting.account] += posting.amount
    lines = [f"{result.day}: {len(result.entries)} entries {'would be booked' if is_preview else 'booked'}"]
    if not is_preview and result.kind in FUND_KINDS:
        lines.append(f"  paid once two board members approve it: commonwatt-hub approve --run {result.run_key[:12]}")
    for account, nano in sorted(sums.items()):
        sign = "-" if nano < 0 else "+"
        lines.append(f"  {account:<28}{sign}{abs(nano) // 10**9}.{abs(nano) % 10**9:09d}")
    return "\n".join(lines) + "\n"
