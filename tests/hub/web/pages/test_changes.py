"""The log of changes as members read it, and the board's list of members."""

import re

from hub.storage.life_records import MemberEdit
from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.asked_pages import PAGE_ROWS
from tests.hub.web.conftest import SignIn


async def test_members_read_who_changed_what_and_others_stay_without_a_name(
    sign_in: SignIn, store: SqliteStore
) -> None:
    await store.set_board("m01", is_board=True)
    await store.edit_member("m03", MemberEdit(name="Secret Name", email="secret@example.org"), by="m01")
    await store.change_role("m02", "treasurer", begins=True, by="m01")
    names = {member.id: member.name for member in await store.members()}
    browser = await sign_in("m04")
    page = (await browser.get("/changes")).text
    assert "New name for m03." in page
    assert f"Treasurer: {names['m02']} (m02) from now on. By {names['m01']} (m01)." in page
    assert "Secret Name" not in page
    assert "secret@" not in page
    own = (await (await sign_in("m03")).get("/changes")).text
    assert "New name for you." in own
    found = (await browser.get("/changes.json")).json()
    assert found["roles"]["treasurer"] == ["m02"]
    assert found["changes"][-1]["change"] == "role begun"
    assert "Secret" not in str(found)
    table = (await browser.get("/changes.csv")).text.splitlines()
    assert table[0] == "number,at,by,change,member,subject,reason,link_by"
    assert table[-1].endswith(",m01,role begun,m02,treasurer,,")


async def test_the_log_is_read_a_page_at_a_time_and_no_line_is_left_out(sign_in: SignIn, store: SqliteStore) -> None:
    await store.set_board("m01", is_board=True)
    for number in range(2 * PAGE_ROWS + 3):
        assert await store.edit_member("m03", MemberEdit(name=f"Name {number}"), by="m01") is None
    browser, address, seen, pages = await sign_in("m03"), "/changes", 0, 0
    while address:
        text = (await browser.get(address)).text
        seen, pages = seen + text.count("New name for you."), pages + 1
        assert text.count("<small>") <= PAGE_ROWS
        older = re.search(r'href="(/changes\?before=\d+)#log" rel="next">Older changes', text)
        address = older[1] if older else ""
    assert seen == 2 * PAGE_ROWS + 3
    assert pages == -(-len(await store.member_changes()) // PAGE_ROWS)
    for before in ("x", "-1", "1" * 40, "٣"):
        assert (await browser.get("/changes", params={"before": before})).status_code == 422


async def test_a_reason_that_looks_like_a_formula_is_text_in_the_table(sign_in: SignIn, store: SqliteStore) -> None:
    await store.set_board("m01", is_board=True)
    agent = (await store.agents())[0]
    assert await store.revoke_agent(agent.id, by="m01", reason="=1+1") is None
    assert (await (await sign_in("m02")).get("/changes.csv")).text.splitlines()[-1].endswith(",'=1+1,")


async def test_only_the_board_lists_members(sign_in: SignIn, store: SqliteStore) -> None:
    board = next(member for member in await store.members() if member.is_board)
    other = next(member for member in await store.members() if not member.is_board)
    assert (await (await sign_in(other.id)).get("/board/members")).status_code == 403
    page = (await (await sign_in(board.id)).get("/board/members")).text
    assert other.email in page


async def test_a_board_of_one_is_told_on_its_pages_what_to_do(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m01")
    pages = ("/board/members", "/board/runs")
    for page in pages:
        text = (await browser.get(page)).text
        assert "only m01 is on the board: a run needs 2 members of it, so nothing can be published" in text
        assert "/board/members" in text
    await store.set_board("m02", is_board=True)
    for page in pages:
        assert "nothing can be published" not in (await browser.get(page)).text
