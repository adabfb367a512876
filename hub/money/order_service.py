"""The board's desk for payment orders as the pages ask it: what stands, an approval, a withdrawal. No account numbers.

Making, writing and booking an order are commands: they end in files and begin with the bank's statement.
"""

from hub.core.ledger.signed_document import Signer
from hub.core.payments.order_history import PaymentOrderRecord
from hub.money.orders import PaymentStores, approve_order, payment_orders, withdraw_order
from hub.storage.errors import StoreConflictError
from protocols.errors import RequestError

CROSSED = "something else was signed at the same moment; try again"


class PaymentService:
    """A refusal is handed back as one line, and then nothing was written."""

    def __init__(self, store: PaymentStores, *, key: Signer) -> None:
        self._store, self._key = store, key

    async def orders(self) -> tuple[PaymentOrderRecord, ...]:
        """Every order, in the order they were made. Whoever shows them logs the look."""
        return await payment_orders(self._store)

    async def approve(self, message_id: str, *, member: str, at: int) -> PaymentOrderRecord | str:
        """A board member's approval."""
        try:
            return await approve_order(self._store, message_id, member=member, at=at, key=self._key)
        except RequestError as problem:
            return str(problem)
        except StoreConflictError:
            return CROSSED

    async def withdraw(self, message_id: str, *, member: str, reason: str, at: int) -> PaymentOrderRecord | str:
        """A board member's word that the bank is not to execute it."""
        try:
            return await withdraw_order(self._store, message_id, member=member, reason=reason, at=at, key=self._key)
        except RequestError as problem:
            return str(problem)
        except StoreConflictError:
            return CROSSED
