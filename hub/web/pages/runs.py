"""The board's pages on settlement: months and their runs, what a run would change, booking, approving, publishing.

They show sums only, never a member's energy. The run service applies the rules; a refusal is one sentence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from hub.core.ledger.month_overview import MonthOverview
from hub.core.ledger.month_runs import DECISION_CHARS_MAX, MonthRun
from hub.core.ledger.run_calendar import DISPUTE, MONTH_KINDS, month_name
from hub.storage.contract import Store
from hub.web.frame.asked_pages import PAGE_ROWS
from hub.web.frame.guard import PageError, read_form
from hub.web.frame.request_dates import asked_day, asked_month
from hub.web.frame.sign_in import Visit
from hub.web.pages.board import board_warning, require_board_visit
from hub.web.rendering import PageContext, as_json
from hub.web.views.settlement.day_runs import run_json, run_lines
from hub.web.views.settlement.run_files import month_json, month_run_json, preview_json
from hub.web.views.settlement.runs import booked_page, month_line, month_page, preview_page, uncertified_words
from protocols.slots import day_of

MONTHS_SHOWN: Final = 12
KINDS: Final = (*MONTH_KINDS, DISPUTE)


def add_run_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the settlement pages."""
    _add_lists(app, site)
    _add_month(app, site)
    _add_previews(app, site)
    _add_decisions(app, site)


def _add_lists(app: FastAPI, site: PageContext) -> None:
    store, service = site.parts.store, site.parts.runs

    @app.get("/board/runs")
    async def runs(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        asked = _asked_lists(request, visit)
        months = await service.months(today=_today(visit), most=MONTHS_SHOWN + 1, before=asked.months_before)
        rows = await store.runs(days=asked.days, allocations=False)
        shown = months[:MONTHS_SHOWN]
        return await site.page(
            visit,
            "runs.html",
            place="more",
            warning=await board_warning(store),
            months=[month_line(month, visit.words) for month in shown],
            lines=run_lines(rows, visit.words, seals=site.parts.statements.seals),
            last_day=visit.words.full_day(asked.last_day),
            links=await _links(store, asked, shown if len(months) > MONTHS_SHOWN else (), tz=visit.words.tz),
        )

    @app.get("/board/runs.json")
    async def runs_as_json(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        asked = _asked_lists(request, visit)
        months = await service.months(today=_today(visit), most=MONTHS_SHOWN, before=asked.months_before)
        rows = await store.runs(days=asked.days, allocations=False)
        return as_json(
            {
                "months": [month_json(month) for month in months],
                "runs": [run_json(row, site.parts.statements.seals) for row in rows],
            }
        )


@dataclass(frozen=True, slots=True)
class _AskedLists:
    """Which part of the months and of the days the page shows; None for the newest months."""

    months_before: date | None
    last_day: date
    is_newest_days: bool

    @property
    def days(self) -> tuple[str, str]:
        return ((self.last_day - timedelta(days=PAGE_ROWS - 1)).isoformat(), self.last_day.isoformat())


def _asked_lists(request: Request, visit: Visit) -> _AskedLists:
    """Raises: PageError(404)."""
    months, days = request.query_params.get("months_before", ""), request.query_params.get("days_before", "")
    before = asked_month(months, visit.words) if months else None
    if not days:
        return _AskedLists(before, _today(visit), is_newest_days=True)
    return _AskedLists(before, asked_day(days, visit.words) - timedelta(days=1), is_newest_days=False)


async def _links(store: Store, asked: _AskedLists, shown: Sequence[MonthOverview], *, tz: str) -> dict[str, str]:
    """The addresses of older and of the newest months and days; each link leaves the other list where it is."""
    months = {} if asked.months_before is None else {"months_before": month_name(asked.months_before)}
    days = {} if asked.is_newest_days else {"days_before": (asked.last_day + timedelta(days=1)).isoformat()}
    links = dict.fromkeys(("older_months", "newest_months", "older_days", "newest_days"), "")
    if shown:
        links["older_months"] = _address({"months_before": shown[-1].name, **days}, "months")
    if months:
        links["newest_months"] = _address(days, "months")
    begun = await store.first_slot()
    if begun is not None and day_of(begun, tz).isoformat() < asked.days[0]:
        links["older_days"] = _address({**months, "days_before": asked.days[0]}, "days")
    if days:
        links["newest_days"] = _address(months, "days")
    return links


def _address(query: Mapping[str, str], part: str) -> str:
    return f"/board/runs?{urlencode(query)}#{part}" if query else f"/board/runs#{part}"


def _add_month(app: FastAPI, site: PageContext) -> None:
    @app.get("/board/runs/{month}.json")
    async def month_as_json(request: Request, month: str) -> Response:
        visit = await require_board_visit(site, request)
        return as_json(month_json(await _month(site, visit, month)))

    @app.get("/board/runs/{month}")
    async def month_of_runs(request: Request, month: str) -> Response:
        visit = await require_board_visit(site, request)
        found = await _month(site, visit, month)
        names = {member.id: member.name for member in await site.parts.store.members()}
        view = month_page(found, visit.words, names=names, reader=visit.member.id)
        said = request.query_params.get("said", "")
        return await site.page(visit, "runs_month.html", place="more", view=view, said=said)


def _add_previews(app: FastAPI, site: PageContext) -> None:
    service = site.parts.runs

    @app.get("/board/runs/{month}/preview.json")
    async def preview_as_json(request: Request, month: str) -> Response:
        visit = await require_board_visit(site, request)
        found, kind = await _month(site, visit, month), _kind(request.query_params.get("kind", ""), visit)
        shown = await service.preview(found.month, kind=kind, today=_today(visit))
        if isinstance(shown, str):
            raise _refused(shown, visit)
        return as_json(preview_json(shown[0]) | {"kind": kind, "run_key": shown[1]})

    @app.get("/board/runs/{month}/preview")
    async def preview(request: Request, month: str) -> Response:
        visit = await require_board_visit(site, request)
        found, kind = await _month(site, visit, month), _kind(request.query_params.get("kind", ""), visit)
        shown = await service.preview(found.month, kind=kind, today=_today(visit))
        if isinstance(shown, str):
            raise _refused(shown, visit)
        needs_decision = await service.needs_decision(found.month, kind=kind)
        view = preview_page(found, shown[0], visit.words, kind=kind, run_key=shown[1], needs_decision=needs_decision)
        return await site.page(visit, "runs_preview.html", place="more", view=view, most=DECISION_CHARS_MAX)

    @app.get("/board/runs/{month}/run/{run_key}.json")
    async def run_as_json(request: Request, month: str, run_key: str) -> Response:
        visit = await require_board_visit(site, request)
        run = _run(await _month(site, visit, month), run_key, visit)
        uncertified = await service.uncertified(run)
        booked = preview_json(await service.booked(run))
        return as_json(month_run_json(run) | {"booked": booked, "uncertified": uncertified})

    @app.get("/board/runs/{month}/run/{run_key}")
    async def run_of_month(request: Request, month: str, run_key: str) -> Response:
        visit = await require_board_visit(site, request)
        found = await _month(site, visit, month)
        run = _run(found, run_key, visit)
        names = {member.id: member.name for member in await site.parts.store.members()}
        booked = await service.booked(run)
        view = booked_page(found, run, visit.words, booked=booked, names=names, reader=visit.member.id)
        meters = uncertified_words(await service.uncertified(run), visit.words)
        return await site.page(visit, "runs_booked.html", place="more", view=view, meters=meters)


def _add_decisions(app: FastAPI, site: PageContext) -> None:
    service = site.parts.runs

    @app.post("/board/runs/{month}/book")
    async def book(request: Request, month: str) -> Response:
        visit = await require_board_visit(site, request)
        sent = await read_form(request)
        found, kind = await _month(site, visit, month), _kind(sent.get("kind", ""), visit)
        made = await service.book(
            found.month,
            kind=kind,
            previewed=sent.get("run_key", ""),
            decision=sent.get("decision", "").strip(),
            at=int(visit.now_s),
            today=_today(visit),
        )
        return _answer(made, visit, done="booked")

    @app.post("/board/runs/{month}/approve")
    async def approve(request: Request, month: str) -> Response:
        visit = await require_board_visit(site, request)
        sent = await read_form(request)
        run = _run(await _month(site, visit, month), sent.get("run_key", ""), visit)
        made = await service.approve(run.run_key, member=visit.member.id, at=int(visit.now_s))
        return _answer(made, visit, done="approved")

    @app.post("/board/runs/{month}/publish")
    async def publish(request: Request, month: str) -> Response:
        visit = await require_board_visit(site, request)
        sent = await read_form(request)
        run = _run(await _month(site, visit, month), sent.get("run_key", ""), visit)
        made = await service.publish(run.run_key, member=visit.member.id, at=int(visit.now_s))
        return _answer(made, visit, done="published")


def _answer(made: MonthRun | str, visit: Visit, *, done: str) -> Response:
    if isinstance(made, str):
        raise _refused(made, visit)
    return RedirectResponse(f"/board/runs/{made.month}?said={done}", status_code=303)


def _refused(why: str, visit: Visit) -> PageError:
    return PageError(409, visit.words.text("Nothing was changed: %(why)s.", why=why))


def _today(visit: Visit) -> date:
    return visit.words.local(visit.now_s).date()


async def _month(site: PageContext, visit: Visit, text: str) -> MonthOverview:
    """Raises: PageError(404)."""
    month = asked_month(text, visit.words)
    found = await site.parts.runs.month(month, today=_today(visit))
    if found is None:
        raise PageError(404, visit.words.text("No readings have arrived for that month."))
    return found


def _kind(text: str, visit: Visit) -> str:
    if text not in KINDS:
        raise PageError(422, visit.words.text("This kind of run does not exist."))
    return text


def _run(month: MonthOverview, run_key: str, visit: Visit) -> MonthRun:
    run = next((run for run in month.runs if run.run_key == run_key), None)
    if run is None:
        raise PageError(404, visit.words.text("This month has no such run. Open the page again."))
    return run
