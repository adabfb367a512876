"""What is due to and from each member: stated in whole cents, less what orders cover and what is frozen.

It reads amounts and says amounts. It knows no bank account, stores nothing and moves no money.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from hub.core.bills import Standing
from hub.core.ledger import Entry
from hub.core.money import CENT_NANO, round_to_unit
from hub.core.tax_lines import PPM, RECEIVED, SOLD

Kind = Literal["payouts", "collections"]

PAYOUTS: Final = "payouts"
COLLECTIONS: Final = "collections"
KINDS: Final[tuple[Kind, Kind]] = (PAYOUTS, COLLECTIONS)
SIDES: Final[Mapping[str, str]] = {SOLD: "credit", RECEIVED: "debit"}
"""The lines of settlement that move a member's money, each with its own document, and the side they are on."""
CREDIT_LINES: Final = frozenset({"sold", "surplus", "exported", "credit"})
FROZEN: Final = "frozen"
SMALL: Final = "below the smallest amount"

Place = tuple[str, str]
"""(member, month)."""


class Objected(Protocol):
    """An open objection, wherever it is stored."""

    @property
    def member(self) -> str: ...
    @property
    def month(self) -> str: ...
    @property
    def day(self) -> str: ...
    @property
    def line(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Cents:
    """A member's month in whole cents: to receive, to pay, and the nano that rounding still adds to the ledger's."""

    credit_cent: int = 0
    debit_cent: int = 0
    rounding_nano: int = 0

    def plus(self, other: "Cents", sign: int = 1) -> "Cents":
        """The sum, or with sign -1 the difference."""
        return Cents(
            self.credit_cent + sign * other.credit_cent,
            self.debit_cent + sign * other.debit_cent,
            self.rounding_nano + sign * other.rounding_nano,
        )

    @property
    def net_cent(self) -> int:
        """What the co-op owes the member; negative where the member owes it."""
        return self.credit_cent - self.debit_cent


NOTHING: Final = Cents()


@dataclass(frozen=True, slots=True)
class Due:
    """What an order of one kind takes of a member: the amount and, month by month, the cents it covers."""

    member: str
    amount_cent: int
    months: tuple[tuple[str, Cents], ...]


@dataclass(frozen=True, slots=True)
class Held:
    """What is due to a member but is not in the order, and why."""

    member: str
    amount_cent: int
    why: str


@dataclass(frozen=True, slots=True)
class Terms:
    """How a co-op pays: one net amount or each side apart, and from how many cents on."""

    is_netted: bool = True
    smallest_cent: int = 1


class MoneyTally:
    """Gathers what is stated to members: the standing bills of published months, and the funds' refunds and grants."""

    def __init__(self) -> None:
        self._billed: dict[Place, Cents] = {}
        self._top_rate: dict[tuple[Place, str], int] = {}
        self._funds: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._days: dict[tuple[str, str, str], int] = defaultdict(int)

    def add_bills(self, month: str, standing: Standing) -> None:
        """The newest bill and credit note of each member for a month; taxes are part of what is paid."""
        for member, documents in standing.items():
            gross = {side: documents[line]["gross_cent"] for line, side in SIDES.items() if line in documents}
            self._billed[member, month] = Cents(gross.get("credit", 0), gross.get("debit", 0))
            for line, side in SIDES.items():
                taxes = documents[line]["taxes"] if line in documents else ()
                rates = [tax["rate_ppm"] for tax in taxes if not tax["reverse_charge"]]
                self._top_rate[(member, month), side] = max(rates, default=0)

    def add_objected(self, entry: Entry) -> None:
        """An entry of a day that somebody has objected to, as its published run has it."""
        for posting in entry.postings:
            side = SIDES.get(posting.line)
            if side is not None and posting.account == f"member:{entry.member}:money":
                amount = posting.amount if side == "credit" else -posting.amount
                self._days[entry.member, entry.day, side] += amount

    def add_fund(self, entry: Entry) -> None:
        """An entry of a fund that two board members have approved: refunds and grants."""
        for posting in entry.postings:
            if posting.account == f"member:{entry.member}:money":
                self._funds[entry.day[:7]][entry.member] += posting.amount

    def stated(self) -> dict[Place, Cents]:
        """Whole cents by member and month. A fund's nano become cents by largest remainder over its members."""
        found: dict[Place, Cents] = defaultdict(Cents, self._billed)
        for month, table in sorted(self._funds.items()):
            members = sorted(table, key=lambda member: member.encode("utf-8"))
            cents = round_to_unit([table[member] for member in members], CENT_NANO)
            for member, cent in zip(members, cents, strict=True):
                rest = cent * CENT_NANO - table[member]
                found[member, month] = found[member, month].plus(Cents(cent, 0, rest))
        return dict(found)

    def frozen(self, objections: Iterable[Objected]) -> dict[Place, Cents]:
        """What open objections freeze: the side of the day they name with its tax, rounded up, or of the whole month.

        A number of energy freezes the money that rests on it.
        """
        amounts: dict[Place, dict[str, int]] = defaultdict(lambda: {"credit": 0, "debit": 0})
        named = {
            (each.member, each.month, each.day, "credit" if each.line in CREDIT_LINES else "debit")
            for each in objections
        }
        for member, month, day, side in sorted(named):
            billed = self._billed.get((member, month), NOTHING)
            whole = max(billed.credit_cent if side == "credit" else billed.debit_cent, 0)
            one = whole
            if day:
                gross = self._days[member, day, side] * (PPM + self._top_rate.get(((member, month), side), 0))
                one = -(-gross // (PPM * CENT_NANO))
            amounts[member, month][side] = min(amounts[member, month][side] + one, whole)
        return {place: Cents(sides["credit"], sides["debit"]) for place, sides in amounts.items()}


def amounts_due(
    kind: Kind, stated: Mapping[Place, Cents], covered: Mapping[Place, Cents], *, frozen: Mapping[Place, Cents],
    through: str, terms: Terms
) -> tuple[tuple[Due, ...], tuple[Held, ...]]:  # fmt: skip
    """What an order of this kind takes, member by member, and what is due but waits.

    A frozen amount is neither paid nor collected, and never turns what is due the other way: only what is due however
    the board decides is in the order.
    """
    open_by_member: dict[str, dict[str, Cents]] = defaultdict(dict)
    for member, month in {*stated, *covered}:
        left = stated.get((member, month), NOTHING).plus(covered.get((member, month), NOTHING), -1)
        if month <= through and left != NOTHING:
            open_by_member[member][month] = left
    due, held = [], []
    for member in sorted(open_by_member, key=lambda name: name.encode("utf-8")):
        months = sorted(open_by_member[member].items())
        wanted = [(month, _part(kind, left, NOTHING, is_netted=terms.is_netted)) for month, left in months]
        parts = [
            (month, _part(kind, left, frozen.get((member, month), NOTHING), is_netted=terms.is_netted))
            for month, left in months
        ]
        whole, amount = _amount(kind, wanted), _amount(kind, parts)
        if amount >= max(terms.smallest_cent, 1):
            due.append(Due(member, amount, tuple(parts)))
        elif amount > 0:
            held.append(Held(member, amount, SMALL))
        if whole > max(amount, 0):
            held.append(Held(member, whole - max(amount, 0), FROZEN))
    return tuple(due), tuple(held)


def _part(kind: Kind, left: Cents, frozen: Cents, *, is_netted: bool) -> Cents:
    """What of an open month an order covers. The rounding goes with the first order that touches the month."""
    credit, debit = left.credit_cent, left.debit_cent
    if kind == PAYOUTS:
        credit -= min(frozen.credit_cent, max(credit, 0))
        debit = debit if is_netted else min(debit, 0)
    else:
        debit -= min(frozen.debit_cent, max(debit, 0))
        credit = credit if is_netted else min(credit, 0)
    return Cents(credit, debit, left.rounding_nano)


def _amount(kind: Kind, parts: Iterable[tuple[str, Cents]]) -> int:
    net = sum(part.net_cent for _, part in parts)
    return net if kind == PAYOUTS else -net
