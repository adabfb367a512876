"""The Fairness page: what a member added to sharing in a year, what the member got, with totals for all members.

Each visit is logged for the visitor's home; the service logs its access to the homes whose readings it uses.
"""

from datetime import date

from fastapi import FastAPI, Request, Response

from hub.core.trials.fairness import MemberFairness
from hub.storage.access_records import FAIRNESS_FIELDS
from hub.web.frame.guard import PageError
from hub.web.frame.sign_in import Visit, visit_of
from hub.web.rendering import PageContext, as_json
from hub.web.views.fairness import fairness_json, fairness_page


def add_fairness_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the Fairness page."""

    @app.get("/fairness.json")
    async def fairness_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        year, years, report = await _report(site, visit, request)
        found: dict[str, object] = {"year": year, "years": list(years)}
        if isinstance(report, str):
            return as_json(found | {"error": report}, status=409)
        if year is not None and report is None:
            return as_json(found | {"state": "being worked out: ask again"}, status=202)
        return as_json(found if report is None else found | fairness_json(report))

    @app.get("/fairness")
    async def fairness(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        year, years, report = await _report(site, visit, request)
        return await site.page(
            visit,
            "fairness.html",
            place="more",
            year=year,
            years=years,
            obstacle=report if isinstance(report, str) else "",
            is_at_work=year is not None and report is None,
            view=fairness_page(report, visit.words) if isinstance(report, MemberFairness) else None,
        )


async def _report(
    site: PageContext, visit: Visit, request: Request
) -> tuple[int | None, tuple[int, ...], MemberFairness | str | None]:
    """The requested year, or the newest one, with its report. Raises: PageError(404)."""
    home, service, today = visit.own_home(), site.parts.fairness, _today(visit)
    years = await service.years(today=today)
    asked = request.query_params.get("year")
    year = next((year for year in years if asked is None or str(year) == asked), None)
    if year is None:
        if asked is not None:
            raise PageError(404, visit.words.text("There is no report for that year."))
        return None, years, None
    access = visit.own_access()
    await site.parts.store.log_access(access, [home.id], fields=FAIRNESS_FIELDS, rows=1)
    return year, years, await service.report(visit.holder.id, year=year, today=today)


def _today(visit: Visit) -> date:
    return visit.words.local(visit.now_s).date()
