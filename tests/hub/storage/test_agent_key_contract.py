"""A home's new agent key: it counts after a day of quiet, waits while somebody objects, and never counts if refused."""

from collections.abc import AsyncIterator, Awaitable

import pytest

from hub.books.days import digest_members
from hub.books.membership_days import KeptMembership, read_member_days
from hub.storage.contract import Store
from hub.storage.life_records import MemberEdit
from hub.storage.records import AcceptedMessage, Access, Agent, Coop, Home, Member, ReadingRow
from hub.web.frame.translation import Localizer
from hub.web.views.home.new_agents import new_agent_notes
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slot_of, start_of
from tests.hub.storage.backends import OpenBackend

BEGIN_S = start_of(2_000_000)
SLOTS = range(slot_of(BEGIN_S), slot_of(BEGIN_S) + 8)
CHANGED_S = BEGIN_S + 3 * 900 + 10
LOOK = Access("job:settle", "job", "settle.share", "")
DAY_S = 86_400


class Now:
    def __init__(self) -> None:
        self.at = float(CHANGED_S)

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now() -> Now:
    return Now()


async def send(store: Store, agent: str, slots: range) -> None:
    """One message with these slots' readings of home h03."""
    rows = tuple(
        ReadingRow("h03", measure, slot, 1, 100, Mark.MEASURED, Gap.NONE)
        for slot in slots
        for measure in (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
    )
    head, last = (await store.chain_heads()).get(agent), slots.stop - 1
    seq = head.seq + 1 if head else 1
    message = AcceptedMessage(
        agent, "h03", 1, seq, "batch", seq.to_bytes(32), b"s", 1, last, rows, (), (), None, None, None
    )
    await store.store_messages([message])


@pytest.fixture
async def store(open_backend: OpenBackend, now: Now) -> AsyncIterator[Store]:
    opened = await open_backend(now=now)
    await opened.set_coop(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    for number in (1, 2, 3):
        member = Member(f"m{number:02d}", f"Member {number}", f"m{number}@x.org", "en", number <= 2, number)
        await opened.add_member(member, Home(f"h{number:02d}", f"Home {number}", member.id))
    for name, at, replaces in (("a-old", BEGIN_S - DAY_S, None), ("a-new", CHANGED_S, "a-old")):
        token = name.encode().ljust(32)
        await opened.add_invite(token, home_id="h03", expires_at=2**40, replaces=replaces)
        agent = Agent(name, "", 3, token, int(at), None)
        assert await opened.redeem_invite(token, agent=agent, now=int(at)) is None
    await send(opened, "a-old", SLOTS[:3])
    await send(opened, "a-new", SLOTS[3:])
    yield opened
    await opened.close()


async def counted(store: Store, slots: range = SLOTS) -> list[bool]:
    """In which slots home h03's readings are settled."""
    inputs = await store.settlement_inputs(slots=slots, access=LOOK)
    column = inputs.members.index("m03")
    held = await store.held_slots(slots=slots)
    assert held.tolist() == inputs.held.tolist()
    assert inputs.present[:, column].all(), "who waits is still a member"
    return [wh >= 0 for wh in inputs.demand_wh[:, column].tolist()]


async def test_a_new_key_counts_after_a_day_of_quiet(store: Store, now: Now) -> None:
    (key,) = await store.new_agent_keys()
    assert (key.agent, key.home, key.waits) == ("a-new", "h03", False)
    assert await counted(store) == [True] * 3 + [False] * 5
    now.at += DAY_S
    assert await counted(store) == [True] * 8


async def test_an_objection_holds_until_the_board_decides(store: Store, now: Now) -> None:
    now.at += 2 * DAY_S
    before = await store.settlement_members(slots=SLOTS), await store.held_slots(slots=SLOTS)
    assert await store.object_to_agent("a-new", member="m03", reason="nobody was here") is None
    assert await counted(store) == [True] * 3 + [False] * 5
    after = await store.held_slots(slots=SLOTS)
    errors = await store.stated_errors(slots=SLOTS)
    assert digest_members(*before[0], before[1], errors) != digest_members(*before[0], after, errors), (
        "the day is settled again"
    )
    for agent, member, said in (
        ("a-new", "m03", "m03 has objected to a-new already"),
        ("a-old", "m03", "is no new agent of a home that 'm03' lives in"),
        ("a-new", "m02", "is no new agent of a home that 'm02' lives in"),
    ):
        assert said in (await store.object_to_agent(agent, member=member, reason="x") or "")
    assert "not on the board" in (await store.decide_agent("a-new", verdict="counts", by="m03", reason="x") or "")
    assert await store.decide_agent("a-new", verdict="counts", by="m01", reason="we put it in") is None
    assert await counted(store) == [True] * 8
    last = (await store.member_changes())[-2:]
    assert [(each.by, each.kind, each.member, each.subject) for each in last] == [
        ("", "agent objected to", "m03", "a-new"),
        ("m01", "agent counts", "m03", "a-new"),
    ]
    assert "no objection to 'a-new' waits" in (
        await store.decide_agent("a-new", verdict="refused", by="m02", reason="x") or ""
    )


async def test_a_refused_agent_is_shut_out_and_never_counts(store: Store, now: Now) -> None:
    assert await store.object_to_agent("a-new", member="m03", reason="nobody was here") is None
    now.at += 40 * DAY_S
    assert await store.decide_agent("a-new", verdict="refused", by="m02", reason="unknown device") is None
    agent = next(each for each in await store.agents() if each.id == "a-new")
    assert agent.revoked_at == int(now.at)
    assert await counted(store) == [True] * 3 + [False] * 5


async def test_nobody_objects_after_a_month_or_decides_about_their_own_home(store: Store, now: Now) -> None:
    member = await store.member("m01")
    assert member is not None
    assert await store.add_adult("h03", member, by="m02") is None
    assert await store.object_to_agent("a-new", member="m01", reason="not mine") is None
    assert "m01 lives in h03" in (await store.decide_agent("a-new", verdict="counts", by="m01", reason="x") or "")
    assert "another board member ends this" in (await store.end_adult("h03", "m01", by="m01") or "")
    assert await store.end_adult("h03", "m01", by="m02") is None
    said = await store.decide_agent("a-new", verdict="counts", by="m01", reason="x")
    assert said == "m01 made this objection: another board member decides"
    assert await store.decide_agent("a-new", verdict="counts", by="m02", reason="x") is None


async def test_a_months_old_key_is_no_event_any_more(store: Store, now: Now) -> None:
    now.at += 31 * DAY_S
    said = await store.object_to_agent("a-new", member="m03", reason="late")
    assert "more than 30 days ago" in (said or "")
    assert not (await store.new_agent_keys())[0].is_new(now.at)


async def test_what_a_new_agent_signs_for_the_time_before_it_came_waits_too(store: Store, now: Now) -> None:
    before = range(SLOTS.start - 6, SLOTS.start)
    await send(store, "a-old", before[:2])
    for slot in before[2:4]:
        await send(store, "a-new", range(slot, slot + 1))
    await send(store, "a-old", before[4:])
    assert await counted(store, before) == [True] * 2 + [False] * 2 + [True] * 2
    assert await store.object_to_agent("a-new", member="m03", reason="nobody was here") is None
    assert await store.decide_agent("a-new", verdict="refused", by="m02", reason="unknown device") is None
    now.at += 40 * DAY_S
    assert await counted(store, before) == [True] * 2 + [False] * 2 + [True] * 2


async def test_an_own_agents_earlier_readings_count_after_a_day_of_quiet(store: Store, now: Now) -> None:
    before = range(SLOTS.start - 2, SLOTS.start)
    await send(store, "a-new", before)
    assert await counted(store, before) == [False] * 2
    now.at += DAY_S
    assert await counted(store, before) == [True] * 2


async def test_revoking_a_new_agent_at_once_does_not_make_its_readings_count(store: Store, now: Now) -> None:
    now.at += 3600
    assert await store.revoke_agent("a-new", by="m01", reason="an intruder") is None
    assert await counted(store) == [True] * 3 + [False] * 5
    (key,) = await store.new_agent_keys()
    (note,) = new_agent_notes([key], Localizer("en", "Europe/Madrid", "EUR"), home="h03", names={}, now_s=now.at)
    assert note.may_object, "its readings would count in a day"
    now.at += DAY_S
    assert await store.object_to_agent("a-new", member="m03", reason="nobody was here") is None
    assert await counted(store) == [True] * 3 + [False] * 5


async def test_kept_membership_is_that_of_a_fresh_look_after_every_change(store: Store, now: Now) -> None:
    kept = KeptMembership(store)
    last = (BEGIN_S + 900 * 6, "2027-01-01")

    async def step(change: Awaitable[object], what: str) -> None:
        assert await change is None, what
        await same(what)

    async def same(what: str) -> None:
        fresh, found = await read_member_days(store), await kept.now()
        for slots in (SLOTS, SLOTS[:4], SLOTS[6:]):
            assert await found.of_day(slots, None) == await fresh.of_day(slots, None), what

    await same("while the new agent is in its first day")
    await send(store, "a-new", SLOTS[1:2])
    await same("it signed for the time before it came")
    now.at += DAY_S
    await same("its first day is over")
    assert await kept.now() is await kept.now(), "nothing changed: nobody is read again"
    await step(store.object_to_agent("a-new", member="m03", reason="nobody was here"), "an objection")
    await step(store.decide_agent("a-new", verdict="refused", by="m01", reason="so it is"), "the board refused it")
    assert await kept.now() is await kept.now(), "a refused agent sends nothing any more"
    await step(store.set_left("m03", last[0], last_day=last[1], by="m01"), "a last day")
    await step(store.set_left("m03", None, last_day=last[1], by="m01"), "no last day")
    await step(
        store.add_member(Member("m04", "M", "m4@x.org", "en", False, BEGIN_S), Home("h04", "H", "m04")), "joined"
    )
    held = await kept.now()
    await step(store.edit_member("m04", MemberEdit(name="N"), by="m01"), "a new name")
    assert await kept.now() is not held, "every line of the log of changes is looked behind"
