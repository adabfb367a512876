"""The log of changes to members, homes, roles and agents, which every member reads, and the board's list of members."""

import csv
from io import StringIO

from fastapi import FastAPI, Request, Response

from hub.storage.household_records import MemberPlace
from hub.storage.life_records import NO_LINE
from hub.web.frame.asked_pages import PAGE_ROWS, asked_page, page_links
from hub.web.frame.guard import PageError
from hub.web.frame.sign_in import Visit, visit_of
from hub.web.pages.board import board_warning, require_board_visit
from hub.web.rendering import PageContext, as_json
from hub.web.views.changes import changes_page, member_cards, named_in, plain_changes

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def add_change_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the pages. They show no home's values; files name members by their ids alone."""
    store = site.parts.store

    @app.get("/changes")
    async def changes(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        before, holders = _asked_line(request, visit), await store.role_holders()
        found = await store.member_changes(newest=PAGE_ROWS + 1, before=before)
        shown = found[-PAGE_ROWS:]
        members = await site.named(named_in(shown, holders, await store.role_changes()))
        view = changes_page(shown, holders, visit.words, members=members, reader=visit.member.id)
        older = f"/changes?before={shown[0].id}#log" if len(found) > PAGE_ROWS else ""
        newest = "/changes#log" if before != NO_LINE else ""
        return await site.page(visit, "changes.html", place="more", view=view, older=older, newest=newest)

    @app.get("/changes.json")
    async def changes_as_json(request: Request) -> Response:
        await visit_of(site.parts, request)
        return as_json({"roles": await store.role_holders(), "changes": plain_changes(await store.member_changes())})

    @app.get("/changes.csv")
    async def changes_as_table(request: Request) -> Response:
        await visit_of(site.parts, request)
        rows = plain_changes(await store.member_changes())
        text = StringIO()
        table = csv.writer(text)
        table.writerow(("number", "at", "by", "change", "member", "subject", "reason", "link_by"))
        for row in rows:
            # A text that a spreadsheet would run as a formula gets an apostrophe.
            table.writerow([f"'{cell}" if str(cell)[:1] in _FORMULA_SIGNS else cell for cell in row.values()])
        return Response(text.getvalue(), media_type="text/csv; charset=utf-8")

    @app.get("/board/members")
    async def members(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        asked, now = asked_page(request, visit.words), int(visit.now_s)
        after = None if asked.after is None else MemberPlace(*asked.after)
        places = await store.member_places(text=asked.text, left_by=now, after=after, most=PAGE_ROWS + 1)
        rows = await store.member_cards([place.member for place in places[:PAGE_ROWS]])
        cards = member_cards(rows, await store.role_holders(), visit.words)
        last = places[PAGE_ROWS - 1] if len(places) > PAGE_ROWS else None
        links = page_links(asked, None if last is None else (last.rank, last.member))
        warning = await board_warning(store)
        return await site.page(visit, "board_members.html", place="more", cards=cards, links=links, warning=warning)


def _asked_line(request: Request, visit: Visit) -> int:
    """The number of the line before which the page begins. Raises: PageError(422)."""
    text = request.query_params.get("before", "")
    if text and not (text.isascii() and text.isdecimal() and len(text) < len(str(NO_LINE))):
        raise PageError(422, visit.words.text("This is not a page of the list. Open the list again."))
    return int(text) if text else NO_LINE
