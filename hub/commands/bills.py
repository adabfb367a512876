"""`commonwatt-hub bills`: the documents a run of a month brings, or would bring if it were published now."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from hub.board.run_approval import find_run
from hub.books.runs import month_runs
from hub.core.ledger.month_runs import PUBLISHED
from hub.core.payments.bills import Bill
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.folder.tax_settings import load_tax_terms
from hub.money.bills import billed_runs, plan_bills
from hub.storage.records import Access
from protocols.errors import RequestError
from protocols.timeline import Clock

ACCESS: Final = Access(actor="job:bills", role="board", purpose="settle.share", reason="a run's bills were shown")


@dataclass(frozen=True, slots=True)
class RunBills:
    """A run's documents by member. `is_out` says that they are published."""

    month: str
    kind: str
    is_out: bool
    documents: Mapping[str, tuple[Bill, ...]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes besides --data and --clock."""
    parser.add_argument("--run", dest="key", required=True, metavar="KEY", help="the run's key, or its first 8 digits")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the documents; nothing is booked. Raises: RequestError with one line."""
    found = asyncio.run(bills_of_run(args.data, key=args.key, clock=open_clock(args.clock)))
    if args.json:
        table = {"month": found.month, "kind": found.kind, "published": found.is_out, "members": dict(found.documents)}
        sys.stdout.write(json.dumps(table) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in bill_lines(found)))
    return 0


async def bills_of_run(folder: Path, *, key: str, clock: Clock) -> RunBills:
    """The documents of the run with this key. Raises: RequestError."""
    terms = load_tax_terms(folder)
    _, _, store = await open_hub(folder, clock=clock)
    try:
        # The documents say what members get and owe: the look stands in each home's log before it (I12).
        await store.log_access(ACCESS, [home.id for home in await store.homes()], fields="bills", rows=1)
        chosen = find_run(key, await month_runs(store))
        if chosen.state == PUBLISHED:
            known = await billed_runs(store, date.fromisoformat(f"{chosen.month}-01"))
            documents = next((each.documents for each in known if each.month_run == chosen.run_key), {})
        else:
            plan = await plan_bills(store, chosen, terms=terms, at=int(clock.now()))
            documents = plan.inputs["documents"]  # type: ignore[assignment]
    except RequestError as problem:
        raise RequestError(f"bills: {problem}") from None
    finally:
        await store.close()
    by_member = {member: tuple(sides.values()) for member, sides in sorted(documents.items())}
    return RunBills(chosen.month, chosen.kind, chosen.state == PUBLISHED, by_member)


def bill_lines(found: RunBills) -> Iterator[str]:
    """The documents for people, then their sums."""
    said = "published" if found.is_out else "not published: this is what it would bring now"
    yield f"{found.kind} of {found.month}, {said}"
    every = [(member, bill) for member, bills in found.documents.items() for bill in bills]
    for member, bill in every:
        amounts = "".join(f"{_units(bill[name]):>12}" for name in ("net_cent", "tax_cent", "gross_cent", "due_cent"))
        yield f"{member:<10} {bill['number']:<22} {bill['kind']:<24}{amounts}"
    for kind in dict.fromkeys(bill["kind"] for _, bill in every):
        yield f"{kind}: {_sums([bill for _, bill in every if bill['kind'] == kind])}"


def _sums(bills: list[Bill]) -> str:
    named = {"net": "net_cent", "tax": "tax_cent", "gross": "gross_cent", "due": "due_cent"}
    return ", ".join(f"{word} {_units(sum(int(bill[name]) for bill in bills))}" for word, name in named.items())


def _units(cents: Any) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
