"""Hands out an approved order's file for the bank, unless something has happened since that it must not overrule.

It attests the file before its bytes are given; it writes nothing to disk and sends nothing to a bank.
"""

import hashlib
from collections.abc import Sequence

from hub.books.days import TRIES
from hub.books.signing import attestation_head
from hub.core.ledger.signed_document import Signer
from hub.core.payments.due import PAYOUTS, PaymentTerms, amounts_due
from hub.core.payments.order_history import PAYMENT_FILE, PaymentOrderRecord, covered_by, file_obstacle
from hub.money.orders import (
    PaymentStores,
    WriteFile,
    attest_decision,
    bank_order,
    find_order,
    payment_orders,
    tally_money,
)
from hub.storage.account_records import BankDetails
from hub.storage.errors import StoreConflictError
from hub.storage.records import Access
from protocols.errors import RequestError


async def order_file(
    store: PaymentStores, message_id: str, *, at: int, key: Signer, access: Access, write_file: WriteFile
) -> bytes:
    """The bytes for the bank of an order that two board members have approved; the same each time.

    That the file is handed out is signed before: if power fails in between, the order counts as written and is written
    again, if nothing has happened by then that it must not overrule. Call it with the place to write to open already.
    Raises: RequestError, BankRefusal.
    """
    for attempt in range(TRIES):
        head = await attestation_head(store)
        orders = await payment_orders(store)
        order = find_order(message_id, orders)
        if problem := file_obstacle(order):
            raise RequestError(f"{order.message_id} is not written: {problem}")
        details = await store.bank_details(sorted({payment.member for payment in order.payments}), access=access)
        if problem := _why_other_account(order, details) or await _why_other_amount(store, order, orders):
            raise RequestError(f"{order.message_id} is not written: {problem}: withdraw it and make it again")
        content = write_file(bank_order(order, details))
        digest = hashlib.sha256(content).hexdigest()
        if digest in order.files:
            return content
        try:
            await attest_decision(store, order, {"sha256": digest, "at": at}, kind=PAYMENT_FILE, head=head, key=key)
        except StoreConflictError:
            if attempt == TRIES - 1:
                raise
            continue
        return content
    raise AssertionError("unreachable")


def _why_other_account(order: PaymentOrderRecord, details: BankDetails) -> str | None:
    """Whose account or mandate is another one than the order names; None where none is."""
    stood = {row.id: row.iban for row in details.accounts}
    for payment in order.payments:
        account, mandate = details.account_of(payment.member), details.mandate_of(payment.member)
        if account is None or account.iban != stood[payment.account]:
            return f"{payment.member} has given another account since"
        if payment.mandate is not None and (mandate is None or mandate.id != payment.mandate):
            return f"{payment.member} has revoked the mandate since"
    return None


async def _why_other_amount(
    store: PaymentStores, order: PaymentOrderRecord, orders: Sequence[PaymentOrderRecord]
) -> str | None:
    """Whose amount would be another one if the order were made now; None where each would be the same or more.

    What is due beside it goes into a later order. No clock is asked: an objection the order knew of changes nothing.
    """
    objected = [row for row in await store.objections() if row.verdict is None]
    tally, terms = await tally_money(store, objected), PaymentTerms(order.account.is_netted)
    covered = covered_by([each for each in orders if each.order_key != order.order_key])
    frozen = tally.frozen(objected)
    dues, _ = amounts_due(order.kind, tally.stated(), covered, frozen=frozen, through=order.through, terms=terms)
    now_cent = {due.member: due.amount_cent for due in dues}
    open_months = {(row.member, row.month) for row in objected}
    for payment in order.payments:
        member, amount = payment.member, now_cent.get(payment.member, 0)
        if amount != payment.amount_cent and any((member, month) in open_months for month, _ in payment.months):
            return f"{member} has objected to a month in it since"
        if amount < payment.amount_cent:
            return f"{member} is due less since" if order.kind == PAYOUTS else f"{member} owes less since"
    return None
