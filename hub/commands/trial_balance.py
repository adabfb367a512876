"""`commonwatt-hub trial-balance`: every account's balance, with members' accounts summed; each unit must be zero."""

import argparse
import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from hub.core.ledger.entries import LedgerUnit, balances, read_entry, trial_balance
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.storage.contract import BookStore
from protocols.timeline import Clock

PAGE: Final = 2000
FAILED: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the balances; returns exit code 1 if a unit does not sum to zero."""
    found = asyncio.run(balance_hub(args.data, clock=open_clock(args.clock)))
    sys.stdout.write(json.dumps(balance_json(found)) + "\n" if args.json else balance_lines(found))
    return FAILED if any(trial_balance(found).values()) else 0


async def balance_hub(folder: Path, *, clock: Clock) -> Counter[tuple[LedgerUnit, str]]:
    """The balances of the hub in this folder."""
    _, _, store = await open_hub(folder, clock=clock)
    try:
        return await balance_books(store)
    finally:
        await store.close()


async def balance_books(store: BookStore) -> Counter[tuple[LedgerUnit, str]]:
    """The balance of every account by unit, read piece by piece. Nobody else may see a member's balance, so all
    members' accounts of one kind are added up in one line.
    """
    found: Counter[tuple[LedgerUnit, str]] = Counter({("Wh", "members:energy"): 0, ("nano", "members:money"): 0})
    position = 0
    while page := await store.entries(after_position=position, limit=PAGE):
        position = page[-1].position
        for (unit, account), amount in balances(read_entry(row.canonical) for row in page).items():
            found[unit, _together(account)] += amount
    return found


def balance_json(found: Counter[tuple[LedgerUnit, str]]) -> dict[str, object]:
    """The balances for programs."""
    accounts = [
        {"unit": unit, "account": account, "amount": amount} for (unit, account), amount in sorted(found.items())
    ]
    return {"accounts": accounts, "sums": trial_balance(found)}


def balance_lines(found: Counter[tuple[LedgerUnit, str]]) -> str:
    """The balances for people, with money to nine decimals."""
    lines = [f"{account:<20}{_amount(unit, amount):>28}" for (unit, account), amount in sorted(found.items())]
    sums = trial_balance(found)
    lines += [f"{'all accounts':<20}{_amount(unit, amount):>28}" for unit, amount in sums.items()]
    lines.append("it balances" if not any(sums.values()) else "it does not balance: run commonwatt-hub verify")
    return "\n".join(lines) + "\n"


def _amount(unit: LedgerUnit, amount: int) -> str:
    if unit == "Wh":
        return f"{amount} Wh"
    return f"{'-' if amount < 0 else ''}{abs(amount) // 10**9}.{abs(amount) % 10**9:09d} money"


def _together(account: str) -> str:
    return f"members:{account.rsplit(':', 1)[1]}" if account.startswith("member:") else account
