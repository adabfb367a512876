"""A billed statement in a real browser: checked by axe, opened from a sum down to its quarter hours, and printed."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page
from pypdf import PdfReader

from tests.hub.web.billed_street import bill_street
from tests.hub.web.page_street import HUB_KEY
from tests.pages.conftest import Pages, serving, sign_in
from tests.pages.test_browser_pages import DESKTOP, PHONE, axe_report

MONTH = "/credits/statement/2026-06"
DAY = f"{MONTH}/2026-06-10"


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with serving(tmp_path_factory.mktemp("billed"), add=bill_street) as served:
        yield served


@pytest.fixture
def page(browser: Browser, billed: Pages) -> Iterator[Page]:
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    sign_in(context, billed, "m02")
    yield context.new_page()
    context.close()


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESKTOP, "dark")], ids=["phone", "desktop"])
def test_a_billed_statement_is_clean_for_axe_and_width(
    browser: Browser, billed: Pages, screenshots: Path, size: Any, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)
    sign_in(context, billed, "m02")
    page = context.new_page()
    for path, name in ((MONTH, "billed"), (DAY, "billed-day")):
        page.goto(billed.url + path)
        page.screenshot(path=str(screenshots / f"statement-{name}-{scheme}.png"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert axe_report(page) == ""
    context.close()


def test_a_sum_opens_down_to_quarter_hours_entries_rule_and_run(page: Page, billed: Pages) -> None:
    page.goto(f"{billed.url}/credits?month=2026-06")
    page.get_by_role("link", name=re.compile("statement", re.IGNORECASE)).first.click()
    assert page.url.endswith(MONTH)
    page.get_by_text("Received from neighbours", exact=True).click()
    page.get_by_role("link", name="Wed 10 Jun").first.click()
    assert page.url.endswith(DAY)
    assert page.locator("tbody tr").count() == 96
    for label in ("rule version", "run M1", "signed root over"):
        value = page.locator("dt", has_text=label).locator("xpath=following-sibling::dd[1]")
        assert re.fullmatch("[0-9a-f]{64}", value.inner_text())
    page.locator("summary", has_text="Entry").first.click()
    assert page.get_by_text("member:m02:energy").first.is_visible()
    page.get_by_role("link", name="Back to the statement").click()
    assert page.url.endswith(MONTH)


def test_every_link_of_the_statement_leads_somewhere(page: Page, billed: Pages) -> None:
    asked: set[str] = set()
    for path in (MONTH, DAY):
        page.goto(billed.url + path)
        links = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
        asked |= {link.partition("#")[0] for link in links if link.startswith(billed.url)}
    assert {f"{billed.url}{MONTH}.pdf", f"{billed.url}{MONTH}.csv", f"{billed.url}{MONTH}.json"} <= asked
    assert {link: status for link in asked if (status := page.request.get(link).status) != 200} == {}


def test_the_print_has_what_is_to_pay_and_nothing_to_click(page: Page, billed: Pages) -> None:
    texts = []
    for path in (MONTH, DAY):
        page.goto(billed.url + path)
        reader = PdfReader(io.BytesIO(page.pdf(format="A4")))
        texts.append(" ".join(" ".join(each.extract_text() for each in reader.pages).split()))
    month, day = texts
    for words in ("Statement of June 2026", "Invoice I-2026-06-M1-0002", "Gutschrift", "To pay now"):
        assert words in month, words
    assert HUB_KEY.public_key().public_bytes_raw().hex() in month.replace(" ", "")
    assert "member:m02:energy" in day
    for words in ("Looks wrong", "looks wrong", "Back to", "To print", "CSV"):
        assert words not in month + day, words
