"""The newest payment orders, each read and taken apart once: who asks for a member's payments gets that member's alone.

An order's document never changes; the board's decisions on it and what the bank did are read at every look.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import msgspec

from hub.books.view import BANK_KINDS
from hub.core.ledger.attestations import read_attestation
from hub.core.payments.order_history import (
    ORDER_KINDS,
    PAYMENT_ORDER,
    Payment,
    PaymentOrderRecord,
    decided_orders,
    read_bank_report,
    read_order,
)
from hub.storage.contract import AttestationStore, BookStore
from hub.storage.records import AttestationRow

ORDERS_KEPT: Final = 32
"""About 0.2 MB each at a thousand homes."""

DECISIONS: Final = tuple(kind for kind in ORDER_KINDS if kind != PAYMENT_ORDER)
_PAYMENTS: Final = msgspec.json.Decoder(tuple[tuple[int, Payment], ...])


class OrderStores(BookStore, AttestationStore, Protocol):
    """The parts of the store in which orders are."""


@dataclass(frozen=True, slots=True)
class _KeptOrder:
    """An order without payments, and by member the bytes of theirs, each with its place in the order."""

    order: PaymentOrderRecord
    payments: Mapping[str, bytes]

    def with_payments(self, members: Iterable[str]) -> PaymentOrderRecord:
        found = [each for member in members for each in _PAYMENTS.decode(self.payments.get(member, b"[]"))]
        return replace(self.order, payments=tuple(payment for _, payment in sorted(found, key=lambda each: each[0])))


class KeptOrders:
    """Reads the newest orders of a store."""

    def __init__(self, store: OrderStores) -> None:
        self._store = store
        self._kept: OrderedDict[int, _KeptOrder] = OrderedDict()

    async def newest(self, *, most: int, member: str | None = None) -> tuple[PaymentOrderRecord, ...]:
        """The newest orders, oldest first, with all their payments or one member's. Reads no other document twice."""
        heads = await self._store.newest_attestations(PAYMENT_ORDER, most=most)
        if not heads:
            return ()
        kept = [await self._read(row) for row in heads]
        months = min(row.subject for row in heads), max(row.subject for row in heads)
        decisions = await self._store.attestations(DECISIONS, subjects=months)
        keys = {row.run_key for row in heads}
        documents = [read_attestation(row.document) for row in decisions if row.run_key in keys]
        # The record of what the bank did names the order's key as its rule.
        done = await self._store.fund_runs(kinds=BANK_KINDS, records=False)
        records = [await self._store.run_record(run.run_key) for run in done if run.rule_hash in keys]
        orders = [each.with_payments(each.payments if member is None else (member,)) for each in kept]
        return decided_orders(orders, documents, [read_bank_report(record) for record in records])

    async def _read(self, head: AttestationRow) -> _KeptOrder:
        if head.position not in self._kept:
            (row,) = await self._store.journal_attestations(after=head.position - 1, limit=1)
            self._kept[head.position] = await asyncio.to_thread(_taken_apart, row)
            if len(self._kept) > ORDERS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(head.position)
        return self._kept[head.position]


def _taken_apart(row: AttestationRow) -> _KeptOrder:
    order = read_order(read_attestation(row.document))
    parts: dict[str, list[tuple[int, Payment]]] = defaultdict(list)
    for place, payment in enumerate(order.payments):
        parts[payment.member].append((place, payment))
    return _KeptOrder(replace(order, payments=()), {member: _encoded(own) for member, own in parts.items()})


def _encoded(payments: Sequence[tuple[int, Payment]]) -> bytes:
    return msgspec.json.encode(payments)
