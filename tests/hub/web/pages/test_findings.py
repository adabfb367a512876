"""Readings in doubt: the member sees them in plain words, another board member decides, every access is logged."""

from datetime import date
from typing import Any

import httpx
import pytest

from hub.storage.records import Access
from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.translation import Localizer
from hub.web.views.settlement.statement import statement_day
from tests.hub.web.conftest import SignIn, browser_on
from tests.hub.web.page_street import COOP, FOUND_DAY, FOUND_SLOT, HOSTILE, find_on_street, parts_over

WORD = {"decision": "accept", "reason": "A heater\n ran.", "after": "0"}


@pytest.fixture(autouse=True)
async def _found(store: SqliteStore) -> None:
    await find_on_street(store)


async def number_of(browser: httpx.AsyncClient, code: str) -> int:
    listed = (await browser.get("/board/findings.json")).json()["findings"]
    return int(next(each["id"] for each in listed if each["code"] == code))


async def looks(store: SqliteStore, home: str) -> list[tuple[str, str]]:
    return [(row.actor, row.role) for row in await store.access_rows(home, limit=50) if row.fields == "findings"]


async def test_a_member_sees_what_is_on_hold_and_who_decides(sign_in: SignIn, store: SqliteStore) -> None:
    member = await sign_in("m02")
    for path in ("/my-home", "/credits"):
        assert "Some of your credits are on hold until the board decides" in (await member.get(path)).text, path
    assert await looks(store, "h02") == []
    page = (await member.get("/findings")).text
    assert "A counter kept giving the same value" in page
    assert "345 Wh in every quarter hour" in page
    assert "the credits are on hold" in page
    assert "4 quarter hours are missing. The meter did not answer." in page
    assert "panels" not in page
    assert await looks(store, "h02") == [("m02", "self")]
    found = (await member.get("/findings.json")).json()["findings"]
    assert [(each["code"], each["waiting"]) for each in found] == [("frozen_value", True), ("gap", False)]
    other = await sign_in("m05")
    assert "Some of your credits are on hold until the board decides" not in (await other.get("/my-home")).text
    assert (await other.get("/findings.json")).json() == {"findings": []}


async def test_the_board_decides_with_a_reason_and_can_decide_again(sign_in: SignIn, store: SqliteStore) -> None:
    board, member = await sign_in("m01"), await sign_in("m02")
    page = (await board.get("/board/findings")).text
    assert "345 Wh in every quarter hour" in page
    assert "missing" not in page, "a gap is nothing to decide on"
    assert {("m01", "board")} == {*await looks(store, "h02"), *await looks(store, "h03")}
    number = await number_of(board, "frozen_value")
    done = await board.post(f"/board/findings/{number}", data=WORD)
    assert (done.status_code, done.headers["location"]) == (303, "/board/findings?saved=decision")
    assert "A heater ran." in (await member.get("/findings")).text
    assert "Household One accepted it on" in (await member.get("/findings")).text
    assert "Some of your credits are on hold until the board decides" not in (await member.get("/my-home")).text
    assert (await board.post(f"/board/findings/{number}", data=WORD)).status_code == 409
    (decided,) = await store.slot_decisions(slots=range(FOUND_SLOT, FOUND_SLOT + 1))
    anew = WORD | {"decision": "reject", "after": str(decided.id)}
    assert (await board.post(f"/board/findings/{number}", data=anew)).status_code == 303
    assert [each.verdict for each in await store.slot_decisions(slots=range(FOUND_SLOT, FOUND_SLOT + 1))] == [
        "accept",
        "reject",
    ]


@pytest.mark.parametrize(
    ("code", "change", "status"),
    [
        ("frozen_value", {"reason": " "}, 422),
        ("frozen_value", {"reason": "x" * 501}, 422),
        ("frozen_value", {"decision": "maybe"}, 422),
        ("frozen_value", {"decision": "estimate"}, 422),
        ("frozen_value", {"after": "7"}, 409),
        ("odd_yield", {"decision": "reject"}, 422),
        ("unbalanced", {}, 403),
    ],
)
async def test_what_is_no_decision_leaves_no_row(
    sign_in: SignIn, store: SqliteStore, code: str, change: dict[str, str], status: int
) -> None:
    board = await sign_in("m01")
    number = await number_of(board, code)
    assert (await board.post(f"/board/findings/{number}", data=WORD | change)).status_code == status
    assert await store.slot_decisions(slots=range(FOUND_SLOT - 100, FOUND_SLOT + 100)) == ()


async def test_members_strangers_and_foreign_forms_decide_nothing(sign_in: SignIn, store: SqliteStore) -> None:
    member, board = await sign_in("m02"), await sign_in("m01")
    number = await number_of(board, "frozen_value")
    for path in ("/board/findings", "/board/findings.json"):
        assert (await member.get(path)).status_code == 403
    assert (await member.post(f"/board/findings/{number}", data=WORD)).status_code == 403
    foreign = await board.post(f"/board/findings/{number}", data=WORD, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    async with browser_on(store) as nobody:
        assert (await nobody.post(f"/board/findings/{number}", data=WORD)).status_code == 303
    for wrong in ("99", "x", "-1", "1" * 40):
        assert (await board.post(f"/board/findings/{wrong}", data=WORD)).status_code == 404
    assert await store.slot_decisions(slots=range(FOUND_SLOT - 100, FOUND_SLOT + 100)) == ()
    forms = (await board.get("/board/findings")).text.count('<form method="post" action="/board/findings/')
    assert forms == 2, "none on the own home's"


async def test_words_of_the_board_are_shown_as_words_and_a_closed_finding_is_closed(
    sign_in: SignIn, store: SqliteStore
) -> None:
    board, member = await sign_in("m01"), await sign_in("m02")
    number = await number_of(board, "frozen_value")
    await board.post(f"/board/findings/{number}", data=WORD | {"reason": HOSTILE})
    page = (await member.get("/findings")).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    await store.put_findings(FOUND_DAY, [], closing="gone", at=1_781_000_001, message_position=2)
    assert "closed: later readings corrected it" in (await member.get("/findings")).text
    (said,) = await store.slot_decisions(slots=range(FOUND_SLOT, FOUND_SLOT + 1))
    path = f"/board/findings/{number}"
    assert (await board.post(path, data=WORD | {"after": str(said.id)})).status_code == 303, "it can be put right"
    assert (await board.post(path, data=WORD | {"after": str(said.id)})).status_code == 409


async def test_the_statements_day_names_held_rejected_and_estimated_intervals(store: SqliteStore) -> None:
    member, home = await store.member("m02"), await store.home_of("m02")
    assert member is not None
    assert home is not None
    own = Access(actor="m02", role="self", purpose="own.view")
    files = await parts_over(store).statements.state(member, home, month=date(2026, 6, 1), access=own)
    assert files is not None
    days: Any = files.statement["days"]
    day = next(each for each in days if each["day"] == "2026-06-10")
    first = day["first_slot"]
    day["marks"] = [
        [first, "held", None, None, 1], [first + 1, "rejected", None, None, 2], [first + 2, "estimated", 1, 2, None],
    ]  # fmt: skip
    view = statement_day(files, "2026-06-10", Localizer("en", COOP.tz, COOP.currency))
    assert view is not None
    assert [row[-1] for row in view.table.rows[:4]] == [
        "on hold until the board decides",
        "not counted, by the board's decision",
        "estimated",
        "",
    ]
