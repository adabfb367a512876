"""Findings about readings: shown to the member concerned, decided by the board. Every access is logged."""

from datetime import date, timedelta
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from hub.core.ledger.objections import REASON_CHARS_MAX, may_decide
from hub.storage.finding_records import FindingRow
from hub.web.frame.guard import PageError, read_form
from hub.web.frame.sign_in import Visit, require_board, visit_of
from hub.web.frame.translation import Localizer
from hub.web.rendering import PageContext, as_json
from hub.web.views.findings import finding_lines, reason_needed

SHOWN_DAYS: Final = 62
_STATUS: Final = {"not_board": 403, "own": 403, "unknown": 404, "closed": 409, "meanwhile": 409}


def add_finding_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the member's page and the board's, each with its values as JSON."""
    _add_member_pages(app, site)
    _add_board_pages(app, site)


def _add_member_pages(app: FastAPI, site: PageContext) -> None:
    @app.get("/findings")
    async def own_findings(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        rows = await _own(site, visit)
        members = await site.named(each.board_member for row in rows for each in row.decisions)
        lines = finding_lines(rows, visit.words, members=members, homes=())
        return await site.page(visit, "findings.html", place="my-home", lines=lines, days=SHOWN_DAYS)

    @app.get("/findings.json")
    async def own_findings_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        return as_json({"findings": [row.plain() for row in await _own(site, visit)]})


def _add_board_pages(app: FastAPI, site: PageContext) -> None:
    @app.get("/board/findings")
    async def findings(request: Request) -> Response:
        visit = await _board_visit(site, request)
        store, rows = site.parts.store, await _all(site, visit)
        homes = await store.homes()
        residents = await store.residents()
        verdicts = {
            row.id: await site.parts.findings.verdicts(row)
            for row in rows
            if may_decide(residents[row.found.home], visit.member.id, is_board=visit.member.is_board)
        }
        lines = finding_lines(rows, visit.words, members=await store.members(), homes=homes, verdicts=verdicts)
        is_saved = request.query_params.get("saved") == "decision"
        place, most, days = "more", REASON_CHARS_MAX, SHOWN_DAYS
        return await site.page(
            visit, "board_findings.html", place=place, lines=lines, most=most, days=days, is_saved=is_saved
        )

    @app.get("/board/findings.json")
    async def findings_as_json(request: Request) -> Response:
        visit = await _board_visit(site, request)
        return as_json({"findings": [row.plain() for row in await _all(site, visit)]})

    @app.post("/board/findings/{number}")
    async def decide(request: Request, number: str) -> Response:
        visit = await _board_visit(site, request)
        sent = await read_form(request)
        problem = await site.parts.findings.decide(
            _whole(number),
            member=visit.member,
            verdict=sent.get("decision", ""),
            reason=sent.get("reason", ""),
            at=int(visit.now_s),
            after=_whole(sent.get("after", "")),
            link_by=visit.link_by,
        )
        if problem is not None:
            raise PageError(_STATUS.get(problem, 422), _sentence(problem, visit.words))
        return RedirectResponse("/board/findings?saved=decision", status_code=303)


async def _board_visit(site: PageContext, request: Request) -> Visit:
    visit = await visit_of(site.parts, request)
    require_board(visit)
    return visit


async def _own(site: PageContext, visit: Visit) -> tuple[FindingRow, ...]:
    access = visit.own_access()
    return await site.parts.store.findings(access=access, home=visit.own_home().id, since=_since(visit))


async def _all(site: PageContext, visit: Visit) -> tuple[FindingRow, ...]:
    """All homes' findings of the kinds that the board decides on; gaps are on the fleet page, without values."""
    access = visit.board_access("settle.share", "findings")
    return await site.parts.store.findings(access=access, since=_since(visit), notes=False)


def _since(visit: Visit) -> str:
    today: date = visit.words.local(visit.now_s).date()
    return (today - timedelta(days=SHOWN_DAYS)).isoformat()


def _whole(text: str) -> int:
    """The number in a form or an address; anything else gives 0, a number that no finding has."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0


def _sentence(problem: str, words: Localizer) -> str:
    return {
        "not_board": words.text("This page is for the board."),
        "reason": reason_needed(REASON_CHARS_MAX, words),
        "unknown": words.text("This finding does not exist."),
        "own": words.text("Another board member must decide on a finding about your own home."),
        "closed": words.text("This finding is closed, because later readings corrected it. Nothing was changed."),
        "verdict": words.text("Choose one of the buttons."),
        "meanwhile": words.text("Somebody else has decided in the meantime. Nothing was changed. Open the page again."),
    }[problem]
