"""The board's page of device maps: what homes' agents get, what is proposed, and how a second member confirms it."""

from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from hub.web.frame.guard import PageError, read_form
from hub.web.frame.sign_in import Visit
from hub.web.pages.board import require_board_visit
from hub.web.rendering import PageContext
from hub.web.views.device_maps import maps_page

PLACE: Final = "/board/maps"


def add_map_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the page and its forms. It shows no home's devices: which map a home reads with, the hub does not know."""
    service, store = site.parts.maps, site.parts.store

    @app.get(PLACE)
    async def maps(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        view = maps_page(
            await store.map_files(),
            await store.map_proposals(),
            await store.map_releases(),
            visit.words,
            members=await store.members(),
            reader=visit.member.id,
        )
        return await site.page(visit, "board_maps.html", place="more", view=view)

    @app.post(PLACE)
    async def propose(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        sent = await read_form(request)
        is_withdrawal = _decision(sent, visit, ("release", "withdraw")) == "withdraw"
        done = await service.propose(
            sent.get("map", ""), is_withdrawal=is_withdrawal, by=visit.member.id, at=int(visit.now_s)
        )
        return _answer(done, visit)

    @app.post(PLACE + "/{number}")
    async def decide(request: Request, number: str) -> Response:
        visit = await require_board_visit(site, request)
        decision = _decision(await read_form(request), visit, ("confirm", "withdraw"))
        is_number = number.isascii() and number.isdecimal() and len(number) < 10
        if not is_number:
            raise PageError(404, visit.words.text("There is no such proposal."))
        act = service.confirm if decision == "confirm" else service.withdraw
        return _answer(await act(int(number), by=visit.member.id, at=int(visit.now_s)), visit)


def _decision(sent: dict[str, str], visit: Visit, known: tuple[str, str]) -> str:
    if (decision := sent.get("decision", "")) not in known:
        raise PageError(422, visit.words.text("Choose one of the two buttons."))
    return decision


def _answer(refusal: str | None, visit: Visit) -> Response:
    if refusal is not None:
        raise PageError(409, visit.words.text("Nothing was changed: %(why)s.", why=refusal))
    return RedirectResponse(PLACE, status_code=303)
