"""What the board's pages can do with payment orders: list, approve and withdraw them. No account numbers.

Making, writing and booking an order are commands, because they need files and the bank's statement.
"""

from hub.core.ledger.signed_document import Signer
from hub.core.payments.order_history import PaymentOrderRecord
from hub.money.kept_orders import KeptOrders
from hub.money.orders import PaymentStores, approve_order, withdraw_order
from hub.storage.errors import StoreConflictError
from protocols.errors import RequestError

CROSSED = "something else was signed at the same moment; try again"


class PaymentService:
    """A refusal is returned as a one-line text; nothing has then been written."""

    def __init__(self, store: PaymentStores, *, key: Signer) -> None:
        self._store, self._key = store, key
        self._kept = KeptOrders(store)

    async def newest(self, *, most: int) -> tuple[PaymentOrderRecord, ...]:
        """The newest orders, oldest first. The caller logs the access before showing them."""
        return await self._kept.newest(most=most)

    async def own(self, member: str, *, most: int) -> tuple[PaymentOrderRecord, ...]:
        """The newest orders, oldest first, each with this member's payments alone."""
        return await self._kept.newest(most=most, member=member)

    async def approve(self, message_id: str, *, member: str, at: int) -> PaymentOrderRecord | str:
        """Record a board member's approval."""
        try:
            return await approve_order(self._store, message_id, member=member, at=at, key=self._key)
        except RequestError as problem:
            return str(problem)
        except StoreConflictError:
            return CROSSED

    async def withdraw(self, message_id: str, *, member: str, reason: str, at: int) -> PaymentOrderRecord | str:
        """Record a board member's decision that the bank is not to execute the order."""
        try:
            return await withdraw_order(self._store, message_id, member=member, reason=reason, at=at, key=self._key)
        except RequestError as problem:
            return str(problem)
        except StoreConflictError:
            return CROSSED
