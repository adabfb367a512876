"""The board's page of payment orders: what each one pays or collects, and how to approve or withdraw it."""

import asyncio
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from hub.core.payments.order_history import REASON_CHARS_MAX, PaymentOrderRecord
from hub.web.frame.guard import PageError, read_form
from hub.web.frame.services import EVERY_ORDER
from hub.web.frame.sign_in import Visit
from hub.web.pages.board import require_board_visit
from hub.web.rendering import PageContext
from hub.web.views.findings import reason_needed
from hub.web.views.settlement.payments import order_cards

ORDERS_SHOWN: Final = 12
_DECISIONS: Final = {"approve": "approving an order", "withdraw": "withdrawing an order"}


def add_payment_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the list of orders with its forms."""
    service = site.parts.payments

    @app.get("/board/payments")
    async def payments(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        orders = await service.newest(most=ORDERS_SHOWN)
        await _log_access(site, visit, orders)
        members, me = await site.parts.store.members(), visit.member.id
        # Not by the event loop: an order names every member.
        cards = await asyncio.to_thread(order_cards, orders, visit.words, members=members, reader=me)
        return await site.page(visit, "board_payments.html", place="more", cards=cards, most=REASON_CHARS_MAX)

    @app.post("/board/payments/{message_id}")
    async def decide(request: Request, message_id: str) -> Response:
        visit = await require_board_visit(site, request)
        sent = await read_form(request)
        decision, at, me = sent.get("decision", ""), int(visit.now_s), visit.member.id
        if decision in _DECISIONS:
            orders = await service.newest(most=EVERY_ORDER)
            named = tuple(order for order in orders if order.message_id == message_id)
            await _log_access(site, visit, named, reason=_DECISIONS[decision])
        if decision == "approve":
            done = await service.approve(message_id, member=me, at=at)
        elif decision == "withdraw":
            done = await service.withdraw(message_id, member=me, reason=_reason(sent, visit), at=at)
        else:
            raise PageError(422, visit.words.text("Choose one of the two buttons."))
        if isinstance(done, str):
            raise PageError(409, visit.words.text("Nothing was changed: %(why)s.", why=done))
        return RedirectResponse("/board/payments", status_code=303)


async def _log_access(
    site: PageContext, visit: Visit, orders: tuple[PaymentOrderRecord, ...], *, reason: str = "payment orders"
) -> None:
    """Orders show what members receive and owe, so each home's log records the access before they are shown (I12)."""
    members = {payment.member for order in orders for payment in order.payments}
    homes = [home.id for home in await site.parts.store.homes() if home.member_id in members]
    access = visit.board_access("bank.pay", reason)
    await site.parts.store.log_access(access, homes, fields="payments", rows=len(orders))


def _reason(sent: dict[str, str], visit: Visit) -> str:
    reason = " ".join(sent.get("reason", "").split())
    if not (0 < len(reason) <= REASON_CHARS_MAX and reason.isprintable()):
        raise PageError(422, reason_needed(REASON_CHARS_MAX, visit.words))
    return reason
