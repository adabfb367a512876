"""Payment orders as the hub's signed chain tells them: made, approved, withdrawn, written as a file, booked, returned.

It reads documents and says what may be done next; it signs nothing and holds no member's account number: a payment
names the row of the account it goes to.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from hub.core.ledger.attestations import AttestedDocument
from hub.core.ledger.entries import Entry, difference
from hub.core.ledger.month_runs import APPROVALS_NEEDED
from hub.core.ledger.signed_document import canonical_bytes
from hub.core.payments.accounts import CoopAccount
from hub.core.payments.due import PAYOUTS, AmountDue, MemberMonth, MonthCents, OrderKind
from hub.core.settlement.money import CENT_NANO

PAYMENT_ORDER: Final = "payment-order"
PAYMENT_APPROVAL: Final = "payment-approval"
PAYMENT_WITHDRAWAL: Final = "payment-withdrawal"
PAYMENT_FILE: Final = "payment-file"
ORDER_WORDS: Final = (PAYMENT_ORDER, PAYMENT_APPROVAL, PAYMENT_WITHDRAWAL, PAYMENT_FILE)
RECORD_TAG: Final = b"commonwatt payment record v1\n"
BOOKED_KIND: Final = "fund:payment"
RETURNED_KIND: Final = "fund:return"
PAYMENT_LINE, RETURN_LINE, ROUNDING_LINE = "payment", "payment-return", "payment-rounding"
BANK, ROUNDING = "bank", "rounding"
KEY_TAG: Final = b"commonwatt payment order v1\n"
COOP_CHARS: Final = 8
MARK_CHARS: Final = 6
REASON_CHARS_MAX: Final = 140
DRAFT, APPROVED, WRITTEN, BOOKED, WITHDRAWN = "draft", "approved", "written", "booked", "withdrawn"

MonthAmounts = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class Payment:
    """One line of an order: so much to or from this member by this account, and the months it covers."""

    reference: str
    member: str
    amount_cent: int
    account: int
    mandate: str | None
    months: tuple[tuple[str, MonthCents], ...]

    @property
    def covered(self) -> MonthCents:
        """What it covers of all its months together."""
        whole = MonthCents()
        for _, part in self.months:
            whole = whole.plus(part)
        return whole


@dataclass(frozen=True, slots=True)
class PaymentOrderRecord:
    """An order with the board's words on it and what the bank did. Times are unix seconds, days local."""

    order_key: str
    message_id: str
    kind: OrderKind
    through: str
    pay_on: str
    made_at: int
    account: CoopAccount
    payments: tuple[Payment, ...]
    approvals: tuple[tuple[str, int], ...] = ()
    withdrawals: tuple[tuple[str, int, str], ...] = ()
    files: tuple[str, ...] = ()
    booked_on: str | None = None
    returned: tuple[tuple[str, str, int], ...] = ()

    @property
    def state(self) -> str:
        """draft, approved, written, booked; withdrawn by one board member, or by two once a file was written."""
        if self.booked_on is not None:
            return BOOKED
        if len(self.withdrawals) >= (2 if self.files else 1):
            return WITHDRAWN
        if self.files:
            return WRITTEN
        return APPROVED if len(self.approvals) >= APPROVALS_NEEDED else DRAFT

    @property
    def total_cent(self) -> int:
        """The control sum."""
        return sum(payment.amount_cent for payment in self.payments)


@dataclass(frozen=True, slots=True)
class BankReport:
    """What the bank did, from a booked run's record: the whole order executed, or one reference returned."""

    message_id: str
    day: str
    reference: str | None
    reason: str
    made_at: int


def bank_record(order: PaymentOrderRecord, word: BankReport) -> bytes:
    """The record a booked run keeps and its entries cite."""
    document = {
        "order": order.order_key,
        "message_id": word.message_id,
        "day": word.day,
        "reference": word.reference,
        "reason": word.reason,
        "made_at": word.made_at,
    }
    return RECORD_TAG + canonical_bytes(document)


def read_bank_report(record: bytes) -> BankReport:
    """What the bank did, from such a record. Raises: ValueError for other bytes."""
    try:
        said = json.loads(record.removeprefix(RECORD_TAG))
        return BankReport(said["message_id"], said["day"], said["reference"], said["reason"], said["made_at"])
    except (TypeError, KeyError) as error:
        raise ValueError(f"not the record of a payment: {error}") from None


def order_content(
    dues: Sequence[tuple[AmountDue, int, str | None]],
    *,
    kind: OrderKind,
    through: str,
    pay_on: str,
    made_at: int,
    coop: str,
    number: int,
    account: CoopAccount,
) -> dict[str, object]:
    """What the attestation of an order says; `dues` have the account's row and the mandate. `number` counts orders.

    Its message id ends in a mark of all it says, so that no other order ever has the same one.
    """
    lines = [
        [due.member, due.amount_cent, row, mandate, [[month, *_plain(part)] for month, part in due.months]]
        for due, row, mandate in dues
    ]
    content: dict[str, object] = {
        "payments": kind,
        "through": through,
        "date": pay_on,
        "made_at": made_at,
        "account": {
            "name": account.name,
            "iban": account.iban,
            "bic": account.bic,
            "creditor_id": account.creditor_id,
            "smallest_cent": account.smallest_cent,
            "netted": account.is_netted,
        },
        "lines": lines,
    }
    mark = hashlib.sha256(canonical_bytes(content)).hexdigest()[:MARK_CHARS]
    letter = "P" if kind == PAYOUTS else "C"
    message_id = f"{coop[:COOP_CHARS].strip('-')}-{letter}{through.replace('-', '')}-{number}-{mark}"
    return content | {"message_id": message_id}


def order_key_of(content: Mapping[str, object]) -> str:
    """The order's name in the chain."""
    return hashlib.sha256(KEY_TAG + canonical_bytes(content)).hexdigest()


def read_orders(said: Iterable[AttestedDocument], bank: Iterable[BankReport]) -> tuple[PaymentOrderRecord, ...]:
    """All orders as they were made, from the attestations about them and what the books say the bank did."""
    made: list[AttestedDocument] = []
    approvals: dict[str, list[tuple[str, int]]] = defaultdict(list)
    withdrawals: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    files: dict[str, list[str]] = defaultdict(list)
    for each in said:
        content = each.content
        if each.kind == PAYMENT_ORDER:
            made.append(each)
        elif each.kind == PAYMENT_APPROVAL:
            approvals[each.run_key].append((cast(str, content["member"]), cast(int, content["at"])))
        elif each.kind == PAYMENT_WITHDRAWAL:
            word = (cast(str, content["member"]), cast(int, content["at"]), cast(str, content["reason"]))
            withdrawals[each.run_key].append(word)
        elif each.kind == PAYMENT_FILE:
            files[each.run_key].append(cast(str, content["sha256"]))
    words = tuple(bank)
    return tuple(
        _order(
            each,
            approvals=tuple(approvals[each.run_key]),
            withdrawals=tuple(withdrawals[each.run_key]),
            files=tuple(files[each.run_key]),
            bank=words,
        )
        for each in made
    )


def _order(
    said: AttestedDocument,
    *,
    approvals: tuple[tuple[str, int], ...],
    withdrawals: tuple[tuple[str, int, str], ...],
    files: tuple[str, ...],
    bank: Sequence[BankReport],
) -> PaymentOrderRecord:
    content = said.content
    account = cast(Mapping[str, object], content["account"])
    message_id = cast(str, content["message_id"])
    mine = [word for word in bank if word.message_id == message_id]
    return PaymentOrderRecord(
        order_key=said.run_key,
        message_id=message_id,
        kind=cast(OrderKind, content["payments"]),
        through=cast(str, content["through"]),
        pay_on=cast(str, content["date"]),
        made_at=cast(int, content["made_at"]),
        account=CoopAccount(
            name=cast(str, account["name"]),
            iban=cast(str, account["iban"]),
            bic=cast("str | None", account["bic"]),
            creditor_id=cast(str, account["creditor_id"]),
            smallest_cent=cast(int, account["smallest_cent"]),
            is_netted=cast(bool, account["netted"]),
        ),
        payments=tuple(
            _payment(line, f"{message_id}-{place}")
            for place, line in enumerate(cast(list[list[object]], content["lines"]), start=1)
        ),
        approvals=approvals,
        withdrawals=withdrawals,
        files=files,
        booked_on=next((word.day for word in mine if word.reference is None), None),
        returned=tuple((word.reference, word.reason, word.made_at) for word in mine if word.reference is not None),
    )


def _payment(line: Sequence[object], reference: str) -> Payment:
    member, amount, account, mandate, months = line
    parts = [
        (month, MonthCents(credit, debit, rest)) for month, credit, debit, rest in cast(list[MonthAmounts], months)
    ]
    return Payment(
        reference, cast(str, member), cast(int, amount), cast(int, account), cast("str | None", mandate),
        tuple(parts),
    )  # fmt: skip


def covered_by(orders: Iterable[PaymentOrderRecord]) -> dict[MemberMonth, MonthCents]:
    """What standing orders cover of each member's month. A returned payment covers nothing, its rounding stays."""
    covered: dict[MemberMonth, MonthCents] = defaultdict(MonthCents)
    for order in orders:
        if order.state == WITHDRAWN:
            continue
        returned = {reference for reference, _, _ in order.returned}
        for payment in order.payments:
            for month, part in payment.months:
                left = MonthCents(0, 0, part.rounding_nano) if payment.reference in returned else part
                covered[payment.member, month] = covered[payment.member, month].plus(left)
    return dict(covered)


def file_obstacle(order: PaymentOrderRecord) -> str | None:
    """Why the order's file may not be written; None where it may."""
    if order.state == DRAFT:
        left = APPROVALS_NEEDED - len(order.approvals)
        return f"{left} approval(s) of different board members are missing"
    if order.state == WITHDRAWN:
        return f"it is withdrawn: {order.withdrawals[-1][2]}"
    return "it is booked: the bank has executed it" if order.state == BOOKED else None


def decision_obstacle(order: PaymentOrderRecord, member: str, *, is_board: bool, word: str) -> str | None:
    """Why this member may not approve or withdraw the order; None where the word counts."""
    if not is_board:
        return f"{member} is not on the board: two different board members approve an order"
    if word == PAYMENT_APPROVAL:
        if order.state != DRAFT:
            return f"{order.message_id} is {order.state} already"
        if member in {name for name, _ in order.approvals}:
            return f"{member} has approved it already: the second approval is another board member's"
        return None
    if order.state in (BOOKED, WITHDRAWN):
        return f"{order.message_id} is {order.state} already"
    if member in {name for name, _, _ in order.withdrawals}:
        return f"{member} has withdrawn it already: a file was written, so a second board member must too"
    return None


def booking_obstacle(order: PaymentOrderRecord) -> str | None:
    """Why the order may not be booked as executed; None where it may.

    A withdrawn order that the bank executed all the same is booked too: what it moved twice is due back next time.
    """
    if order.state == BOOKED:
        return f"it is booked already, on {order.booked_on}"
    return None if order.files else f"it is {order.state}: no file of it was ever written, so the bank cannot have it"


def return_obstacle(order: PaymentOrderRecord, reference: str) -> str | None:
    """Why this payment cannot be booked as returned; None where it may."""
    if order.state != BOOKED:
        return "it is not booked: book the order first, then what came back of it"
    if reference not in {payment.reference for payment in order.payments}:
        return f"it has no payment with the reference {reference[:40]!r}"
    return f"{reference} is returned already" if reference in {known for known, _, _ in order.returned} else None


def payment_entries(
    order: PaymentOrderRecord, *, day: str, run: str, cites: str, returned: str | None = None
) -> tuple[Entry, ...]:
    """The entries of an executed order, or of one payment of it that came back. The rounding is booked once for good.

    Money in the bank is negative in this ledger's sign, as what the co-op owes a member is positive.
    """
    entries = []
    for payment in order.payments:
        if returned not in (None, payment.reference):
            continue
        paid = payment.amount_cent * CENT_NANO * (1 if order.kind == PAYOUTS else -1)
        account = f"member:{payment.member}:money"
        if returned is None:
            rest = payment.covered.rounding_nano
            wanted = {
                (PAYMENT_LINE, account): -paid, (PAYMENT_LINE, BANK): paid,
                (ROUNDING_LINE, account): rest, (ROUNDING_LINE, ROUNDING): -rest,
            }  # fmt: skip
        else:
            wanted = {(RETURN_LINE, account): paid, (RETURN_LINE, BANK): -paid}
        entries.append(Entry("nano", day, run, payment.member, difference(wanted, {}), cites))
    return tuple(entries)


def _plain(part: MonthCents) -> tuple[int, int, int]:
    return part.credit_cent, part.debit_cent, part.rounding_nano
