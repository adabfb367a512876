"""The board invites from its pages: the checks, the token and the log line of the command; the token is shown once."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from hub.board.invitation_service import InvitationService
from hub.folder.first_settings import settings_text
from hub.folder.settings import parse_settings
from hub.notices.sealing import SecretSeal
from hub.storage.records import Agent
from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.tokens import hash_token
from protocols.enrolment.invitation_text import read_invitation
from protocols.enrolment.token import parse_token
from protocols.timeline import Clock
from tests.hub.web.conftest import ORIGIN, SignIn, browser_on
from tests.hub.web.page_street import COOP, HUB_SECRET, HUB_SETTINGS, NOW_S, STATUS_KEY, inviting_hub

PAGE = "/board/invite"
NEW = {"do": "new", "name": "Nia", "email": "nia@example.org", "home_name": "Nia's", "since": "2026-07-01"}


@pytest.fixture
async def board(sign_in: SignIn) -> httpx.AsyncClient:
    return await sign_in("m01")


async def lines(store: SqliteStore) -> list[tuple[str, str, str, str]]:
    return [(each.by, each.kind, each.member, each.subject) for each in await store.member_changes()]


def tokens_of(page: str) -> list[str]:
    return re.findall(r"<code>((?:[0-9A-Z]{4}-){10}[0-9A-Z]{4})</code>", page)


async def enrols(store: SqliteStore, token: str, *, agent: str = "a-new") -> bool:
    """Whether the token lets this agent in."""
    new = Agent(agent, "", 3, agent.encode().ljust(32), int(NOW_S), None)
    return await store.redeem_invite(parse_token(token).id, agent=new, now=int(NOW_S)) is None


async def test_a_new_member_is_added_once_it_is_confirmed(board: httpx.AsyncClient, store: SqliteStore) -> None:
    before = await lines(store)
    asked = await board.post(PAGE, data=NEW)
    assert asked.status_code == 200
    assert "Is this right?" in asked.text
    assert await lines(store) == before, "nothing before the confirmation"
    assert tokens_of(asked.text) == []
    shown = await board.post(PAGE, data={**NEW, "confirmed": "yes"})
    assert shown.status_code == 200
    assert shown.headers["cache-control"] == "no-store"
    (token,) = tokens_of(shown.text)
    whole = re.search(r"<code>(commonwatt:[^<]+)</code>", shown.text)
    assert whole is not None
    assert read_invitation(whole[1].replace("&amp;", "&")).token == token
    assert "<svg" in shown.text
    assert "<?xml" not in shown.text
    assert (await lines(store))[len(before) :] == [("m01", "joined", "m13", "h13")]
    member = await store.member("m13")
    assert member is not None
    assert (member.name, member.email, member.is_board) == ("Nia", "nia@example.org", False)
    assert await enrols(store, token)
    assert not await enrols(store, token, agent="a-more")
    assert tokens_of((await board.get("/board/members/m13")).text) == [], "shown once"


async def test_a_lost_agent_is_replaced_and_the_log_names_who_invited(
    board: httpx.AsyncClient, store: SqliteStore
) -> None:
    (old,) = [each.id for each in await store.agents() if each.home_id == "h03"]
    assert "Invite another one in its place" in (await board.get("/board/members/m03")).text
    form = {"do": "agent", "home": "h03", "replaces": old}
    asked = await board.post(PAGE, data=form)
    assert f"in place of {old}, which is shut out" in asked.text
    before = await lines(store)
    pages = [(await board.post(PAGE, data={**form, "confirmed": "yes"})).text for _ in range(2)]
    (first,), (second,) = (tokens_of(page) for page in pages)
    assert (await lines(store))[len(before) :] == [("m01", "invited", "m03", "h03")] * 2
    assert not await enrols(store, first), "the newer invitation voids it"
    assert await enrols(store, second)
    assert next(each for each in await store.agents() if each.id == old).revoked_at is not None
    assert "Invitation for an agent of" in (await board.get("/changes")).text


async def test_a_home_whose_agent_is_shut_out_gets_a_new_one(board: httpx.AsyncClient, store: SqliteStore) -> None:
    (old,) = [each.id for each in await store.agents() if each.home_id == "h03"]
    assert await store.revoke_agent(old, by="m01", reason="stolen") is None
    assert "Invite its agent" in (await board.get("/board/members/m03")).text
    shown = await board.post(PAGE, data={"do": "agent", "home": "h03", "confirmed": "yes"})
    (token,) = tokens_of(shown.text)
    assert await enrols(store, token)


async def test_a_home_gets_a_further_agent_and_one_of_several_is_replaced(
    board: httpx.AsyncClient, store: SqliteStore
) -> None:
    (first,) = [each.id for each in await store.agents() if each.home_id == "h03"]
    assert "Invite a further one" in (await board.get("/board/members/m03")).text
    form = {"do": "agent", "home": "h03", "further": "yes"}
    assert "works beside those it has" in (await board.post(PAGE, data=form)).text
    (token,) = tokens_of((await board.post(PAGE, data={**form, "confirmed": "yes"})).text)
    assert await enrols(store, token)
    form = {"do": "agent", "home": "h03", "replaces": "a-new"}
    (token,) = tokens_of((await board.post(PAGE, data={**form, "confirmed": "yes"})).text)
    assert await enrols(store, token, agent="a-newer")
    live = {each.id for each in await store.agents() if each.home_id == "h03" and each.revoked_at is None}
    assert live == {first, "a-newer"}


async def test_a_member_gets_another_home(board: httpx.AsyncClient, store: SqliteStore) -> None:
    form = {"do": "home", "member": "m03", "home_name": "Summer house", "since": ""}
    assert "settled, billed and paid on its own" in (await board.post(PAGE, data=form)).text
    (token,) = tokens_of((await board.post(PAGE, data={**form, "confirmed": "yes"})).text)
    assert (await lines(store))[-1] == ("m01", "home added", "m03", "h13")
    assert [each.home.id for each in await store.seen_homes("m03")] == ["h03", "h13"]
    assert await enrols(store, token)
    again = await board.post(PAGE, data={"do": "agent", "home": "h13", "replaces": "a-new", "confirmed": "yes"})
    assert tokens_of(again.text), "one of several homes is told by its id"


async def test_somebody_moves_in_where_another_moved_out(board: httpx.AsyncClient, store: SqliteStore) -> None:
    empty = await board.get(PAGE)
    assert empty.status_code == 200
    assert "Moves in where somebody moved out" not in empty.text
    assert await store.set_left("m03", int(NOW_S) + 86_400, last_day="2026-07-01", by="m01") is None
    assert "<option>h03</option>" in (await board.get(PAGE)).text
    early = await board.post(PAGE, data={**NEW, "since": "", "follows": "h03"})
    assert early.status_code == 409
    assert "m03 is still a member then" in early.text
    assert 'value="nia@example.org"' in early.text, "what was typed stays"
    done = await board.post(PAGE, data={**NEW, "since": "2027-01-01", "follows": "h03", "confirmed": "yes"})
    assert done.status_code == 200
    assert next(home for home in await store.homes() if home.id == "h13").follows == "h03"
    assert "Moves in where somebody moved out" not in (await board.get(PAGE)).text


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"do": "nothing"}, 422),
        ({**NEW, "name": ""}, 422),
        ({**NEW, "name": "N" * 81}, 422),
        ({**NEW, "home_name": "two\nlines"}, 422),
        ({**NEW, "email": "nonsense"}, 422),
        ({**NEW, "since": "soon"}, 422),
        ({**NEW, "email": "M03@example.org"}, 409),
        ({**NEW, "follows": "h03"}, 409),
        ({**NEW, "follows": "h99"}, 409),
        ({**NEW, "mail": "on"}, 409),
        ({"do": "agent", "home": "h99"}, 409),
        ({"do": "agent", "home": "h03"}, 409),
        ({"do": "agent", "home": "h03", "replaces": "a-nobody"}, 409),
        ({"do": "agent", "home": "h03", "replaces": "a-03", "further": "yes"}, 422),
        ({"do": "agent", "home": "h03", "replaces": "a-unknown"}, 409),
        ({"do": "home", "member": "m99", "home_name": "Cabin"}, 409),
        ({"do": "home", "member": "m03", "home_name": ""}, 422),
    ],
)
async def test_what_cannot_be_is_said_and_nothing_is_written(
    board: httpx.AsyncClient, store: SqliteStore, sent: dict[str, str], status: int
) -> None:
    before = await lines(store), await store.members()
    for form in (sent, {**sent, "confirmed": "yes"}):
        answer = await board.post(PAGE, data=form)
        assert (answer.status_code, tokens_of(answer.text)) == (status, [])
    assert (await lines(store), await store.members()) == before


async def test_only_the_board_invites_and_only_from_its_own_page(sign_in: SignIn, store: SqliteStore) -> None:
    other, sent = await sign_in("m02"), {**NEW, "confirmed": "yes"}
    before = await lines(store)
    assert (await other.get(PAGE)).status_code == 403
    assert (await other.post(PAGE, data=sent)).status_code == 403
    board = await sign_in("m01")
    assert (await board.post(PAGE, data=sent, headers={"origin": "http://evil.example"})).status_code == 403
    key = {"authorization": f"Bearer {STATUS_KEY}"}
    async with browser_on(store) as nobody:
        assert (await nobody.post(PAGE, data=sent, headers=key)).status_code in (303, 401, 403)
    assert await lines(store) == before
    assert ORIGIN.startswith("http")


async def test_an_invitation_in_a_session_of_someone_elses_link_names_them(store: SqliteStore) -> None:
    await store.set_board("m02", is_board=True)
    await store.add_sign_in(hash_token("made"), member_id="m02", expires_at=int(NOW_S) + 60, made_by="m01")
    async with browser_on(store) as browser:
        assert (await browser.post("/sign-in/made")).status_code == 303
        assert tokens_of((await browser.post(PAGE, data={**NEW, "confirmed": "yes"})).text)
        (old,) = [each.id for each in await store.agents() if each.home_id == "h03"]
        form = {"do": "agent", "home": "h03", "replaces": old, "confirmed": "yes"}
        assert tokens_of((await browser.post(PAGE, data=form)).text)
    made = [(each.by, each.link_by, each.kind) for each in await store.member_changes()][-2:]
    assert made == [("m02", "m01", "joined"), ("m02", "m01", "invited")]


async def test_with_a_mail_server_the_invitation_is_mailed_as_well(store: SqliteStore, tmp_path: Path) -> None:
    text = (
        f'[coop]\nid = "{COOP.id}"\nname = "{COOP.name}"\ntz = "{COOP.tz}"\n'
        '[mail]\nserver = "127.0.0.1"\nport = 25\nsecurity = "none"\nfrom = "hub@sunny.example"\n'
    )
    settings = replace(HUB_SETTINGS, mail=parse_settings(text.encode(), name="hub.toml", folder=tmp_path).mail)
    service = InvitationService(tmp_path, settings=settings, hub=inviting_hub(store), clock=Clock(real=lambda: NOW_S))
    async with browser_on(store, invitations=service, sends_mail=True) as browser:
        await store.add_sign_in(hash_token("own"), member_id="m01", expires_at=int(NOW_S) + 60)
        assert (await browser.post("/sign-in/own")).status_code == 303
        assert 'name="mail"' in (await browser.get(PAGE)).text
        asked = await browser.post(PAGE, data={**NEW, "mail": "on"})
        assert 'name="mail" value="on"' in asked.text
        shown = await browser.post(PAGE, data={**NEW, "mail": "on", "confirmed": "yes"})
    (token,) = tokens_of(shown.text)
    assert "It is mailed as well." in shown.text
    (waiting,) = await store.notices(since=0, most=9)
    assert (waiting.kind.value, waiting.member) == ("invitation", "m13")
    place = (waiting.kind.value, waiting.member, waiting.about)
    assert SecretSeal(HUB_SECRET).open(waiting.secret, place=place) == token


async def test_a_hub_that_hands_out_the_agent_shows_how_to_install_it(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "commonwatt-agent_1_arm64.deb").write_bytes(b"the package")
    text = f'{settings_text(COOP)}\n[public]\nhost = "hub.example.org"\n'
    settings = parse_settings(text.encode(), name="hub.toml", folder=tmp_path)
    service = InvitationService(tmp_path, settings=settings, hub=inviting_hub(store), clock=Clock(real=lambda: NOW_S))
    async with browser_on(store, invitations=service) as browser:
        await store.add_sign_in(hash_token("own"), member_id="m01", expires_at=int(NOW_S) + 60)
        assert (await browser.post("/sign-in/own")).status_code == 303
        shown = (await browser.post(PAGE, data={**NEW, "confirmed": "yes"})).text
    assert "On a Raspberry Pi" in shown
    assert hashlib.sha256(b"the package").hexdigest() in shown
    assert "/api/agent-package/commonwatt-agent_1_arm64.deb" in shown
