"""The Credits pages: a member's month and one of its days, with the same values as JSON and CSV."""

from dataclasses import replace
from datetime import date
from typing import Final

from fastapi import FastAPI, Request, Response

from hub.core.statements.document import StatementFiles
from hub.storage.access_records import STATEMENT_LOOK
from hub.storage.records import RunRow
from hub.web.frame.guard import PageError
from hub.web.frame.request_dates import asked_day, asked_month
from hub.web.frame.sign_in import Visit, visit_of
from hub.web.rendering import PageContext, as_json
from hub.web.views.settlement.credits import (
    DayBooked,
    correction_json,
    credits_page,
    day_json,
    day_page,
    days_csv,
    empty_page,
    month_days,
    month_of,
    slots_json,
    stated_correction,
    stated_day,
    stated_days,
    stated_run,
    together_json,
)
from hub.web.views.settlement.month_numbers import state_of
from hub.web.views.settlement.own_slots import own_slots

BY_DAY: Final = "credits by day"


def add_credit_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the Credits pages."""

    @app.get("/credits")
    async def credits_of_month(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        first = _month(request, visit)
        files = await _stated(site, visit, first, fields=BY_DAY)
        today = _today(visit)
        if files is None:
            view = empty_page(visit.words, first=first, today=today)
        else:
            view = credits_page(files, visit.words, first=first, today=today)
        waiting = 0 if visit.home is None else await site.parts.store.findings_waiting(visit.home.id)
        return await site.page(visit, "credits.html", place="credits", view=view, waiting=waiting)

    @app.get("/credits.json")
    async def credits_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        first = _month(request, visit)
        files = await _stated(site, visit, first, fields=BY_DAY)
        days, correction = _days(files)
        said = {"month": f"{first:%Y-%m}", "member": visit.holder.id, "days": [day_json(day) for day in days]}
        state = None if files is None else state_of(files.statement)
        return as_json(said | {"state": state, "correction": correction_json(correction)})

    @app.get("/credits.csv")
    async def credits_as_csv(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        first = _month(request, visit)
        days, _ = _days(await _stated(site, visit, first, fields=BY_DAY))
        text = days_csv(days)
        name = f"credits-{first:%Y-%m}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    @app.get("/credits/{day}.json")
    async def day_as_json(request: Request, day: str) -> Response:
        visit = await visit_of(site.parts, request)
        files, booked, runs = await _day(site, visit, day)
        slots = own_slots(stated_day(files, booked.day))
        rule = {"rule": runs[-1].rule_hash, "result": site.parts.statements.seals.record(runs[-1].result_hash)}
        said = day_json(booked) | {"together": together_json(slots, booked)} | rule
        return as_json(said | {"slots": slots_json(slots)})

    @app.get("/credits/{day}")
    async def credits_of_day(request: Request, day: str) -> Response:
        visit = await visit_of(site.parts, request)
        files, booked, runs = await _day(site, visit, day)
        view = day_page(files, booked, runs, visit.words, seals=site.parts.statements.seals)
        return await site.page(visit, "credits_day.html", place="credits", view=view, address=f"/credits/{day}.json")


def _today(visit: Visit) -> date:
    return visit.words.local(visit.now_s).date()


def _month(request: Request, visit: Visit) -> date:
    """Raises: PageError(404) for a month outside the years that pages accept."""
    first = month_of(request.query_params.get("month"), today=_today(visit))
    return asked_month(first.isoformat()[: len("2026-06")], visit.words)


def _days(files: StatementFiles | None) -> tuple[tuple[DayBooked, ...], DayBooked | None]:
    """The statement's days, and its corrections as one total."""
    return ((), None) if files is None else (stated_days(files.statement), stated_correction(files.statement))


async def _stated(
    site: PageContext, visit: Visit, month: date, *, fields: str, rows: int | None = None
) -> StatementFiles | None:
    """The visitor's statement, the source of every number here; None if nothing is settled for them.

    It contains the home's energy, so the access is logged before it is read.
    """
    if visit.home is None:
        return None
    access, first, last = visit.own_access(), *month_days(month)
    length = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1 if rows is None else rows
    await site.parts.store.log_access(access, [visit.home.id], fields=fields, rows=length)
    access = replace(access, reason=STATEMENT_LOOK)
    return await site.parts.statements.state(visit.holder, visit.home, month=month, access=access)


async def _day(site: PageContext, visit: Visit, text: str) -> tuple[StatementFiles, DayBooked, tuple[RunRow, ...]]:
    """One stated day with its runs up to the statement's.

    Raises: PageError(404) for a day on which nothing is booked for this member.
    """
    day = asked_day(text, visit.words)
    files = await _stated(site, visit, day.replace(day=1), fields="grid import and export by quarter hour", rows=1)
    booked = next((each for each in _days(files)[0] if each.day == day), None)
    if files is None or booked is None or not booked.run_names:
        raise PageError(404, visit.words.text("Nothing is settled for you on that day."))
    return files, booked, await _runs_until(site, visit, stated_run(files.statement, day), day=day)


async def _runs_until(site: PageContext, visit: Visit, name: str, *, day: date) -> tuple[RunRow, ...]:
    """The day's runs that the member may see, the statement's own being the last."""
    days, seals = (day.isoformat(), day.isoformat()), site.parts.statements.seals
    seen = await site.parts.statements.visible(visit.holder.id, days=days)
    runs: list[RunRow] = []
    for run in await site.parts.store.runs(days=days, allocations=False):
        is_own = seals.run(run.run_key) == name
        if is_own or run.run_key not in seen.held_back:
            runs.append(run)
        if is_own:
            break
    return tuple(runs)
