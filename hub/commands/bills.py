"""`commonwatt-hub bills`: the documents issued with a month run, or to be issued if it were published now."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.board.run_approval import find_run
from hub.books.view import read_books
from hub.commands.members.named_look import add_by, look_at_all
from hub.core.ledger.month_runs import PUBLISHED
from hub.core.payments.bills import Bill
from hub.folder.clock import open_clock
from hub.folder.opening import opened_hub
from hub.folder.tax_settings import load_tax_terms
from hub.money.bills import run_documents
from hub.storage.access_records import BILL_FIELDS
from protocols.errors import RequestError
from protocols.timeline import Clock


@dataclass(frozen=True, slots=True)
class RunBills:
    """A run's documents by member. `is_out` is true if they are published."""

    month: str
    kind: str
    is_out: bool
    documents: Mapping[str, tuple[Bill, ...]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--run", dest="key", required=True, metavar="KEY", help="the run's key, or its first 8 digits")
    add_by(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the documents; nothing is booked. Raises: RequestError with a one-line message."""
    found = asyncio.run(bills_of_run(args.data, key=args.key, by=args.by, clock=open_clock(args.clock)))
    if args.json:
        table = {"month": found.month, "kind": found.kind, "published": found.is_out, "members": dict(found.documents)}
        sys.stdout.write(json.dumps(table) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in bill_lines(found)))
    return 0


async def bills_of_run(folder: Path, *, key: str, by: str, clock: Clock) -> RunBills:
    """The documents of the run with this key. Raises: RequestError."""
    terms = load_tax_terms(folder)
    try:
        async with opened_hub(folder, clock=clock) as hub:
            # The documents say what members get and owe, so the access is first recorded in each home's log (I12).
            homes = [home.id for home in await hub.store.homes()]
            access = await look_at_all(
                hub.store, by, command="bills", purpose="settle.share", reason="a run's bills were shown"
            )
            await hub.store.log_access(access, homes, fields=BILL_FIELDS, rows=1)
            books = await read_books(hub.store)
            chosen = find_run(key, books.month_runs)
            documents = await run_documents(hub.store, chosen, books=books, terms=terms, at=hub.opened_at)
    except RequestError as problem:
        raise RequestError(f"bills: {problem}") from None
    by_member = {member: tuple(sides.values()) for member, sides in sorted(documents.items())}
    return RunBills(chosen.month, chosen.kind, chosen.state == PUBLISHED, by_member)


def bill_lines(found: RunBills) -> Iterator[str]:
    """The documents for people, followed by their sums."""
    state = "published" if found.is_out else "not published: this is what it would bring now"
    yield f"{found.kind} of {found.month}, {state}"
    every = [(member, bill) for member, bills in found.documents.items() for bill in bills]
    for member, bill in every:
        amounts = "".join(f"{_units(bill[name]):>12}" for name in ("net_cent", "tax_cent", "gross_cent", "due_cent"))
        yield f"{member:<10} {bill['number']:<22} {bill['kind']:<24}{amounts}"
    for kind in dict.fromkeys(bill["kind"] for _, bill in every):
        yield f"{kind}: {_sums([bill for _, bill in every if bill['kind'] == kind])}"


def _sums(bills: list[Bill]) -> str:
    named = {"net": "net_cent", "tax": "tax_cent", "gross": "gross_cent", "due": "due_cent"}
    return ", ".join(f"{label} {_units(sum(int(bill[name]) for bill in bills))}" for label, name in named.items())


def _units(cents: Any) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
