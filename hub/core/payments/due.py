"""Amounts due to and from each member: what is stated in whole cents, less what orders cover and what is frozen.

It works with amounts only: it knows no bank accounts, stores nothing and moves no money.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from hub.core.ledger.entries import Entry
from hub.core.payments.bills import Bill, CurrentBills, MonthMoney
from hub.core.payments.payable import SIDES, ObjectedLine, bill_without_tax, cents_beside, waiting_cents
from hub.core.payments.tax_lines import RECEIVED, SOLD
from hub.core.settlement.money import CENT_NANO, round_to_unit

OrderKind = Literal["payouts", "collections"]

PAYOUTS: Final = "payouts"
COLLECTIONS: Final = "collections"
KINDS: Final[tuple[OrderKind, OrderKind]] = (PAYOUTS, COLLECTIONS)
NO_MONEY: Final[Mapping[str, int]] = {"debit_nano": 0, "credit_nano": 0}
FROZEN: Final = "frozen"
FROZEN_BESIDE: Final = "frozen on the other side"
SMALL: Final = "below the smallest amount"

MemberMonth = tuple[str, str]
"""(member, month)."""


class OpenObjection(Protocol):
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
class MonthCents:
    """A member's month: whole cents to receive and to pay, and the nano that rounding adds to the ledger's amount."""

    credit_cent: int = 0
    debit_cent: int = 0
    rounding_nano: int = 0

    def plus(self, other: "MonthCents", sign: int = 1) -> "MonthCents":
        """The sum, or with sign -1 the difference."""
        return MonthCents(
            self.credit_cent + sign * other.credit_cent,
            self.debit_cent + sign * other.debit_cent,
            self.rounding_nano + sign * other.rounding_nano,
        )

    @property
    def net_cent(self) -> int:
        """What the co-op owes the member; negative where the member owes it."""
        return self.credit_cent - self.debit_cent


NOTHING: Final = MonthCents()


@dataclass(frozen=True, slots=True)
class AmountDue:
    """A member's amount in an order of one kind, and the cents it covers month by month."""

    member: str
    amount_cent: int
    months: tuple[tuple[str, MonthCents], ...]


@dataclass(frozen=True, slots=True)
class HeldAmount:
    """What is due to or from a member but is not in the order, and why."""

    member: str
    amount_cent: int
    why: str


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """How a co-op pays: one net amount or each side on its own, and the smallest amount it pays.

    `leavers` have no later month for which a smaller amount could wait.
    """

    is_netted: bool = True
    smallest_cent: int = 1
    leavers: frozenset[str] = frozenset()


class MoneyTally:
    """Adds up what members are told is due: published months' current bills, and the funds' refunds and grants."""

    def __init__(self) -> None:
        self._bills: dict[MemberMonth, Mapping[str, Bill]] = {}
        self._rests: dict[MemberMonth, int] = {}
        self._funds: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._days: dict[MemberMonth, dict[str, dict[str, int]]] = defaultdict(
            lambda: defaultdict(lambda: dict(NO_MONEY))
        )

    def add_bills(self, month: str, standing: CurrentBills) -> None:
        """Adds each member's newest bill and credit note for a month; taxes are part of what is paid."""
        for member, documents in standing.items():
            self._bills[member, month] = documents

    def add_plain(self, month: str, money: MonthMoney) -> None:
        """Adds a month published before bills existed: its energy amounts in the statements' whole cents, without fees.

        No run has booked the rounding to these cents yet.
        """
        cents = {side: money.cents(side) for side in SIDES}
        for member in money.members():
            amounts = {side: cents[side][member] for side in SIDES}
            self._bills[member, month] = {side: bill_without_tax(side, cent) for side, cent in amounts.items() if cent}
            rests = {side: cent * CENT_NANO - money.nano(side, member) for side, cent in amounts.items()}
            self._rests[member, month] = rests[SOLD] - rests[RECEIVED]

    def add_objected(self, entry: Entry) -> None:
        """Adds an entry of a member who has objected, as the month's newest published run has it."""
        money = self._days[entry.member, entry.day[:7]][entry.day]
        for posting in entry.postings:
            if posting.line in SIDES and posting.account == f"member:{entry.member}:money":
                sign = 1 if posting.line == SOLD else -1
                money[f"{SIDES[posting.line]}_nano"] += sign * posting.amount

    def add_fund(self, entry: Entry) -> None:
        """Adds a refund or grant from a fund, approved by two board members."""
        for posting in entry.postings:
            if posting.account == f"member:{entry.member}:money":
                self._funds[entry.day[:7]][entry.member] += posting.amount

    def stated(self) -> dict[MemberMonth, MonthCents]:
        """Whole cents by member and month. The funds' amounts are rounded by largest remainder over their members."""
        found: dict[MemberMonth, MonthCents] = defaultdict(MonthCents)
        for place, documents in self._bills.items():
            gross = _cents({line: bill["gross_cent"] for line, bill in documents.items()})
            found[place] = gross.plus(MonthCents(0, 0, self._rests.get(place, 0)))
        for month, table in sorted(self._funds.items()):
            members = sorted(table, key=lambda member: member.encode("utf-8"))
            cents = round_to_unit([table[member] for member in members], CENT_NANO)
            for member, cent in zip(members, cents, strict=True):
                rest = cent * CENT_NANO - table[member]
                found[member, month] = found[member, month].plus(MonthCents(cent, 0, rest))
        return dict(found)

    def frozen(self, objections: Iterable[OpenObjection]) -> dict[MemberMonth, MonthCents]:
        """The part of each bill and credit note that open objections freeze, as shown beside the statement."""
        waits: dict[MemberMonth, list[ObjectedLine]] = defaultdict(list)
        for each in objections:
            waits[each.member, each.month].append((each.day, each.line, 0))
        found = {}
        for place, waiting in waits.items():
            days = [{"day": day, "money": money} for day, money in sorted(self._days[place].items())]
            documents = self._bills.get(place, {})
            found[place] = _cents({line: waiting_cents(bill, days, waiting) for line, bill in documents.items()})
        return found


def _cents(by_line: Mapping[str, int]) -> MonthCents:
    return MonthCents(by_line.get(SOLD, 0), by_line.get(RECEIVED, 0))


def amounts_due(
    kind: OrderKind,
    stated: Mapping[MemberMonth, MonthCents],
    covered: Mapping[MemberMonth, MonthCents],
    *,
    frozen: Mapping[MemberMonth, MonthCents],
    through: str,
    terms: PaymentTerms,
) -> tuple[tuple[AmountDue, ...], tuple[HeldAmount, ...]]:
    """Each member's amount in an order of this kind, and the amounts that are due but have to wait.

    A frozen amount is not paid and not collected. An objection never raises what is collected: the part of a debit
    that a frozen credit would have paid waits with it, in its own month and, where a co-op nets, in other months too.
    """
    open_by_member: dict[str, dict[str, MonthCents]] = defaultdict(dict)
    for member, month in {*stated, *covered}:
        left = stated.get((member, month), NOTHING).plus(covered.get((member, month), NOTHING), -1)
        if month <= through and left != NOTHING:
            open_by_member[member][month] = left
    due, held = [], []
    for member in sorted(open_by_member, key=lambda name: name.encode("utf-8")):
        months = sorted(open_by_member[member].items())
        waits = _held_beside(months, {month: frozen.get((member, month), NOTHING) for month, _ in months}, terms)
        parts = [
            (month, _part(kind, left.plus(wait, -1), is_netted=terms.is_netted))
            for (month, left), wait in zip(months, waits, strict=True)
        ]
        amount = _amount(kind, parts)
        credit, debit = (sum(wait.credit_cent for wait in waits), sum(wait.debit_cent for wait in waits))
        waiting, beside = (credit, debit) if kind == PAYOUTS else (debit, credit)
        if amount >= (1 if member in terms.leavers else max(terms.smallest_cent, 1)):
            due.append(AmountDue(member, amount, tuple(parts)))
        elif amount > 0:
            held.append(HeldAmount(member, amount, SMALL))
        if waiting:
            held.append(HeldAmount(member, waiting, FROZEN))
        if beside and terms.is_netted:
            held.append(HeldAmount(member, beside, FROZEN_BESIDE))
    return tuple(due), tuple(held)


def _waits(left: MonthCents, frozen: MonthCents) -> MonthCents:
    """The frozen part of an open month: never more than is open, so that nobody pays back what was already paid."""
    credit = min(frozen.credit_cent, max(left.credit_cent, 0))
    return MonthCents(credit, min(frozen.debit_cent, max(left.debit_cent, 0)))


def _held_beside(
    months: Sequence[tuple[str, MonthCents]], frozen: Mapping[str, MonthCents], terms: PaymentTerms
) -> list[MonthCents]:
    """What waits in each month, with the debits that frozen credits would have paid, as the statements show them.

    A netting co-op sets months off against each other: what is left of a frozen credit holds debits of other months.
    """
    held, spare = [], 0
    for month, left in months:
        wait = _waits(left, frozen[month])
        free = left.plus(wait, -1)
        beside = cents_beside(wait.credit_cent, free_debit=free.debit_cent, free_credit=free.credit_cent)
        held.append(wait.plus(MonthCents(0, beside)))
        spare += wait.credit_cent - beside
    if not terms.is_netted:
        return held
    free_months = [left.plus(wait, -1) for (_, left), wait in zip(months, held, strict=True)]
    credit, debit = (sum(free.credit_cent for free in free_months), sum(free.debit_cent for free in free_months))
    beside = cents_beside(spare, free_debit=debit, free_credit=credit)
    for at, free in enumerate(free_months):
        more = min(beside, max(free.debit_cent, 0))
        held[at], beside = held[at].plus(MonthCents(0, more)), beside - more
    return held


def _part(kind: OrderKind, left: MonthCents, *, is_netted: bool) -> MonthCents:
    """The part of an open month that an order covers. The first order that covers the month takes the rounding too."""
    if is_netted:
        return left
    if kind == PAYOUTS:
        return MonthCents(left.credit_cent, min(left.debit_cent, 0), left.rounding_nano)
    return MonthCents(min(left.credit_cent, 0), left.debit_cent, left.rounding_nano)


def _amount(kind: OrderKind, parts: Iterable[tuple[str, MonthCents]]) -> int:
    net = sum(part.net_cent for _, part in parts)
    return net if kind == PAYOUTS else -net
