"""'This looks wrong': members object to a line in a statement, and the board decides."""

from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from hub.core.ledger.objections import (
    ACCEPTED,
    DECIDE_DAYS,
    REASON_CHARS_MAX,
    REJECTED,
    clean_reason,
    may_decide,
)
from hub.core.ledger.signed_document import document_hash
from hub.storage.contract import Store
from hub.storage.records import NewObjection, ObjectionRow
from hub.web.frame.guard import PageError, read_form
from hub.web.frame.sign_in import Visit, read_home_form, require_board, visit_of
from hub.web.pages.statements import files_of
from hub.web.rendering import PageContext, as_json
from hub.web.views.findings import reason_needed
from hub.web.views.home.access_lines import OBJECTION_FIELDS
from hub.web.views.settlement.month_numbers import month_numbers
from hub.web.views.settlement.month_words import labels
from hub.web.views.settlement.objections import (
    amount_words,
    objection_json,
    objection_lines,
    place_words,
    shown_amount,
)

_DAY_S: Final = 86_400
_VERDICTS: Final = {"accept": ACCEPTED, "reject": REJECTED}


def add_objection_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the objection form, the member's list and the board's list."""
    _add_member_pages(app, site)
    _add_board_pages(app, site)


def _add_member_pages(app: FastAPI, site: PageContext) -> None:
    store = site.parts.store

    @app.get("/objections")
    async def own_objections(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        rows = await _own(site, visit)
        members = await site.named(name for row in rows for name in (row.member, row.board_member) if name)
        lines = objection_lines(rows, visit.words, members=members, own=visit.memberships, now_s=visit.now_s)
        is_saved = request.query_params.get("saved") == "objection"
        return await site.page(visit, "objections.html", place="credits", lines=lines, is_saved=is_saved)

    @app.get("/objections.json")
    async def own_objections_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        rows = await _own(site, visit)
        return as_json({"objections": [objection_json(row) for row in rows]})

    @app.get("/objections/new")
    async def form(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        month, day, line = (request.query_params.get(name, "") for name in ("month", "day", "line"))
        new = await _objection(site, visit, (month, day, line), reason="")
        return await site.page(
            visit,
            "objection.html",
            place="credits",
            new=new,
            what=labels(visit.words)[line],
            where=place_words(month, day, visit.words),
            amount=amount_words(line, new.stated, visit.words),
            days=DECIDE_DAYS,
            most=REASON_CHARS_MAX,
        )

    @app.post("/objections/new")
    async def object_to(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        sent = await read_home_form(request, visit)
        reason = _reason(sent.get("reason", ""), visit)
        place = (sent.get("month", ""), sent.get("day", ""), sent.get("line", ""))
        problem = await store.add_objection(await _objection(site, visit, place, reason=reason))
        if problem == "already open":
            raise PageError(
                409, visit.words.text("You have already objected to this, and the board has not decided yet.")
            )
        if problem is not None:
            raise PageError(
                409, visit.words.text("Too many of your objections are still open. Wait until the board has decided.")
            )
        return RedirectResponse("/objections?saved=objection", status_code=303)


def _add_board_pages(app: FastAPI, site: PageContext) -> None:
    store = site.parts.store

    @app.get("/board/objections")
    async def objections(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        require_board(visit)
        lines = objection_lines(
            await _all(site, visit),
            visit.words,
            members=await store.members(),
            own=visit.memberships,
            now_s=visit.now_s,
        )
        return await site.page(visit, "board_objections.html", place="more", lines=lines, most=REASON_CHARS_MAX)

    @app.get("/board/objections.json")
    async def objections_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        require_board(visit)
        return as_json({"objections": [objection_json(row) for row in await _all(site, visit)]})

    @app.post("/board/objections/{number}")
    async def decide(request: Request, number: str) -> Response:
        visit = await visit_of(site.parts, request)
        require_board(visit)
        sent = await read_form(request)
        verdict, words = _VERDICTS.get(sent.get("decision", "")), visit.words
        if verdict is None:
            raise PageError(422, words.text("Choose one of the two buttons."))
        reason = _reason(sent.get("reason", ""), visit)
        row = next(iter(await _all(site, visit, number=number)), None)
        if row is None:
            raise PageError(404, words.text("This objection does not exist."))
        if not may_decide(await _residents(store, row.member), visit.member.id, is_board=visit.member.is_board):
            raise PageError(403, words.text("Another board member must decide on your own objection."))
        problem = await store.decide_objection(
            row.id, board_member=visit.member.id, verdict=verdict, reason=reason, at=int(visit.now_s)
        )
        if problem is not None:
            raise PageError(409, words.text("This objection has already been decided. Nothing was changed."))
        return RedirectResponse("/board/objections", status_code=303)


async def _own(site: PageContext, visit: Visit) -> tuple[ObjectionRow, ...]:
    """The visitor's own objections. They contain the home's data, so the access is logged first (I12)."""
    if visit.home is not None:
        access = visit.own_access()
        await site.parts.store.log_access(access, [visit.home.id], fields=OBJECTION_FIELDS, rows=1)
    return await site.parts.store.objections(member=visit.holder.id)


async def _all(site: PageContext, visit: Visit, *, number: str | None = None) -> tuple[ObjectionRow, ...]:
    """All objections, or the one with this number, for the board. Each home's log records the access first (I12)."""
    store = site.parts.store
    rows = tuple(row for row in await store.objections() if number is None or str(row.id) == number)
    members = {row.member for row in rows}
    homes = [home.id for home in await store.homes() if home.member_id in members]
    access = visit.board_access(
        "settle.share", "the list of objections" if number is None else "an objection is decided"
    )
    await store.log_access(access, homes, fields=OBJECTION_FIELDS, rows=len(rows))
    return rows


async def _objection(site: PageContext, visit: Visit, place: tuple[str, str, str], *, reason: str) -> NewObjection:
    """An objection to a line in the visitor's own statement. Raises: PageError if there is no such line."""
    visit.paid_home()
    month, day, line = place
    files = await files_of(site, visit, month)
    statement = files.statement
    stated = shown_amount(month_numbers(statement, files.payment), day=day, line=line)
    if stated is None:
        raise PageError(404, visit.words.text("Your statement does not have this line."))
    made_at = int(visit.now_s)
    due_at = made_at + DECIDE_DAYS * _DAY_S
    statement_hash = document_hash(statement)
    return NewObjection(visit.holder.id, month, day, line, stated, statement_hash, reason, made_at, due_at)


async def _residents(store: Store, member: str) -> frozenset[str]:
    """The people of the home that is kept under this membership."""
    home = await store.home_of(member)
    return frozenset({member}) if home is None else (await store.residents())[home.id]


def _reason(text: str, visit: Visit) -> str:
    reason = clean_reason(text)
    if reason is None:
        raise PageError(422, reason_needed(REASON_CHARS_MAX, visit.words))
    return reason
