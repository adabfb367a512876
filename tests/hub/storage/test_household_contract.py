"""Who lives in a home: each change has its line, refusals write nothing, and a further home has no vote of its own."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from hub.storage.contract import Store
from hub.storage.life_records import MemberEdit
from hub.storage.records import Coop, Home, Member
from tests.hub.storage.backends import OpenBackend

NOW_S = 1_800_000_000


@pytest.fixture
async def store(open_backend: OpenBackend) -> AsyncIterator[Store]:
    opened = await open_backend(now=lambda: float(NOW_S))
    await opened.set_coop(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    for number in (1, 2, 3):
        member = Member(f"m{number:02d}", f"Member {number}", f"m{number}@x.org", "en", number <= 2, number)
        await opened.add_member(member, Home(f"h{number:02d}", f"Home {number}", member.id))
    further = Member("m04", "Member 3", "m3@x.org", "en", False, 4, held_by="m03")
    await opened.add_member(further, Home("h04", "Cabin", "m04"), by="m01")
    yield opened
    await opened.close()


def adult(number: int) -> Member:
    return Member(f"m{number:02d}", f"Adult {number}", f"a{number}@x.org", "en", False, NOW_S)


async def test_an_adult_joins_a_home_and_leaves_it(store: Store) -> None:
    assert await store.add_adult("h03", adult(5), by="m01") is None
    assert [(each.home, each.member) for each in await store.adults()] == [("h03", "m05")]
    assert [seen.home.id for seen in await store.seen_homes("m05")] == ["h03"]
    assert not (await store.seen_homes("m05"))[0].is_paid_by("m05")
    assert (await store.residents())["h03"] == {"m03", "m05"}
    last = (await store.member_changes())[-2:]
    assert [(each.by, each.kind, each.member, each.subject) for each in last] == [
        ("m01", "joined", "m05", ""),
        ("m01", "adult begun", "m05", "h03"),
    ]
    (line,) = await store.access_rows("h03", limit=9)
    assert (line.actor, line.role, line.reason) == ("m01", "board", "let m05 see this home")
    assert await store.end_adult("h03", "m05", by="m02") is None
    assert await store.seen_homes("m05") == ()
    assert await store.member("m05") is not None, "they stay a member, with their vote"


async def test_what_makes_no_sense_is_refused_and_writes_nothing(store: Store) -> None:
    assert await store.add_adult("h03", adult(5), by="m01") is None
    before = await store.member_changes()
    for home, member, by, said in (
        ("h09", adult(6), "m01", "there is no home 'h09'"),
        ("h03", adult(6), "m03", "'m03' is not on the board"),
        ("h03", adult(5), "m01", "m05 is an adult of h03 already"),
        ("h03", await store.member("m03"), "m01", "m03 holds the contract of h03"),
        ("h04", await store.member("m03"), "m01", "m03 holds the contract of h04"),
        ("h02", await store.member("m04"), "m01", "further home of m03"),
        ("h03", await store.member("m01"), "m01", "m01 cannot let themselves into a home"),
        ("h01", replace(adult(5), email="other@x.org"), "m02", "somebody was added meanwhile"),
    ):
        assert member is not None
        assert said in (await store.add_adult(home, member, by=by) or "").replace("name m03", "further home of m03")
    assert "is not an adult added to home" in (await store.end_adult("h03", "m02", by="m01") or "")
    assert "is an adult of h03" in (await store.set_left("m05", NOW_S + 9, last_day="2099-01-01", by="m01") or "")
    assert await store.member("m06") is None
    assert await store.member_changes() == before


async def test_a_further_home_belongs_to_the_person_and_follows_their_name(store: Store) -> None:
    seen = await store.seen_homes("m03")
    assert [(each.home.id, each.holder.id, each.is_paid_by("m03")) for each in seen] == [
        ("h03", "m03", True),
        ("h04", "m04", True),
    ]
    assert (await store.residents())["h04"] == {"m03"}
    assert await store.edit_member("m03", MemberEdit(name="New", email="new@x.org"), by="m01") is None
    further = await store.member("m04")
    assert further is not None
    assert (further.name, further.email, further.person) == ("New", "new@x.org", "m03")
    for refused in (
        await store.edit_member("m04", MemberEdit(name="X"), by="m01"),
        await store.change_role("m04", "board", begins=True, by="m01"),
        await store.end_sessions("m04", by="m01"),
    ):
        assert "name m03, the person" in str(refused)


async def test_a_role_holder_may_leave_one_home_of_two_but_not_the_last(store: Store) -> None:
    assert await store.change_role("m03", "treasurer", begins=True, by="m01") is None
    assert await store.set_left("m03", NOW_S + 9, last_day="2099-01-01", by="m01") is None
    assert "m03 holds a role" in (await store.set_left("m04", NOW_S + 9, last_day="2099-01-01", by="m01") or "")


async def test_homes_that_one_person_knows_count_as_one_also_after_they_left(store: Store) -> None:
    assert await store.known_together() == {"h01": "h01", "h02": "h02", "h03": "h03", "h04": "h03"}
    assert await store.add_adult("h02", adult(5), by="m01") is None
    member = await store.member("m05")
    assert member is not None
    assert await store.add_adult("h04", member, by="m01") is None
    assert await store.end_adult("h02", "m05", by="m01") is None
    assert await store.known_together() == {"h01": "h01", "h02": "h02", "h03": "h02", "h04": "h02"}
