"""What waits reaches its member once, however often the mail server or the hub fails on the way."""

import logging
import re
from itertools import pairwise
from pathlib import Path

import pytest

from hub.notices.sending import TOO_LATE
from hub.notices.smtp import MailSession
from hub.storage.access_records import LINK_FIELDS
from hub.storage.life_records import MemberEdit
from hub.storage.notice_records import NewNotice, NoticeKind, NoticeState
from hub.storage.records import Home, Member
from hub.web.frame.tokens import hash_token
from tests.hub.notices.catch_all import CatchAll, catching
from tests.hub.notices.mail_street import PAGES, START_S, HandClock, mail_street

LINK = NewNotice(NoticeKind.SIGN_IN, "m02", "1", START_S + 3600)
DAY_S = 86_400


async def test_an_invitation_arrives_with_its_token_which_then_stands_nowhere(tmp_path: Path) -> None:
    async with catching() as server, mail_street(tmp_path) as street:
        token = await street.invite()
        (waiting,) = await street.store.notices(since=0, most=9)
        assert waiting.secret is not None
        assert token.encode() not in waiting.secret
        job = street.job(server.settings())
        await job(0)
        await job(0)
        (mail,) = server.mails
        assert server.recipients == [["z@example.org"]]
        assert token in mail.get_content().splitlines()
        assert mail["to"].addresses[0].display_name == "Zoë"
        (settled,) = await street.store.notices(since=0, most=9)
        assert (settled.state, settled.secret, settled.tries) == (NoticeState.SENT, None, 1)
    assert token.encode() not in (tmp_path / "hub.sqlite").read_bytes()


async def test_a_sign_in_link_is_made_when_the_mail_is_and_works(tmp_path: Path) -> None:
    async with catching() as server, mail_street(tmp_path) as street:
        await street.store.add_notices([LINK])
        await street.job(server.settings())(0)
        found = re.search(rf"{PAGES}/sign-in/(\S+)", server.mails[0].get_content())
        assert found is not None
        token, until = hash_token(found[1]), START_S + DAY_S
        session = {"session_hash": b"s" * 32, "expires_at": until, "now": START_S + 3599}
        assert await street.store.redeem_sign_in(token, **session) == "m02"


async def test_a_link_to_an_address_that_the_board_entered_names_them_in_every_home(tmp_path: Path) -> None:
    async with catching() as server, mail_street(tmp_path) as street:
        store = street.store
        further = Member("m04", "Ben", "b@example.org", "en", False, START_S - 9, held_by="m02")
        await store.add_member(further, Home("h04", "Cabin", "m04"), by="m01")
        ben = await store.member("m02")
        assert ben is not None
        assert await store.add_adult("h03", ben, by="m01") is None
        assert await store.edit_member("m02", MemberEdit(email="mine@example.org"), by="m01") is None
        await store.add_notices([LINK])
        await street.job(server.settings())(0)
        found = re.search(rf"{PAGES}/sign-in/(\S+)", server.mails[0].get_content())
        assert found is not None
        for home in ("h02", "h03", "h04"):
            line = (await store.access_rows(home, limit=1))[0]
            assert (line.actor, line.fields, line.link_by) == ("m02", LINK_FIELDS, "m01")
        await store.redeem_sign_in(
            hash_token(found[1]), session_hash=b"s" * 32, expires_at=START_S + DAY_S, now=START_S
        )
        signed_in = await store.session(b"s" * 32, now=START_S)
        assert signed_in is not None
        assert signed_in.link_by == "m01"


async def test_a_mail_that_is_put_off_is_tried_again_later_and_then_sent(tmp_path: Path) -> None:
    caught = CatchAll(answers={"z@example.org": "451 4.7.1 greylisted"})
    async with catching(caught) as server, mail_street(tmp_path) as street:
        await street.invite()
        await street.store.add_notices([LINK])
        job = street.job(server.settings())
        await job(0)
        assert await street.queue() == [("invitation", "waiting", 1), ("sign-in", "sent", 1)]
        street.clock.now_s += 30
        await job(0)
        assert await street.queue() == [("invitation", "waiting", 1), ("sign-in", "sent", 1)], "not before its time"
        (waiting,) = await street.store.due_notices(now=START_S + DAY_S, most=9)
        assert waiting.answer == "451 4.7.1 greylisted"
        caught.answers.clear()
        street.clock.now_s = waiting.next_try_at
        await job(0)
        assert await street.queue() == [("invitation", "sent", 2), ("sign-in", "sent", 1)]
        assert await street.store.bounces() == ()


async def test_tries_grow_rarer_and_end(tmp_path: Path) -> None:
    async with catching(CatchAll(to_content="452 disk full")) as server, mail_street(tmp_path) as street:
        await street.invite()
        job, tried = street.job(server.settings()), []
        while (await street.queue())[0][1] == "waiting":
            tried.append(street.clock.now_s)
            await job(0)
            street.clock.now_s = (await street.store.notices(since=0, most=9))[0].next_try_at
        waits = [later - earlier for earlier, later in pairwise(tried)]
        assert waits[:4] == [60, 240, 960, 3840]
        assert len(tried) < 15
        assert tried[-1] == START_S + DAY_S, "the last try is at the end of the invitation"
        (given_up,) = await street.store.notices(since=0, most=9)
        assert (given_up.state, given_up.answer, given_up.secret) == (NoticeState.GIVEN_UP, "452 disk full", None)


async def test_a_refused_address_is_noted_until_it_takes_mail_again(tmp_path: Path) -> None:
    caught = CatchAll(answers={"b@example.org": "550 5.1.1 no such box"})
    async with catching(caught) as server, mail_street(tmp_path) as street:
        job = street.job(server.settings())
        await street.store.add_notices([LINK])
        await job(0)
        assert await street.queue() == [("sign-in", "bounced", 1)]
        (bounce,) = await street.store.bounces()
        assert (bounce.address, bounce.answer) == ("b@example.org", "550 5.1.1 no such box")
        caught.answers.clear()
        await street.store.add_notices([NewNotice(NoticeKind.SIGN_IN, "m02", "2", START_S + 3600)])
        await job(0)
        assert await street.store.bounces() == ()


async def test_while_the_server_is_down_everything_waits_and_one_line_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with catching() as server:
        settings = server.settings()
    async with mail_street(tmp_path) as street:
        await street.invite()
        job = street.job(settings)
        for _ in range(60):
            await job(0)
            street.clock.now_s += 60
        lines = [each for each in caplog.records if each.levelno >= logging.WARNING]
        assert len(lines) == 1
        assert (
            "cannot be reached: Connection refused: check mail.server and mail.port; mail waits"
            in lines[0].getMessage()
        )
        (waiting,) = await street.store.notices(since=0, most=9)
        assert (waiting.state, "Connection refused" in waiting.answer) == (NoticeState.WAITING, True)
        assert waiting.tries < 10
    clock = HandClock(START_S + 3 * 3600)
    async with catching(port=settings.port) as server, mail_street(tmp_path, clock) as street:
        await street.job(settings)(0)
        assert len(server.mails) == 1, "a restart forgets nothing"


async def test_a_link_nobody_waits_for_any_more_is_not_sent(tmp_path: Path) -> None:
    async with catching() as server, mail_street(tmp_path) as street:
        await street.store.add_notices([LINK])
        street.clock.now_s += 3601
        await street.job(server.settings())(0)
        assert server.mails == []
        assert await street.queue() == [("sign-in", "given up", 0)]
        assert (await street.store.notices(since=0, most=9))[0].answer == TOO_LATE


class _Dies(MailSession):
    """The hub is killed after the mail server has taken the mail and before that is noted."""

    def send(self, message: object) -> object:  # type: ignore[override]
        super().send(message)  # type: ignore[arg-type]
        raise RuntimeError("killed")


async def test_a_mail_repeated_after_a_crash_has_the_same_message_id(tmp_path: Path) -> None:
    async with catching() as server:
        async with mail_street(tmp_path) as street:
            await street.invite()
            job = street.job(server.settings())
            job._open_session = _Dies
            with pytest.raises(RuntimeError, match="killed"):
                await job(0)
            assert await street.queue() == [("invitation", "waiting", 1)]
        async with mail_street(tmp_path, HandClock(START_S + 60)) as street:
            await street.job(server.settings())(0)
            assert await street.queue() == [("invitation", "sent", 2)]
        first, second = server.mails
        assert first["message-id"] == second["message-id"]
        assert server.raw[0] == server.raw[1]


async def test_old_notices_are_forgotten_and_waiting_ones_never(tmp_path: Path) -> None:
    async with catching() as server, mail_street(tmp_path) as street:
        await street.store.add_notices([LINK])
        job = street.job(server.settings())
        await job(0)
        street.clock.now_s += 401 * DAY_S
        await street.store.add_notices([NewNotice(NoticeKind.SIGN_IN, "m01", "9", START_S + 402 * DAY_S)])
        await job(0)
        assert [each.member for each in await street.store.notices(since=0, most=9)] == ["m01"]


async def test_no_more_links_an_hour_than_allowed(tmp_path: Path) -> None:
    async with mail_street(tmp_path) as street:
        asked = [NewNotice(NoticeKind.SIGN_IN, "m02", str(n), START_S + 3600, most_an_hour=3) for n in range(9)]
        assert await street.store.add_notices(asked) == 3
        street.clock.now_s += 3601
        assert await street.store.add_notices(asked[3:]) == 3
