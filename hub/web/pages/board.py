"""The board's pages about the fleet of agents and devices and about the hub itself. They show no home's consumption."""

from fastapi import FastAPI, Request, Response

from hub.core.ledger.approvals import lone_board
from hub.storage.contract import MemberStore
from hub.web.frame.sign_in import Visit, require_board, visit_of
from hub.web.rendering import PageContext, as_json
from hub.web.views.board import fleet_json, fleet_page, fleet_slots
from hub.web.views.health import health_json, health_page, message_lines


def add_board_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the board's pages."""
    store = site.parts.store

    @app.get("/board/fleet")
    async def fleet(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        rows = await store.fleet(slots=fleet_slots(visit.now_s))
        view = fleet_page(rows, await store.refusals(), visit.words, now_s=visit.now_s)
        intake = (await site.parts.health()).intake
        messages = () if intake is None else message_lines(intake, visit.words)
        return await site.page(visit, "fleet.html", place="more", view=view, messages=messages)

    @app.get("/board/fleet.json")
    async def fleet_as_json(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        slots = fleet_slots(visit.now_s)
        return as_json(fleet_json(await store.fleet(slots=slots), await store.refusals(), slots=slots))

    @app.get("/board/health")
    async def health(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        view = health_page(await site.parts.health(), visit.words)
        return await site.page(visit, "health.html", place="more", view=view)

    @app.get("/board/health.json")
    async def health_as_json(request: Request) -> Response:
        await require_board_visit(site, request)
        return as_json(health_json(await site.parts.health()))


async def board_warning(store: MemberStore) -> str | None:
    """That the board has too few members to publish anything, and what to do; None if it has enough."""
    everybody = await store.members()
    people = sum(each.held_by is None for each in everybody)
    return lone_board([each.id for each in everybody if each.is_board], members=people)


async def require_board_visit(site: PageContext, request: Request) -> Visit:
    """A visit by a board member. Raises: SignInNeededError, PageError(403)."""
    visit = await visit_of(site.parts, request)
    require_board(visit)
    return visit
