"""Commands that show a member's values name who looks and why, in that member's log."""

import asyncio
from pathlib import Path

import pytest

from hub.commands.members.named_look import OWN_BY_COMMAND
from hub.commands.members.sign_in import sign_in_links
from hub.folder.clock import Clock
from hub.storage.access_records import LINK_FIELDS, AccessRow
from hub.storage.records import Home, Member
from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.tokens import hash_token
from protocols.errors import RequestError
from tests.hub.commands.test_account import COOP, NOW_S, init_hub

CLOCK = Clock(real=lambda: NOW_S)


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    async def make() -> Path:
        await init_hub(tmp_path / "hub", coop=COOP, clock=CLOCK)
        store = await SqliteStore.open(tmp_path / "hub" / "hub.sqlite", now=lambda: float(NOW_S))
        for number in (1, 2):
            member = Member(f"m0{number}", f"Member {number}", f"m{number}@example.org", "en", number == 1, 0)
            await store.add_member(member, Home(f"h0{number}", "Home", member.id))
        await store.close()
        return tmp_path / "hub"

    return asyncio.run(make())


def lines(hub: Path, home: str) -> tuple[AccessRow, ...]:
    async def read() -> tuple[AccessRow, ...]:
        store = await SqliteStore.open(hub / "hub.sqlite", now=lambda: float(NOW_S))
        try:
            return await store.access_rows(home, limit=99)
        finally:
            await store.close()

    return asyncio.run(read())


def link(hub: Path, member: str, by: str, reason: str | None) -> str:
    return asyncio.run(sign_in_links(hub, member_ids=[member], by=by, reason=reason, clock=CLOCK))[0]


def test_a_link_for_somebody_is_in_their_log_and_marks_the_session(hub: Path) -> None:
    made = link(hub, "m02", "m01", "lost the phone")
    (line,) = lines(hub, "h02")
    assert (line.actor, line.role, line.reason, line.fields) == ("m01", "board", "lost the phone", LINK_FIELDS)
    assert lines(hub, "h01") == ()

    async def opened() -> tuple[str, str]:
        store = await SqliteStore.open(hub / "hub.sqlite", now=lambda: float(NOW_S))
        try:
            token = hash_token(made.rpartition("/")[2])
            await store.redeem_sign_in(token, session_hash=b"s", expires_at=NOW_S + 9, now=NOW_S)
            session = await store.session(b"s", now=NOW_S)
            assert session is not None
            return session.member.id, session.link_by
        finally:
            await store.close()

    assert asyncio.run(opened()) == ("m02", "m01")


@pytest.mark.parametrize(
    ("by", "reason", "said"),
    [("m01", None, "say why"), ("m01", " \t", "say why"), ("m02", "mine", "not on the board"), ("m9", "x", "not on")],
)
def test_without_a_board_member_and_a_reason_there_is_no_link(hub: Path, by: str, reason: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        link(hub, "m02", by, reason)
    assert lines(hub, "h02") == ()


def test_a_board_members_own_link_needs_no_reason_and_is_said_to_come_from_a_command(hub: Path) -> None:
    link(hub, "m01", "m01", None)
    (line,) = lines(hub, "h01")
    assert (line.role, line.link_by, line.reason) == ("board", "", OWN_BY_COMMAND)
