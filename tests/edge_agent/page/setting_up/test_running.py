"""Set-up behind its page, over HTTP: it begins again where it stopped, and at its end the agent takes over."""

import asyncio
import errno
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.page.guard import Gate
from edge_agent.page.setting_up import running
from edge_agent.page.setting_up.running import SetupInBrowser, ShowHome
from edge_agent.page_settings import PageSettings
from edge_agent.settings import read_settings
from edge_agent.setup.files import agent_toml
from edge_agent.setup.parts import PairedHome, ReceiptCount
from edge_agent.setup.progress import DeviceChoice, MeterChoice, SetupProgress, load_progress, save_progress
from protocols.errors import RequestError, SettingsError
from tests.edge_agent.page.page_home import PageHome, get, post
from tests.edge_agent.setup.scripted import InventedHome

DEVICE = DeviceChoice("load", "eastron-sdm630", "load", "tcp://192.168.1.20:502", 1, 4000)
MOST_S = 20


@pytest.fixture
def home(tmp_path: Path) -> InventedHome:
    """Everything is set up except the receipt."""
    made = InventedHome(tmp_path, paired=PairedHome("a-1", "h01", "sonne"))
    made.shows("load", 230, import_wh=5)
    made.receipts = [ReceiptCount(False, 0, 0)]
    done = ["devices", "meter", "files", "pairing", "consent"]
    save_progress(tmp_path, SetupProgress(devices=[DEVICE], done=done))
    return made


class Agent:
    """An agent that fails as often as told, and then shows the home until it is stopped."""

    def __init__(self, home: InventedHome, folder: Path, *, failures: int = 0) -> None:
        self.home, self.folder, self.failures = home, folder, failures
        self.starts = 0

    async def run(self, show_home: ShowHome) -> None:
        self.starts += 1
        if self.starts <= self.failures:
            raise SettingsError("agent.toml: device: load: silent")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(show_home(PageHome(self.folder / "running").running))
            await asyncio.sleep(0)
            self.home.receipts = [ReceiptCount(True, 1, 1)]


def in_browser(home: InventedHome, agent: Agent | None, *, only_checks: bool = False) -> SetupInBrowser:
    gate = Gate(home.folder, now=lambda: 1_000_000.0)
    settings = PageSettings("127.0.0.1", 0)
    # The invented home waits for nothing, and would let nobody else have a turn.
    parts = replace(home.parts(), pause=lambda _seconds: asyncio.sleep(0.01))
    return SetupInBrowser(
        parts, settings, gate=gate, monotonic=lambda: 0.0, start_agent=None if agent is None else agent.run,
        only_checks=only_checks,
    )  # fmt: skip


@asynccontextmanager
async def running_setup(setting_up: SetupInBrowser) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.ensure_future(setting_up.run())
    async with asyncio.timeout(MOST_S):
        while not setting_up.server.port:
            await asyncio.sleep(0.01)  # the server says nowhere else that it listens
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def shown(setting_up: SetupInBrowser, words: str, path: str = "/setup") -> str:
    """The page once it has these words."""
    async with asyncio.timeout(MOST_S):
        while words not in (page := (await get(setting_up.server.port, path))[2]):
            await asyncio.sleep(0.01)
    return page


async def send(setting_up: SetupInBrowser, page: str, body: str) -> None:
    (token,) = re.findall('name="token" value="([0-9a-f]+)"', page)
    (number,) = re.findall('name="number" value="([0-9]+)"', page)
    port = setting_up.server.port
    status, _, _ = await post(
        port, "/setup", f"{body}&token={token}&number={number}", f"Origin: http://localhost:{port}"
    )
    assert status == 303


async def test_the_agent_starts_and_its_page_takes_over(home: InventedHome, tmp_path: Path) -> None:
    setting_up = in_browser(home, agent := Agent(home, tmp_path))
    async with running_setup(setting_up) as task:
        page = await shown(setting_up, "Everything is set up")
        assert "The hub has signed for 1 of 1 messages: everything works." in page
        assert "Ctrl-C" not in page
        assert "systemctl" not in page
        assert 'aria-label="Pages"' in await shown(setting_up, "The grid", "/")
        assert (await get(setting_up.server.port, "/left"))[0] == 200
        assert not task.done()
    assert agent.starts == 1
    assert load_progress(tmp_path).next_step is None


async def test_where_the_agent_ends_it_says_why_and_is_started_again(home: InventedHome, tmp_path: Path) -> None:
    setting_up = in_browser(home, agent := Agent(home, tmp_path, failures=2))
    async with running_setup(setting_up):
        for starts in (1, 2):
            page = await shown(setting_up, "the agent ended: agent.toml: device: load: silent")
            assert agent.starts == starts
            assert (await get(setting_up.server.port, "/"))[1]["location"] == "/setup"
            await send(setting_up, page, "do=go-on")
            await shown(setting_up, "Go on from here" if starts == 1 else "Everything is set up")


async def test_what_stops_the_walk_is_shown_and_it_goes_on_there(home: InventedHome, tmp_path: Path) -> None:
    home.paired = None
    save_progress(tmp_path, SetupProgress(devices=[DEVICE], done=["devices", "meter", "files"]))
    setting_up = in_browser(home, Agent(home, tmp_path))
    async with running_setup(setting_up):
        page = await shown(setting_up, "Paste your co-op&#x27;s invitation (it begins with commonwatt:):")
        # A file of this computer is not read for somebody in a browser.
        (tmp_path / "token.txt").write_text("good")
        await send(setting_up, page, f"answer={tmp_path / 'token.txt'}")
        page = await shown(setting_up, "invitation: expected commonwatt:?hub=...")
        await send(setting_up, page, "answer=")
        page = await shown(setting_up, "not paired yet")
        await send(setting_up, page, "do=go-on")
        page = await shown(setting_up, "Paste your co-op")
        await send(setting_up, page, "answer=good")
        assert "good" not in await shown(setting_up, "(forecast.hood)")
    assert load_progress(tmp_path).next_step == "consent"


async def test_a_disk_that_is_full_stops_the_walk_and_not_the_page(home: InventedHome, tmp_path: Path) -> None:
    """As a terminal's program would end with it, but here nobody would see why."""
    is_full = [True]

    def receipts() -> ReceiptCount:
        if is_full:
            raise OSError(errno.ENOSPC, "No space left on device", "data/x")
        return ReceiptCount(True, 1, 1)

    setting_up = in_browser(home, Agent(home, tmp_path))
    setting_up._parts = replace(setting_up._parts, receipts=receipts)
    async with running_setup(setting_up):
        page = await shown(setting_up, "cannot continue: data/x: No space left on device")
        is_full.clear()
        await send(setting_up, page, "do=go-on")
        await shown(setting_up, "Everything is set up")


async def test_without_an_agent_it_ends_once_the_last_page_was_seen(
    home: InventedHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "AFTER_LAST_PAGE_S", 0.0)
    setting_up = in_browser(home, None)
    async with running_setup(setting_up) as task:
        await shown(setting_up, "Everything is set up")
        await asyncio.wait_for(task, MOST_S)


async def test_an_address_that_is_taken_is_one_line(home: InventedHome, tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gate = Gate(tmp_path, now=lambda: 0.0)
    setting_up = SetupInBrowser(
        home.parts(), PageSettings("127.0.0.1", port), gate=gate, monotonic=lambda: 0.0, start_agent=None
    )
    with pytest.raises(RequestError, match=r"stop it first \(sudo systemctl stop commonwatt-agent\), or name another"):
        await asyncio.wait_for(setting_up.run(), MOST_S)
    server.close()


async def test_the_legal_meter_is_compared_on_the_page_over_a_kilowatt_hour(home: InventedHome, tmp_path: Path) -> None:
    """Two visits with forms alone: the first reading is kept between them, and the factor is written with a yes."""
    grid = replace(DEVICE, name="meter", role="grid")
    save_progress(tmp_path, SetupProgress(devices=[grid]))
    (tmp_path / "agent.toml").write_text(agent_toml([grid], MeterChoice(), {}))
    for at_wh, display, ends_with in ((1_000, "7000.0", "the first reading"), (1_400, "7008.0", "says factor = 20")):
        home.shows("grid", 100, import_wh=at_wh)
        setting_up = in_browser(home, None, only_checks=True)
        async with running_setup(setting_up):
            page = await shown(setting_up, "Legal meter now: kWh drawn from the grid?")
            assert "The steps" not in page
            await send(setting_up, page, f"answer={display}")
            await send(setting_up, await shown(setting_up, "Legal meter now: kWh fed in?"), "answer=")
            if at_wh > 1_000:
                page = await shown(setting_up, "Multiply all that meter shows by 20")
                assert "the legal meter counted 8.0 kWh drawn, the device 0.4 kWh" in page
                await send(setting_up, page, "answer=y")
            assert ends_with in await shown(setting_up, "The comparison ends here")
    assert read_settings(tmp_path / "agent.toml").devices[0].factor == 20
    assert load_progress(tmp_path).next_step == "devices", "nothing else was asked or done"
