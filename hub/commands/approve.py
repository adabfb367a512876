"""`commonwatt-hub approve`: a board member approves or publishes a month run, or approves a fund run."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from hub.board.fund_approval import approve_fund, find_fund
from hub.board.run_approval import approve_run, publish_run
from hub.books.billed_meters import uncertified_in_run
from hub.books.view import read_money_books
from hub.commands.runs import run_json, run_line
from hub.core.ledger.fund_approvals import FundRunStatus
from hub.core.ledger.month_runs import MonthRun
from hub.folder.clock import open_clock
from hub.folder.opening import opened_hub
from hub.folder.tax_settings import load_tax_terms
from hub.quality.meter_certificates import certificate_line
from protocols.errors import RequestError
from protocols.timeline import Clock


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--run", dest="key", required=True, metavar="KEY", help="the run's key, or its first 8 digits")
    parser.add_argument(
        "--member", required=True, metavar="ID", help="who approves: a member of the board, such as m01"
    )
    parser.add_argument("--publish", action="store_true", help="publish the run that two members have approved")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Record the decision and print the run. Raises: RequestError with a one-line message."""
    clock = open_clock(args.clock)
    fund = asyncio.run(approve_fund_run(args.data, run=args.key, member=args.member, publish=args.publish, clock=clock))
    if fund is not None:
        sys.stdout.write((json.dumps(asdict(fund)) if args.json else fund_line(fund)) + "\n")
        return 0
    decided, warning = asyncio.run(
        record_run_decision(args.data, run=args.key, member=args.member, publish=args.publish, clock=clock)
    )
    told = run_json(decided) | ({} if warning is None else {"warning": warning})
    sys.stdout.write((json.dumps(told) if args.json else run_line(run_json(decided))) + "\n")
    if warning is not None and not args.json:
        sys.stdout.write(warning + "\n")
    return 0


async def approve_fund_run(folder: Path, *, run: str, member: str, publish: bool, clock: Clock) -> FundRunStatus | None:
    """Record a board member's approval of the fund run with this key; None if none has it. Raises: RequestError."""
    try:
        async with opened_hub(folder, clock=clock) as hub:
            if find_fund(run, (await read_money_books(hub.store)).fund_runs) is None:
                return None
            if publish:
                raise RequestError("a run of a fund is not published: with two approvals its amounts are due")
            return await approve_fund(hub.store, run=run, member=member, at=hub.opened_at, key=hub.signer)
    except RequestError as problem:
        raise RequestError(f"approve: {problem}") from None


async def record_run_decision(
    folder: Path, *, run: str, member: str, publish: bool, clock: Clock
) -> tuple[MonthRun, str | None]:
    """Record a board member's approval of a month run, or publish the run; with a warning about meters, if any.

    Raises: RequestError.
    """
    terms = load_tax_terms(folder)
    try:
        async with opened_hub(folder, clock=clock) as hub:
            store, key, at = hub.store, hub.signer, hub.opened_at
            if publish:
                done = await publish_run(store, run=run, member=member, at=at, key=key, terms=terms)
            else:
                done = await approve_run(store, run=run, member=member, at=at, key=key)
            return done, certificate_line(await uncertified_in_run(store, done))
    except RequestError as problem:
        raise RequestError(f"approve: {problem}") from None


def fund_line(fund: FundRunStatus) -> str:
    """A fund run for people."""
    state = "due" if fund.is_due else "waits for approval"
    approvals = ", ".join(fund.approvals) or "nobody"
    return f"{fund.kind.removeprefix('fund:')} of {fund.day}  {state}  approved by {approvals}  {fund.run_key}"
