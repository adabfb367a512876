"""Payment orders as recorded in the hub's signed chain: made, approved, withdrawn, written as a file, booked, returned.

This module reads documents and decides what may be done next. It signs nothing and holds no members' account numbers:
a payment names only the row of its account.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from hub.core.ledger.approvals import APPROVALS_NEEDED
from hub.core.ledger.attestations import AttestedDocument
from hub.core.ledger.entries import Entry, difference
from hub.core.ledger.signed_document import canonical_bytes
from hub.core.payments.accounts import CoopAccount
from hub.core.payments.due import PAYOUTS, AmountDue, MemberMonth, MonthCents, OrderKind
from hub.core.settlement.money import CENT_NANO

PAYMENT_ORDER: Final = "payment-order"
PAYMENT_APPROVAL: Final = "payment-approval"
PAYMENT_WITHDRAWAL: Final = "payment-withdrawal"
PAYMENT_FILE: Final = "payment-file"
ORDER_KINDS: Final = (PAYMENT_ORDER, PAYMENT_APPROVAL, PAYMENT_WITHDRAWAL, PAYMENT_FILE)
RECORD_TAG: Final = b"commonwatt payment record v1\n"
BOOKED_KIND: Final = "fund:payment"
RETURNED_KIND: Final = "fund:return"
PAYMENT_LINE, RETURN_LINE, ROUNDING_LINE = "payment", "payment-return", "payment-rounding"
BANK, ROUNDING = "bank", "rounding"
KEY_TAG: Final = b"commonwatt payment order v1\n"
COOP_CHARS: Final = 8
HASH_CHARS: Final = 6
REASON_CHARS_MAX: Final = 140
DRAFT, APPROVED, WRITTEN, BOOKED, WITHDRAWN = "draft", "approved", "written", "booked", "withdrawn"


class _AccountContent(msgspec.Struct, frozen=True):
    """The co-op's account inside an order's document."""

    name: str
    iban: str
    bic: str | None
    creditor_id: str
    smallest_cent: int
    netted: bool


class _OrderContent(msgspec.Struct, frozen=True):
    """An order's document. A line: member, amount, account row, mandate, list of (month, credit, debit, rounding)."""

    payments: OrderKind
    through: str
    date: str
    made_at: int
    account: _AccountContent
    lines: tuple[tuple[str, int, int, str | None, tuple[tuple[str, int, int, int], ...]], ...]
    message_id: str


class _ApprovalContent(msgspec.Struct, frozen=True):
    """A board member's approval."""

    member: str
    at: int


class _WithdrawalContent(_ApprovalContent, frozen=True):
    """A board member's withdrawal."""

    reason: str


class _FileContent(msgspec.Struct, frozen=True):
    sha256: str


@dataclass(frozen=True, slots=True)
class Payment:
    """One line of an order: an amount to or from a member, the account row, and the months it covers."""

    reference: str
    member: str
    amount_cent: int
    account: int
    mandate: str | None
    months: tuple[tuple[str, MonthCents], ...]

    @property
    def covered(self) -> MonthCents:
        """The sum of what it covers over all its months."""
        whole = MonthCents()
        for _, part in self.months:
            whole = whole.plus(part)
        return whole


@dataclass(frozen=True, slots=True)
class PaymentOrderRecord:
    """An order, the board's decisions on it and what the bank did. Times are in Unix seconds; days are local."""

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
        """draft, approved, written, booked, or withdrawn: by one board member, or by two once a file was written."""
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
    """What the bank did, according to a booked run's record: it executed the whole order or returned one reference."""

    message_id: str
    day: str
    reference: str | None
    reason: str
    made_at: int


def bank_record(order: PaymentOrderRecord, report: BankReport) -> bytes:
    """The record that a booked run keeps and its entries cite."""
    document = {
        "order": order.order_key,
        "message_id": report.message_id,
        "day": report.day,
        "reference": report.reference,
        "reason": report.reason,
        "made_at": report.made_at,
    }
    return RECORD_TAG + canonical_bytes(document)


def read_bank_report(record: bytes) -> BankReport:
    """The bank's report in such a record. Raises: ValueError for other bytes."""
    try:
        return msgspec.json.decode(record.removeprefix(RECORD_TAG), type=BankReport)
    except (ValueError, RecursionError) as error:
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
    """The content of an order's attestation. Each of `dues` has an account row and a mandate; `number` counts orders.

    The message id ends in a hash of the content, so that no other order ever has the same id.
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
    short_hash = hashlib.sha256(canonical_bytes(content)).hexdigest()[:HASH_CHARS]
    letter = "P" if kind == PAYOUTS else "C"
    message_id = f"{coop[:COOP_CHARS].strip('-')}-{letter}{through.replace('-', '')}-{number}-{short_hash}"
    return content | {"message_id": message_id}


def order_key_of(content: Mapping[str, object]) -> str:
    """The order's key in the chain."""
    return hashlib.sha256(KEY_TAG + canonical_bytes(content)).hexdigest()


def read_orders(documents: Iterable[AttestedDocument], bank: Iterable[BankReport]) -> tuple[PaymentOrderRecord, ...]:
    """All orders in the sequence of `documents`, from the attestations about them and the bank's reports in the books.

    Raises: ValueError for an attestation whose content does not have the form that its kind requires.
    """
    known = tuple(documents)
    return decided_orders((read_order(each) for each in known if each.kind == PAYMENT_ORDER), known, bank)


def decided_orders(
    orders: Iterable[PaymentOrderRecord], documents: Iterable[AttestedDocument], bank: Iterable[BankReport]
) -> tuple[PaymentOrderRecord, ...]:
    """These orders with the board's decisions among `documents`, and with what the bank did.

    Raises: ValueError for a decision whose content does not have the form that its kind requires.
    """
    approvals: dict[str, list[tuple[str, int]]] = defaultdict(list)
    withdrawals: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    files: dict[str, list[str]] = defaultdict(list)
    for each in documents:
        if each.kind == PAYMENT_APPROVAL:
            approval = each.content_as(_ApprovalContent)
            approvals[each.run_key].append((approval.member, approval.at))
        elif each.kind == PAYMENT_WITHDRAWAL:
            withdrawal = each.content_as(_WithdrawalContent)
            withdrawals[each.run_key].append((withdrawal.member, withdrawal.at, withdrawal.reason))
        elif each.kind == PAYMENT_FILE:
            files[each.run_key].append(each.content_as(_FileContent).sha256)
    reports: dict[str, list[BankReport]] = defaultdict(list)
    for report in bank:
        reports[report.message_id].append(report)
    return tuple(
        replace(
            order,
            approvals=tuple(approvals[order.order_key]),
            withdrawals=tuple(withdrawals[order.order_key]),
            files=tuple(files[order.order_key]),
            booked_on=next((each.day for each in reports[order.message_id] if each.reference is None), None),
            returned=tuple(
                (each.reference, each.reason, each.made_at)
                for each in reports[order.message_id]
                if each.reference is not None
            ),
        )
        for order in orders
    )


def read_order(document: AttestedDocument) -> PaymentOrderRecord:
    """The order in its own document, without any decision on it. Raises: ValueError."""
    content = document.content_as(_OrderContent)
    account = content.account
    return PaymentOrderRecord(
        order_key=document.run_key,
        message_id=content.message_id,
        kind=content.payments,
        through=content.through,
        pay_on=content.date,
        made_at=content.made_at,
        account=CoopAccount(
            name=account.name,
            iban=account.iban,
            bic=account.bic,
            creditor_id=account.creditor_id,
            smallest_cent=account.smallest_cent,
            is_netted=account.netted,
        ),
        payments=tuple(
            Payment(
                reference=f"{content.message_id}-{place}",
                member=member,
                amount_cent=amount_cent,
                account=row,
                mandate=mandate,
                months=tuple((month, MonthCents(credit, debit, rest)) for month, credit, debit, rest in months),
            )
            for place, (member, amount_cent, row, mandate, months) in enumerate(content.lines, start=1)
        ),
    )


def covered_by(orders: Iterable[PaymentOrderRecord]) -> dict[MemberMonth, MonthCents]:
    """The part of each member's month that orders cover, leaving out withdrawn orders.

    A returned payment covers only its rounding.
    """
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


def decision_obstacle(order: PaymentOrderRecord, member: str, *, is_board: bool, kind: str) -> str | None:
    """Why this member may not approve or withdraw the order; None where the decision counts."""
    if not is_board:
        return f"{member} is not on the board: two different board members approve an order"
    if kind == PAYMENT_APPROVAL:
        if order.state != DRAFT:
            return f"{order.message_id} is already {order.state}"
        if member in {name for name, _ in order.approvals}:
            return f"{member} has already approved it: the second approval must come from another board member"
        return None
    if order.state in (BOOKED, WITHDRAWN):
        return f"{order.message_id} is already {order.state}"
    if member in {name for name, _, _ in order.withdrawals}:
        return f"{member} has already withdrawn it: a file was written, so a second board member must withdraw it too"
    return None


def booking_obstacle(order: PaymentOrderRecord) -> str | None:
    """Why the order may not be booked as executed; None where it may.

    A withdrawn order that the bank executed anyway is booked too: what was paid twice is due back in the next order.
    """
    if order.state == BOOKED:
        return f"it is already booked, on {order.booked_on}"
    return None if order.files else f"its file was never written (it is {order.state}), so the bank cannot have it"


def return_obstacle(order: PaymentOrderRecord, reference: str) -> str | None:
    """Why this payment cannot be booked as returned; None where it can."""
    if order.state != BOOKED:
        return "it is not booked: book the order first, then the returned payment"
    if reference not in {payment.reference for payment in order.payments}:
        return f"it has no payment with the reference {reference[:40]!r}"
    return f"{reference} is already returned" if reference in {known for known, _, _ in order.returned} else None


def payment_entries(
    order: PaymentOrderRecord, *, day: str, run: str, cites: str, returned: str | None = None
) -> tuple[Entry, ...]:
    """The entries for an executed order, or for one payment of it that was returned, which does not undo the rounding.

    What the co-op owes a member is positive in the ledger, so money in the bank is negative.
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
