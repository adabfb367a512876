"""Long lists a page at a time: following the links shows every home, member, month and day once, without JavaScript."""

import re
from collections.abc import AsyncIterator
from itertools import chain
from pathlib import Path

import httpx
import pytest

from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.asked_pages import PAGE_ROWS
from hub.web.frame.tokens import hash_token
from hub.web.pages.board import CountedFleet
from tests.hub.new_store import open_new_store
from tests.hub.settled_street import Street, fill_street
from tests.hub.web.conftest import ORIGIN, SignIn, browser_on
from tests.hub.web.page_street import NOW_S, NOW_SLOT

HOMES = 2 * PAGE_ROWS + 3
SILENT = HOMES - 1


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    """More homes than two pages hold; one of the last is silent, and a stranger was refused."""
    store = await open_new_store(tmp_path / "hub.sqlite", now=lambda: float(NOW_S))
    street = await fill_street(store, homes=HOMES)
    await street.arrive([(n, NOW_SLOT - 1 if n != SILENT else NOW_SLOT - 40) for n in range(1, HOMES + 1)])
    yield street
    await store.close()


async def signed_in(store: SqliteStore) -> httpx.AsyncClient:
    browser = browser_on(store)
    await store.add_sign_in(hash_token("token"), member_id="m01", expires_at=int(NOW_S) + 60)
    assert (await browser.post("/sign-in/token", headers={"origin": ORIGIN})).status_code == 303
    return browser


async def followed(browser: httpx.AsyncClient, address: str) -> list[str]:
    """The pages from this one on, each the one that the link to the next leads to."""
    pages = []
    while address:
        answer = await browser.get(address)
        assert answer.status_code == 200
        pages.append(answer.text)
        found = re.search(r'<a href="([^"]+)" rel="next">Next page</a>', answer.text)
        address = found[1].replace("&amp;", "&") if found else ""
    return pages


async def test_every_home_stands_on_one_page_and_the_silent_one_on_the_first(street: Street) -> None:
    browser = await signed_in(street.store)
    pages = await followed(browser, "/board/fleet")
    homes = [re.findall(r"<h3>(h\d+)</h3>", page) for page in pages]
    assert [len(each) for each in homes] == [PAGE_ROWS, PAGE_ROWS, 3]
    assert sorted(chain(*homes)) == sorted(f"h{n:02d}" for n in range(1, HOMES + 1))
    assert homes[0][0] == f"h{SILENT}"
    assert all("1 home is silent" in page for page in pages), "the sums are of the whole on each page"
    assert [f"h{SILENT}:" in page for page in pages] == [True, False, False]
    assert ['href="/board/fleet">First page' in page for page in pages] == [False, True, True]


async def test_every_member_stands_on_one_page(street: Street) -> None:
    pages = await followed(await signed_in(street.store), "/board/members")
    members = [re.findall(r'href="/board/members/(m\d+)"', page) for page in pages]
    assert [len(each) for each in members] == [PAGE_ROWS, PAGE_ROWS, 3]
    assert len(set(chain(*members))) == HOMES


@pytest.mark.parametrize(("address", "shown"), [("/board/fleet", "<h3>h07</h3>"), ("/board/members", "Member 7 (m07)")])
async def test_a_search_shows_what_it_finds_and_leads_back_to_all(street: Street, address: str, shown: str) -> None:
    browser = await signed_in(street.store)
    page = (await browser.get(f"{address}?q=h07")).text
    assert shown in page
    assert page.count('rel="next"') == 0
    assert f'<a href="{address}">Show all</a>' in page
    assert 'value="h07"' in page
    none = (await browser.get(f"{address}?q=%3Cscript%3E")).text
    assert "is called that" in none
    assert 'value="&lt;script&gt;"' in none
    pages = await followed(browser, f"{address}?q=h")
    assert len(pages) == 3, "the links keep the search"


@pytest.mark.parametrize("query", ["after=x", "after=55.h01", "after=5.", "after=%00.h01", "q=" + "x" * 81, "q=%07"])
@pytest.mark.parametrize("address", ["/board/fleet", "/board/members"])
async def test_a_page_that_is_none_is_refused(sign_in: SignIn, address: str, query: str) -> None:
    answer = await (await sign_in("m01")).get(f"{address}?{query}")
    assert answer.status_code == 422


async def test_months_and_days_lead_to_older_ones_and_back(sign_in: SignIn) -> None:
    browser = await sign_in("m01")
    page = (await browser.get("/board/runs")).text
    assert "Older months" not in page
    assert "Newest" not in page
    older = (await browser.get("/board/runs?months_before=2026-06&days_before=2026-06-10")).text
    assert "2026-06-09" in older
    assert "2026-06-11" not in older
    assert "No home has sent a reading yet." not in older
    assert "No reading is older." in older
    assert '/board/runs?days_before=2026-06-10#months">Newest months' in older
    assert '/board/runs?months_before=2026-06#days">Newest days' in older
    assert (await browser.get("/board/runs?months_before=2026-13")).status_code == 404
    assert (await browser.get("/board/runs?days_before=yesterday")).status_code == 404
    listed = (await browser.get("/board/runs.json?days_before=2026-06-10")).json()
    assert [run["day"] for run in listed["runs"]] == ["2026-06-09"]


async def test_a_street_of_many_months_shows_a_year_and_leads_on(street: Street) -> None:
    await street.arrive([(1, NOW_SLOT - 96 * 500)])
    browser = await signed_in(street.store)
    pages, address = [], "/board/runs"
    while address:
        pages.append((await browser.get(address)).text)
        found = re.search(r'href="([^"]+)" rel="next">Older months', pages[-1])
        address = found[1].replace("&amp;", "&") if found else ""
    months = [re.findall(r'href="/board/runs/(20\d\d-\d\d)"', page) for page in pages]
    assert [len(each) for each in months] == [12, 6]
    assert list(chain(*months)) == sorted(set(chain(*months)), reverse=True)
    assert "Older days" in pages[0]


async def test_the_sums_of_the_fleet_are_counted_again_after_a_minute(street: Street) -> None:
    sums = CountedFleet(street.store)
    assert (await sums.at(NOW_S)).silent == 1
    await street.arrive([(SILENT, NOW_SLOT - 1)])
    assert (await sums.at(NOW_S + 59)).silent == 1
    assert (await sums.at(NOW_S + 60)).silent == 0
