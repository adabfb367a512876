"""Members choose their mail themselves, and ask for sign-in links without anybody learning who is a member."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from hub.storage.notice_records import NoticeKind
from hub.storage.sqlite.store import SqliteStore
from hub.web.app import build_app
from hub.web.frame.asked_links import MOST_PER_CLIENT, MOST_PER_MEMBER, AskedLinks
from tests.hub.web.conftest import ORIGIN, SignIn
from tests.hub.web.page_street import NOW_S, parts_over

DONE = "a link is on its way to it. It arrives within a few minutes"


@asynccontextmanager
async def asking(
    store: SqliteStore, *, now_s: float = NOW_S, sends_mail: bool = True
) -> AsyncIterator[tuple[httpx.AsyncClient, AskedLinks]]:
    app = build_app(replace(parts_over(store, now_s=now_s), sends_mail=sends_mail))
    transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}) as browser:
        yield browser, app.state.asked_links


async def queued(store: SqliteStore) -> list[tuple[str, str]]:
    return [(each.kind.value, each.member) for each in await store.notices(since=0, most=99)]


async def test_a_link_is_queued_for_a_member_and_the_answer_is_the_same_for_a_stranger(store: SqliteStore) -> None:
    member = await store.member("m02")
    assert member is not None
    async with asking(store) as (browser, links):
        assert 'name="email"' in (await browser.get("/sign-in")).text
        pages = []
        for address in (f" {member.email.upper()} ", "stranger@example.org", "", "x" * 9000, "a@b\r\nBcc: c@d"):
            answer = await browser.post("/sign-in", data={"email": address})
            pages.append((answer.status_code, answer.text))
        assert len(set(pages)) == 1
        assert pages[0][0] == 200
        assert DONE in pages[0][1]
        await links.settled()
    assert await queued(store) == [("sign-in", "m02")]


async def test_links_are_limited_for_a_member_and_for_a_client(store: SqliteStore) -> None:
    emails = {each.id: each.email for each in await store.members()}
    for minute in range(6):
        async with asking(store, now_s=NOW_S + 60 * minute) as (browser, links):
            assert DONE in (await browser.post("/sign-in", data={"email": emails["m02"]})).text
            await links.settled()
    assert len(await queued(store)) == MOST_PER_MEMBER
    async with asking(store) as (browser, links):
        for _ in range(MOST_PER_CLIENT):
            await browser.post("/sign-in", data={"email": "stranger@example.org"})
        assert DONE in (await browser.post("/sign-in", data={"email": emails["m03"]})).text
        await links.settled()
    assert len(await queued(store)) == MOST_PER_MEMBER, "this client has asked too often; nothing says so"


async def test_without_a_mail_server_nobody_is_promised_a_link(store: SqliteStore) -> None:
    async with asking(store, sends_mail=False) as (browser, _):
        assert 'name="email"' not in (await browser.get("/sign-in")).text
        assert (await browser.post("/sign-in", data={"email": "a@example.org"})).status_code == 409
    assert await queued(store) == []


async def test_another_site_cannot_ask_for_a_link(store: SqliteStore) -> None:
    async with asking(store) as (browser, links):
        foreign = {"origin": "https://evil.example"}
        assert (await browser.post("/sign-in", data={"email": "a@example.org"}, headers=foreign)).status_code == 403
        await links.settled()


async def test_each_kind_is_off_until_the_member_switches_it_on(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m02")
    page = (await browser.get("/notices")).text
    assert "checked" not in page
    assert 'name="hub"' not in page, "the board's kinds are for the board"
    sent = {"statement": "on", "hub": "on", "nonsense": "on"}
    assert (await browser.post("/notices", data=sent)).status_code == 303
    page = (await browser.get("/notices?saved=yes")).text
    assert page.count("checked") == 1
    assert "Your choices are saved." in page
    own = (await browser.get("/notices.json")).json()
    assert own == {"sends_mail": False, "statement": True, "debit": False, "silent": False}
    assert (await browser.post("/notices", data={})).status_code == 303
    assert [(each.member, each.kind, each.is_on) for each in await store.notice_choices()] == [
        ("m02", NoticeKind.STATEMENT, False)
    ]


async def test_the_page_says_what_the_board_entered_and_that_the_address_refuses(
    sign_in: SignIn, store: SqliteStore
) -> None:
    member = await store.member("m02")
    assert member is not None
    await store.choose_notice("m02", NoticeKind.DEBIT, is_on=True, by="m01")
    await store.note_bounce(member.email, "550 no such box")
    page = (await (await sign_in("m02")).get("/notices")).text
    assert "The board entered this for you on" in page
    assert "Your address has refused mail since" in page
    assert "refused mail" not in (await (await sign_in("m03")).get("/notices")).text


async def test_the_boards_kinds_are_on_the_boards_pages(sign_in: SignIn) -> None:
    board = await sign_in("m01")
    assert 'name="hub"' in (await board.get("/notices")).text


@pytest.mark.parametrize("client", ["", "unknown", "2001:db8::5"])
async def test_any_client_address_is_counted(store: SqliteStore, client: str) -> None:
    links = AskedLinks(store, parts_over(store).clock)
    for _ in range(30):
        links.ask("stranger@example.org", client=client)
        await links.settled()
    assert await queued(store) == []
