"""The members' pages. Each shows only the visitor's own data or neighbourhood totals."""

import json
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from hub.core.ledger.objections import REASON_CHARS_MAX, clean_reason
from hub.storage.records import Appliance, Home
from hub.web.frame.guard import PageError, read_body, read_form, require_same_origin
from hub.web.frame.sign_in import Visit, read_home_form, set_home, visit_of
from hub.web.frame.translation import Localizer
from hub.web.rendering import PageContext, as_json
from hub.web.views.findings import reason_needed
from hub.web.views.home.appliance_form import (
    ApplianceField,
    appliance_fields,
    appliance_json,
    appliances_from_form,
    appliances_from_json,
)
from hub.web.views.home.households import home_cards, homes_json
from hub.web.views.home.new_agents import NewAgentNote, new_agent_notes
from hub.web.views.home.own_day import home_json, home_page, newest_time, read_home_days
from hub.web.views.home.own_record import consent_pages, consents_json, read_consents
from hub.web.views.home.prompt_cards import asked_in_week, open_prompt, past_prompt, prompt_json
from hub.web.views.home.several_agents import HomeAgentNote, home_agent_notes
from hub.web.views.home.today import today_json, today_page
from protocols.slots import format_slot, slot_of

_ANSWERS: Final = ("yes", "no", "never_appliance")


def add_member_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the members' pages."""
    _add_today(app, site)
    _add_my_home(app, site)
    _add_appliances(app, site)
    _add_prompts(app, site)
    _add_record(app, site)
    _add_homes(app, site)


def _add_today(app: FastAPI, site: PageContext) -> None:
    @app.get("/")
    async def today(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        outlook = await site.neighbourhood.outlook(visit.now_s)
        waiting, recent = await site.open_prompts(visit), await site.recent_prompts(visit)
        asked = asked_in_week(recent, now=slot_of(visit.now_s))
        card = open_prompt(waiting[0], visit.words, asked_this_week=asked) if waiting else None
        view = today_page(outlook, visit.words)
        return await site.page(visit, "today.html", place="today", view=view, card=card)

    @app.get("/today.json")
    async def today_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        return as_json(today_json(await site.neighbourhood.outlook(visit.now_s)))

    @app.get("/fresh.json")
    async def fresh(request: Request) -> Response:
        await visit_of(site.parts, request)
        return as_json({"through": await site.received_through() or 0})

    @app.get("/more")
    async def more(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        return await site.page(visit, "more.html", place="more", member=visit.member, home=visit.home)


def _add_my_home(app: FastAPI, site: PageContext) -> None:
    @app.get("/my-home")
    async def my_home(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        days = await read_home_days(site.parts.store, visit, visit.own_home())
        return await site.page(
            visit,
            "my_home.html",
            place="my-home",
            view=home_page(days, visit.words, now_s=visit.now_s),
            newest=newest_time(days, visit.words),
            waiting=await site.parts.store.findings_waiting(visit.own_home().id),
            is_saved=request.query_params.get("saved") == "appliances",
            asked=[field for field in await _fields(site, visit) if field.is_here],
            new_agents=await _new_agents(site, visit),
            home_agents=await _home_agents(site, visit),
            most=REASON_CHARS_MAX,
        )

    @app.post("/my-home/agent")
    async def object_to_agent(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        visit.own_home()
        sent = await read_home_form(request, visit)
        reason = clean_reason(sent.get("reason", ""))
        if reason is None:
            raise PageError(422, reason_needed(REASON_CHARS_MAX, visit.words))
        store, agent = site.parts.store, sent.get("agent", "")
        if await store.object_to_agent(agent, member=visit.member.id, reason=reason, link_by=visit.link_by) is not None:
            raise PageError(409, visit.words.text("You cannot object to this agent. Nothing was changed."))
        return RedirectResponse("/my-home#new-agents", status_code=303)

    @app.get("/my-home.json")
    async def my_home_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        home = visit.own_home()
        days = await read_home_days(site.parts.store, visit, home)
        own = await _own_appliances(site, home)
        return as_json(home_json(days) | {"appliances": [appliance_json(appliance) for appliance in own]})


def _add_appliances(app: FastAPI, site: PageContext) -> None:
    @app.get("/my-home/appliances")
    async def appliances(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        visit.own_home()
        fields = await _fields(site, visit)
        return await site.page(visit, "appliances.html", place="my-home", fields=fields, problem="")

    @app.post("/my-home/appliances")
    async def set_appliances(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        home = visit.own_home()
        if request.headers.get("content-type", "").startswith("application/json"):
            require_same_origin(request)
            sent = appliances_from_json(home.id, _parse_json(await read_body(request), visit.words), visit.words)
            await site.parts.store.set_appliances(home.id, sent)
            return as_json({"appliances": [appliance_json(appliance) for appliance in sent]})
        form = await read_home_form(request, visit)
        try:
            sent = appliances_from_form(home.id, form, visit.words)
        except PageError as error:
            fields = await _fields(site, visit)
            return await site.page(
                visit,
                "appliances.html",
                place="my-home",
                status=error.status,
                fields=fields,
                problem=error.sentence,
            )
        await site.parts.store.set_appliances(home.id, sent)
        return RedirectResponse("/my-home?saved=appliances#appliances", status_code=303)


def _add_prompts(app: FastAPI, site: PageContext) -> None:
    @app.get("/prompts")
    async def prompts(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        await _log_own_access(site, visit, fields="energy measured for prompts")
        recent, waiting = await site.recent_prompts(visit), await site.open_prompts(visit)
        asked = asked_in_week(recent, now=slot_of(visit.now_s))
        open_ids = {row.id for row in waiting}
        return await site.page(
            visit,
            "prompts.html",
            place="prompts",
            cards=[open_prompt(row, visit.words, asked_this_week=asked) for row in waiting],
            past=[
                past_prompt(row, visit.words, now_s=visit.now_s) for row in reversed(recent) if row.id not in open_ids
            ],
            answered=request.query_params.get("answered", ""),
        )

    @app.get("/prompts.json")
    async def prompts_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        await _log_own_access(site, visit, fields="energy measured for prompts")
        recent, waiting = await site.recent_prompts(visit), await site.open_prompts(visit)
        open_ids = {row.id for row in waiting}
        return as_json(
            {
                "now": format_slot(slot_of(visit.now_s)),
                "now_s": visit.now_s,
                "open": [prompt_json(row) for row in waiting],
                "past": [prompt_json(row) for row in recent if row.id not in open_ids],
            }
        )

    @app.post("/prompts/{prompt_id}")
    async def answer(request: Request, prompt_id: str) -> Response:
        visit = await visit_of(site.parts, request)
        home = visit.own_home()
        choice = (await read_home_form(request, visit)).get("answer", "")
        if choice not in _ANSWERS:
            raise PageError(422, visit.words.text("Answer with one of the prompt's buttons."))
        # The store looks prompts up by home, so another member's prompt is not found here.
        if prompt_id not in {row.id for row in await site.recent_prompts(visit)}:
            raise PageError(404, visit.words.text("Your home has no such prompt."))
        problem = await site.parts.store.answer_prompt(prompt_id, home=home.id, answer=choice, at=int(visit.now_s))
        if problem is not None:
            raise PageError(409, visit.words.text("The time to answer this prompt is over. Nothing was changed."))
        return RedirectResponse(f"/prompts?answered={choice}", status_code=303)


def _add_record(app: FastAPI, site: PageContext) -> None:
    store = site.parts.store

    @app.get("/consent")
    async def consent(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        held = await read_consents(store, visit.own_home())
        pages = consent_pages(held, visit.words, now=slot_of(visit.now_s))
        return await site.page(visit, "consent.html", place="more", pages=pages)

    @app.get("/consent.json")
    async def consent_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        return as_json(consents_json(await read_consents(store, visit.own_home())))


def _add_homes(app: FastAPI, site: PageContext) -> None:
    store = site.parts.store

    @app.get("/homes")
    async def homes(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        adults = await store.adults()
        here = {seen.home.id for seen in visit.homes}
        cards = home_cards(
            visit.homes,
            adults,
            visit.words,
            members=await site.named(each.member for each in adults if each.home in here),
            reader=visit.member.id,
            shown=visit.own_home().id,
        )
        return await site.page(visit, "homes.html", place="more", cards=cards)

    @app.get("/homes.json")
    async def homes_as_json(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        adults, shown = await store.adults(), visit.own_home().id
        return as_json(homes_json(visit.homes, adults, reader=visit.member.id, shown=shown))

    @app.post("/homes")
    async def choose_home(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        chosen = (await read_form(request)).get("home", "")
        if chosen not in {each.home.id for each in visit.homes}:
            raise PageError(404, visit.words.text("You have no such home."))
        response = RedirectResponse("/my-home", status_code=303)
        set_home(response, site.parts, home=chosen)
        return response


async def _log_own_access(site: PageContext, visit: Visit, *, fields: str) -> None:
    """Log an access to the home's own values before they are read, where the store does not log it itself."""
    if visit.home is not None:
        access = visit.own_access()
        await site.parts.store.log_access(access, [visit.home.id], fields=fields, rows=1)


def _parse_json(body: bytes, words: Localizer) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise PageError(400, words.text("The body is not JSON.")) from None


async def _new_agents(site: PageContext, visit: Visit) -> tuple[NewAgentNote, ...]:
    store, home = site.parts.store, visit.own_home().id
    keys = [key for key in await store.new_agent_keys() if key.home == home]
    names = {member.id: member.name for member in await store.members()} if keys else {}
    return new_agent_notes(keys, visit.words, home=home, names=names, now_s=visit.now_s)


async def _home_agents(site: PageContext, visit: Visit) -> tuple[HomeAgentNote, ...]:
    store, now, home = site.parts.store, slot_of(visit.now_s), visit.own_home().id
    rows = await store.fleet(slots=range(now, now), homes=[home])
    if len(rows) < 2:
        return ()  # the home's only agent brings everything
    sources, refusals = await store.meter_sources(), await store.refusals()
    return home_agent_notes(rows, sources, refusals, visit.words, home=home, now_s=visit.now_s)


async def _own_appliances(site: PageContext, home: Home) -> tuple[Appliance, ...]:
    return await site.parts.store.appliances(home=home.id)


async def _fields(site: PageContext, visit: Visit) -> tuple[ApplianceField, ...]:
    return appliance_fields(await _own_appliances(site, visit.own_home()), visit.words)
