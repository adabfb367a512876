"""What each page of a member and of the board costs on a store, asked for as a browser does."""

import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Final

import httpx

from hub.core.ledger.run_calendar import month_name
from hub.forecasts.street_totals import StreetService
from hub.storage.sqlite.store import SqliteStore
from hub.web.app import build_app
from hub.web.frame.tokens import hash_token
from tests.benchmarks.growth.grown_store import LAST_DAY, NOW_S
from tests.hub.settled_street import COOP
from tests.hub.web.page_street import parts_over

_MONTH: Final = month_name(LAST_DAY.replace(day=1))
OWN_PAGES: Final = (
    *("/", "/my-home", "/prompts", "/consent", "/homes", "/more", "/account", "/notices"),
    *("/credits", f"/credits/{LAST_DAY}", f"/credits/statement/{_MONTH}", "/findings", "/objections"),
    *("/who-looked", "/changes", "/rules"),
)
BOARD_PAGES: Final = (
    *("/board/fleet", "/board/runs", f"/board/runs/{_MONTH}", "/board/findings", "/board/payments"),
    *("/board/members", "/board/objections"),
)
MEMBER: Final = "m03"
BOARD_MEMBER: Final = "m01"


async def pages_ms(store: SqliteStore, *, tries: int = 3) -> dict[str, float]:
    """CPU milliseconds of each page, the least of a few tries: what is kept between views is warm by then."""
    return {page: min([await cpu_ms(ask) for _ in range(tries)]) async for page, ask in walked_pages(store)}


async def walked_pages(store: SqliteStore) -> AsyncIterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """Each page with a way to ask for it: those of a member, then those of the board."""
    parts = replace(parts_over(store, now_s=NOW_S), coop=COOP, street=StreetService(store, tz=COOP.tz))
    transport = httpx.ASGITransport(app=build_app(parts))
    for member, pages in ((MEMBER, OWN_PAGES), (BOARD_MEMBER, BOARD_PAGES)):
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as browser:
            await store.add_sign_in(hash_token(member), member_id=member, expires_at=NOW_S + 60)
            origin = {"origin": "http://hub.example"}
            assert (await browser.post(f"/sign-in/{member}", headers=origin)).status_code == 303
            for page in pages:
                yield page, partial(_view, browser, page)


async def _view(browser: httpx.AsyncClient, page: str) -> None:
    answer = await browser.get(page)
    assert answer.status_code == 200, f"{page}: {answer.status_code} {answer.text[:200]}"


async def cpu_ms(work: Callable[[], Awaitable[object]]) -> float:
    """The processor time of all of this process's threads while this runs."""
    gc.collect()
    began_s = time.process_time()
    await work()
    return 1000 * (time.process_time() - began_s)
