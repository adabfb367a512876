"""Double entry, append-only: a settled day turned into entries that sum to zero, chained by hash. It stores nothing.

Two units never mix in one entry: Wh and nano-currency. A later run books only the difference to what is booked, so a
correction never edits; the same inputs again book nothing.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, Protocol

from hub.core.settlement.period import Settlement

LedgerUnit = Literal["Wh", "nano"]
Lines = dict[tuple[str, str], int]
CurrentAmounts = dict[tuple[str, LedgerUnit], Lines]

UNITS: Final[tuple[LedgerUnit, ...]] = ("Wh", "nano")
SETTLEMENT_LINES: Final = frozenset({"received", "sold", "imported", "exported"})
CANONICAL: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))
ENTRY_TAG: Final = b"commonwatt ledger entry v1\n"
GENESIS: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Posting:
    """An amount on an account. `line` says which movement it belongs to: received, sold, imported, exported; the
    co-op's funds have lines of their own.

    Energy: positive flows into the account. Money: a member's positive balance is what the co-op owes the member.
    """

    account: str
    amount: int
    line: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What one run books for one member and local day in one unit; `cites` is the hash of the allocation record.

    Raises: ValueError where the postings do not sum to zero, or an account belongs to the other unit.
    """

    unit: LedgerUnit
    day: str
    run: str
    member: str
    postings: tuple[Posting, ...]
    cites: str

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"{self.unit} is no unit of this ledger")
        if sum(posting.amount for posting in self.postings) != 0:
            raise ValueError(f"an entry of {self.day} does not sum to zero")
        for posting in self.postings:
            if self.unit not in units_of(posting.account):
                raise ValueError(f"{posting.account} does not take {self.unit}")

    def canonical(self) -> bytes:
        """The bytes the chain covers."""
        document = {
            "unit": self.unit,
            "day": self.day,
            "run": self.run,
            "member": self.member,
            "postings": [[posting.line, posting.account, posting.amount] for posting in self.postings],
            "cites": self.cites,
        }
        return CANONICAL.encode(document).encode("utf-8")


class ChainedEntry(Protocol):
    """An entry as it stands in the chain, wherever it is stored."""

    @property
    def canonical(self) -> bytes: ...
    @property
    def hash(self) -> bytes: ...


@lru_cache(maxsize=65_536)
def units_of(account: str) -> tuple[LedgerUnit, ...]:
    """The units an account may take; none for a name that is no account."""
    if account == "pool":
        return UNITS
    if account in {"grid-import", "grid-export"} or _is_member_account(account, "energy"):
        return ("Wh",)
    funds = {"coop:margin", "coop:fees", "coop:reserve", "coop:solidarity", "coop:patronage", "bank", "rounding"}
    if account in funds or _is_member_account(account, "money"):
        return ("nano",)
    return ("nano",) if account.startswith("tax:") and len(account) > len("tax:") else ()


def book_day(settled: Settlement, *, day: str, run: str, booked: Iterable[Entry] = ()) -> tuple[Entry, ...]:
    """The entries that bring what is `booked` for this day to what is settled; none where nothing differs."""
    standing: CurrentAmounts = defaultdict(lambda: defaultdict(int))
    for entry in booked:
        if entry.day != day:
            raise ValueError(f"an entry of {entry.day} does not belong to {day}")
        for posting in entry.postings:
            standing[entry.member, entry.unit][posting.line, posting.account] += posting.amount
    return book_difference(settled, standing, day=day, run=run)


def sum_settlement(canonicals: Iterable[bytes]) -> CurrentAmounts:
    """What settlement runs have booked in these entries of one day, from their canonical bytes as the store has them.

    The bytes are taken at their word: whether they are what was chained is for a verification to say.
    """
    standing: CurrentAmounts = defaultdict(lambda: defaultdict(int))
    # All of them as one document: opened one by one they take twice the time.
    for entry in json.loads(b"[" + b",".join(canonicals) + b"]"):
        lines = standing[entry["member"], entry["unit"]]
        for line, account, amount in entry["postings"]:
            if line in SETTLEMENT_LINES:
                lines[line, account] += amount
    return standing


def book_difference(settled: Settlement, standing: CurrentAmounts, *, day: str, run: str) -> tuple[Entry, ...]:
    """The entries that bring what stands for this day to what is settled; none where nothing differs.

    One entry per member and unit. Who is booked but no longer a member of the run is brought back to zero.
    """
    wanted = _lines(settled)
    cites = settled.result_hash()
    entries = []
    for member, unit in sorted({*wanted, *standing}, key=lambda key: (key[0].encode("utf-8"), key[1])):
        postings = difference(wanted.get((member, unit), {}), standing.get((member, unit), {}))
        if postings:
            entries.append(Entry(unit, day, run, member, postings, cites))
    return tuple(entries)


def read_entry(canonical: bytes) -> Entry:
    """The entry of these bytes. Raises: ValueError for bytes that no entry has."""
    try:
        document = json.loads(canonical)
        postings = tuple(Posting(account, amount, line) for line, account, amount in document["postings"])
        entry = Entry(**{**document, "postings": postings})
        same = entry.canonical() == canonical
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"not an entry: {error}") from None
    if not same:
        raise ValueError("not an entry in canonical form")
    return entry


def entry_hash(previous: bytes, canonical: bytes) -> bytes:
    """The hash of an entry that follows the one with hash `previous`; the first follows GENESIS."""
    return hashlib.sha256(ENTRY_TAG + previous + canonical).digest()


def verify_chain(
    links: Iterable[ChainedEntry], head: bytes | None = None, *, previous: bytes = GENESIS, first_position: int = 1
) -> int | None:
    """The first position whose entry or hash is not what was chained; None for a whole chain.

    With `head`, the hash it must end in, a chain cut short is broken at the position after its last entry.
    """
    position = first_position
    for link in links:
        if entry_hash(previous, link.canonical) != link.hash:
            return position
        previous = link.hash
        position += 1
    return None if head is None or head == previous else position


def balances(entries: Iterable[Entry]) -> dict[tuple[LedgerUnit, str], int]:
    """The balance of every account in each unit it has postings in."""
    sums: dict[tuple[LedgerUnit, str], int] = defaultdict(int)
    for entry in entries:
        for posting in entry.postings:
            sums[entry.unit, posting.account] += posting.amount
    return dict(sums)


def trial_balance(entries: Iterable[Entry]) -> dict[LedgerUnit, int]:
    """The sum of all accounts per unit; a whole ledger has zero in both."""
    sums: dict[LedgerUnit, int] = dict.fromkeys(UNITS, 0)
    for (unit, _), amount in balances(entries).items():
        sums[unit] += amount
    return sums


def _lines(settled: Settlement) -> dict[tuple[str, LedgerUnit], Lines]:
    """What the books should say of every member.

    A buyer's money goes to the pool at the sell price and to the margin for the rest; as all that is allocated is
    sold, the pool comes to zero in both units.
    """
    totals, prices = settled.totals_wh, settled.rule.prices
    buy, sell = prices.buy_micro_per_kwh, prices.sell_micro_per_kwh
    lines: dict[tuple[str, LedgerUnit], Lines] = {}
    columns = zip(*(totals[name] for name in ("alloc", "sold", "import", "export")), strict=True)
    for member, (alloc, sold, grid_in, grid_out) in zip(settled.members, columns, strict=True):
        energy, money = f"member:{member}:energy", f"member:{member}:money"
        lines[member, "Wh"] = {
            ("received", energy): alloc,
            ("received", "pool"): -alloc,
            ("sold", energy): -sold,
            ("sold", "pool"): sold,
            ("imported", energy): grid_in,
            ("imported", "grid-import"): -grid_in,
            ("exported", energy): -grid_out,
            ("exported", "grid-export"): grid_out,
        }
        lines[member, "nano"] = {
            ("received", money): -alloc * buy,
            ("received", "pool"): alloc * sell,
            ("received", "coop:margin"): alloc * (buy - sell),
            ("sold", money): sold * sell,
            ("sold", "pool"): -sold * sell,
        }
    return lines


def difference(wanted: Mapping[tuple[str, str], int], standing: Mapping[tuple[str, str], int]) -> tuple[Posting, ...]:
    """The postings that bring (line, account) amounts from what stands to what is wanted."""
    postings = []
    for line, account in sorted({*wanted, *standing}):
        amount = wanted.get((line, account), 0) - standing.get((line, account), 0)
        if amount:
            postings.append(Posting(account, amount, line))
    return tuple(postings)


def _is_member_account(account: str, kind: str) -> bool:
    return account.startswith("member:") and account.endswith(f":{kind}") and len(account) > len(f"member::{kind}")
