"""The pages in a real browser: screenshots, axe, keyboard only, without scripts, narrow, light and dark."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from tests.pages.conftest import Pages, sign_in

MEMBER_PATHS = ("/", "/my-home", "/my-home/appliances", "/my-home/months",
                "/prompts", "/credits", "/credits/2026-06-11", "/who-looked",
                "/consent", "/more", "/credits/statement/2026-06", "/credits/statement/2026-06/2026-06-11",
                "/objections", "/objections/new?month=2026-06&line=received", "/account", "/findings",
                "/what-if?month=2026-06&rule=static",
                "/fairness", "/rules")  # fmt: skip
BOARD_PATHS = (
    "/board/fleet",
    "/board/health",
    "/board/jobs",
    "/board/runs",
    "/board/runs/2026-06",
    "/board/objections",
    "/board/payments",
    "/board/findings",
    "/board/maps",
    "/board/members/m03",
    "/board/invite",
)
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1200, "height": 800}
FIRST_LOAD_BYTES = 30 * 1024
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Of what is right axe need not tell each part: that took it half of its time.
AXE_OPTIONS = {"runOnly": AXE_TAGS, "resultTypes": ["violations"]}


def name_of(path: str) -> str:
    return path.partition("?")[0].strip("/").replace("/", "-") or "today"


@dataclass(frozen=True)
class View:
    """How the pages are opened; axe runs once for each palette, because its findings do not depend on the width."""

    size: dict[str, int]
    scheme: Literal["light", "dark"]
    is_axe_run: bool
    paths: tuple[tuple[str | None, tuple[str, ...]], ...]


ALL_PATHS = (("m02", MEMBER_PATHS), ("m01", BOARD_PATHS), (None, ("/sign-in", "/nowhere")))
SOME_PATHS = (("m02", ("/", "/my-home", "/credits")), ("m01", ("/board/fleet",)))
VIEWS = {
    "phone-light": View(PHONE, "light", True, ALL_PATHS),
    "desktop-dark": View(DESKTOP, "dark", True, ALL_PATHS),
    "phone-dark": View(PHONE, "dark", False, SOME_PATHS),
    "desktop-light": View(DESKTOP, "light", False, SOME_PATHS),
}


@pytest.mark.parametrize("name", VIEWS)
def test_pages_are_clean_for_axe_policy_and_width(browser: Browser, pages: Pages, screenshots: Path, name: str) -> None:
    """No axe violation, no policy violation, no request to another site, no sideways scroll; a screenshot of each."""
    view = VIEWS[name]
    context = browser.new_context(viewport=view.size, color_scheme=view.scheme)  # type: ignore[arg-type]
    foreign: list[str] = []
    complaints: list[str] = []

    def note_request(request: Request) -> None:
        if not request.url.startswith((pages.url, "data:")):
            foreign.append(request.url)

    def note_console(message: ConsoleMessage) -> None:
        complaints.append(f"{message.type}: {message.text}")

    context.on("request", note_request)
    context.on("console", note_console)
    violations: dict[str, str] = {}
    page = context.new_page()
    for member, paths in view.paths:
        context.clear_cookies()
        if member is not None:
            page.goto(pages.link(member))
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(f"{pages.url}/")
        for path in paths:
            page.goto(pages.url + path)
            page.screenshot(path=str(screenshots / f"{name_of(path)}-{name}.png"), full_page=True)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= view.size["width"], f"{path} is {width} wide"
            if view.is_axe_run and (report := axe_report(page)):
                violations[path] = report
    context.close()
    assert violations == {}
    assert foreign == []
    assert [line for line in complaints if "404" not in line] == []


def axe_report(page: Page) -> str:
    """What axe finds on the page with all its details open."""
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
    result = Axe().run(page, options=AXE_OPTIONS)
    return str(result.generate_report()) if result.violations_count else ""


# A reader who has doubled the browser's text size.
LARGE_TEXT = {"fontSizes": {"standard": 32, "fixed": 26}}
USUAL_TEXT = {"fontSizes": {"standard": 16, "fixed": 13}}
TEXT_SIZE = "[getComputedStyle(document.documentElement).fontSize, innerWidth]"
OPEN_DETAILS = "document.querySelectorAll('details').forEach(part => { part.open = true })"
WIDTH = "document.documentElement.scrollWidth"
WIDEST = """() => [...document.querySelectorAll('body *')]
    .filter(part => part.getBoundingClientRect().right > innerWidth && !part.closest('.scroll'))
    .slice(0, 3).map(part => part.tagName + '.' + part.className + ': ' + part.textContent.trim().slice(0, 40))"""


# In this order, so that what a script measured when the page was loaded is too wide, not too narrow, later.
FITS = ((390, False), (320, False), (390, True))


def test_every_page_fits_with_its_details_open_and_with_large_text(browser: Browser, pages: Pages) -> None:
    """Each page is loaded once and then made narrower, and its text larger."""
    context = browser.new_context(viewport={"width": FITS[0][0], "height": 640})
    too_wide: list[str] = []
    for member, paths in (("m02", MEMBER_PATHS), ("m01", BOARD_PATHS), ("m12", ("/more", "/my-home"))):
        sign_in(context, pages, member)
        page = context.new_page()
        wire = context.new_cdp_session(page)
        for path in paths:
            page.goto(pages.url + path)
            page.evaluate(OPEN_DETAILS)
            for width, is_large in FITS:
                wire.send("Page.setFontSizes", LARGE_TEXT if is_large else USUAL_TEXT)
                page.set_viewport_size({"width": width, "height": 640})
                assert page.evaluate(TEXT_SIZE) == ["32px" if is_large else "16px", width], path
                shown = page.evaluate(WIDTH)
                if shown > width:
                    too_wide.append(f"{path} is {shown} wide: {page.evaluate(WIDEST)}")
            page.set_viewport_size({"width": FITS[0][0], "height": 640})
            wire.send("Page.setFontSizes", USUAL_TEXT)
        page.close()
    context.close()
    assert not too_wide, "\n".join(too_wide)


def test_first_load_is_light(browser: Browser, pages: Pages) -> None:
    """All bytes of a first load of Today, including headers."""
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    sign_in(context, pages, "m02")
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes: list[float] = []
    wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(pages.url, wait_until="networkidle")
    assert len(sizes) >= 3
    assert 0 < sum(sizes) <= FIRST_LOAD_BYTES
    context.close()


def test_everything_can_be_read_and_done_without_scripts(browser: Browser, own_pages: Pages) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    sign_in(context, own_pages, "m02")
    page = context.new_page()
    page.goto(own_pages.url)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Sun to spare now")
    expect(page.locator("svg.chart")).to_be_visible()
    expect(page.locator(".look-at")).to_be_hidden()
    page.get_by_text("Show as table").click()
    expect(page.get_by_role("row").filter(has_text="12:00")).to_be_visible()
    page.get_by_role("button", name="Yes, I will").click()
    expect(page).to_have_url(f"{own_pages.url}/prompts?answered=yes")
    expect(page.get_by_role("status")).to_contain_text("Thank you")
    page.goto(f"{own_pages.url}/my-home/appliances")
    page.get_by_role("group", name="electric car").get_by_label("We have one, and it can wait").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("saved")
    expect(page.locator("#appliances")).to_contain_text("electric car")
    context.close()


def test_a_wrong_field_is_named_in_place(browser: Browser, pages: Pages) -> None:
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    sign_in(context, pages, "m02")
    page = context.new_page()
    page.goto(f"{pages.url}/my-home/appliances")
    page.get_by_role("group", name="dishwasher").get_by_label("Energy per run (kWh)").fill("many")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("dishwasher: enter energy and minutes as numbers.")
    context.close()


def test_the_slider_reads_out_a_time_by_keyboard(browser: Browser, pages: Pages) -> None:
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    sign_in(context, pages, "m02")
    page = context.new_page()
    page.goto(pages.url)
    slider = page.get_by_role("slider", name="Choose a time")
    said = page.locator(".look-at p")
    expect(said).to_contain_text("At 10:15")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("At 10:30 we will likely make")
    sentence = said.inner_text()
    assert slider.get_attribute("aria-valuetext") == sentence
    page.keyboard.press("Home")
    expect(said).to_contain_text("At 00:00 we made")
    assert "on" in (page.locator(".look").get_attribute("class") or "").split()
    box = page.locator("svg.chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    expect(said).to_contain_text("At 18:")
    context.close()


NUMBER_FOCUSABLE = """() => {
    const parts = [...document.querySelectorAll("a[href],button,input,select,summary,[tabindex='0']")]
        .filter((part) => part.checkVisibility());
    parts.forEach((part, at) => part.setAttribute("data-at", at));
    return parts.length;
}"""
FOCUSED = """() => {
    const part = document.activeElement;
    return [part.dataset.at, getComputedStyle(part).outlineStyle, part.outerHTML.slice(0, 80)];
}"""


@pytest.mark.parametrize("path", ["/", "/my-home", "/prompts", "/credits"])
def test_the_keyboard_reaches_every_action_with_a_visible_mark(browser: Browser, pages: Pages, path: str) -> None:
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    sign_in(context, pages, "m02")
    page = context.new_page()
    page.goto(pages.url + path)
    count = page.evaluate(NUMBER_FOCUSABLE)
    reached = []
    for _ in range(count):
        page.keyboard.press("Tab")
        at, outline, html = page.evaluate(FOCUSED)
        assert outline != "none", f"{html} shows no focus"
        reached.append(int(at))
    assert sorted(reached) == list(range(count))
    context.close()


def test_the_skip_link_leads_past_the_navigation(browser: Browser, pages: Pages) -> None:
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    sign_in(context, pages, "m02")
    page = context.new_page()
    page.goto(pages.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    context.close()


def test_targets_on_a_phone_are_large_enough(browser: Browser, pages: Pages) -> None:
    """WCAG 2.2, 2.5.8: at least 24 px; buttons and the bottom bar at least 44."""
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    sign_in(context, pages, "m02")
    page = context.new_page()
    for path in ("/", "/prompts", "/my-home", "/my-home/appliances"):
        page.goto(pages.url + path)
        for part in page.locator("button, .bar a, summary, input[type=range]").all():
            box = part.bounding_box()
            assert box is not None, path
            assert box["height"] >= 44, f"{path}: {part.inner_text()} is {box['height']} high"
    context.close()


def test_word_of_newer_readings_comes_without_a_jump(browser: Browser, pages: Pages) -> None:
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    sign_in(context, pages, "m02")
    page = context.new_page()
    page.clock.install()
    page.route("**/fresh.json", lambda route: route.fulfill(json={"through": 99_999_999}))
    page.goto(pages.url)
    expect(page.locator(".newer")).to_be_hidden()
    page.clock.run_for(61_000)
    expect(page.locator(".newer")).to_be_visible()
    context.close()
