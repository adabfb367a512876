"""I12 for every address: one that shows a home's values adds a row to that home's log and to no other home's."""

import pytest
from httpx import AsyncClient

from hub.storage.sqlite.store import SqliteStore
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import find_on_street, order_payouts

STATEMENT = "/credits/statement/2026-06"
VALUES = (
    "/my-home", "/my-home.json", "/prompts", "/prompts.json", "/credits", "/credits.json", "/credits.csv",
    "/credits/2026-06-10", "/credits/2026-06-10.json", "/account", "/account.json",
    "/what-if?month=2026-06&rule=equal",
    "/what-if.json?month=2026-06&rule=equal", "/objections", "/objections.json", "/findings", "/findings.json",
    f"{STATEMENT}", f"{STATEMENT}.json", f"{STATEMENT}.csv", f"{STATEMENT}/2026-06-10", f"{STATEMENT}/bills.csv",
    f"{STATEMENT}/readings.json", f"{STATEMENT}/pool.json",
    "/objections/new?month=2026-06&day=2026-06-10&line=received",
)  # fmt: skip
BOARD_VALUES = {
    "/board/objections": {"h02"}, "/board/objections.json": {"h02"},
    "/board/findings": {"h01", "h02", "h03"}, "/board/findings.json": {"h01", "h02", "h03"},
    "/board/payments": {"h02", "h03"},
}  # fmt: skip
OBJECTION = {"month": "2026-06", "day": "2026-06-10", "line": "received", "reason": "The car was away."}
NO_VALUES = (
    "/more",
    "/consent",
    "/consent.json",
    "/who-looked",
    "/who-looked.json",
    "/who-looked.csv",
    "/my-home/appliances",
    "/fresh.json",
    "/what-if",
    "/fairness",
    "/rules",
    "/rules.json",
    "/changes",
    "/changes.json",
    "/changes.csv",
)


async def looks(store: SqliteStore, role: str = "self") -> dict[str, int]:
    found = {}
    for home in await store.homes():
        rows = await store.access_rows(home.id, limit=1000)
        found[home.id] = sum(row.count for row in rows if row.role == role)
    return found


@pytest.mark.parametrize("path", VALUES)
async def test_an_access_to_values_is_logged_for_that_home_only(sign_in: SignIn, store: SqliteStore, path: str) -> None:
    browser = await sign_in("m02")
    await find_on_street(store)
    before = await looks(store)
    assert (await browser.get(path)).status_code == 200
    after = await looks(store)
    assert {home for home in after if after[home] != before[home]} == {"h02"}


@pytest.mark.parametrize("path", BOARD_VALUES)
async def test_the_boards_access_is_logged_only_for_the_homes_shown(
    sign_in: SignIn, store: SqliteStore, path: str
) -> None:
    board = await objected_street(sign_in, store)
    await find_on_street(store)
    await order_payouts(store)
    before = await looks(store, "board")
    assert (await board.get(path)).status_code == 200
    after = await looks(store, "board")
    assert {home for home in after if after[home] != before[home]} == BOARD_VALUES[path]


async def objected_street(sign_in: SignIn, store: SqliteStore) -> AsyncClient:
    """m02 has objected; the board member's browser."""
    assert (await (await sign_in("m02")).post("/objections/new", data=OBJECTION)).status_code == 303
    return await sign_in("m01")


async def test_the_boards_decisions_are_logged_too(sign_in: SignIn, store: SqliteStore) -> None:
    board = await objected_street(sign_in, store)
    order = await order_payouts(store)
    word = {"decision": "accept", "reason": "The meter was."}
    for path, sent, homes in (
        ("/board/objections/1", word, {"h02"}),
        (f"/board/payments/{order}", {"decision": "approve"}, {"h02", "h03"}),
    ):
        before = await looks(store, "board")
        assert (await board.post(path, data=sent)).status_code == 303
        after = await looks(store, "board")
        assert {home for home in after if after[home] != before[home]} == homes, path
    page = (await (await sign_in("m03")).get("/who-looked")).text
    assert "Reason: approving an order" in page


async def test_a_member_reads_which_page_was_opened(sign_in: SignIn, store: SqliteStore) -> None:
    board = await objected_street(sign_in, store)
    await find_on_street(store)
    member = await sign_in("m02")
    for path in ("/objections", "/findings", STATEMENT, "/fairness", "/what-if?month=2026-06&rule=equal"):
        await member.get(path)
    await board.get("/board/objections")
    page = (await member.get("/who-looked?who=all")).text
    for said in (
        *("Opened your objections", "Opened the problems found in your readings", "Opened your statement"),
        *("Tried another rule on your settled days", "Opened your objections. Purpose: share surplus energy"),
    ):
        assert said in page, said


@pytest.mark.parametrize("path", NO_VALUES)
async def test_a_page_without_values_leaves_the_log_alone(sign_in: SignIn, store: SqliteStore, path: str) -> None:
    browser = await sign_in("m02")
    before = await looks(store)
    assert (await browser.get(path)).status_code == 200
    assert await looks(store) == before
