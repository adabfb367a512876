"""Which members still have money to pay or to get by the hub's books and orders; nothing is made or booked."""

from typing import Final

from hub.books.view import read_money_books
from hub.core.payments.due import KINDS, PaymentTerms, amounts_due
from hub.core.payments.order_history import BOOKED, WITHDRAWN, covered_by
from hub.money.orders import PaymentStores
from hub.money.tally import tally_money

EVER: Final = "9999-12"


async def open_members(store: PaymentStores) -> frozenset[str]:
    """Members with an amount that no order covers, an order on its way, or an undecided objection."""
    objected = [row for row in await store.objections() if row.verdict is None]
    books = await read_money_books(store)
    tally = await tally_money(store, books, objected)
    leavers = frozenset(member.id for member in await store.members())
    found = {row.member for row in objected}
    for kind in KINDS:
        due, held = amounts_due(
            kind,
            tally.stated(),
            covered_by(books.orders),
            frozen=tally.frozen(objected),
            through=EVER,
            terms=PaymentTerms(leavers=leavers),
        )
        found |= {each.member for each in due} | {each.member for each in held}
    on_the_way = [order for order in books.orders if order.state not in (BOOKED, WITHDRAWN)]
    return frozenset(found | {payment.member for order in on_the_way for payment in order.payments})
