"""Payment orders in the hub's own books: made from what is due, then approved or withdrawn by board members.

hub.core.payments.due says what is due; hub.core.payments.order_history says what may be done next; order_files.py
produces the file. Every step is signed in the hub's one chain, so an order cannot be made twice: if two people act at
the same moment, the second attempt starts again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final, Protocol

from hub.books.after_restore import require_confirmed
from hub.books.days import SettlementStores
from hub.books.retry import retry_on_conflict
from hub.books.signing import as_row
from hub.books.view import BookHeads, MoneyBooks, read_money_books
from hub.core.ledger.attestations import attest, read_attestation
from hub.core.ledger.run_calendar import days_of
from hub.core.ledger.signed_document import Signer
from hub.core.payments.accounts import CoopAccount
from hub.core.payments.due import PAYOUTS, AmountDue, HeldAmount, OrderKind, PaymentTerms, amounts_due
from hub.core.payments.order_history import (
    BOOKED,
    PAYMENT_APPROVAL,
    PAYMENT_ORDER,
    PAYMENT_WITHDRAWAL,
    WITHDRAWN,
    Payment,
    PaymentOrderRecord,
    covered_by,
    decision_obstacle,
    order_content,
    order_key_of,
    read_orders,
)
from hub.core.payments.sepa import Collection, CollectionOrder, Party, Payout, PayoutOrder
from hub.money.tally import tally_money
from hub.storage.access_records import AccessLog
from hub.storage.account_records import BankDetails
from hub.storage.contract import AccountStore, ObjectionStore
from hub.storage.records import Access
from protocols.errors import RequestError
from protocols.slots import slots_of_day, start_of

PURPOSE: Final = "bank.pay"
NO_ACCOUNT: Final = "no bank account"
NO_MANDATE: Final = "no direct-debit mandate"
CAME_BACK: Final = "the last payment came back"

WriteFile = Callable[[PayoutOrder | CollectionOrder], bytes]
"""A checked order as the bank's XML: see hub.exchange.bank_files, an optional package."""


class PaymentStores(SettlementStores, AccessLog, AccountStore, ObjectionStore, Protocol):
    """The parts of the store that payments read and write."""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a board member asks for: an order of one kind for everything due up to the end of a month."""

    kind: OrderKind
    month: date
    pay_on: date
    account: CoopAccount


@dataclass(frozen=True, slots=True)
class OrderResult:
    """The order, or None if nothing is due, and what is due but not in it, so that the board knows."""

    order: PaymentOrderRecord | None
    held: tuple[HeldAmount, ...]
    is_new: bool


def find_order(message_id: str, orders: Sequence[PaymentOrderRecord]) -> PaymentOrderRecord:
    """The order with this message id. Raises: RequestError."""
    found = next((order for order in orders if order.message_id == message_id), None)
    if found is None:
        known = ", ".join(order.message_id for order in orders[-4:]) or "none yet"
        raise RequestError(f"there is no order {message_id[:40]!r}; newest: {known}")
    return found


async def make_order(
    store: PaymentStores, wish: OrderRequest, *, at: int, key: Signer, access: Access, write_file: WriteFile
) -> OrderResult:
    """The order for everything due up to the end of the month; if it was already made and not yet booked, that order.

    A new order is a draft: its amounts count as covered from then on. Anything that the bank would refuse is refused
    here, before anything is stored. Raises: RequestError, BankFileError.
    """
    await require_confirmed(store)
    homes = [home.id for home in await store.homes()]
    await store.log_access(access, homes, fields="ledger entries", rows=(await store.ledger_head())[0])

    async def make() -> OrderResult:
        books = await read_money_books(store)
        return await _make(store, books, wish, at=at, key=key, access=access, write_file=write_file)

    return await retry_on_conflict(make)


async def _make(
    store: PaymentStores,
    books: MoneyBooks,
    wish: OrderRequest,
    *,
    at: int,
    key: Signer,
    access: Access,
    write_file: WriteFile,
) -> OrderResult:
    through, pay_on = wish.month.strftime("%Y-%m"), wish.pay_on.isoformat()
    dues, held, details = await _due_now(store, books, wish, access=access)
    for order in reversed(books.orders):
        is_same = (order.kind, order.through, order.pay_on) == (wish.kind, through, pay_on)
        if is_same and order.state not in (BOOKED, WITHDRAWN):
            return OrderResult(order, held, is_new=False)
    if not dues:
        return OrderResult(None, held, is_new=False)
    content = order_content(
        [(due, *_account_of(due, wish.kind, details)) for due in dues],
        kind=wish.kind,
        through=through,
        pay_on=pay_on,
        made_at=at,
        coop=books.coop.id,
        number=len(books.orders) + 1,
        account=wish.account,
    )
    signed = attest(
        content,
        kind=PAYMENT_ORDER,
        subject=through,
        run_key=order_key_of(content),
        coop=books.coop.id,
        head=books.attestation,
        key=key,
    )
    (order,) = read_orders([read_attestation(signed.document)], [])
    write_file(bank_order(order, details))
    # If power fails before this commit, there is no order, and the same call makes it.
    await store.attest([as_row(signed)])
    return OrderResult(order, held, is_new=True)


async def _due_now(
    store: PaymentStores, books: MoneyBooks, wish: OrderRequest, *, access: Access
) -> tuple[list[AmountDue], tuple[HeldAmount, ...], BankDetails]:
    """The amounts that can be paid, those held back and why, and the bank details of the members concerned."""
    objected = [row for row in await store.objections() if row.verdict is None]
    tally = await tally_money(store, books, objected)
    frozen = tally.frozen(objected)
    end_s = start_of(slots_of_day(days_of(wish.month)[-1], (await store.coop()).tz).stop)
    leavers = [each.id for each in await store.members() if each.left_at is not None and each.left_at <= end_s]
    terms = PaymentTerms(wish.account.is_netted, wish.account.smallest_cent, frozenset(leavers))
    through = wish.month.strftime("%Y-%m")
    dues, waiting = amounts_due(
        wish.kind, tally.stated(), covered_by(books.orders), frozen=frozen, through=through, terms=terms
    )
    details = await store.bank_details([due.member for due in dues], access=access)
    came_back = _came_back(books.orders)
    ready, held = [], list(waiting)
    for due in dues:
        if why := _why_wait(due.member, wish.kind, details, came_back.get(due.member, -1)):
            held.append(HeldAmount(due.member, due.amount_cent, why))
        else:
            ready.append(due)
    return ready, tuple(sorted(held, key=lambda each: (each.member.encode("utf-8"), each.why))), details


def _came_back(orders: Sequence[PaymentOrderRecord]) -> dict[str, int]:
    """For each member, the newest account row from which a payment came back."""
    found: dict[str, int] = {}
    for order in orders:
        returned = {reference for reference, _, _ in order.returned}
        for payment in order.payments:
            if payment.reference in returned:
                found[payment.member] = max(payment.account, found.get(payment.member, -1))
    return found


def _why_wait(member: str, kind: OrderKind, details: BankDetails, came_back: int) -> str | None:
    account = details.account_of(member)
    if account is None:
        return NO_ACCOUNT
    if account.id <= came_back:
        return CAME_BACK
    return NO_MANDATE if kind != PAYOUTS and details.mandate_of(member) is None else None


def _account_of(due: AmountDue, kind: OrderKind, details: BankDetails) -> tuple[int, str | None]:
    account, mandate = details.account_of(due.member), details.mandate_of(due.member)
    assert account is not None
    return account.id, None if kind == PAYOUTS or mandate is None else mandate.id


def bank_order(order: PaymentOrderRecord, details: BankDetails) -> PayoutOrder | CollectionOrder:
    """The order in the form the bank needs, using the accounts it was made with."""
    created = datetime.fromtimestamp(order.made_at, UTC)
    account, day = order.account, date.fromisoformat(order.pay_on)
    own = Party(account.name, account.iban, account.bic)
    accounts = {row.id: Party(row.name, row.iban) for row in details.accounts}
    if order.kind == PAYOUTS:
        payouts = tuple(
            Payout(payment.reference, accounts[payment.account], payment.amount_cent, _text(order, payment))
            for payment in order.payments
        )
        return PayoutOrder(order.message_id, created, day, own, payouts)
    signed = {row.id: date.fromisoformat(row.signed_on) for row in details.mandates}
    collections = tuple(
        Collection(
            reference=payment.reference,
            debtor=accounts[payment.account],
            amount_cent=payment.amount_cent,
            text=_text(order, payment),
            mandate_id=payment.mandate or "",
            mandate_signed_on=signed[payment.mandate or ""],
        )
        for payment in order.payments
    )
    return CollectionOrder(order.message_id, created, day, own, account.creditor_id, collections)


def _text(order: PaymentOrderRecord, payment: Payment) -> str:
    months = [month for month, _ in payment.months]
    span = months[0] if len(months) == 1 else f"{months[0]} - {months[-1]}"
    return f"{order.account.name} {span}"


async def approve_order(
    store: PaymentStores, message_id: str, *, member: str, at: int, key: Signer
) -> PaymentOrderRecord:
    """Add a board member's approval to a draft; returns the updated order. Raises: RequestError."""
    order = await _decide(store, PAYMENT_APPROVAL, message_id, member=member, content={"at": at}, key=key)
    return replace(order, approvals=(*order.approvals, (member, at)))


async def withdraw_order(
    store: PaymentStores, message_id: str, *, member: str, reason: str, at: int, key: Signer
) -> PaymentOrderRecord:
    """Record a board member's decision that the order is not to be executed. Once withdrawn, its amounts are due again.

    Raises: RequestError.
    """
    content: dict[str, object] = {"at": at, "reason": reason}
    order = await _decide(store, PAYMENT_WITHDRAWAL, message_id, member=member, content=content, key=key)
    return replace(order, withdrawals=(*order.withdrawals, (member, at, reason)))


async def _decide(
    store: PaymentStores, kind: str, message_id: str, *, member: str, content: dict[str, object], key: Signer
) -> PaymentOrderRecord:
    """Check the decision against the books and sign it after them; returns the order it was checked against."""
    who = await store.member(member)
    if who is None:
        raise RequestError(f"there is no member {member[:40]!r}")

    async def decide() -> PaymentOrderRecord:
        books = await read_money_books(store)
        order = find_order(message_id, books.orders)
        if problem := decision_obstacle(order, member, is_board=who.is_board, kind=kind):
            raise RequestError(problem)
        # If power fails before this commit, there is no decision, and it can be made again.
        await attest_decision(store, order, {"member": member, **content}, kind=kind, heads=books, key=key)
        return order

    return await retry_on_conflict(decide)


async def attest_decision(
    store: PaymentStores,
    order: PaymentOrderRecord,
    content: dict[str, object],
    *,
    kind: str,
    heads: BookHeads,
    key: Signer,
) -> None:
    """Sign a decision on the order after these heads. Raises: StoreConflictError."""
    signed = attest(
        content,
        kind=kind,
        subject=order.through,
        run_key=order.order_key,
        coop=heads.coop.id,
        head=heads.attestation,
        key=key,
    )
    await store.attest([as_row(signed)])
