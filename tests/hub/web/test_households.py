"""Several people see one home, one person sees several: the pages follow, and what is not theirs stays closed."""

import httpx
import pytest

from hub.storage.records import Agent, Home, Member, NewObjection, RefusalCount
from hub.storage.sqlite.store import SqliteStore
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import NOW_S

SHARED = (
    "/my-home.json", "/prompts.json", "/credits.json", "/credits/2026-06-10.json", "/consent.json", "/findings.json",
    "/credits/statement/2026-06.json", "/credits/statement/2026-06/readings.json", "/objections.json",
)  # fmt: skip
PARTNER = Member("m77", "Partner", "partner@example.org", "en", False, int(NOW_S))


async def board_of(store: SqliteStore) -> str:
    return next(member.id for member in await store.members() if member.is_board)


@pytest.fixture
async def partner(sign_in: SignIn, store: SqliteStore) -> httpx.AsyncClient:
    """Another adult of home h03."""
    assert await store.add_adult("h03", PARTNER, by=await board_of(store)) is None
    return await sign_in(PARTNER.id)


async def test_an_adult_reads_what_the_holder_reads_and_the_log_names_them(
    partner: httpx.AsyncClient, sign_in: SignIn
) -> None:
    holder = await sign_in("m03")
    for path in SHARED:
        theirs, own = await partner.get(path), await holder.get(path)
        assert theirs.status_code == own.status_code == 200, path
        assert {**theirs.json(), "now_s": 0} == {**own.json(), "now_s": 0}, path
    looks = (await holder.get("/who-looked.json?who=you")).json()["looks"]
    assert {"m03", "m77"} <= {look["actor"] for look in looks}
    assert "Partner" in (await holder.get("/who-looked?who=you")).text
    assert "Changed who sees your home&#39;s pages. Reason: let m77 see" in (await holder.get("/who-looked")).text


async def test_money_stays_with_whoever_holds_the_contract(partner: httpx.AsyncClient, sign_in: SignIn) -> None:
    for path in ("/account", "/account.json", "/objections/new?month=2026-06&day=&line=debit"):
        assert (await partner.get(path)).status_code == 403, path
    sent = await partner.post("/account", data={"holder": "Partner", "iban": "ES9121000418450200051332"})
    assert sent.status_code == 403
    assert "holds the contract" in (await partner.get("/homes")).text
    assert (await (await sign_in("m03")).get("/account")).status_code == 200


async def test_who_no_longer_lives_there_sees_nothing_at_once(partner: httpx.AsyncClient, store: SqliteStore) -> None:
    assert (await partner.get("/my-home.json")).status_code == 200
    assert await store.end_adult("h03", PARTNER.id, by=await board_of(store)) is None
    partner.cookies.set("cw-home", "h03")
    assert (await partner.get("/my-home.json")).status_code == 404
    assert (await partner.get("/who-looked.json")).status_code == 404
    assert (await partner.get("/")).status_code == 200


async def test_a_board_member_decides_nothing_about_a_home_they_live_in(sign_in: SignIn, store: SqliteStore) -> None:
    await store.add_objection(
        NewObjection("m03", "2026-06", "", "debit", 1, "0" * 64, "too much", int(NOW_S), int(NOW_S) + 9)
    )
    member = await store.member("m01")
    assert member is not None
    assert member.is_board
    assert await store.change_role("m02", "board", begins=True, by="m01") is None
    assert await store.add_adult("h03", member, by="m02") is None
    board = await sign_in("m01")
    page = (await board.get("/board/objections")).text
    assert 'name="decision"' not in page
    (row,) = await store.objections(member="m03")
    sent = await board.post(f"/board/objections/{row.id}", data={"decision": "accept", "reason": "mine"})
    assert sent.status_code == 403


async def test_the_home_chosen_is_the_one_shown_and_a_form_of_the_other_is_refused(
    sign_in: SignIn, store: SqliteStore
) -> None:
    further = Member("m78", "Household Dreißig", "m03@example.org", "en", False, int(NOW_S), held_by="m03")
    await store.add_member(further, Home("h78", "Cabin", "m78"), by=await board_of(store))
    browser = await sign_in("m03")
    assert (await browser.get("/my-home.json")).json()["home"] == "h03"
    assert (await browser.get("/homes.json")).json()["shown"] == "h03"
    assert (await browser.post("/homes", data={"home": "h05"})).status_code == 404
    assert (await browser.post("/homes", data={"home": "h78"})).status_code == 303
    assert (await browser.get("/my-home.json")).json()["home"] == "h78"
    assert (await browser.get("/credits.json")).json()["member"] == "m78"
    assert "Cabin" in (await browser.get("/")).text
    stale = await browser.post("/my-home/appliances", data={"home": "h03"})
    assert stale.status_code == 409
    assert (await browser.post("/homes", data={"home": "h03"})).status_code == 303
    assert (await browser.get("/my-home.json")).json()["home"] == "h03"


async def test_a_home_named_in_a_cookie_opens_nothing_of_others(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    browser.cookies.set("cw-home", "h03")
    assert (await browser.get("/my-home.json")).json()["home"] == "h02"


async def test_a_home_sees_its_new_agent_and_objects(sign_in: SignIn, store: SqliteStore) -> None:
    (old,) = [agent for agent in await store.agents() if agent.home_id == "h03" and agent.revoked_at is None]
    await store.add_invite(b"n" * 32, home_id="h03", expires_at=2**40, replaces=old.id)
    new = Agent("a-new", "", 3, b"n" * 32, int(NOW_S) - 60, None)
    assert await store.redeem_invite(b"n" * 32, agent=new, now=int(NOW_S) - 60) is None
    browser, other = await sign_in("m03"), await sign_in("m02")
    page = (await browser.get("/my-home")).text
    assert "A new agent, a-new, measures this home since" in page
    assert "a-new" not in (await other.get("/my-home")).text
    sent = {"agent": "a-new", "reason": "nobody was here"}
    assert (await other.post("/my-home/agent", data=sent)).status_code == 409
    assert (await browser.post("/my-home/agent", data={"agent": "a-new", "reason": " "})).status_code == 422
    assert (await browser.post("/my-home/agent", data=sent)).status_code == 303
    page = (await browser.get("/my-home")).text
    assert "objected on" in page
    assert "Its readings are not settled until the board decides." in page


async def test_a_home_with_two_agents_sees_what_each_brings_and_each_consent(
    sign_in: SignIn, store: SqliteStore
) -> None:
    browser = await sign_in("m03")
    assert "home-agents" not in (await browser.get("/my-home")).text, "one agent brings everything"
    (first,) = [agent for agent in await store.agents() if agent.home_id == "h03" and agent.revoked_at is None]
    await store.add_invite(b"n" * 32, home_id="h03", expires_at=2**40, is_further=True)
    new = Agent("a-new", "", 3, b"n" * 32, int(NOW_S) - 60, None)
    assert await store.redeem_invite(b"n" * 32, agent=new, now=int(NOW_S) - 60) is None
    await store.count_refusals([RefusalCount("a-new", "brought_elsewhere", 2, int(NOW_S) - 60, "grid_import")])
    page = (await browser.get("/my-home")).text
    assert f"<b>{first.id}</b>" in page
    assert "<b>a-new</b><br>It has not sent any readings yet." in page, "not said to be kept at home by a consent"
    assert "It also sends amounts of a meter that another of your agents brings." in page
    consents = (await browser.get("/consent")).text
    assert "Your home has several agents. Each has a consent of its own" in consents
    assert "Agent a-new: You share only what settlement needs" in consents
    told = (await browser.get("/consent.json")).json()
    assert [each["agent"] for each in told["agents"]] == [first.id, "a-new"]
    assert (told["version"], told["agents"][1]["version"]) == (told["agents"][0]["version"], None)
    assert "home-agents" not in (await (await sign_in("m02")).get("/my-home")).text
