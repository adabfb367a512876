"""A hub's pages on a real port, and a real browser; without Chromium the tests are skipped with a message."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from hub.board.map_releases import confirm_set, propose_set
from hub.storage.records import Member
from hub.storage.sqlite.store import SqliteStore
from hub.web.app import build_app
from hub.web.frame.tokens import hash_token
from tests.hub.commands.homes.test_maps import BRONZE, SILVER
from tests.hub.web.page_street import NOW_S, build_street, find_on_street, order_payouts, parts_over, settle_street
from tests.hub.web.pages.test_device_maps import add as add_maps

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
START_MAX_S = 30
EXPECT_MAX_MS = 60_000
expect.set_options(timeout=EXPECT_MAX_MS)
Add = Callable[[SqliteStore], Awaitable[None]]
LINKS = 60
MEMBERS = ("m01", "m02", "m12", "m20")


@dataclass(frozen=True)
class Pages:
    """Where the pages are, and one-time links of each member that no test has used yet."""

    url: str
    links: dict[str, Iterator[str]]

    def link(self, member: str) -> str:
        return f"{self.url}/sign-in/{next(self.links[member])}"


class _Server(threading.Thread):
    """Uvicorn with a new street in its own thread; `ready` is set once it listens or has failed."""

    def __init__(self, folder: Path, now_s: float, *, add: Add | None) -> None:
        super().__init__(name="pages", daemon=True)
        self.folder, self.now_s, self.add = folder, now_s, add
        self.ready = threading.Event()
        self.server: uvicorn.Server | None = None
        self.port = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self.failure = error
        finally:
            self.ready.set()

    async def _serve(self) -> None:
        store = await build_street(self.folder)
        try:
            await settle_street(store)
            await order_payouts(store)
            await find_on_street(store)
            await _add_links(store, self.now_s)
            await _release_maps(store)
            if self.add is not None:
                await self.add(store)
            app = build_app(parts_over(store, now_s=self.now_s))
            config = uvicorn.Config(app, port=0, log_level="warning", access_log=False)
            self.server = uvicorn.Server(config)
            serving = asyncio.create_task(self.server.serve())
            while not self.server.started and not serving.done():
                await asyncio.sleep(0.02)
            self.port = self.server.servers[0].sockets[0].getsockname()[1]
            self.ready.set()
            await serving
        finally:
            await store.close()


async def _release_maps(store: SqliteStore) -> None:
    """A bundle in force, and a proposal of each member of the board."""
    bronze, silver = await add_maps(store, BRONZE, SILVER)
    await propose_set(store, [silver], is_withdrawal=False, by="m20", at=int(NOW_S))
    await confirm_set(store, 1, by="m01", at=int(NOW_S))
    await propose_set(store, [bronze], is_withdrawal=False, by="m20", at=int(NOW_S))
    await propose_set(store, [silver], is_withdrawal=True, by="m01", at=int(NOW_S))


async def _add_links(store: SqliteStore, now_s: float) -> None:
    """m20 is on the board, as m01 is, and has no home."""
    await store.add_member(Member("m20", "Household Twenty", "m20@example.org", "en", True, 0), None)
    for member in MEMBERS:
        for number in range(LINKS):
            token = hash_token(f"{member}-{number}")
            await store.add_sign_in(token, member_id=member, expires_at=int(now_s) + 3600)


@contextmanager
def serving(folder: Path, *, now_s: float = NOW_S, add: Add | None = None) -> Iterator[Pages]:
    """The pages of a new street while the block runs; `add` adds more to its store first."""
    server = _Server(folder, now_s, add=add)
    server.start()
    assert server.ready.wait(START_MAX_S), "the pages did not start"
    if server.failure is not None:
        raise server.failure
    links = {member: iter([f"{member}-{number}" for number in range(LINKS)]) for member in MEMBERS}
    try:
        yield Pages(f"http://127.0.0.1:{server.port}", links)
    finally:
        assert server.server is not None
        server.server.should_exit = True
        server.join(START_MAX_S)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """For tests that only read: they must not change the street."""
    with serving(tmp_path_factory.mktemp("pages")) as served:
        yield served


@pytest.fixture
def own_pages(tmp_path: Path) -> Iterator[Pages]:
    """For a test that changes something."""
    with serving(tmp_path) as served:
        yield served


@cache
def driver_trouble() -> str:
    """Why the driver does not start; empty when it does."""
    driver = subprocess.run(
        [sys.executable, "-m", "playwright", "--version"], capture_output=True, text=True, check=False
    )
    return (driver.stderr.strip() or f"exit code {driver.returncode}") if driver.returncode else ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: install Debian's package chromium to run the browser tests")
    if trouble := driver_trouble():
        pytest.skip(f"the browser's driver does not start: {trouble}")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGS))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Workers that test side by side share it: each overwrites its own pictures of an earlier run."""
    folder = Path(__file__).parents[2] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sign_in(context: BrowserContext, pages: Pages, member: str) -> None:
    """Open a one-time link in this browser context."""
    page = context.new_page()
    page.goto(pages.link(member))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{pages.url}/")
    page.close()
