"""`commonwatt-hub fairness`: what members added to sharing and received. Totals for all; one row only if named."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path

import numpy as np

from hub.books.period import read_period
from hub.commands.members.named_look import add_by_and_reason, log_others, look_at_all, look_at_one
from hub.commands.periods import add_range, left_out_note
from hub.core.rules.input_checks import RejectedInputError
from hub.core.settlement.pool_series import LEAST_HOMES
from hub.core.trials.fairness import FairnessReport, explain_share, report_fairness, summarise_fairness, whole_cents
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.storage.access_records import FAIRNESS_ALL_FIELDS, FAIRNESS_FIELDS
from hub.trials.fairness_service import FAIRNESS_ACCESS, orders_seed
from protocols.errors import RequestError
from protocols.timeline import Clock


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    add_range(parser)
    parser.add_argument("--member", metavar="ID", help="also this member's own row: for that member alone")
    add_by_and_reason(parser)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Make the report and print it. Raises: RequestError with a one-line message."""
    clock = open_clock(args.clock)
    found = asyncio.run(
        fairness_of(
            args.data,
            first=args.first,
            last=args.last,
            member=args.member,
            by=args.by,
            reason=args.reason,
            clock=clock,
        )
    )
    sys.stdout.write(json.dumps(found) + "\n" if args.json else fairness_lines(found))
    return 0


async def fairness_of(
    folder: Path,
    *,
    first: date,
    last: date,
    member: str | None,
    by: str,
    reason: str | None,
    clock: Clock,
) -> dict[str, object]:
    """The report of the hub in `folder`, ready for JSON; the same readings give the same random joining orders.

    Raises: RequestError, including when fewer than five homes took part.
    """
    settings, _, store = await open_hub(folder, clock=clock)
    try:
        if member is not None:
            look = await look_at_one(
                store, by, member=member, reason=reason, command="fairness", purpose="settle.share"
            )
            home = await store.home_of(member)
            await store.log_access(look, [] if home is None else [home.id], fields=FAIRNESS_FIELDS, rows=1)
        every = await look_at_all(
            store, by, command="fairness", purpose="settle.share", reason="the fairness report was made"
        )
        await log_others(store, every, member=member, fields=FAIRNESS_ALL_FIELDS)
        period = await read_period(store, first=first, last=last, access=FAIRNESS_ACCESS)
        rng = np.random.default_rng(orders_seed(period.digests))
        report = report_fairness(period.current, rng=rng, persons=period.persons)
    except (RejectedInputError, ValueError) as problem:
        raise RequestError(f"fairness: {problem}") from None
    finally:
        await store.close()
    if report.people < LEAST_HOMES:
        raise RequestError(f"fairness: fewer than {LEAST_HOMES} homes took part; a report would show single homes")
    found = {
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "days": len(period.days),
        "days_left_out": list(period.left_out),
        "currency": settings.coop.currency,
        **summary_of(report),
    }
    if member is not None:
        found["member"] = _own_row(report, member, currency=settings.coop.currency)
    return found


def summary_of(report: FairnessReport) -> dict[str, object]:
    """The part of the report that everyone may see."""
    return asdict(summarise_fairness(report))


def _own_row(report: FairnessReport, member: str, *, currency: str) -> dict[str, object]:
    try:
        share = report.of_member(member)
    except KeyError:
        raise RequestError(f"fairness: {member[:40]!r} had no part in these days") from None
    return {
        "id": member,
        "value_nano": share.value_nano,
        "error_nano": share.error_nano,
        "got_nano": share.got_nano,
        "words": explain_share(share, currency=currency),
    }


def fairness_lines(found: Mapping[str, object]) -> str:
    """The report for people."""
    how = f"{found['orders']} orders of joining, drawn by chance" if found["orders"] else "every group of members"
    lines = [
        f"{found['first_day']} to {found['last_day']}: {found['days']} settled days, {found['homes']} homes; {how}"
    ]
    labels = {
        "value_nano": "sharing was worth at most",
        "got_nano": "members got of it",
        "margin_nano": "the co-op kept",
        "unshared_nano": "the rule left to the grid",
    }
    value, *parts = (nano if isinstance(nano := found[name], int) else 0 for name in labels)
    value_cent, part_cents = whole_cents(value, parts)
    shown = zip(labels.values(), (value_cent, *part_cents), strict=True)
    lines += [f"  {label:<28}{cents / 100:>14.2f} {found['currency']}" for label, cents in shown]
    more, less = (
        "withheld" if found[name] is None else found[name] for name in ("got_more_than_added", "got_less_than_added")
    )
    lines.append(f"got clearly more than they added: {more}; clearly less: {less}")
    if isinstance(member := found.get("member"), dict):
        lines.append(f"{member['id']} (for this member alone): {member['words']}")
    left_out = found["days_left_out"]
    return "\n".join(lines) + "\n" + left_out_note(left_out if isinstance(left_out, list) else [])
