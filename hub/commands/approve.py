"""`commonwatt-hub approve`: a board member's word on a run of a month, its publication, or on a run of the funds."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from hub.board.fund_approval import approve_fund, find_fund
from hub.commands.month import record_run_decision, run_json, run_line
from hub.core.ledger.fund_approvals import FundRunStatus
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from protocols.errors import RequestError
from protocols.timeline import Clock


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes besides --data and --clock."""
    parser.add_argument("--run", dest="key", required=True, metavar="KEY", help="the run's key, or its first 8 digits")
    parser.add_argument(
        "--member", required=True, metavar="ID", help="who approves: a member of the board, such as m01"
    )
    parser.add_argument("--publish", action="store_true", help="publish the run that two members have approved")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Give the word and say how the run stands. Raises: RequestError with one line."""
    clock = open_clock(args.clock)
    fund = asyncio.run(approve_fund_run(args.data, run=args.key, member=args.member, publish=args.publish, clock=clock))
    if fund is not None:
        sys.stdout.write((json.dumps(asdict(fund)) if args.json else fund_line(fund)) + "\n")
        return 0
    said = asyncio.run(
        record_run_decision(args.data, run=args.key, member=args.member, publish=args.publish, clock=clock)
    )
    sys.stdout.write((json.dumps(run_json(said)) if args.json else run_line(run_json(said))) + "\n")
    return 0


async def approve_fund_run(folder: Path, *, run: str, member: str, publish: bool, clock: Clock) -> FundRunStatus | None:
    """A board member's approval of the fund's run with this key; None where no fund has it. Raises: RequestError."""
    _, key, store = await open_hub(folder, clock=clock)
    try:
        if await find_fund(store, run) is None:
            return None
        if publish:
            raise RequestError("approve: a run of a fund is not published: with two approvals its amounts are due")
        return await approve_fund(store, run=run, member=member, at=int(clock.now()), key=key)
    except RequestError as problem:
        raise RequestError(f"approve: {problem}") from None
    finally:
        await store.close()


def fund_line(word: FundRunStatus) -> str:
    """A fund's run for people."""
    state = "due" if word.is_due else "waits for approval"
    approvals = ", ".join(word.approvals) or "nobody"
    return f"{word.kind.removeprefix('fund:')} of {word.day}  {state}  approved by {approvals}  {word.run_key}"
