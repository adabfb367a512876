"""Set-up in the browser: from a blank folder with five families to the hub's first receipt, by keyboard alone."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, async_playwright, expect

from edge_agent.settings import read_settings
from hub.broker.plans import free_port
from protocols.consent.text import parse_consent
from protocols.enrolment.invitation_text import InvitationText, write_invitation
from tests.edge_agent.setup.person import CHARS_A_SECOND, ROOT
from tests.edge_agent.setup.test_setup_journey import MOST_TYPING_S, TCP_FAMILIES, DevicesOfAHome, invitation
from tests.hub.intake.test_hub_killed import running_hub
from tests.pages.conftest import CHROMIUM, CHROMIUM_ARGS, EXPECT_MAX_MS
from tests.pages.keyboard_person import KeyboardPerson
from tests.pages.test_browser_pages import AXE_OPTIONS, DESKTOP, PHONE

START_MAX_S = 60


@contextlib.asynccontextmanager
async def setup_page(config: Path, port: int) -> AsyncIterator[list[str]]:
    """`setup --page` in its own process; what it said at the start."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge_agent", "setup", "--page", f"127.0.0.1:{port}", "--config", str(config)),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said: list[str] = []
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        async with asyncio.timeout(START_MAX_S):
            said.append((await child.stdout.readline()).decode())
            while b"the page is at" not in (line := await child.stderr.readline()):
                assert line, "it ended"
        yield said
    finally:
        child.terminate()
        rest, log = await asyncio.wait_for(child.communicate(), START_MAX_S)
        said += [rest.decode(), log.decode()]
    assert child.returncode == 0, said
    assert "Traceback" not in said[-1]


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: install Debian's package chromium to run the browser tests")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGS))
        try:
            yield browser
        finally:
            await browser.close()


REPLIES = {
    "Makes written on": "SDM630, Huawei",
    "Search the network": "No",
    "Ask devices on": "No",
    "Make written on it?": "SDM630",
    "Which is it?": "",
    "What does it measure?": "",
    "Does your display or app say the same?": "",
    "Sign check": "Skip this",
    "in kW": "",
    "Search for more?": "",
    "Country of your home": "DE",
    "does your legal meter net them": "",
    "set off against each other": "",
    "Compare with the legal meter": "",
    "own page be opened": "",
}


async def test_from_a_blank_folder_with_five_families_to_the_first_receipt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], screenshots: Path
) -> None:
    hub, clock, home, port = tmp_path / "hub", tmp_path / "clock.json", tmp_path / "home", free_port("127.0.0.1")
    home.mkdir()
    config = home / "agent.toml"
    token = await invitation(hub, clock, capsys)
    devices = DevicesOfAHome(tmp_path)
    await devices.start()
    addresses = ", ".join([*(devices.address(family) for family in TCP_FAMILIES), str(devices.bus)])
    async with running_hub(hub, clock=clock, broker_port=free_port("127.0.0.1")) as (_, url), chromium() as browser:
        plain = await browser.new_context(viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
        someone = KeyboardPerson(await plain.new_page(), screenshots)
        async with setup_page(config, port) as said:
            assert said[0] == f"Open this page in a browser: http://127.0.0.1:{port}\n"
            await someone.page.goto(f"http://127.0.0.1:{port}/")
            await someone.converse(REPLIES, until="Another address")
            await someone.paste(addresses)
            await someone.converse(REPLIES, until="Paste your co-op's invitation")
        await plain.close()

        # Somebody closes the browser and stops the program, and goes on later; a wrong invitation costs nothing.
        scripted = await browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
        someone.page = await scripted.new_page()
        invited = write_invitation(InvitationText(url, "street", token))
        async with setup_page(config, port) as said:
            await someone.page.goto(f"http://127.0.0.1:{port}/setup")
            assert "Paste your co-op's invitation" in await someone.question()
            await someone.paste(token[:-3])
            assert "Paste your co-op's invitation" in await someone.question()
            await someone.look("wrong-invitation")
            assert token[:-3] not in await someone.page.content()
            await someone.paste(invited)
            assert "(forecast.hood)" in await someone.question()
            assert token not in await someone.page.content()
            await someone.look("consent")
            await someone.choose("Yes")
            asked = ""
            while "(grid.flex)" not in asked:
                asked = await someone.question()
                await someone.key("Enter")
            await expect(someone.page.get_by_role("heading", level=1)).to_have_text(
                "Everything is set up", timeout=EXPECT_MAX_MS
            )
            await expect(someone.page.locator("#said")).to_contain_text("The hub has signed for")
            await someone.look("end")
            found = await Axe().run(someone.page, options=AXE_OPTIONS)
            assert found.violations_count == 0, found.generate_report()
            await someone.choose("Open the home's page")
            await expect(someone.page.get_by_role("navigation")).to_be_visible()
            await someone.look("live")
            await someone.page.goto(f"http://127.0.0.1:{port}/left")
            await expect(someone.page.get_by_role("heading", level=1)).to_have_text("The hub has signed for everything")
    await devices.stop()

    typing_s = someone.typed_chars / CHARS_A_SECOND
    print(f"{someone.typed_chars} keys ({typing_s:.0f} s), pasted {someone.pasted_chars} characters")
    assert typing_s <= MOST_TYPING_S
    settings = read_settings(config)
    assert {(each.map, each.roles) for each in settings.devices} == {
        ("eastron-sdm630", ("grid",)),
        ("eastron-sdm630", ("load",)),
        ("huawei-sun2000", ("pv",)),
        ("huawei-sun2000", ("battery",)),
        ("sunspec-inverter", ("pv",)),
        ("shelly-pro3em", ("load",)),
    }
    consent = parse_consent((home / "consent.toml").read_text())
    assert {each.purpose for each in consent.rules} == {"settle.share", "device.health", "forecast.hood"}
    assert token not in "".join([*said, *someone.seen, (home / "setup-progress.json").read_text()])
