"""The board's pages: the fleet and the settlement runs. No consumption of any home stands on them."""

from datetime import timedelta

from fastapi import FastAPI, Request, Response

from hub.web.sign_in import Visit, require_board, visit_of
from hub.web.site import Site, as_json
from hub.web.views.board import RUNS_SHOWN_DAYS, fleet_json, fleet_page, fleet_slots, run_json, run_lines


def add_board_pages(app: FastAPI, site: Site) -> None:
    """Mount the board's pages."""
    store = site.parts.store

    @app.get("/board/fleet")
    async def fleet(request: Request) -> Response:
        visit = await _board_visit(site, request)
        rows = await store.fleet(slots=fleet_slots(visit.now_s))
        view = fleet_page(rows, await store.refusals(), visit.words, now_s=visit.now_s)
        return await site.page(visit, "fleet.html", place="more", view=view)

    @app.get("/board/fleet.json")
    async def fleet_as_json(request: Request) -> Response:
        visit = await _board_visit(site, request)
        slots = fleet_slots(visit.now_s)
        return as_json(fleet_json(await store.fleet(slots=slots), await store.refusals(), slots=slots))

    @app.get("/board/runs")
    async def runs(request: Request) -> Response:
        visit = await _board_visit(site, request)
        rows = await store.runs(days=_shown_days(visit), allocations=False)
        lines = run_lines(rows, visit.words)
        return await site.page(visit, "runs.html", place="more", lines=lines, days=RUNS_SHOWN_DAYS)

    @app.get("/board/runs.json")
    async def runs_as_json(request: Request) -> Response:
        visit = await _board_visit(site, request)
        return as_json(
            {"runs": [run_json(row) for row in await store.runs(days=_shown_days(visit), allocations=False)]}
        )


async def _board_visit(site: Site, request: Request) -> Visit:
    visit = await visit_of(site.parts, request)
    require_board(visit)
    return visit


def _shown_days(visit: Visit) -> tuple[str, str]:
    today = visit.words.local(visit.now_s).date()
    return ((today - timedelta(days=RUNS_SHOWN_DAYS)).isoformat(), today.isoformat())
