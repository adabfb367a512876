"""Every kind of page that set-up shows, in a real browser: axe, policy, width, and the phone's and the desk's look."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from edge_agent.page.server import PageServer
from edge_agent.page.setting_up.conversation import Answered, SetupPicture
from edge_agent.page_settings import PageSettings
from edge_agent.setup.conversation import SetupQuestion, ValueRows
from edge_agent.setup.progress import STEP_TITLES, STEPS
from tests.edge_agent.page.setting_up.page_of_setup import SetupPage
from tests.pages.test_browser_pages import DESKTOP, PHONE, axe_report

START_MAX_S = 30


async def no_values() -> ValueRows:
    return ()


FAMILIES = (
    "eastron-sdm630, Eastron (68 %, silver map): register 0 looks like a voltage",
    "chint-dtsu666, Chint (60 %, bronze map): it looks so too",
)
VALUES = [
    ("the meter where your home meets the grid", "36 W fed into the grid now, 1139.62 kWh drawn in all"),
    ("battery", "845 W going into the battery now, 2953.50 kWh charged in all"),
]
TOPIC = "tcp://192.168.1.20:502 unit 1: Eastron"
ANSWERED = [Answered("Search the network 192.168.1.0/24?", "y"), Answered("Paste the invitation:", None)]


def at(step: str, **fields: object) -> SetupPicture:
    return SetupPicture(step=(STEPS.index(step) + 1, len(STEPS), STEP_TITLES[step]), answered=ANSWERED, **fields)  # type: ignore[arg-type]


PICTURES = {
    "text": at("devices", lines=["Setup reads your devices and changes nothing in them."],
               question=SetupQuestion("Makes written on your inverter?", empty="none")),
    "again": at("meter", lines=["please give the two letters of its code"], is_again=True, typed="Germany",
                question=SetupQuestion("Country of your home, two letters such as DE?", empty="not said")),
    "choices": at("devices", topic=TOPIC, question=SetupQuestion(
        "Which is it?", ("1", "2", "s"), None, (*FAMILIES, "leave it out"))),
    "several": at("devices", topic=TOPIC, question=SetupQuestion(
        "What does it measure?", ("pv", "load"), "pv", ("solar panels", "an appliance"), is_several=True)),
    "values": at("devices", topic=TOPIC, values=VALUES, question=SetupQuestion(
        "Does your display or app say the same?", ("y", "n", "u"), None, ("yes", "no", "I cannot see it"),
        read_values=no_values)),
    "difference": at("files", lines=["This would change:", "--- as it is\n+++ as it would be\n+unit = 1\n" + "x" * 90],
                     question=SetupQuestion("Write agent.toml?", ("y", "n"))),
    "working": at("devices", lines=["Searching; this takes up to a minute ..."], working="asking 254 addresses ..."),
    "stopped": at("pairing", lines=["This is agent a-1."], stopped="not paired yet; setup goes on here"),
    "end": at("receipt", lines=["The hub has signed for 1 of 1 messages: everything works."], is_done=True),
}  # fmt: skip


class _Serving(threading.Thread):
    def __init__(self, folder: Path) -> None:
        super().__init__(name="set-up pages", daemon=True)
        self.page = SetupPage(folder)
        self.server = PageServer(
            PageSettings("127.0.0.1", 0), answer=self.page.site.answer, refuse=self.page.site.refuse
        )
        self.ready = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.ended = asyncio.Event()

    def run(self) -> None:
        self.loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        task = asyncio.ensure_future(self.server.run())
        while not self.server.port:
            await asyncio.sleep(0.01)  # the server says nowhere else that it listens
        self.ready.set()
        await self.ended.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@contextmanager
def setup_pages(folder: Path) -> Iterator[tuple[SetupPage, str]]:
    serving = _Serving(folder)
    serving.start()
    assert serving.ready.wait(START_MAX_S), "the page did not start"
    try:
        yield serving.page, f"http://localhost:{serving.server.port}/setup"
    finally:
        serving.loop.call_soon_threadsafe(serving.ended.set)
        serving.join(START_MAX_S)


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESKTOP, "dark")], ids=["phone", "desktop"])
def test_every_kind_of_page_is_clean_for_axe_policy_and_width(
    browser: Browser, tmp_path: Path, screenshots: Path, size: dict[str, int], scheme: str
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text))
    found = {}
    with setup_pages(tmp_path) as (setup, url):
        page = context.new_page()
        for name, picture in PICTURES.items():
            setup.talk.picture = picture
            page.goto(f"{url}?late=1" if name == "values" else url)
            page.screenshot(path=str(screenshots / f"setup-{name}-{scheme}.png"), full_page=True)
            if report := axe_report(page):
                found[name] = report
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
    context.close()
    assert found == {}
    assert complaints == []


def test_nothing_is_wider_than_a_small_phone_and_the_keyboard_begins_at_the_answer(
    browser: Browser, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 640}, java_script_enabled=False)
    with setup_pages(tmp_path) as (setup, url):
        page = context.new_page()
        for name, picture in PICTURES.items():
            setup.talk.picture = picture
            page.goto(url)
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, name
            if picture.question is not None or picture.stopped:
                assert page.evaluate("document.activeElement.closest('form')?.action") == url, name
    context.close()
