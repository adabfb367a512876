"""Requests are counted by area and class of status; no address, name or token is counted by itself."""

import asyncio

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hub.web.serving.request_tally import RequestTally
from hub.web.serving.turns import Turns


async def page(request: Request) -> Response:
    if "broken" in request.url.path:
        raise RuntimeError("broken")
    return PlainTextResponse("a page")


ROUTES = [
    Route("/", page),
    Route("/credits/{day}", page),
    Route("/credits.json", page),
    Route("/sign-in/{token}", page),
]


async def asked(tally: RequestTally, *paths: str) -> None:
    app = tally.counting(Turns(Starlette(routes=ROUTES), refused=tally.note_turned_away))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as browser:
        for path in paths:
            await browser.get(path)


async def test_an_area_is_the_first_part_of_a_known_address() -> None:
    tally = RequestTally(ROUTES)
    await asked(
        tally, "/", "/credits/2026-06-11", "/credits.json", "/sign-in/secret", "/credits/broken", "/m01/x", "/%00"
    )
    found = tally.health
    assert found.requests == {
        "today": {"2xx": 1},
        "credits": {"2xx": 2, "5xx": 1},
        "sign-in": {"2xx": 1},
        "other": {"4xx": 2},
    }
    assert sum(found.took.counts) == 7
    assert (found.open_requests, found.turned_away) == (0, 0)


async def test_who_waits_and_who_is_turned_away_is_counted() -> None:
    tally, go = RequestTally(ROUTES), asyncio.Event()

    async def slow(scope: object, receive: object, send: object) -> None:
        await go.wait()
        await page_response(scope, receive, send)  # type: ignore[arg-type]

    page_response = PlainTextResponse("late")
    app = tally.counting(Turns(slow, at_once=1, most_waiting=1, refused=tally.note_turned_away))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hub") as browser:
        waiting = [asyncio.create_task(browser.get("/")) for _ in range(2)]
        while tally.health.open_requests < 2:
            await asyncio.sleep(0)
        assert (await browser.get("/")).status_code == 503
        assert (tally.health.open_requests, tally.health.turned_away) == (2, 1)
        go.set()
        assert [each.status_code for each in await asyncio.gather(*waiting)] == [200, 200]
    assert tally.health.requests == {"today": {"2xx": 2, "5xx": 1}}
