"""A member's choice of mail: each kind is off until the member switches it on."""

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from hub.web.frame.guard import read_form
from hub.web.frame.sign_in import visit_of
from hub.web.rendering import PageContext, as_json
from hub.web.views.notices import kinds_for, notices_page


def add_notice_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the page of choices and its form."""
    store = site.parts.store

    @app.get("/notices")
    async def notices(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        view = notices_page(
            visit.member,
            visit.words,
            choices=await store.notice_choices(member=visit.member.id),
            bounces=await store.bounces(address=visit.member.email.casefold()),
        )
        return await site.page(
            visit,
            "notices.html",
            place="more",
            view=view,
            is_sent=site.parts.sends_mail,
            is_saved=request.query_params.get("saved") == "yes",
        )

    @app.get("/notices.json")
    async def notices_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        own = await store.notice_choices(member=visit.member.id)
        on = {each.kind for each in own if each.is_on}
        return as_json({"sends_mail": site.parts.sends_mail, **{kind: kind in on for kind in kinds_for(visit.member)}})

    @app.post("/notices")
    async def choose(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        sent = await read_form(request)
        held = {each.kind: each.is_on for each in await store.notice_choices(member=visit.member.id)}
        for kind in kinds_for(visit.member):
            is_on = kind.value in sent
            if held.get(kind, False) != is_on:
                await store.choose_notice(visit.member.id, kind, is_on=is_on, by=visit.member.id)
        return RedirectResponse("/notices?saved=yes", status_code=303)
