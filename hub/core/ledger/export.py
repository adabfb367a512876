"""The ledger in formats for other programs: beancount, CSV and JSON, entry by entry. It stores and checks nothing.

All three contain every posting exactly, in both units: Wh as commodity WH, nano-currency as the currency with nine
decimals. Amounts in CSV and JSON are the ledger's own integers. In beancount, money has the opposite sign, as is usual
in bookkeeping: what the co-op owes a member is a liability and so negative, and money in the bank is positive.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Final, Protocol

from hub.core.ledger.entries import (
    UNITS,
    BookedEntry,
    Entry,
    LedgerUnit,
    balances,
    read_entry,
    trial_balance,
    units_of,
)

NANO_DIGITS: Final = 9
ENERGY_COMMODITY: Final = "WH"
OPENED_ON: Final = date(1970, 1, 1)
JSON_FORMAT: Final = "commonwatt-ledger-1"
CSV_COLUMNS: Final = (
    "position", "day", "member", "run", "line", "account", "unit", "amount", "value", "commodity", "cites", "hash",
)  # fmt: skip
BEANCOUNT_ACCOUNTS: Final = {
    "pool": "Equity:Pool",
    "grid-import": "Equity:Grid:Import",
    "grid-export": "Equity:Grid:Export",
    "coop:margin": "Income:Margin",
    "coop:fees": "Income:Fees",
    "coop:reserve": "Equity:Reserve",
    "coop:solidarity": "Equity:Solidarity",
    "coop:patronage": "Equity:Patronage",
    "bank": "Assets:Bank",
    "rounding": "Income:Rounding",
}

CURRENCY = re.compile(r"[A-Z]{3}")
MEMBER_ACCOUNT = re.compile(r"member:(.+):(energy|money)", re.DOTALL)


class LedgerExport(Protocol):
    """The ledger in one format, written piece by piece: the head, every entry in order, the foot."""

    def head(self) -> str: ...
    def add(self, row: BookedEntry) -> str: ...
    def foot(self) -> str: ...


class BeancountExport:
    """Text for the beancount program. It ends with a balance assertion for every account, so loading checks the sums.

    Raises: ValueError for a currency that is not three capital letters.
    """

    def __init__(self, title: str, currency: str) -> None:
        self._title, self._currency = title, require_currency(currency)
        self._balances: Counter[tuple[LedgerUnit, str]] = Counter()
        self._opened: set[str] = set()
        self._last_day = OPENED_ON

    def head(self) -> str:
        """Options and the two commodities."""
        return (
            f'option "title" {_quoted(self._title)}\n'
            f'option "operating_currency" "{self._currency}"\n\n'
            f"; {ENERGY_COMMODITY} is a watt-hour. Money has the sign of bookkeeping, opposite to the co-op's own "
            "ledger:\n; what the co-op owes a member is negative. A positive amount of energy flows into the account.\n"
            f"{OPENED_ON} commodity {ENERGY_COMMODITY}\n{OPENED_ON} commodity {self._currency}\n"
        )

    def add(self, row: BookedEntry) -> str:
        """One entry as a transaction, preceded by the opening of any account it is the first to use."""
        entry = read_entry(row.canonical)
        day = date.fromisoformat(entry.day)
        self._last_day = max(self._last_day, day)
        self._balances.update(balances([entry]))
        lines = []
        for posting in entry.postings:
            if posting.account not in self._opened:
                self._opened.add(posting.account)
                lines.append(
                    f"{OPENED_ON} open {beancount_account(posting.account)}{self._commodities(posting.account)}"
                )
        lines.append(f'{day} * {_quoted(entry.member)} "{entry.unit} of {entry.day}"')
        lines.append(f"  position: {row.position}")
        lines.extend(f"  {name}: {_quoted(text)}" for name, text in _tags(entry, row))
        for posting in entry.postings:
            lines.append(f"  {beancount_account(posting.account)}  {self._amount(entry.unit, posting.amount)}")
            lines.append(f"    line: {_quoted(posting.line)}")
        return "\n".join(["", *lines, ""])

    def foot(self) -> str:
        """The balances on the day after the last entry, each asserted with no tolerance."""
        day = self._last_day + timedelta(days=1)
        lines = [
            f"{day} balance {beancount_account(account)}  {self._amount(unit, amount, tolerance=' ~ 0')}"
            for (unit, account), amount in sorted(self._balances.items())
        ]
        return "\n".join(["", *lines, ""])

    def _amount(self, unit: LedgerUnit, amount: int, *, tolerance: str = "") -> str:
        if unit == "Wh":
            return f"{amount}{tolerance} {ENERGY_COMMODITY}"
        return f"{in_currency(-amount)}{tolerance} {self._currency}"

    def _commodities(self, account: str) -> str:
        names = {"Wh": ENERGY_COMMODITY, "nano": self._currency}
        return " " + ",".join(names[unit] for unit in units_of(account))


class CsvExport:
    """One line per posting after a header line, as in RFC 4180. `value` is the amount in its commodity."""

    def __init__(self, currency: str) -> None:
        self._currency = require_currency(currency)
        self._writer = csv.writer(_Line(), lineterminator="\r\n")

    def head(self) -> str:
        """The names of the columns."""
        return self._line(CSV_COLUMNS)

    def add(self, row: BookedEntry) -> str:
        """One entry's postings."""
        entry = read_entry(row.canonical)
        lines = []
        for posting in entry.postings:
            commodity = ENERGY_COMMODITY if entry.unit == "Wh" else self._currency
            value = str(posting.amount) if entry.unit == "Wh" else in_currency(posting.amount)
            where = (row.position, entry.day, entry.member, entry.run, posting.line, posting.account)
            amount = (entry.unit, posting.amount, value, commodity)
            lines.append(self._line((*where, *amount, entry.cites, row.hash.hex())))
        return "".join(lines)

    def foot(self) -> str:
        """Nothing: the last line is the last posting."""
        return ""

    def _line(self, cells: Iterable[object]) -> str:
        return str(self._writer.writerow(cells))


class JsonExport:
    """One JSON document: entries with the fields their hashes cover, then the balances and the last hash."""

    def __init__(self, title: str, currency: str) -> None:
        self._title, self._currency = title, require_currency(currency)
        self._balances: Counter[tuple[LedgerUnit, str]] = Counter()
        self._last: tuple[int, str] = (0, bytes(32).hex())
        self._is_first = True

    def head(self) -> str:
        """Everything before the entries."""
        units = {"Wh": "watt-hour", "nano": f"10^-{NANO_DIGITS} {self._currency}"}
        opening = {"format": JSON_FORMAT, "title": self._title, "currency": self._currency, "units": units}
        return _compact(opening)[:-1] + ',"entries":['

    def add(self, row: BookedEntry) -> str:
        """One entry, on a line of its own."""
        self._balances.update(balances([read_entry(row.canonical)]))
        self._last = (row.position, row.hash.hex())
        document = {"position": row.position, "hash": row.hash.hex(), "entry": json.loads(row.canonical)}
        comma, self._is_first = "" if self._is_first else ",", False
        return comma + "\n" + _compact(document)

    def foot(self) -> str:
        """Balances by unit, their sums, and the last position with its hash."""
        by_unit: dict[LedgerUnit, dict[str, int]] = {unit: {} for unit in UNITS}
        for (unit, account), amount in sorted(self._balances.items()):
            by_unit[unit][account] = amount
        closing = {
            "balances": by_unit,
            "trial_balance": trial_balance(self._balances),
            "last": {"position": self._last[0], "hash": self._last[1]},
        }
        return "\n]," + _compact(closing)[1:] + "\n"


def beancount_account(account: str) -> str:
    """The account's name in beancount; no two accounts share a name, whatever characters a member's id contains.

    >>> beancount_account("member:m-01:money")
    'Liabilities:Members:M-m-2D01'
    """
    if account in BEANCOUNT_ACCOUNTS:
        return BEANCOUNT_ACCOUNTS[account]
    member = MEMBER_ACCOUNT.fullmatch(account)
    if member is not None:
        root = "Equity:Energy" if member[2] == "energy" else "Liabilities:Members"
        return f"{root}:M-{_plain(member[1])}"
    if account.startswith("tax:"):
        return f"Liabilities:Tax:R-{_plain(account.removeprefix('tax:'))}"
    return f"Equity:Other:A-{_plain(account)}"


def in_currency(amount_nano: int) -> str:
    """Nano-currency as an exact decimal number with nine decimals.

    >>> in_currency(-1_500_000_000)
    '-1.500000000'
    """
    whole, rest = divmod(abs(amount_nano), 10**NANO_DIGITS)
    return f"{'-' if amount_nano < 0 else ''}{whole}.{rest:0{NANO_DIGITS}d}"


def require_currency(currency: str) -> str:
    """The currency itself. Raises: ValueError if it is not three capital letters."""
    if CURRENCY.fullmatch(currency) is None:
        raise ValueError(f"{currency!r} is not a currency code: give three capital letters such as EUR")
    return currency


class _Line:
    """What csv.writer writes to: it returns each line instead of storing it."""

    def write(self, line: str) -> str:
        return line


def _plain(text: str) -> str:
    """ASCII letters and digits unchanged, any other byte as its number, so that different texts stay different."""
    return "".join(
        chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"-{byte:02X}" for byte in text.encode("utf-8")
    )


def _quoted(text: str) -> str:
    """A beancount string. Characters that cannot be printed are written as Python escapes."""
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _tags(entry: Entry, row: BookedEntry) -> tuple[tuple[str, str], ...]:
    return (("run", entry.run), ("cites", entry.cites), ("hash", row.hash.hex()))


def _compact(document: Mapping[str, object]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
