"""A home's months and, of one month, its days; the visitor's own home only, and the access is logged."""

from fastapi import FastAPI, Request, Response

from hub.core.homes.periods import PeriodKind
from hub.storage.street_records import PeriodSum
from hub.web.frame.request_dates import asked_month
from hub.web.frame.sign_in import Visit, visit_of
from hub.web.rendering import PageContext, as_json
from hub.web.views.home.months import day_firsts, month_firsts, period_json, period_lines
from protocols.slots import slot_of


def add_month_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the page and its values as JSON."""

    @app.get("/my-home/months")
    async def months(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        asked = request.query_params.get("month", "")
        lines = period_lines(await _sums(site, visit, asked), visit.words)
        title = visit.words.month(asked_month(asked, visit.words)) if asked else ""
        return await site.page(visit, "my_months.html", place="my-home", lines=lines, title=title)

    @app.get("/my-home/months.json")
    async def months_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        sums = await _sums(site, visit, request.query_params.get("month", ""))
        return as_json({"periods": [period_json(each, visit.words.tz) for each in sums]})


async def _sums(site: PageContext, visit: Visit, month: str) -> tuple[PeriodSum, ...]:
    """The newest first. Raises: PageError(404) for what is no month."""
    home, tz = visit.own_home(), visit.words.tz
    if month:
        kind, firsts = PeriodKind.DAY, day_firsts(asked_month(month, visit.words), tz)
    else:
        kind, firsts = PeriodKind.MONTH, month_firsts(slot_of(visit.now_s), tz)
    found = await site.parts.store.period_sums(home.id, kind, firsts=firsts, access=visit.own_access())
    return tuple(reversed(found))
