"""The members' pages: each shows only what is the visitor's own, or totals of the neighbourhood."""

from fastapi import FastAPI, Request, Response

from hub.web.sign_in import visit_of
from hub.web.site import Site
from hub.web.views.today import today_page


def add_member_pages(app: FastAPI, site: Site) -> None:
    """Mount the members' pages."""

    @app.get("/")
    async def today(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        outlook = await site.neighbourhood.outlook(visit.now_s)
        return await site.page(visit, "today.html", place="today", view=today_page(outlook, visit.words))
