"""The What-if page: try a rule on a past month. It shows the visitor's own gain or loss, and totals for all members.

Each visit is logged for the visitor's home; the service logs its access to the homes whose readings it uses.
"""

from datetime import date, timedelta
from typing import Final

from fastapi import FastAPI, Request, Response

from hub.core.trials.rule_choices import CHOICES
from hub.core.trials.what_if import MemberTrial
from hub.storage.access_records import STATEMENT_LOOK, TRIAL_FIELDS
from hub.web.frame.guard import PageError
from hub.web.frame.sign_in import Visit, visit_of
from hub.web.rendering import PageContext, as_json
from hub.web.views.settlement.month_numbers import MonthNumbers, month_numbers
from hub.web.views.what_if import rule_options, trial_json, trial_page

PAST_DAYS: Final = 400


def add_what_if_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the What-if page."""

    @app.get("/what-if.json")
    async def what_if_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        months = await _months(site, visit)
        tried = await _tried(site, visit, request, months=months)
        if tried is None:
            return as_json({"months": [f"{month:%Y-%m}" for month in months], "rules": list(CHOICES)})
        month, choice, trial = tried
        asked = {"month": f"{month:%Y-%m}", "rule": choice}
        if trial is None:
            return as_json(asked | {"state": "being worked out: ask again"}, status=202)
        return as_json(asked | trial_json(trial))

    @app.get("/what-if")
    async def what_if(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        months = await _months(site, visit)
        tried = await _tried(site, visit, request, months=months)
        month, choice, trial = tried or (months[0] if months else None, "", None)
        stated = None if trial is None or month is None else await _stated(site, visit, month)
        return await site.page(
            visit,
            "what_if.html",
            place="more",
            months=[(f"{each:%Y-%m}", visit.words.month(each), each == month) for each in months],
            groups=rule_options(visit.words, chosen=choice),
            address=f"/what-if?month={month:%Y-%m}&rule={choice}" if tried else "",
            file=f"/what-if.json?month={month:%Y-%m}&rule={choice}" if tried else "",
            view=None if trial is None or month is None else trial_page(trial, visit.words, month=month, stated=stated),
        )


async def _stated(site: PageContext, visit: Visit, month: date) -> MonthNumbers | None:
    """The numbers of the visitor's statement for the month; the home's log says that it was opened."""
    access = visit.own_access(STATEMENT_LOOK)
    files = await site.parts.statements.state(visit.holder, visit.own_home(), month=month, access=access)
    return None if files is None else month_numbers(files.statement, files.payment)


async def _months(site: PageContext, visit: Visit) -> tuple[date, ...]:
    today = visit.words.local(visit.now_s).date()
    return await site.parts.trials.months(first=(today - timedelta(days=PAST_DAYS)).replace(day=1), last=today)


async def _tried(
    site: PageContext, visit: Visit, request: Request, *, months: tuple[date, ...]
) -> tuple[date, str, MemberTrial | None] | None:
    """The request and its result; None if nothing was requested. Raises: PageError(404, 409, 422)."""
    home, words = visit.own_home(), visit.words
    asked, choice = request.query_params.get("month"), request.query_params.get("rule")
    if asked is None and choice is None:
        return None
    month = next((month for month in months if f"{month:%Y-%m}" == asked), None)
    if month is None:
        raise PageError(404, words.text("No day of that month is settled. Choose another month."))
    if choice not in CHOICES:
        raise PageError(422, words.text("Choose a rule from the list."))
    access = visit.own_access()
    await site.parts.store.log_access(access, [home.id], fields=TRIAL_FIELDS, rows=1)
    today = visit.words.local(visit.now_s).date()
    trial = await site.parts.trials.try_rule(visit.holder.id, month=month, choice=choice, today=today)
    if isinstance(trial, str):
        raise PageError(409, words.text("This cannot be calculated: %(why)s.", why=trial))
    return month, choice, trial
