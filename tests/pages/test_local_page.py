"""The agent's own page in a real browser: axe, policy, width, weight, without scripts, and the switch by keyboard."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.edge_agent.page.page_home import GRID, SUN, PageHome, fill_history
from tests.pages.test_browser_pages import DESKTOP, FIRST_LOAD_BYTES, PHONE, axe_report

PATHS = ("/", "/history", "/history?day=2026-06-10", "/left", "/left/1790000000/2", "/consent", "/devices", "/nowhere")
START_MAX_S = 30
PAGE_BYTES = 100 * 1024


class _Serving(threading.Thread):
    """A home's page in its own thread."""

    def __init__(self, home: PageHome) -> None:
        super().__init__(name="local page", daemon=True)
        self.home = home
        self.ready = threading.Event()
        self.port = 0
        self.loop = asyncio.new_event_loop()
        self.ended = asyncio.Event()

    def run(self) -> None:
        self.loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        await self.home.fill_outbox()
        async with self.home.served() as self.port:
            self.ready.set()
            await self.ended.wait()


@contextmanager
def local_page(home: PageHome) -> Iterator[str]:
    serving = _Serving(home)
    serving.start()
    assert serving.ready.wait(START_MAX_S), "the page did not start"
    try:
        yield f"http://localhost:{serving.port}"
    finally:
        serving.loop.call_soon_threadsafe(serving.ended.set)
        serving.join(START_MAX_S)


@pytest.fixture
def home(tmp_path: Path) -> PageHome:
    made = PageHome(tmp_path / "data")
    fill_history(made.folder)
    made.show(GRID, -1_240)
    made.show(SUN, 1_890)
    return made


VIEWS = {"phone-light": (PHONE, "light"), "desktop-dark": (DESKTOP, "dark")}


@pytest.mark.parametrize("name", VIEWS)
def test_every_page_is_clean_for_axe_policy_and_width(
    browser: Browser, home: PageHome, screenshots: Path, name: str
) -> None:
    size, scheme = VIEWS[name]
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    complaints: list[str] = []
    foreign: list[str] = []
    with local_page(home) as url:
        context.on("console", lambda message: complaints.append(message.text))
        context.on("request", lambda request: None if request.url.startswith(url) else foreign.append(request.url))
        page = context.new_page()
        found = {}
        for path in PATHS:
            answer = page.goto(url + path)
            assert answer is not None
            assert len(answer.body()) <= PAGE_BYTES
            shown = path.strip("/").replace("/", "-").replace("?", "-") or "live"
            page.screenshot(path=str(screenshots / f"local-{shown}-{name}.png"), full_page=True)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= size["width"], f"{path} is {width} wide"
            if report := axe_report(page):
                found[path] = report
        context.close()
    assert found == {}
    assert foreign == []
    assert [line for line in complaints if "404" not in line] == []


def test_nothing_is_wider_than_a_small_phone(browser: Browser, home: PageHome) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 640})
    with local_page(home) as url:
        page = context.new_page()
        for path in PATHS:
            page.goto(url + path)
            page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        context.close()


def test_the_first_load_is_light(browser: Browser, home: PageHome) -> None:
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    with local_page(home) as url:
        page = context.new_page()
        wire = context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
        sizes: list[float] = []
        wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        page.goto(url, wait_until="networkidle")
        context.close()
    assert len(sizes) >= 3
    assert 0 < sum(sizes) <= FIRST_LOAD_BYTES


def test_sending_is_stopped_and_begun_again_without_scripts_by_keyboard(browser: Browser, home: PageHome) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    with local_page(home) as url:
        page = context.new_page()
        page.goto(f"{url}/left")
        page.get_by_role("button", name="Send nothing").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Nothing is sent")
        assert home.switch.is_stopped
        page.goto(url)
        page.get_by_role("link", name="Nothing is sent since").click()
        page.get_by_role("button", name="Send again").press("Enter")
        expect(page.get_by_role("button", name="Send nothing")).to_be_visible()
        assert not home.switch.is_stopped
        context.close()


def test_a_purpose_is_allowed_and_withdrawn(browser: Browser, home: PageHome) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    with local_page(home) as url:
        page = context.new_page()
        page.goto(f"{url}/consent")
        page.get_by_role("button", name="Allow: propose better hours").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("1 purpose is allowed")
        page.get_by_role("button", name="Withdraw: propose better hours").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Only what membership needs leaves the home")
        context.close()


def test_live_numbers_change_while_the_page_is_open(browser: Browser, home: PageHome) -> None:
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    with local_page(home) as url:
        page = context.new_page()
        page.clock.install()
        page.goto(url)
        expect(page.locator("[data-live=head]")).to_have_text("1.24\N{NO-BREAK SPACE}kW to spare now")
        home.show(GRID, -2_000)
        page.clock.run_for(11_000)
        expect(page.locator("[data-live=head]")).to_have_text("2.00\N{NO-BREAK SPACE}kW to spare now")
        context.close()
