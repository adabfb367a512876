"""Books what the bank did: an executed order or a returned payment. Each is one transaction, signed by a day root."""

import hashlib
from dataclasses import replace
from typing import Final

from hub.books.days import chained, run_key_of
from hub.books.retry import retry_on_conflict
from hub.books.signing import sign_day, sign_older_runs
from hub.books.view import read_money_books
from hub.core.ledger.signed_document import Signer, document_hash
from hub.core.payments.order_history import (
    BOOKED_KIND,
    RETURNED_KIND,
    BankReport,
    PaymentOrderRecord,
    bank_record,
    booking_obstacle,
    payment_entries,
    return_obstacle,
)
from hub.money.orders import PaymentStores, find_order
from hub.storage.records import RunRow
from protocols.errors import RequestError

STATE: Final = "complete"


async def book_order(store: PaymentStores, message_id: str, *, day: str, at: int, key: Signer) -> PaymentOrderRecord:
    """Book a whole order as executed on this local day. Raises: RequestError; then nothing is booked."""
    return await _book(store, BankReport(message_id, day, None, "", at), key=key)


async def book_return(
    store: PaymentStores, message_id: str, reference: str, *, day: str, reason: str, at: int, key: Signer
) -> PaymentOrderRecord:
    """Book that the bank returned this payment: what it covered is due again. Raises: RequestError."""
    return await _book(store, BankReport(message_id, day, reference, reason, at), key=key)


async def _book(store: PaymentStores, report: BankReport, *, key: Signer) -> PaymentOrderRecord:
    """If power fails before the commit, nothing is booked. A report that is already booked is refused."""
    await sign_older_runs(store, key=key)

    async def book() -> PaymentOrderRecord:
        return await _book_once(store, report, key=key)

    return await retry_on_conflict(book)


async def _book_once(store: PaymentStores, report: BankReport, *, key: Signer) -> PaymentOrderRecord:
    """Try once. Everything it depends on is read with the heads, so another booking in the meantime is a conflict."""
    books = await read_money_books(store)
    order = find_order(report.message_id, books.orders)
    problem = booking_obstacle(order) if report.reference is None else return_obstacle(order, report.reference)
    if problem is None and order.booked_on is not None and report.day < order.booked_on:
        problem = f"it cannot have come back on {report.day}: it was executed on {order.booked_on}"
    if problem is not None:
        raise RequestError(f"{order.message_id} is not booked: {problem}")
    kind = BOOKED_KIND if report.reference is None else RETURNED_KIND
    digest = document_hash({"reference": report.reference, "reason": report.reason})
    run_key = run_key_of(books.coop, report.day, kind=kind, rule_hash=order.order_key, digest=digest)
    record = bank_record(order, report)
    cites = hashlib.sha256(record).hexdigest()
    new = payment_entries(order, day=report.day, run=run_key, cites=cites, returned=report.reference)
    booked, entries = await store.entries_of_day(report.day), chained(new, head=books.ledger)
    run = RunRow(
        run_key=run_key,
        kind=kind,
        day=report.day,
        rule_hash=order.order_key,
        input_digest=digest,
        result_hash=cites,
        state=STATE,
        allocation=record,
        made_at=report.made_at,
        entries=len(entries),
    )
    root = sign_day(run, booked=booked, entries=entries, heads=books, key=key)
    if not await store.book_run(run, entries=entries, attestations=[root]):
        raise RequestError(f"{order.message_id} is not booked: somebody else has just booked it")
    if report.reference is None:
        return replace(order, booked_on=report.day)
    return replace(order, returned=(*order.returned, (report.reference, report.reason, report.made_at)))
