"""A member's own bank account and direct-debit mandate, which the member enters, grants and revokes."""

from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from hub.core.payments.accounts import clean_holder, iban_length, iban_problem
from hub.core.payments.sepa import MAX_NAME_CHARS, compact
from hub.storage.account_records import NewAccount
from hub.storage.records import Access
from hub.web.frame.guard import PageError
from hub.web.frame.services import EVERY_ORDER
from hub.web.frame.sign_in import Visit, read_home_form, visit_of
from hub.web.frame.translation import Localizer
from hub.web.rendering import PageContext, as_json
from hub.web.views.account import account_json, account_page
from hub.web.views.settlement.payments import own_payments, own_payments_json

IBAN_CHARS_MAX: Final = 60
WHOLE: Final = "all"
OWN_ORDERS: Final = 24
"""Two a month, where the co-op pays out and collects: a year."""


def add_account_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the bank account's page and its two forms."""
    store = site.parts.store

    @app.get("/account")
    async def account(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        query = request.query_params
        return await _page(site, visit, saved=query.get("saved", ""), is_whole=query.get("payments") == WHOLE)

    @app.get("/account.json")
    async def account_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        visit.paid_home()
        details = await store.bank_details([visit.holder.id], access=_own(visit))
        orders = await site.parts.payments.own(visit.holder.id, most=EVERY_ORDER)
        payments = own_payments_json(orders, visit.holder.id)
        return as_json(account_json(details) | {"payments": payments})

    @app.post("/account")
    async def set_account(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        visit.paid_home()
        sent = await read_home_form(request, visit)
        holder, iban = clean_holder(sent.get("holder", "")), sent.get("iban", "")[:IBAN_CHARS_MAX]
        problem = wrong_iban(iban, visit.words)
        if holder is None:
            problem = visit.words.text("Enter the account holder's name as your bank writes it.")
        if holder is None or problem:
            return await _page(site, visit, problem=problem, holder=sent.get("holder", ""), status=422)
        new = NewAccount(visit.holder.id, holder, compact(iban), visit.member.id, int(visit.now_s))
        await store.add_account(new)
        return RedirectResponse("/account?saved=account", status_code=303)

    @app.post("/account/mandate")
    async def mandate(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        visit.paid_home()
        decision = (await read_home_form(request, visit)).get("decision", "")
        if decision == "give":
            await _give_mandate(site, visit)
        elif decision == "revoke":
            if not await store.end_mandate(visit.holder.id, made_by=visit.member.id, made_at=int(visit.now_s)):
                raise PageError(409, visit.words.text("You have no mandate to revoke. Nothing was changed."))
        else:
            raise PageError(422, visit.words.text("Choose one of the buttons."))
        return RedirectResponse(f"/account?saved={decision}", status_code=303)


async def _give_mandate(site: PageContext, visit: Visit) -> None:
    words, bank = visit.words, site.parts.bank
    if bank is None or not bank.creditor_id:
        raise PageError(409, words.text("The co-op does not collect by direct debit. Nothing was changed."))
    today = visit.words.local(visit.now_s).date().isoformat()
    me, at = visit.member.id, int(visit.now_s)
    problem = await site.parts.store.add_mandate(visit.holder.id, signed_on=today, made_by=me, made_at=at)
    if problem == "no account":
        raise PageError(409, words.text("Enter your bank account first. Nothing was changed."))
    if problem is not None:
        raise PageError(409, words.text("You have already given a mandate. Nothing was changed."))


async def _page(
    site: PageContext,
    visit: Visit,
    *,
    saved: str = "",
    problem: str = "",
    holder: str | None = None,
    status: int = 200,
    is_whole: bool = False,
) -> Response:
    visit.paid_home()
    details = await site.parts.store.bank_details([visit.holder.id], access=_own(visit))
    makers = {row.made_by for row in details.accounts} | {row.made_by for row in details.mandates}
    ended = {row.ended_by for row in details.mandates if row.ended_by is not None}
    view = account_page(
        details, visit.words, members=await site.named(makers | ended), me=visit.holder, bank=site.parts.bank
    )
    most = EVERY_ORDER if is_whole else OWN_ORDERS
    orders = await site.parts.payments.own(visit.holder.id, most=most + 1)
    return await site.page(
        visit,
        "account.html",
        place="more",
        status=status,
        view=view,
        payments=own_payments(orders[-most:], visit.holder.id, visit.words),
        is_cut=len(orders) > most,
        saved=saved,
        problem=problem,
        holder=view.holder if holder is None else holder[:MAX_NAME_CHARS],
        most=MAX_NAME_CHARS,
        most_iban=IBAN_CHARS_MAX,
    )


def wrong_iban(iban: str, words: Localizer) -> str:
    """What is wrong with an IBAN, in a sentence that does not repeat it; empty if nothing is."""
    problem = iban_problem(iban)
    if problem == "country":
        return words.text("The IBAN must begin with the two letters of a SEPA country, such as ES or AT.")
    if problem == "length":
        return words.plural(
            "An IBAN of this country has %(n)s character, not %(given)s.",
            "An IBAN of this country has %(n)s characters, not %(given)s.",
            iban_length(iban),
            given=words.number(len(compact(iban))),
        )
    if problem is not None:
        return words.text("The IBAN's check digits do not match. At least one character is wrong.")
    return ""


def _own(visit: Visit) -> Access:
    return visit.own_access()
