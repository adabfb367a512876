"""Double entry, append-only: a settled day turned into entries that sum to zero, chained by hash. It stores nothing.

Wh and nano-currency never mix in one entry. A later run books only the difference from what is already booked, so a
correction never edits an entry, and settling the same inputs again books nothing.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

if TYPE_CHECKING:  # it loads numpy, and most who read entries settle nothing
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
    """An amount posted to an account. `line` names the movement: received, sold, imported or exported; the co-op's
    funds have lines of their own.

    Energy: a positive amount flows into the account. Money: a positive balance is what the co-op owes the member.
    """

    account: str
    amount: int
    line: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What one run books in one unit for one member and local day; `cites` is the hash of the allocation record.

    Raises: ValueError if the postings do not sum to zero or an account belongs to the other unit.

    >>> bought = (Posting("member:m01:money", -5, "received"), Posting("pool", 5, "received"))
    >>> entry = Entry("nano", "2026-05-01", "run-1", "m01", bought, "5ba7")
    >>> read_entry(entry.canonical()) == entry
    True
    >>> entry_hash(GENESIS, entry.canonical()).hex()[:16]
    '9f74fe802908b402'
    >>> Entry("nano", "2026-05-01", "run-1", "m01", bought[:1], "5ba7")
    Traceback (most recent call last):
    ValueError: the postings of an entry of 2026-05-01 do not sum to zero
    """

    unit: LedgerUnit
    day: str
    run: str
    member: str
    postings: tuple[Posting, ...]
    cites: str

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"{self.unit} is not a unit of this ledger")
        if sum(posting.amount for posting in self.postings) != 0:
            raise ValueError(f"the postings of an entry of {self.day} do not sum to zero")
        for posting in self.postings:
            if self.unit not in units_of(posting.account):
                raise ValueError(f"the account {posting.account} does not hold {self.unit}")

    def canonical(self) -> bytes:
        """The bytes that the hash chain covers."""
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
    """An entry with its hash, wherever it is stored."""

    @property
    def canonical(self) -> bytes: ...
    @property
    def hash(self) -> bytes: ...


class BookedEntry(ChainedEntry, Protocol):
    """An entry with its hash and its position in the ledger, from 1."""

    @property
    def position(self) -> int: ...


class _EntryDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The canonical bytes of an entry, decoded."""

    unit: LedgerUnit
    day: str
    run: str
    member: str
    postings: tuple[tuple[str, str, int], ...]
    cites: str


ENTRY_DECODER: Final = msgspec.json.Decoder(_EntryDocument)
ENTRIES_DECODER: Final = msgspec.json.Decoder(list[_EntryDocument])


@lru_cache(maxsize=65_536)
def units_of(account: str) -> tuple[LedgerUnit, ...]:
    """The units an account may hold; none for a name that is not an account."""
    if account == "pool":
        return UNITS
    if account in {"grid-import", "grid-export"} or _is_member_account(account, "energy"):
        return ("Wh",)
    funds = {"coop:margin", "coop:fees", "coop:reserve", "coop:solidarity", "coop:patronage", "bank", "rounding"}
    if account in funds or _is_member_account(account, "money"):
        return ("nano",)
    return ("nano",) if account.startswith("tax:") and len(account) > len("tax:") else ()


def sum_settlement(canonicals: Iterable[bytes]) -> CurrentAmounts:
    """The amounts settlement runs have booked in these entries of one day, read from their canonical bytes.

    It does not check the hash chain; verification does. Raises: ValueError for bytes that are not entries.
    """
    current: CurrentAmounts = defaultdict(lambda: defaultdict(int))
    # The entries are decoded as one document: decoding them one by one takes twice as long.
    for entry in ENTRIES_DECODER.decode(b"[" + b",".join(canonicals) + b"]"):
        lines = current[entry.member, entry.unit]
        for line, account, amount in entry.postings:
            if line in SETTLEMENT_LINES:
                lines[line, account] += amount
    return current


def book_difference(settled: "Settlement", current: CurrentAmounts, *, day: str, run: str) -> tuple[Entry, ...]:
    """The entries that bring the day's `current` amounts to what is settled; none if nothing differs.

    One entry per member and unit. A member with booked amounts who is no longer part of the run is set back to zero.
    """
    wanted = _lines(settled)
    cites = settled.result_hash()
    entries = []
    for member, unit in sorted({*wanted, *current}, key=lambda key: (key[0].encode("utf-8"), key[1])):
        postings = difference(wanted.get((member, unit), {}), current.get((member, unit), {}))
        if postings:
            entries.append(Entry(unit, day, run, member, postings, cites))
    return tuple(entries)


def read_entry(canonical: bytes) -> Entry:
    """The entry with these canonical bytes. Raises: ValueError for any other bytes."""
    try:
        read = ENTRY_DECODER.decode(canonical)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not an entry: {error}") from None
    postings = tuple(Posting(account, amount, line) for line, account, amount in read.postings)
    entry = Entry(read.unit, read.day, read.run, read.member, postings, read.cites)
    if entry.canonical() != canonical:
        raise ValueError("not an entry in canonical form")
    return entry


def entry_hash(previous: bytes, canonical: bytes) -> bytes:
    """The hash of an entry that follows the one with hash `previous`; the first follows GENESIS."""
    return hashlib.sha256(ENTRY_TAG + previous + canonical).digest()


def verify_chain(rows: Iterable[BookedEntry], *, previous: bytes = GENESIS, first_position: int = 1) -> int | None:
    """The first position with a missing entry, a changed entry or a changed hash; None for an unbroken chain.

    A later part of the ledger is checked with the hash of the entry before it as `previous`.
    """
    for position, row in enumerate(rows, start=first_position):
        if row.position != position or entry_hash(previous, row.canonical) != row.hash:
            return position
        previous = row.hash
    return None


def balances(entries: Iterable[Entry]) -> dict[tuple[LedgerUnit, str], int]:
    """The balance of every account in each unit it has postings in."""
    sums: dict[tuple[LedgerUnit, str], int] = defaultdict(int)
    for entry in entries:
        for posting in entry.postings:
            sums[entry.unit, posting.account] += posting.amount
    return dict(sums)


def trial_balance(found: Mapping[tuple[LedgerUnit, str], int]) -> dict[LedgerUnit, int]:
    """The sum of all these balances per unit; a complete ledger has zero in both.

    >>> trial_balance({("nano", "pool"): 5, ("nano", "bank"): -5})
    {'Wh': 0, 'nano': 0}
    """
    sums: dict[LedgerUnit, int] = dict.fromkeys(UNITS, 0)
    for (unit, _), amount in found.items():
        sums[unit] += amount
    return sums


def _lines(settled: "Settlement") -> dict[tuple[str, LedgerUnit], Lines]:
    """What the books should hold for each member.

    Of what a buyer pays, the sell price goes to the pool and the rest to the margin. All energy allocated is also sold,
    so the pool comes to zero in both units.
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


def difference(wanted: Mapping[tuple[str, str], int], current: Mapping[tuple[str, str], int]) -> tuple[Posting, ...]:
    """The postings that bring the (line, account) amounts from `current` to `wanted`."""
    postings = []
    for line, account in sorted({*wanted, *current}):
        amount = wanted.get((line, account), 0) - current.get((line, account), 0)
        if amount:
            postings.append(Posting(account, amount, line))
    return tuple(postings)


def _is_member_account(account: str, kind: str) -> bool:
    return account.startswith("member:") and account.endswith(f":{kind}") and len(account) > len(f"member::{kind}")
