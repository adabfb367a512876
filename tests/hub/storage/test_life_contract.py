"""Changes to members, roles and agents: each has its line, refusals write nothing, and the end of membership counts."""

from collections.abc import AsyncIterator

import pytest

from hub.storage.contract import Store
from hub.storage.life_records import ChangeKind, MemberEdit
from hub.storage.records import Agent, Coop, Home, Member
from protocols.slots import start_of
from tests.hub.storage.backends import OpenBackend

NOW_S = 1_800_000_000
SLOT = 1_990_000


@pytest.fixture
async def store(open_backend: OpenBackend) -> AsyncIterator[Store]:
    opened = await open_backend(now=lambda: float(NOW_S))
    await opened.set_coop(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    for number in (1, 2, 3):
        member = Member(f"m{number:02d}", f"Member {number}", f"m{number}@x.org", "en", number <= 2, number)
        await opened.add_member(member, Home(f"h{number:02d}", f"Home {number}", member.id))
    await opened.add_invite(b"3" * 32, home_id="h03", expires_at=100)
    assert await opened.redeem_invite(b"3" * 32, agent=Agent("a-3", "", 3, b"k" * 32, 50, None), now=50) is None
    yield opened
    await opened.close()


async def lines(store: Store) -> list[tuple[str, str, str, str]]:
    return [(each.by, each.kind, each.member, each.subject) for each in await store.member_changes()]


async def test_the_log_begins_with_who_came_and_what_they_were(store: Store) -> None:
    assert await lines(store) == [
        ("", "joined", "m01", "h01"),
        ("", "role begun", "m01", "board"),
        ("", "joined", "m02", "h02"),
        ("", "role begun", "m02", "board"),
        ("", "joined", "m03", "h03"),
        ("", "agent enrolled", "m03", "a-3"),
    ]


async def test_name_and_address_change_and_the_log_keeps_no_address(store: Store) -> None:
    assert await store.edit_member("m03", MemberEdit(name="New", email="new@x.org"), by="m01") is None
    member = await store.member("m03")
    assert member is not None
    assert (member.name, member.email) == ("New", "new@x.org")
    assert (await lines(store))[-2:] == [("m01", "named", "m03", ""), ("m01", "addressed", "m03", "")]
    before = await lines(store)
    for edit, by, said in (
        (MemberEdit(name="New"), "m01", "m03 has this name and address already"),
        (MemberEdit(email="M2@X.org"), "m01", "member m02 has this address already"),
        (MemberEdit(name="Other"), "m03", "'m03' is not on the board"),
        (MemberEdit(name="Other"), "", "'' is not on the board"),
    ):
        assert said in (await store.edit_member("m03", edit, by=by) or "")
    assert "there is no member 'm09'" in (await store.edit_member("m09", MemberEdit(name="X"), by="m01") or "")
    assert await lines(store) == before


async def test_roles_begin_and_end_and_one_board_member_stays(store: Store) -> None:
    assert await store.change_role("m03", "treasurer", begins=True, by="m01") is None
    assert await store.change_role("m02", "board", begins=False, by="m01") is None
    assert await store.role_holders() == {"board": ("m01",), "treasurer": ("m03",), "data-steward": ()}
    for member, role, begins, by, said in (
        ("m03", "treasurer", True, "m01", "m03 holds the role already (treasurer)"),
        ("m02", "board", False, "m01", "m02 does not hold the role (board)"),
        ("m01", "board", False, "m01", "m01 is the only board member: appoint another one first"),
        ("m03", "board", True, "m02", "'m02' is not on the board"),
        ("m03", "board", True, "", "'' is not on the board"),
        ("m03", "king", True, "m01", "there is no role 'king'; roles: board, treasurer, data-steward"),
    ):
        assert said in (await store.change_role(member, role, begins=begins, by=by) or "")
    assert await store.change_role("m03", "treasurer", begins=False, by="m01") is None
    assert await store.change_role("m03", "treasurer", begins=True, by="m01") is None
    assert (await store.role_holders())["treasurer"] == ("m03",), "a role can be held again"


async def test_a_revoked_agent_stays_known_and_is_revoked_once(store: Store) -> None:
    assert await store.revoke_agent("a-3", by="m02", reason="the Pi was stolen") is None
    (agent,) = await store.agents()
    assert agent.revoked_at == NOW_S
    line = (await store.member_changes())[-1]
    assert (line.kind, line.subject, line.by, line.reason) == ("agent revoked", "a-3", "m02", "the Pi was stolen")
    assert "a-3 is shut out already" in (await store.revoke_agent("a-3", by="m02", reason="again") or "")
    assert "there is no agent 'a-9'" in (await store.revoke_agent("a-9", by="m02", reason="why") or "")
    assert "'m03' is not on the board" in (await store.revoke_agent("a-3", by="m03", reason="why") or "")


async def test_sessions_and_open_links_of_one_member_end(store: Store) -> None:
    for link, session, member in ((b"1", b"s1", "m01"), (b"3", b"s3", "m03")):
        await store.add_sign_in(link * 32, member_id=member, expires_at=NOW_S)
        await store.redeem_sign_in(link * 32, session_hash=session * 16, expires_at=NOW_S, now=1)
    await store.add_sign_in(b"o" * 32, member_id="m03", expires_at=NOW_S)
    assert await store.end_sessions("m03", by="m01") == 2
    assert await store.session(b"s3" * 16, now=2) is None
    assert await store.session(b"s1" * 16, now=2) is not None
    assert await store.redeem_sign_in(b"o" * 32, session_hash=b"x" * 32, expires_at=NOW_S, now=2) is None
    assert await store.end_sessions("m09", by="m01") == "there is no member 'm09'; commonwatt-hub members lists them"


async def test_a_new_address_ends_sessions_and_open_links_of_that_member(store: Store) -> None:
    for link, member in ((b"1", "m01"), (b"3", "m03")):
        await store.add_sign_in(link * 32, member_id=member, expires_at=NOW_S)
        await store.redeem_sign_in(link * 32, session_hash=link * 32, expires_at=NOW_S, now=1)
    await store.add_sign_in(b"o" * 32, member_id="m03", expires_at=NOW_S)
    assert await store.edit_member("m03", MemberEdit(name="New"), by="m01") is None
    assert await store.session(b"3" * 32, now=2) is not None
    assert await store.edit_member("m03", MemberEdit(email="new@x.org"), by="m01") is None
    assert await store.session(b"3" * 32, now=2) is None
    assert await store.session(b"1" * 32, now=2) is not None
    assert await store.redeem_sign_in(b"o" * 32, session_hash=b"x" * 32, expires_at=NOW_S, now=2) is None


async def test_whose_data_were_erased_does_not_stay(store: Store) -> None:
    assert await store.set_left("m03", NOW_S - 9, last_day="2026-10-01", by="m01") is None
    await store.erase_person("m03", months=36)
    before = await lines(store)
    said = await store.set_left("m03", None, last_day="", by="m01")
    assert said == "the data of m03 were erased: nothing was changed"
    assert await lines(store) == before


async def test_a_member_counts_until_the_membership_ends_and_not_after(store: Store) -> None:
    left_at = start_of(SLOT + 2)
    assert await store.set_left("m03", left_at, last_day="2026-10-01", by="m01") is None
    members, present = await store.settlement_members(slots=range(SLOT, SLOT + 4))
    assert members == ("m01", "m02", "m03")
    assert present[:, 2].tolist() == [True, True, False, False]
    assert present[:, 0].all()
    assert "moves out then already" in (await store.set_left("m03", left_at, last_day="", by="m01") or "")
    assert await store.set_left("m03", None, last_day="2026-10-01", by="m02") is None
    assert "is not moving out" in (await store.set_left("m03", None, last_day="", by="m01") or "")
    assert (await lines(store))[-2:] == [
        ("m01", ChangeKind.MOVE_OUT_PLANNED, "m03", "2026-10-01"),
        ("m02", ChangeKind.MOVE_OUT_CANCELLED, "m03", "2026-10-01"),
    ]


async def test_no_membership_lasts_into_that_of_a_successor_at_the_same_connection(store: Store) -> None:
    end, day_s = 1_782_856_800, 86_400  # 2026-07-01 begins in Madrid
    assert await store.set_left("m03", end, last_day="2026-06-30", by="m01") is None
    successor = Member("m04", "Member 4", "m4@x.org", "en", False, end)
    await store.add_member(successor, Home("h04", "Home 4", "m04", "h03"), by="m01")
    before = await lines(store)
    for left_at in (None, end + day_s):
        said = await store.set_left("m03", left_at, last_day="2026-07-01", by="m01") or ""
        assert said.startswith("m04 follows in home h04 from 2026-07-01, and m03 is a member until then at the longest")
        assert "invite --new-home-for m03 --home NAME --follows h04" in said
    member = await store.member("m03")
    assert member is not None
    assert member.left_at == end
    assert await lines(store) == before
    assert await store.set_left("m03", end - day_s, last_day="2026-06-29", by="m01") is None
    assert await store.set_left("m03", end, last_day="2026-06-30", by="m01") is None
    assert await store.set_left("m04", end + day_s, last_day="2026-07-01", by="m01") is None
    assert await store.set_left("m04", None, last_day="2026-07-01", by="m01") is None


async def test_who_holds_a_role_ends_it_before_moving_out(store: Store) -> None:
    said = await store.set_left("m02", start_of(SLOT), last_day="2026-10-01", by="m01")
    assert said == "m02 holds a role (board): end it first"
    assert "was no member yet" in (await store.set_left("m03", 3, last_day="1969-12-31", by="m01") or "")
