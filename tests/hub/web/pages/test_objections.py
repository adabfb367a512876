"""'This looks wrong': the amount is frozen until another board member decides, and every step stays to be read."""

import html
from typing import Any

import httpx
import pytest

from hub.storage.sqlite.store import SqliteStore
from tests.hub.web.conftest import SignIn, browser_on
from tests.hub.web.page_street import HOSTILE

MONTH = "/credits/statement/2026-06"
WRONG = {"month": "2026-06", "day": "2026-06-10", "line": "received", "reason": "My car was\n  at home."}


async def stated(browser: httpx.AsyncClient) -> Any:
    return (await browser.get(f"{MONTH}.json")).json()["document"]


async def test_an_objection_freezes_its_line_until_it_is_decided(sign_in: SignIn) -> None:
    member, board = await sign_in("m02"), await sign_in("m01")
    page = (await member.get(f"{MONTH}/2026-06-10")).text
    assert "/objections/new?month=2026-06&amp;day=2026-06-10&amp;line=received" in page
    assert "frozen" not in page
    sent = await member.post("/objections/new", data=WRONG)
    assert (sent.status_code, sent.headers["location"]) == (303, "/objections?saved=objection")
    (own,) = (await member.get("/objections.json")).json()["objections"]
    day = next(each for each in (await stated(member))["days"] if each["day"] == "2026-06-10")
    assert (own["stated"], own["unit"], own["reason"]) == (day["totals"]["received"], "Wh", "My car was at home.")
    assert own["due_at"] - own["made_at"] == 30 * 86_400
    for path in (MONTH, f"{MONTH}/2026-06-10", "/objections"):
        said = "frozen, the board decides by" if path == "/objections" else "waiting for the board's decision until"
        assert said in html.unescape((await member.get(path)).text), path
    payment = (await member.get(f"{MONTH}.json")).json()["payment"]["document"]
    assert payment["waiting"] == [{"day": "2026-06-10", "line": "received", "until": own["due_at"]}]
    listed = (await board.get("/board/objections")).text
    assert "My car was at home." in listed
    assert (await member.post("/objections/new", data=WRONG)).status_code == 409
    decided = await board.post(
        f"/board/objections/{own['id']}", data={"decision": "accept", "reason": "The meter was."}
    )
    assert decided.status_code == 303
    assert "waiting for the board" not in (await member.get(MONTH)).text
    assert (await member.get(f"{MONTH}.json")).json()["payment"]["document"]["waiting"] == []
    log = (await member.get("/objections")).text
    assert "Household One accepted it on" in log
    assert "The meter was." in log
    late = await board.post(f"/board/objections/{own['id']}", data={"decision": "reject", "reason": "No."})
    assert late.status_code == 409


async def test_money_of_the_month_is_frozen_in_whole_cents(sign_in: SignIn) -> None:
    member = await sign_in("m02")
    await member.post("/objections/new", data=WRONG | {"day": "", "line": "credit"})
    (own,) = (await member.get("/objections.json")).json()["objections"]
    assert (own["stated"], own["unit"]) == ((await stated(member))["money"]["credit_cent"] * 10_000_000, "nano")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"reason": "  \n "}, 422),
        ({"reason": "x" * 501}, 422),
        ({"reason": "a\x00b"}, 422),
        ({"line": "benefit"}, 404),
        ({"line": ""}, 404),
        ({"day": "2026-06-12"}, 404),
        ({"day": "nonsense"}, 404),
        ({"month": "2020-01"}, 404),
        ({"month": "x"}, 404),
    ],
)
async def test_what_is_no_objection_leaves_no_row(
    sign_in: SignIn, store: SqliteStore, change: dict[str, str], status: int
) -> None:
    member = await sign_in("m02")
    assert (await member.post("/objections/new", data=WRONG | change)).status_code == status
    assert await store.objections() == ()


async def test_only_another_board_member_decides(sign_in: SignIn, store: SqliteStore) -> None:
    board, member = await sign_in("m01"), await sign_in("m03")
    assert (await board.post("/objections/new", data=WRONG)).status_code == 303
    word = {"decision": "accept", "reason": "I agree with myself."}
    assert (await board.post("/board/objections/1", data=word)).status_code == 403
    assert (await member.post("/board/objections/1", data=word)).status_code == 403
    assert (await member.get("/board/objections")).status_code == 403
    assert "<form" not in (await board.get("/board/objections")).text.split("<main")[1]
    for wrong, status in (({"decision": "maybe"}, 422), ({"reason": ""}, 422)):
        await member.post("/objections/new", data=WRONG)
        assert (await board.post("/board/objections/2", data=word | wrong)).status_code == status
    for number in ("99", "x", "-1"):
        assert (await board.post(f"/board/objections/{number}", data=word)).status_code == 404
    assert [row.verdict for row in await store.objections()] == [None, None]


async def test_a_foreign_form_and_a_stranger_change_nothing(sign_in: SignIn, store: SqliteStore) -> None:
    member = await sign_in("m02")
    foreign = await member.post("/objections/new", data=WRONG, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    async with browser_on(store) as nobody:
        assert (await nobody.post("/objections/new", data=WRONG)).status_code == 303
    assert await store.objections() == ()


async def test_words_of_a_member_are_shown_as_words(sign_in: SignIn) -> None:
    member, board = await sign_in("m02"), await sign_in("m01")
    await member.post("/objections/new", data=WRONG | {"reason": HOSTILE})
    for browser, path in ((member, "/objections"), (board, "/board/objections")):
        page = (await browser.get(path)).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


async def test_nobody_reads_anothers_objections(sign_in: SignIn) -> None:
    member, other = await sign_in("m02"), await sign_in("m03")
    await member.post("/objections/new", data=WRONG)
    assert (await other.get("/objections.json")).json() == {"objections": []}
    assert "My car" not in (await other.get("/objections")).text
