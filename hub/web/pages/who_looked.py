"""The page of who saw a member's data: filtered, page by page, and as files with the whole log."""

from collections.abc import AsyncIterator, Callable
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from hub.storage.access_records import AccessFilter, AccessRow
from hub.web.frame.guard import PageError
from hub.web.frame.sign_in import Visit, visit_of
from hub.web.rendering import PageContext
from hub.web.views.home.access_lines import (
    BY_BOARD,
    FILTERS,
    ReadLines,
    access_csv,
    access_days,
    access_json,
    list_access,
    read_place,
)

_WHOLE: Final = "all"


def add_who_looked_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the page and its two files."""

    @app.get("/who-looked")
    async def who_looked(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        who, read = _filter(request, visit, usual=BY_BOARD), _lines(site, visit)
        try:
            before = read_place(request.query_params.get("before", ""))
        except ValueError:
            raise PageError(404, visit.words.text("The log has no such place. Open the page again.")) from None
        rows, older = await list_access(read, who, before=before)
        members = await site.named(name for row in rows for name in (row.actor, row.link_by) if name)
        days = access_days(rows, members, visit.words, self_id=visit.member.id)
        with_link = bool(await read(FILTERS["link"], 1))
        return await site.page(
            visit, "who_looked.html", place="more", days=days, who=who, older=older, with_link=with_link
        )

    @app.get("/who-looked.json")
    async def who_looked_as_json(request: Request) -> Response:
        return await _file(site, request, access_json, kind="application/json")

    @app.get("/who-looked.csv")
    async def who_looked_as_table(request: Request) -> Response:
        return await _file(site, request, access_csv, kind="text/csv; charset=utf-8")


async def _file(
    site: PageContext, request: Request, write: Callable[[ReadLines, str], AsyncIterator[str]], *, kind: str
) -> Response:
    visit = await visit_of(site.parts, request)
    who = _filter(request, visit, usual=_WHOLE)
    return StreamingResponse(write(_lines(site, visit), who), media_type=kind)


def _filter(request: Request, visit: Visit, *, usual: str) -> str:
    who = request.query_params.get("who", usual)
    if who not in FILTERS:
        raise PageError(404, visit.words.text("The log has no such part. Open the page again."))
    return who


def _lines(site: PageContext, visit: Visit) -> ReadLines:
    home = visit.own_home().id

    async def read(wanted: AccessFilter, limit: int) -> tuple[AccessRow, ...]:
        return await site.parts.store.access_rows(home, limit=limit, wanted=wanted)

    return read
