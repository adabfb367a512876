"""A month's statement: its page, its days, and the files with which a member checks it. Own data only."""

import asyncio
import logging

from fastapi import FastAPI, Request, Response

from hub.core.statements.document import StatementFiles
from hub.core.statements.tables import bills_csv, statement_csv
from hub.storage.access_records import STATEMENT_LOOK
from hub.web.frame.guard import PageError
from hub.web.frame.request_dates import asked_month
from hub.web.frame.sign_in import Visit, visit_of
from hub.web.pdf.statement import PdfMissingError, PdfRenderError, draw_pdf, draws_pdf
from hub.web.rendering import PageContext, as_json
from hub.web.views.settlement.statement import StatementPage, statement_day, statement_page
from hub.web.views.settlement.statement_sheet import statement_sheet

log = logging.getLogger(__name__)


def add_statement_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the statement's pages and files."""
    _add_files(app, site)

    @app.get("/credits/statement/{month}")
    async def statement(request: Request, month: str) -> Response:
        visit = await visit_of(site.parts, request)
        _, view = await _stated(site, visit, month)
        return await site.page(visit, "statement.html", place="credits", view=view, has_pdf=draws_pdf())

    @app.get("/credits/statement/{month}/{day}")
    async def day_of_statement(request: Request, month: str, day: str) -> Response:
        visit = await visit_of(site.parts, request)
        view = statement_day(await files_of(site, visit, month), day, visit.words)
        if view is None:
            raise PageError(404, visit.words.text("The statement does not have this day."))
        return await site.page(visit, "statement_day.html", place="credits", view=view)


def _add_files(app: FastAPI, site: PageContext) -> None:
    @app.get("/verify_statement.py")
    async def script() -> Response:
        return _download(site.parts.statements.script.encode(), "text/x-python; charset=utf-8", "verify_statement.py")

    @app.get("/credits/statement/{month}.json")
    async def signed(request: Request, month: str) -> Response:
        visit = await visit_of(site.parts, request)
        return as_json((await files_of(site, visit, month)).signed)

    @app.get("/credits/statement/{month}/before.json")
    async def replaced(request: Request, month: str) -> Response:
        visit = await visit_of(site.parts, request)
        before = (await files_of(site, visit, month)).before
        if before is None:
            raise PageError(404, visit.words.text("No earlier statement of this month was published."))
        return as_json(before)

    @app.get("/credits/statement/{month}.csv")
    async def table(request: Request, month: str) -> Response:
        visit = await visit_of(site.parts, request)
        text = statement_csv((await files_of(site, visit, month)).statement)
        return _download(text.encode(), "text/csv; charset=utf-8", f"statement-{month}.csv")

    @app.get("/credits/statement/{month}/bills.csv")
    async def bills(request: Request, month: str) -> Response:
        visit = await visit_of(site.parts, request)
        text = bills_csv((await files_of(site, visit, month)).statement)
        return _download(text.encode(), "text/csv; charset=utf-8", f"bills-{month}.csv")

    @app.get("/credits/statement/{month}.pdf")
    async def sheet(request: Request, month: str) -> Response:
        visit = await visit_of(site.parts, request)
        files, view = await _stated(site, visit, month)
        try:
            drawn = await asyncio.to_thread(draw_pdf, statement_sheet(files, view, visit.words))
        except PdfMissingError:
            raise PageError(
                404,
                visit.words.text(
                    "This hub cannot make PDF files. Print the statement's page with your browser instead."
                ),
            ) from None
        except PdfRenderError as problem:
            log.warning("a statement could not be made as PDF: %s", problem)
            raise PageError(
                409,
                visit.words.text(
                    "This statement cannot be made as PDF, perhaps because its fonts lack a letter of a name."
                    " Print the statement's page with your browser instead."
                ),
            ) from None
        return _download(drawn, "application/pdf", f"statement-{month}.pdf")

    @app.get("/credits/statement/{month}/readings.json")
    async def readings(request: Request, month: str) -> Response:
        visit = await visit_of(site.parts, request)
        return as_json((await files_of(site, visit, month)).readings)

    @app.get("/credits/statement/{month}/pool.json")
    async def pool(request: Request, month: str) -> Response:
        visit = await visit_of(site.parts, request)
        return as_json((await files_of(site, visit, month)).pool)


async def _stated(site: PageContext, visit: Visit, month: str) -> tuple[StatementFiles, StatementPage]:
    """The visitor's statement and what its page shows, including frozen lines. Raises: PageError(404)."""
    files = await files_of(site, visit, month)
    return files, statement_page(files, visit.words)


async def files_of(site: PageContext, visit: Visit, text: str) -> StatementFiles:
    """The visitor's own statement for a month like 2026-05; the home's log records the access.

    Raises: PageError(404).
    """
    month = asked_month(text, visit.words)
    access = visit.own_access(STATEMENT_LOOK)
    files = await site.parts.statements.state(visit.holder, visit.own_home(), month=month, access=access)
    if files is None:
        raise PageError(
            404, visit.words.text("Nothing is settled for you in %(month)s.", month=visit.words.month(month))
        )
    return files


def _download(content: bytes, kind: str, name: str) -> Response:
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})
