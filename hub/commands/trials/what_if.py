"""`commonwatt-hub what-if`: tries a rule on settled days. Shows what all may see; a member's change only if named."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Final

from hub.books.period import read_period
from hub.commands.members.named_look import add_by_and_reason, log_others, look_at_all, look_at_one
from hub.commands.periods import add_range, left_out_note
from hub.console.output_files import read_json_table
from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.rulebook import METHODS, require_params
from hub.core.settlement.money import nearest_cent
from hub.core.trials.what_if import MemberComparison, PeriodOutcome, summarise, try_rule, usual_params
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.storage.access_records import TRIAL_FIELDS
from hub.trials.what_if_service import WHAT_IF_ACCESS
from protocols.errors import RequestError
from protocols.timeline import Clock

NANO_PER_UNIT: Final = 10**9
PPM: Final = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    add_range(parser)
    parser.add_argument("--method", choices=sorted(METHODS), required=True, help="how to share")
    parser.add_argument("--params", type=Path, metavar="FILE", help="JSON; without it parameters that favour nobody")
    parser.add_argument("--member", metavar="ID", help="also this member's own change: for that member alone")
    add_by_and_reason(parser)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Try the rule and print the result. Raises: RequestError with a one-line message."""
    params = None if args.params is None else read_json_table(args.params)
    tried = asyncio.run(
        try_on_hub(
            args.data,
            first=args.first,
            last=args.last,
            method=args.method,
            params=params,
            member=args.member,
            by=args.by,
            reason=args.reason,
            clock=open_clock(args.clock),
        )
    )
    sys.stdout.write(json.dumps(tried) + "\n" if args.json else trial_lines(tried))
    return 0


async def try_on_hub(
    folder: Path,
    *,
    first: date,
    last: date,
    method: str,
    params: Mapping[str, object] | None,
    member: str | None,
    by: str,
    reason: str | None,
    clock: Clock,
) -> dict[str, object]:
    """The result of the trial on the hub in `folder`, ready for JSON. Raises: RequestError."""
    settings, _, store = await open_hub(folder, clock=clock)
    try:
        if member is not None:
            look = await look_at_one(store, by, member=member, reason=reason, command="what-if", purpose="settle.share")
            home = await store.home_of(member)
            await store.log_access(look, [] if home is None else [home.id], fields=TRIAL_FIELDS, rows=1)
        every = await look_at_all(store, by, command="what-if", purpose="settle.share", reason="a rule was tried")
        await log_others(store, every, member=member, fields=TRIAL_FIELDS)
        period = await read_period(store, first=first, last=last, access=WHAT_IF_ACCESS)
    except RejectedInputError as refusal:
        raise RequestError(f"what-if: {refusal}") from None
    finally:
        await store.close()
    given = usual_params(method, period.parts) if params is None else params
    try:
        rule = replace(period.current[-1].rule, method=method, params=require_params(method, given))
        trial = try_rule(period.parts, rule, stood=period.current)
        stood = try_rule(period.parts, period.current[-1].rule, stood=period.current)
    except (RejectedInputError, ValueError) as problem:
        raise RequestError(f"what-if: {problem}") from None
    found: dict[str, object] = {
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "days": len(period.days),
        "days_left_out": list(period.left_out),
        "currency": settings.coop.currency,
        "stood": asdict(summarise(stood)),
        "tried": asdict(summarise(trial)),
    }
    if member is not None:
        try:
            found["member"] = _member(trial.of_member(member))
        except KeyError:
            raise RequestError(f"what-if: {member[:40]!r} had no part in these days") from None
    return found


def _member(change: MemberComparison) -> dict[str, object]:
    return {
        "id": change.member,
        "stood": _outcome(change.current),
        "tried": _outcome(change.alternative),
        "gain_nano": change.gain_nano,
    }


def _outcome(outcome: PeriodOutcome) -> dict[str, object]:
    return {**asdict(outcome), "benefit_nano": outcome.benefit_nano}


def trial_lines(found: Mapping[str, object]) -> str:
    """The result for people: the current rule next to the rule that was tried."""
    stood, tried, currency = _table(found["stood"]), _table(found["tried"]), str(found["currency"])
    lines = [f"{found['first_day']} to {found['last_day']}: {found['days']} settled days, {tried['homes']} homes"]
    lines.append(f"{'':<34}{str(stood['method'])[:24]:>24}  {str(tried['method'])[:24]:>24}")
    rows = (
        ("shared among neighbours, kWh", "shared_wh", 1000, 1),
        ("surplus used by neighbours, %", "self_consumption_ppm", PPM // 100, 1),
        ("demand met by neighbours, %", "coverage_ppm", PPM // 100, 1),
        ("Gini of energy received", "gini_received_ppm", PPM, 3),
        ("Gini of what is gained", "gini_benefit_ppm", PPM, 3),
        ("worse off than alone, homes", "worse_off_than_alone", 1, 0),
        (f"margin of the co-op, {currency}", "margin_nano", NANO_PER_UNIT, 2),
    )
    lines += [f"{w:<34}{_shown(stood[n], u, p):>24}  {_shown(tried[n], u, p):>24}" for w, n, u, p in rows]
    gain, loss = (_shown(tried[f"gain_of_{who}_nano"], NANO_PER_UNIT, 2) for who in ("gainers", "losers"))
    lines.append(
        f"would gain: {_shown(tried['gainers'], 1, 0)} homes, {gain} {currency} each on average;"
        f" would lose: {_shown(tried['losers'], 1, 0)} homes, {loss} {currency} each"
    )
    if isinstance(member := found.get("member"), dict):
        stood_cent, tried_cent = (_benefit_cent(member[name]) for name in ("stood", "tried"))
        lines.append(
            f"{member['id']}: gained by sharing {stood_cent / 100:.2f} {currency}, under the tried rule"
            f" {tried_cent / 100:.2f}: {(tried_cent - stood_cent) / 100:+.2f} (for this member alone)"
        )
    return "\n".join(lines) + "\n" + left_out_note([str(day) for day in _list(found["days_left_out"])])


def _benefit_cent(outcome: object) -> int:
    nano = _table(outcome)["benefit_nano"]
    return nearest_cent(nano) if isinstance(nano, int) else 0


def _shown(value: object, unit: int, places: int) -> str:
    """A number for people; 'withheld' if it comes from too few homes or is undefined."""
    return f"{value / unit:.{places}f}" if isinstance(value, int) else "withheld"


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
