"""A month after its end, in a real browser without scripts: previewed, booked, approved by two, published, tried."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.hub.web.conftest import M1_DUE
from tests.pages.conftest import Pages, serving, sign_in
from tests.pages.test_browser_pages import DESKTOP, PHONE, axe_report

JUNE = "/board/runs/2026-06"
NARROW = {"width": 320, "height": 640}
LOOKS: dict[str, tuple[dict[str, int], Literal["light", "dark"]]] = {
    "phone-light": (PHONE, "light"),
    "desktop-dark": (DESKTOP, "dark"),
    "narrow-dark": (NARROW, "dark"),
}


@pytest.fixture(scope="module")
def july(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with serving(tmp_path_factory.mktemp("july"), now_s=M1_DUE) as served:
        yield served


@pytest.fixture
def own_july(tmp_path: Path) -> Iterator[Pages]:
    with serving(tmp_path, now_s=M1_DUE) as served:
        yield served


def test_a_board_of_two_bills_a_month_without_scripts(browser: Browser, own_july: Pages, screenshots: Path) -> None:
    first = browser.new_context(viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    second = browser.new_context(viewport=DESKTOP, color_scheme="dark")  # type: ignore[arg-type]
    sign_in(first, own_july, "m01")
    sign_in(second, own_july, "m20")
    page = second.new_page()
    page.goto(f"{own_july.url}{JUNE}/preview?kind=M1")
    assert axe_report(page) == ""
    page = first.new_page()
    page.goto(f"{own_july.url}/more")
    page.get_by_role("link", name="Settlement runs").click()
    page.get_by_role("link", name="June 2026").click()
    page.get_by_role("link", name="See what M1 would change").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What M1 of June 2026 would change")
    page.get_by_role("button", name="Book M1").click()
    expect(page.get_by_role("status")).to_contain_text("The run is booked.")
    approve(page)
    expect(page.get_by_role("link", name="Review M1")).to_have_count(0)
    page = second.new_page()
    page.goto(own_july.url + JUNE)
    approve(page)
    page.get_by_role("link", name="Review M1 and publish it").click()
    expect(page.get_by_role("button", name="Publish M1 of June 2026")).to_be_visible()
    page.screenshot(path=str(screenshots / "run-approved-desktop-dark.png"), full_page=True)
    assert axe_report(page) == ""
    page.get_by_role("button", name="Publish M1 of June 2026").click()
    expect(page.get_by_role("status")).to_contain_text("The run is published.")
    expect(page.locator("#kinds ~ ul")).to_contain_text("published on 7 July, 10:00")
    first.close()
    second.close()


def approve(page: Page) -> None:
    page.get_by_role("link", name="Review M1 and approve it").click()
    page.get_by_role("button", name="Approve M1 of June 2026").click()
    expect(page.get_by_role("status")).to_contain_text("Your approval is saved")


@pytest.mark.parametrize("name", LOOKS)
def test_a_months_pages_are_clean_in_both_palettes(browser: Browser, july: Pages, screenshots: Path, name: str) -> None:
    size, scheme = LOOKS[name]
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    for member, paths in (
        ("m20", (JUNE, f"{JUNE}/preview?kind=M1", f"{JUNE}/preview?kind=R1")),
        ("m02", ("/what-if", "/what-if?month=2026-06&rule=equal", "/fairness")),
    ):
        look(context, july, screenshots, member=member, paths=paths, name=name)
    context.close()


def look(
    context: BrowserContext, pages: Pages, screenshots: Path, *, member: str, paths: tuple[str, ...], name: str
) -> None:
    """No axe violation, no sideways scroll; a screenshot of each."""
    context.clear_cookies()
    page = context.new_page()
    page.goto(pages.link(member))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{pages.url}/")
    for number, path in enumerate(paths):
        answer = page.goto(pages.url + path)
        assert answer is not None
        assert answer.status == 200, path
        page.screenshot(path=str(screenshots / f"month-{member}-{number}-{name}.png"), full_page=True)
        width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], f"{path} is {width[0]} wide"
        assert axe_report(page) == "", path
    page.close()
