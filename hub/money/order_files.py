"""Returns an approved order's file for the bank, unless something has happened since that would change the file.

It attests the file before it returns the bytes; it writes nothing to disk and sends nothing to a bank.
"""

import hashlib
from collections.abc import Sequence

from hub.books.after_restore import require_confirmed
from hub.books.retry import retry_on_conflict
from hub.books.view import MoneyBooks, read_money_books
from hub.core.ledger.signed_document import Signer
from hub.core.payments.due import PAYOUTS, MoneyTally, PaymentTerms, amounts_due
from hub.core.payments.order_history import PAYMENT_FILE, PaymentOrderRecord, covered_by, file_obstacle
from hub.money.orders import PaymentStores, WriteFile, attest_decision, bank_order, find_order
from hub.money.tally import tally_money
from hub.storage.account_records import BankDetails
from hub.storage.records import Access, ObjectionRow
from protocols.errors import RequestError


async def order_file(
    store: PaymentStores, message_id: str, *, at: int, key: Signer, access: Access, write_file: WriteFile
) -> bytes:
    """The bank's file, as bytes, for an order that two board members have approved; the same bytes each time.

    The file is attested before it is returned: if power fails in between, the order counts as written, and the same
    call writes it again if nothing has changed since. Open the output file before calling this.
    Raises: RequestError, BankFileError.
    """

    await require_confirmed(store)

    async def write() -> bytes:
        books = await read_money_books(store)
        return await _file(store, books, message_id, at=at, key=key, access=access, write_file=write_file)

    return await retry_on_conflict(write)


async def _file(
    store: PaymentStores,
    books: MoneyBooks,
    message_id: str,
    *,
    at: int,
    key: Signer,
    access: Access,
    write_file: WriteFile,
) -> bytes:
    order = find_order(message_id, books.orders)
    if problem := file_obstacle(order):
        raise RequestError(f"{order.message_id} is not written: {problem}")
    details = await store.bank_details(sorted({payment.member for payment in order.payments}), access=access)
    objected = [row for row in await store.objections() if row.verdict is None]
    tally = await tally_money(store, books, objected)
    if problem := _other_account(order, details) or _other_amount(order, books, tally, objected):
        raise RequestError(f"{order.message_id} is not written: {problem}: withdraw it and make it again")
    content = write_file(bank_order(order, details))
    digest = hashlib.sha256(content).hexdigest()
    if digest not in order.files:
        await attest_decision(store, order, {"sha256": digest, "at": at}, kind=PAYMENT_FILE, heads=books, key=key)
    return content


def _other_account(order: PaymentOrderRecord, details: BankDetails) -> str | None:
    """Says whose account or mandate differs from the one in the order; None if nobody's does."""
    ordered = {row.id: row.iban for row in details.accounts}
    for payment in order.payments:
        account, mandate = details.account_of(payment.member), details.mandate_of(payment.member)
        if account is None or account.iban != ordered[payment.account]:
            return f"{payment.member} has given another account since"
        if payment.mandate is not None and (mandate is None or mandate.id != payment.mandate):
            return f"{payment.member} has revoked the mandate since"
    return None


def _other_amount(
    order: PaymentOrderRecord, books: MoneyBooks, tally: MoneyTally, objected: Sequence[ObjectionRow]
) -> str | None:
    """Says whose amount would now be lower, or would differ after an objection; None if the order can stay as it is.

    Any additional amount due goes into a later order. This reads no clock: an objection raised before the order was
    made changes nothing.
    """
    terms = PaymentTerms(order.account.is_netted)
    covered = covered_by([each for each in books.orders if each.order_key != order.order_key])
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
