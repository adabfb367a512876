"""The statement of a month: its page, its days, and the files a member checks it with at home. Own data only."""

from datetime import date
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response

from hub.core.statement import StatementFiles, statement_csv
from hub.storage.records import Access
from hub.web.guard import PageError
from hub.web.sign_in import Visit, visit_of
from hub.web.site import Site, as_json
from hub.web.views.objections import frozen_lines
from hub.web.views.statement import statement_day, statement_page

SCRIPT: Final = Path(__file__).parents[1] / "verify_statement.py"


def add_statement_pages(app: FastAPI, site: Site) -> None:
    """Mount the statement's pages and files."""
    _add_files(app, site)

    @app.get("/credits/statement/{month}")
    async def statement(request: Request, month: str) -> Response:
        visit = await visit_of(site.parts, request)
        files = await files_of(site, visit, month)
        rows = await site.parts.store.objections(member=visit.member.id)
        frozen = frozen_lines(rows, month=month, day="", words=visit.words)
        in_days = sum(row.verdict is None and row.month == month and row.day != "" for row in rows)
        view = statement_page(files, visit.words, frozen=frozen, frozen_days=in_days)
        return await site.page(visit, "statement.html", place="credits", view=view)

    @app.get("/credits/statement/{month}/{day}")
    async def day_of_statement(request: Request, month: str, day: str) -> Response:
        visit = await visit_of(site.parts, request)
        statement = (await files_of(site, visit, month)).statement
        rows = await site.parts.store.objections(member=visit.member.id)
        frozen = frozen_lines(rows, month=month, day=day, words=visit.words)
        view = statement_day(statement, day, visit.words, frozen=frozen)
        if view is None:
            raise PageError(404, visit.words.say("The statement has no such day."))
        return await site.page(visit, "statement_day.html", place="credits", view=view)


def _add_files(app: FastAPI, site: Site) -> None:
    @app.get("/verify_statement.py")
    async def script() -> Response:
        return _download(SCRIPT.read_bytes(), "text/x-python; charset=utf-8", SCRIPT.name)

    @app.get("/credits/statement/{month}.json")
    async def signed(request: Request, month: str) -> Response:
        visit = await visit_of(site.parts, request)
        return as_json((await files_of(site, visit, month)).signed)

    @app.get("/credits/statement/{month}.csv")
    async def table(request: Request, month: str) -> Response:
        visit = await visit_of(site.parts, request)
        text = statement_csv((await files_of(site, visit, month)).statement)
        return _download(text.encode(), "text/csv; charset=utf-8", f"statement-{month}.csv")

    @app.get("/credits/statement/{month}/readings.json")
    async def readings(request: Request, month: str) -> Response:
        visit = await visit_of(site.parts, request)
        return as_json((await files_of(site, visit, month)).readings)

    @app.get("/credits/statement/{month}/pool.json")
    async def pool(request: Request, month: str) -> Response:
        visit = await visit_of(site.parts, request)
        return as_json((await files_of(site, visit, month)).pool)


async def files_of(site: Site, visit: Visit, text: str) -> StatementFiles:
    """The visitor's own statement of a month like 2026-05; the look stands in the log of the visitor's home.

    Raises: PageError(404).
    """
    say = visit.words.say
    try:
        month = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise PageError(404, say("A month is written like 2026-06.")) from None
    access = Access(actor=visit.member.id, role="self", purpose="own.view")
    files = await site.parts.statements.state(visit.member, visit.own_home(), month=month, access=access)
    if files is None:
        raise PageError(404, say("Nothing is settled for you in %(month)s.", month=visit.words.month(month)))
    return files


def _download(content: bytes, kind: str, name: str) -> Response:
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})
