"""Books what the bank did: an order executed, a payment returned. One transaction each, signed by a day root."""

import hashlib
from typing import Final

from hub.books.days import TRIES, chained, run_key_of
from hub.books.signing import attestation_head, root_row, sign_older_runs
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
from hub.money.orders import PaymentStores, find_order, payment_orders
from hub.storage.errors import StoreConflictError
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


async def _book(store: PaymentStores, word: BankReport, *, key: Signer) -> PaymentOrderRecord:
    """If power fails before the commit nothing is booked; the same word again is refused, as it stands already."""
    await sign_older_runs(store, coop=(await store.coop()).id, key=key)
    for attempt in range(TRIES):
        try:
            return await _book_once(store, word, key=key)
        except StoreConflictError:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


async def _book_once(store: PaymentStores, word: BankReport, *, key: Signer) -> PaymentOrderRecord:
    """One try: all it stands on is read after the heads, so another booking in between is a conflict."""
    coop, head, ledger = await store.coop(), await attestation_head(store), await store.ledger_head()
    order = find_order(word.message_id, await payment_orders(store))
    problem = booking_obstacle(order) if word.reference is None else return_obstacle(order, word.reference)
    if problem is None and order.booked_on is not None and word.day < order.booked_on:
        problem = f"it cannot have come back on {word.day}: it was executed on {order.booked_on}"
    if problem is not None:
        raise RequestError(f"{order.message_id} is not booked: {problem}")
    kind = BOOKED_KIND if word.reference is None else RETURNED_KIND
    digest = document_hash({"reference": word.reference, "reason": word.reason})
    run_key = run_key_of(coop, word.day, kind=kind, rule_hash=order.order_key, digest=digest)
    record = bank_record(order, word)
    cites = hashlib.sha256(record).hexdigest()
    entries = payment_entries(order, day=word.day, run=run_key, cites=cites, returned=word.reference)
    rows, booked = await store.entries_of_day(word.day), chained(entries, head=ledger)
    run = RunRow(
        *(run_key, kind, word.day, order.order_key, digest, cites, STATE),
        allocation=record,
        made_at=word.made_at,
        entries=len(booked),
    )
    leaves = [row.canonical for row in (*rows, *booked)]
    ledger = (booked[-1].position, booked[-1].hash)
    looks = await store.last_access_line()
    root = root_row(run, leaves=leaves, ledger=ledger, looks=looks, coop=coop.id, head=head, key=key)
    if not await store.book_run(run, entries=booked, attestations=[root]):
        raise RequestError(f"{order.message_id} is not booked: somebody else has booked it at this moment")
    return find_order(word.message_id, await payment_orders(store))
