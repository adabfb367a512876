"""One street, built once and copied for each test, and in-process browsers that are signed in."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from hub.storage.records import Member
from hub.storage.sqlite.store import SqliteStore
from hub.web.app import build_app
from hub.web.frame.tokens import hash_token
from tests.hub.web.page_street import COOP, NOW_S, build_street, parts_over, settle_street, sign_in_token

ORIGIN = "http://hub.example"
CLIENT = ("192.0.2.7", 1234)
SignIn = Callable[[str], Awaitable[httpx.AsyncClient]]
Come = Callable[..., Awaitable[httpx.AsyncClient]]


def local(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(COOP.tz)).timestamp()


M1_DUE, BEFORE, R1_DUE = local("2026-07-07T10:00"), local("2026-07-06T10:00"), local("2026-09-07T10:00")


@pytest.fixture
async def come(store: SqliteStore) -> AsyncIterator[Come]:
    """Browsers signed in at a later time; m20 and m21 are on the board too and have no home."""
    for member in ("m20", "m21"):
        await store.add_member(Member(member, f"Board {member}", f"{member}@example.org", "en", True, 0), None)
    async with AsyncExitStack() as opened:

        async def signed_in(member: str, *, at: float = M1_DUE) -> httpx.AsyncClient:
            token = f"{member} at {at}"
            await store.add_sign_in(hash_token(token), member_id=member, expires_at=int(at) + 60)
            transport = httpx.ASGITransport(app=build_app(parts_over(store, now_s=at)))
            browser = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN})
            await opened.enter_async_context(browser)
            assert (await browser.post(f"/sign-in/{token}")).status_code == 303
            return browser

        yield signed_in


@pytest.fixture(scope="session")
def street_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("street")

    async def build() -> None:
        store = await build_street(folder)
        await settle_street(store)
        await store.close()

    asyncio.run(build())
    return folder / "hub.sqlite"


@pytest.fixture
async def store(street_file: Path, tmp_path: Path) -> AsyncIterator[SqliteStore]:
    for part in street_file.parent.glob("hub.sqlite*"):
        shutil.copy(part, tmp_path / part.name)
    opened = await SqliteStore.open(tmp_path / "hub.sqlite", now=lambda: NOW_S)
    yield opened
    await opened.close()


def browser_on(store: SqliteStore, *, client: tuple[str, int] = CLIENT, **changed: Any) -> httpx.AsyncClient:
    """A browser that is not signed in; redirects are shown, not followed. `changed` are parts of the hub."""
    transport = httpx.ASGITransport(app=build_app(replace(parts_over(store), **changed)), client=client)
    return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN})


@pytest.fixture
def one_hub(store: SqliteStore) -> Callable[[], httpx.AsyncClient]:
    """Browsers that are not signed in, all at one hub, which is built when the first of them comes."""
    built: list[httpx.ASGITransport] = []

    def browser() -> httpx.AsyncClient:
        if not built:
            built.append(httpx.ASGITransport(app=build_app(parts_over(store)), client=CLIENT))
        return httpx.AsyncClient(transport=built[0], base_url=ORIGIN, headers={"origin": ORIGIN})

    return browser


@pytest.fixture
async def nobody(one_hub: Callable[[], httpx.AsyncClient]) -> AsyncIterator[httpx.AsyncClient]:
    async with one_hub() as browser:
        yield browser


@pytest.fixture
async def sign_in(store: SqliteStore, one_hub: Callable[[], httpx.AsyncClient]) -> AsyncIterator[SignIn]:
    opened: list[httpx.AsyncClient] = []

    async def signed_in(member: str) -> httpx.AsyncClient:
        browser = one_hub()
        opened.append(browser)
        answer = await browser.post(f"/sign-in/{await sign_in_token(store, member)}")
        assert answer.status_code == 303, answer.text
        return browser

    yield signed_in
    for browser in opened:
        await browser.aclose()
