"""One street built once, copied for each test, and browsers in process that are signed in as somebody."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from hub.storage.sqlite import SqliteStore
from hub.web.app import build_app
from tests.hub.web.page_street import NOW_S, build_street, parts_over, settle_street, sign_in_token

ORIGIN = "http://hub.example"
SignIn = Callable[[str], Awaitable[httpx.AsyncClient]]


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


def browser_on(store: SqliteStore, *, client: tuple[str, int] = ("192.0.2.7", 1234)) -> httpx.AsyncClient:
    """A browser nobody is signed in with; redirects are shown, not followed."""
    transport = httpx.ASGITransport(app=build_app(parts_over(store)), client=client)
    return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN})


@pytest.fixture
async def nobody(store: SqliteStore) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_on(store) as browser:
        yield browser


@pytest.fixture
async def sign_in(store: SqliteStore) -> AsyncIterator[SignIn]:
    opened: list[httpx.AsyncClient] = []

    async def signed_in(member: str) -> httpx.AsyncClient:
        browser = browser_on(store)
        opened.append(browser)
        answer = await browser.get(f"/sign-in/{await sign_in_token(store, member)}")
        assert answer.status_code == 303, answer.text
        return browser

    yield signed_in
    for browser in opened:
        await browser.aclose()
