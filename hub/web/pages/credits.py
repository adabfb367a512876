"""The Credits pages: a member's month and one of its days, with the same values as JSON and CSV."""

from datetime import date

from fastapi import FastAPI, Request, Response

from hub.storage.records import Access, RunRow
from hub.web.frame.guard import PageError
from hub.web.frame.request_dates import asked_day, asked_month
from hub.web.frame.sign_in import Visit, visit_of
from hub.web.rendering import PageContext, as_json
from hub.web.views.settlement.credits import (
    DayBooked,
    add_up,
    booked_days,
    correction_json,
    credits_page,
    day_json,
    day_page,
    days_csv,
    month_days,
    month_of,
    slots_json,
)
from hub.web.views.settlement.own_allocation import own_slots


def add_credit_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the Credits pages."""

    @app.get("/credits")
    async def credits_of_month(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        first = _month(request, visit)
        days, correction = await _days(site, visit, month_days(first))
        view = credits_page(days, visit.words, first=first, today=_today(visit), correction=correction)
        waiting = 0 if visit.home is None else await site.parts.store.findings_waiting(visit.home.id)
        return await site.page(visit, "credits.html", place="credits", view=view, waiting=waiting)

    @app.get("/credits.json")
    async def credits_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        first = _month(request, visit)
        days, correction = await _days(site, visit, month_days(first))
        said = {"month": f"{first:%Y-%m}", "member": visit.member.id, "days": [day_json(day) for day in days]}
        return as_json(said | {"correction": correction_json(correction)})

    @app.get("/credits.csv")
    async def credits_as_csv(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        first = _month(request, visit)
        days, _ = await _days(site, visit, month_days(first))
        text = days_csv(days)
        name = f"credits-{first:%Y-%m}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    @app.get("/credits/{day}.json")
    async def day_as_json(request: Request, day: str) -> Response:
        visit = await visit_of(site.parts, request)
        booked, runs = await _day(site, visit, day)
        slots = own_slots(runs[-1].allocation, visit.member.id)
        rule = {"rule": runs[-1].rule_hash, "result": site.parts.statements.seals.record(runs[-1].result_hash)}
        return as_json(day_json(booked) | rule | {"slots": slots_json(slots)})

    @app.get("/credits/{day}")
    async def credits_of_day(request: Request, day: str) -> Response:
        visit = await visit_of(site.parts, request)
        booked, runs = await _day(site, visit, day)
        view = day_page(booked, runs, visit.words, member=visit.member.id, seals=site.parts.statements.seals)
        return await site.page(visit, "credits_day.html", place="credits", view=view, address=f"/credits/{day}.json")


def _today(visit: Visit) -> date:
    return visit.words.local(visit.now_s).date()


def _month(request: Request, visit: Visit) -> date:
    """Raises: PageError(404) for a month outside the years that pages accept."""
    first = month_of(request.query_params.get("month"), today=_today(visit))
    return asked_month(first.isoformat()[: len("2026-06")], visit.words)


async def _days(
    site: PageContext, visit: Visit, days: tuple[str, str], *, fields: str = "credits by day"
) -> tuple[tuple[DayBooked, ...], DayBooked | None]:
    """The member's days as far as they may be seen, and the published months' corrections as one total.

    They contain the home's energy, so the access is logged before they are read.
    """
    if visit.home is not None:
        access = Access(actor=visit.member.id, role="self", purpose="own.view")
        length = (date.fromisoformat(days[1]) - date.fromisoformat(days[0])).days + 1
        await site.parts.store.log_access(access, [visit.home.id], fields=fields, rows=length)
    rows = await site.parts.store.entries_of_member(visit.member.id, days=days)
    runs = await site.parts.store.runs(days=days, allocations=False)
    seen = await site.parts.statements.visible(visit.member.id, days=days)
    shown = [row for row in rows if row.run_key not in seen.held_back]
    held = [row for row in rows if row.run_key in seen.held_back and seen.is_corrected(row.day, row.position)]
    kept = [run for run in runs if run.run_key not in seen.held_back]
    member, seals = visit.member.id, site.parts.statements.seals
    corrected = booked_days(held, (), member=member, seals=seals)
    return booked_days(shown, kept, member=member, seals=seals), add_up(corrected)


async def _day(site: PageContext, visit: Visit, text: str) -> tuple[DayBooked, tuple[RunRow, ...]]:
    """One booked day with the runs that may be seen, which contain the home's quarter hours.

    Raises: PageError(404) for a day on which nothing is booked for this member.
    """
    name = asked_day(text, visit.words).isoformat()
    booked, _ = await _days(site, visit, (name, name), fields="grid import and export by quarter hour")
    seen = await site.parts.statements.visible(visit.member.id, days=(name, name))
    found = await site.parts.store.runs(days=(name, name))
    runs = tuple(run for run in found if run.run_key not in seen.held_back)
    if not booked or not runs:
        raise PageError(404, visit.words.text("Nothing is settled for you on that day."))
    return booked[0], runs
