"""The board's page of one member: forms for every change, each confirmed on a page of its own before it is made."""

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from hub.core.ledger.objections import REASON_CHARS_MAX
from hub.storage.life_records import ROLES
from hub.storage.records import Member
from hub.web.frame.guard import PageError, read_form
from hub.web.frame.sign_in import Visit
from hub.web.pages.board import require_board_visit
from hub.web.pages.people.asked_changes import MAX_NAME_CHARS, asked_change
from hub.web.rendering import PageContext
from hub.web.views.changes import member_cards, role_name

CONFIRMED = "yes"


def add_member_change_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the page of a member and its forms. A change is made only by the confirmation's button."""

    @app.get("/board/members/{member}")
    async def one_member(request: Request, member: str) -> Response:
        visit = await require_board_visit(site, request)
        return await _page(site, visit, await _member(site, visit, member), saved=request.query_params.get("saved", ""))

    @app.post("/board/members/{member}")
    async def change(request: Request, member: str) -> Response:
        visit = await require_board_visit(site, request)
        known = await _member(site, visit, member)
        sent = await read_form(request)
        asked = asked_change(site.parts.store, visit, known, sent, sends_mail=site.parts.sends_mail)
        if sent.pop("confirmed", "") != CONFIRMED:
            return await site.page(
                visit, "board_member_confirm.html", place="more",
                sentence=asked.sentence, sent=sent, confirmed=CONFIRMED,
                action=f"/board/members/{known.id}", back=f"/board/members/{known.id}",
            )  # fmt: skip
        problem = await asked.make()
        if isinstance(problem, str):
            return await _page(site, visit, known, problem=problem, status=409)
        return RedirectResponse(f"/board/members/{known.id}?saved=change", status_code=303)


async def _member(site: PageContext, visit: Visit, member: str) -> Member:
    known = await site.parts.store.member(member)
    if known is None:
        raise PageError(404, visit.words.text("There is no member %(id)s.", id=member[:40]))
    return known


async def _page(
    site: PageContext, visit: Visit, member: Member, *, saved: str = "", problem: str = "", status: int = 200
) -> Response:
    store, words = site.parts.store, visit.words
    rows, holders = await store.member_cards([member.id]), await store.role_holders()
    (card,) = member_cards(rows, holders, words)
    own = [home.id for home in rows.homes if home.member_id == member.id]
    waiting = {key.agent: key.objection for key in await store.new_agent_keys() if key.waits}
    shown = [each for each in rows.agents if each.revoked_at is None or each.id in waiting]
    return await site.page(
        visit,
        "board_member.html",
        place="more",
        status=status,
        card=card,
        member=member,
        homes=own,
        with_agent={each.home_id for each in rows.agents if each.revoked_at is None},
        sends_mail=site.parts.sends_mail,
        lived=[adult.home for adult in rows.adults],
        agents=[(each.id, waiting.get(each.id, ""), each.revoked_at is None, each.home_id) for each in shown],
        roles=[(role, role_name(role, words), member.id in holders[role]) for role in ROLES],
        problem=problem,
        is_saved=saved == "change",
        most=MAX_NAME_CHARS,
        most_reason=REASON_CHARS_MAX,
    )
