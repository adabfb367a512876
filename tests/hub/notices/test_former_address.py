"""A new e-mail address is told to the former one, which learns nothing of the new one."""

import re
from pathlib import Path

from hub.storage.life_records import MemberEdit
from hub.storage.notice_records import NewNotice, NoticeKind
from hub.web.frame.tokens import hash_token
from tests.hub.notices.catch_all import CatchAll, catching
from tests.hub.notices.mail_street import PAGES, START_S, MailStreet, mail_street

NEW = MemberEdit(name="Benjamin", email="stolen@elsewhere.example", is_mailed=True)


async def test_the_former_address_is_told_once_and_not_where_mail_goes_now(tmp_path: Path) -> None:
    async with catching() as server, mail_street(tmp_path) as street:
        assert await street.store.edit_member("m02", NEW, by="m01") is None
        job = street.job(server.settings())
        await job(0)
        await job(0)
        assert server.recipients == [["b@example.org"]]
        (mail,) = server.mails
        assert mail["to"].addresses[0].display_name == "Ben"
        whole = server.raw[0].decode() + mail.get_content()
        assert "entered another e-mail address for you" in " ".join(mail.get_content().split())
        assert not re.search(r"elsewhere|stolen|Benjamin", whole)
        assert await street.queue() == [("address", "sent", 1)]
        (settled,) = await street.store.notices(since=0, most=9)
        assert settled.secret is None, "the former address is kept no longer than the mail waits"


async def test_nothing_is_queued_where_nothing_is_to_be_told(tmp_path: Path) -> None:
    async with mail_street(tmp_path) as street:
        store = street.store
        assert await store.edit_member("m02", MemberEdit(email="B@example.org", is_mailed=True), by="m01") is None
        assert await store.edit_member("m02", MemberEdit(name="Bo", is_mailed=True), by="m01") is None
        assert await store.edit_member("m02", MemberEdit(email="new@example.org"), by="m01") is None, "no mail server"
        refused = await store.edit_member("m03", MemberEdit(email="a@example.org", is_mailed=True), by="m01")
        assert refused is not None
        assert await street.queue() == []


async def test_an_address_that_refused_is_not_tried_again_and_none_is_noted(tmp_path: Path) -> None:
    caught = CatchAll(answers={"b@example.org": "550 no such box"})
    async with catching(caught) as server, mail_street(tmp_path) as street:
        assert await street.store.edit_member("m02", NEW, by="m01") is None
        await street.job(server.settings())(0)
        assert await street.queue() == [("address", "bounced", 1)]
        assert await street.store.bounces() == (), "nobody has the address any more"
    async with catching() as server, mail_street(tmp_path) as street:
        await street.store.note_bounce("stolen@elsewhere.example", "550 no such box")
        edit = MemberEdit(email="right@example.org", is_mailed=True)
        assert await street.store.edit_member("m02", edit, by="m01") is None
        await street.job(server.settings())(0)
        assert server.mails == []
        assert (await street.queue())[1][1] == "dropped"


async def maker_of_next_link(street: MailStreet, server: CatchAll, *, about: str) -> str:
    """Who a session names that is opened with a link mailed now."""
    await street.store.add_notices([NewNotice(NoticeKind.SIGN_IN, "m02", about, START_S + 3600)])
    await street.job(server.settings())(0)
    link = re.search(rf"{PAGES}/sign-in/(\S+)", server.mails[-1].get_content())
    assert link is not None
    session = about.encode() * 32
    await street.store.redeem_sign_in(
        hash_token(link[1]), session_hash=session, expires_at=START_S + 99_999, now=START_S
    )
    signed_in = await street.store.session(session, now=START_S)
    assert signed_in is not None
    return signed_in.link_by


async def test_a_second_edit_in_the_opened_session_does_not_clear_the_mark(tmp_path: Path) -> None:
    async with catching() as server, mail_street(tmp_path) as street:
        store = street.store
        await store.set_board("m02", is_board=True)
        assert await store.edit_member("m02", MemberEdit(email="mine@example.org"), by="m01") is None
        maker = await maker_of_next_link(street, server, about="1")
        assert maker == "m01"
        edit = MemberEdit(email="mine-too@example.org")
        assert await store.edit_member("m02", edit, by="m02", link_by=maker) is None
        assert await maker_of_next_link(street, server, about="2") == "m01"
        assert (await store.member_changes())[-1].link_by == "m01"
        assert await store.edit_member("m02", MemberEdit(email="own@example.org"), by="m02") is None
        assert await maker_of_next_link(street, server, about="3") == "", "an address of their own choosing"
