"""The board changes a member on their page: nothing before the confirmation, one line of the log after it."""

import httpx
import pytest

from hub.storage.records import Agent, Home, Member
from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.tokens import hash_token
from tests.hub.web.conftest import SignIn, browser_on
from tests.hub.web.page_street import NOW_S

PAGE = "/board/members/m03"


@pytest.fixture
async def board(sign_in: SignIn) -> httpx.AsyncClient:
    return await sign_in("m01")


async def lines(store: SqliteStore) -> list[tuple[str, str, str, str]]:
    return [(each.by, each.kind, each.member, each.subject) for each in await store.member_changes()]


CHANGES = [
    ({"do": "edit", "name": "New Name", "email": "new@example.org"}, [("named", "m03", ""), ("addressed", "m03", "")]),
    ({"do": "begin-role", "role": "treasurer"}, [("role begun", "m03", "treasurer")]),
    ({"do": "end-sessions"}, [("sessions ended", "m03", "")]),
    ({"do": "move-out", "last_day": "2026-07-31"}, [("move-out planned", "m03", "2026-07-31")]),
    ({"do": "add-adult", "home": "h03", "adult": "m02"}, [("adult begun", "m02", "h03")]),
    (
        {"do": "add-adult", "home": "h03", "name": "Ben", "email": "ben@example.org"},
        [("joined", "m13", ""), ("adult begun", "m13", "h03")],
    ),
]


@pytest.mark.parametrize(("sent", "logged"), CHANGES)
async def test_a_change_is_made_once_it_is_confirmed(
    board: httpx.AsyncClient, store: SqliteStore, sent: dict[str, str], logged: list[tuple[str, str, str]]
) -> None:
    before = await lines(store)
    asked = await board.post(PAGE, data=sent)
    assert asked.status_code == 200
    assert "Is this right?" in asked.text
    for name, value in sent.items():
        assert f'name="{name}" value="{value}"' in asked.text, "the confirmation sends the same form again"
    assert await lines(store) == before, "nothing before the confirmation"
    done = await board.post(PAGE, data={**sent, "confirmed": "yes"})
    assert done.status_code == 303
    assert (await lines(store))[len(before) :] == [("m01", *line) for line in logged]
    assert "Done." in (await board.get(done.headers["location"])).text


async def test_an_agent_is_shut_out_and_the_members_see_why(board: httpx.AsyncClient, store: SqliteStore) -> None:
    (agent,) = [each.id for each in await store.agents() if each.home_id == "h03" and each.revoked_at is None]
    sent = {"do": "revoke", "agent": agent, "reason": "the Pi was stolen", "confirmed": "yes"}
    assert (await board.post(PAGE, data=sent)).status_code == 303
    assert next(each for each in await store.agents() if each.id == agent).revoked_at is not None
    assert "the Pi was stolen" in (await board.get("/changes")).text


async def test_an_objection_to_an_agent_that_is_shut_out_can_still_be_decided(
    board: httpx.AsyncClient, store: SqliteStore
) -> None:
    (old,) = [each.id for each in await store.agents() if each.home_id == "h03" and each.revoked_at is None]
    await store.add_invite(b"n" * 32, home_id="h03", expires_at=2**40, replaces=old)
    agent = Agent("a-new", "", 3, b"n" * 32, int(NOW_S), None)
    assert await store.redeem_invite(b"n" * 32, agent=agent, now=int(NOW_S)) is None
    assert await store.object_to_agent("a-new", member="m03", reason="nobody came") is None
    assert await store.revoke_agent("a-new", by="m01", reason="stolen") is None
    page = (await board.get(PAGE)).text
    assert "nobody came" in page
    assert "Shut it out" not in page
    sent = {"do": "decide", "agent": "a-new", "verdict": "counts", "reason": "we put it in", "confirmed": "yes"}
    assert (await board.post(PAGE, data=sent)).status_code == 303
    assert "nobody came" not in (await board.get(PAGE)).text


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"do": "nothing"}, 422),
        ({"do": "edit", "name": "", "email": "new@example.org"}, 422),
        ({"do": "edit", "name": "New", "email": "nonsense"}, 422),
        ({"do": "begin-role", "role": "king"}, 422),
        ({"do": "move-out", "last_day": "soon"}, 422),
        ({"do": "move-out", "last_day": "2020-01-01"}, 422),
        ({"do": "revoke", "agent": "a-unknown", "reason": " "}, 422),
        ({"do": "revoke", "agent": "a-unknown", "reason": "stolen"}, 409),
        ({"do": "add-adult", "home": "h03"}, 422),
        ({"do": "add-adult", "home": "h03", "adult": "m99"}, 409),
        ({"do": "stay"}, 409),
        ({"do": "decide", "agent": "a-x", "verdict": "counts", "reason": "seen"}, 409),
    ],
)
async def test_what_cannot_be_is_said_and_nothing_is_written(
    board: httpx.AsyncClient, store: SqliteStore, sent: dict[str, str], status: int
) -> None:
    before = await lines(store)
    assert (await board.post(PAGE, data={**sent, "confirmed": "yes"})).status_code == status
    assert await lines(store) == before


@pytest.mark.parametrize("sent", [{"do": "stay"}, {"do": "move-out", "last_day": "2026-07-31"}])
async def test_nobody_stays_into_the_membership_of_a_successor(
    board: httpx.AsyncClient, store: SqliteStore, sent: dict[str, str]
) -> None:
    assert await store.set_left("m03", int(NOW_S), last_day="2026-06-11", by="m01") is None
    successor = Member("m77", "New Neighbour", "new@example.org", "en", False, int(NOW_S))
    await store.add_member(successor, Home("h77", "Flat", "m77", "h03"), by="m01")
    before = await lines(store)
    answer = await board.post(PAGE, data={**sent, "confirmed": "yes"})
    assert answer.status_code == 409
    assert "m77 follows in home h77 from 2026-06-1" in answer.text
    assert await lines(store) == before


async def test_only_the_board_opens_or_sends_it(sign_in: SignIn, store: SqliteStore) -> None:
    other = await sign_in("m02")
    before = await lines(store)
    assert (await other.get(PAGE)).status_code == 403
    sent = {"do": "begin-role", "role": "board", "confirmed": "yes"}
    assert (await other.post(PAGE, data=sent)).status_code == 403
    assert await lines(store) == before


async def test_the_page_of_nobody_is_not_there(board: httpx.AsyncClient) -> None:
    assert (await board.get("/board/members/m99")).status_code == 404
    page = (await board.get(PAGE)).text
    assert "Shut it out" in page
    assert 'href="/board/members/m03"' in (await board.get("/board/members")).text


async def test_an_address_that_refuses_mail_is_shown_where_it_can_be_changed(
    board: httpx.AsyncClient, store: SqliteStore
) -> None:
    assert "refuses mail" not in (await board.get("/board/members")).text
    member = await store.member("m03")
    assert member is not None
    await store.note_bounce(member.email, "550 5.1.1 no such box.")
    for page in ("/board/members", PAGE):
        assert "The address refuses mail: 550 5.1.1 no such box. Ask for another one" in (await board.get(page)).text
    sent = {"do": "edit", "name": member.name, "email": "right@example.org", "confirmed": "yes"}
    assert (await board.post(PAGE, data=sent)).status_code == 303
    assert "refuses mail" not in (await board.get("/board/members")).text


async def test_a_change_in_a_session_of_someone_elses_link_names_them(store: SqliteStore) -> None:
    await store.set_board("m02", is_board=True)
    await store.add_sign_in(hash_token("made"), member_id="m02", expires_at=int(NOW_S) + 60, made_by="m01")
    async with browser_on(store) as browser:
        assert (await browser.post("/sign-in/made")).status_code == 303
        for sent, _ in CHANGES:
            assert (await browser.post(PAGE, data={**sent, "confirmed": "yes"})).status_code in (303, 409)
        page = (await browser.get("/changes")).text
    made = [each for each in await store.member_changes() if each.by == "m02"]
    assert len(made) >= 6
    assert {each.link_by for each in made} == {"m01"}
    assert "Signed in with a link made by" in page


async def test_with_a_mail_server_the_former_address_is_told(store: SqliteStore) -> None:
    for sends_mail, expected in ((False, []), (True, ["address"])):
        async with browser_on(store, sends_mail=sends_mail) as browser:
            await store.add_sign_in(hash_token("own"), member_id="m01", expires_at=int(NOW_S) + 60)
            assert (await browser.post("/sign-in/own")).status_code == 303
            sent = {"do": "edit", "name": "N", "email": f"new-{sends_mail}@example.org", "confirmed": "yes"}
            assert (await browser.post(PAGE, data=sent)).status_code == 303
        assert [each.kind.value for each in await store.notices(since=0, most=9)] == expected
