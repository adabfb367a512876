"""Who saw my data: the board's looks are never pushed out, a link made by the board is named, the whole log leaves."""

import csv
import io

from hub.storage.access_records import LINK_FIELDS, SELF
from hub.storage.records import Access
from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.tokens import hash_token
from hub.web.views.home.access_lines import LINES_SHOWN
from tests.hub.web.conftest import SignIn, browser_on
from tests.hub.web.page_street import NOW_S

OWN = Access(actor="m02", role="self", purpose="own.view")
BOARD = Access(actor="m01", role="board", purpose="settle.share", reason="=the meter's letter")


async def test_own_visits_never_push_the_boards_look_out(sign_in: SignIn, store: SqliteStore) -> None:
    await store.log_access(BOARD, ["h02"], fields="the statement", rows=1)
    for _ in range(2 * LINES_SHOWN + 5):
        await store.log_access(OWN, ["h02"], fields="credits by day", rows=1)
    browser = await sign_in("m02")
    page = (await browser.get("/who-looked")).text
    assert "Household One (board)" in page
    assert "Opened your statement" in page
    assert "the meter&#39;s letter" in page
    assert "<b>You</b>" not in page


async def test_every_line_is_on_exactly_one_page(sign_in: SignIn, store: SqliteStore) -> None:
    for number in range(2 * LINES_SHOWN + 5):
        await store.log_access(
            Access("m01", "board", "settle.share", f"look {number:03d}."), ["h02"], fields="bills", rows=1
        )
    browser = await sign_in("m02")
    address, seen, pages = "/who-looked", [], 0
    while address:
        page = (await browser.get(address)).text
        pages += 1
        seen += [number for number in range(2 * LINES_SHOWN + 5) if f"look {number:03d}." in page]
        older = page.partition('href="/who-looked?who=board&amp;before=')[2].partition('"')[0]
        address = f"/who-looked?who=board&before={older}" if older else ""
    assert sorted(seen) == list(range(2 * LINES_SHOWN + 5))
    assert pages == 3


async def test_both_files_have_the_whole_log(sign_in: SignIn, store: SqliteStore) -> None:
    for _ in range(1200):
        await store.log_access(OWN, ["h02"], fields="credits by day", rows=1)
    await store.log_access(BOARD, ["h02"], fields="bills", rows=1)
    count = len(await store.access_rows("h02", limit=10_000))
    browser = await sign_in("m02")
    looks = (await browser.get("/who-looked.json")).json()["looks"]
    rows = list(csv.DictReader(io.StringIO((await browser.get("/who-looked.csv")).text)))
    assert len(looks) == len(rows) == count > 1200
    assert [row["position"] for row in rows] == [str(look["position"]) for look in looks]
    assert rows[0]["reason"] == "'=the meter's letter", "a spreadsheet does not run it as a formula"
    assert (await browser.get("/who-looked.json?who=board")).json()["looks"] == looks[:1]
    assert (await browser.get("/who-looked.json?who=link")).json() == {"looks": []}


async def test_a_session_of_a_link_made_by_the_board_says_so_in_each_line(store: SqliteStore) -> None:
    await store.add_sign_in(hash_token("made"), member_id="m02", expires_at=int(NOW_S) + 60, made_by="m01")
    async with browser_on(store) as browser:
        assert (await browser.post("/sign-in/made")).status_code == 303
        before = len(await store.access_rows("h02", limit=1000))
        for path in ("/my-home", "/credits", "/objections", "/findings", "/account", "/credits/statement/2026-06"):
            assert (await browser.get(path)).status_code == 200, path
        rows = (await store.access_rows("h02", limit=1000))[: -before or None]
        own = [row for row in rows if row.role == "self"]
        assert len(own) >= 6
        assert {row.link_by for row in own} == {"m01"}
        assert "signed in with a link made by Household One" in (await browser.get("/who-looked?who=link")).text
        assert "Some visits to your pages used a sign-in link" in (await browser.get("/who-looked")).text


async def test_a_mailed_link_has_words_of_its_own(store: SqliteStore, sign_in: SignIn) -> None:
    await store.log_access(Access("m02", SELF, "own.view", "asked"), ["h02"], fields=LINK_FIELDS, rows=1)
    marked = Access("m02", SELF, "own.view", "asked", link_by="m01")
    await store.log_access(marked, ["h02"], fields=LINK_FIELDS, rows=1)
    page = (await (await sign_in("m02")).get("/who-looked?who=you")).text
    assert page.count("Was sent a sign-in link by e-mail, asked for on the sign-in page") == 2
    assert page.count("You (at the address that Household One entered)") == 1
    assert "signed in with a link made by" not in page


async def test_a_wrong_place_or_part_is_one_sentence(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    for asked in ("who=nobody", "before=x", "before=1-", "before=1-2-3", "before=99999999999999999999-1"):
        answer = await browser.get(f"/who-looked?{asked}")
        assert answer.status_code == 404, asked
