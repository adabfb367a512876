"""What each page of a member and of the board costs on a store, asked for as a browser does."""

import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
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

CREDITS: Final = "/credits"
_MONTH: Final = month_name(LAST_DAY.replace(day=1))
_BILLED: Final = month_name(LAST_DAY.replace(day=1) - timedelta(days=1))
OF_BILLED_MONTH: Final = (f"/credits?month={_BILLED}", f"/credits/{_BILLED}-31", f"/credits/statement/{_BILLED}")
OWN_PAGES: Final = (
    *("/", "/my-home", "/my-home/months", f"/my-home/months?month={_BILLED}", "/my-home/appliances", "/prompts"),
    *("/consent", "/homes", "/more", "/account", "/notices", "/findings", "/objections", "/who-looked", "/changes"),
    *("/rules", CREDITS, f"/credits/{LAST_DAY}", f"/credits/statement/{_MONTH}"),
    *OF_BILLED_MONTH,
)
"""Every page of a member but What-if and Fairness, which settle the street's month again and keep what came out."""

BOARD_PAGES: Final = (
    *("/board/fleet", "/board/runs", f"/board/runs/{_MONTH}", "/board/findings", "/board/payments"),
    *("/board/members", "/board/objections"),
)
FIRST_LOOK: Final = "credits first look"
MEMBER: Final = "m03"
BOARD_MEMBER: Final = "m01"


async def pages_ms(store: SqliteStore, *, tries: int = 12) -> dict[str, float]:
    """CPU milliseconds of each page, the least of a few tries: what is kept between views is warm by then.

    FIRST_LOOK is what the first look at Credits takes of a process that has kept nothing yet.
    """
    found: dict[str, float] = {}
    async for page, ask in walked_pages(store):
        costs = [await cpu_ms(ask) for _ in range(tries)]
        found[page] = min(costs)
        if page == CREDITS:
            found[FIRST_LOOK] = costs[0]
    return found


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
