"""The board's long lists on each backend: what needs somebody comes first, and pages of any length are the whole."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from hub.storage.contract import Store
from hub.storage.fleet_records import AgentClock, CutOff, FleetAsked, FleetPlace, FleetSums
from hub.storage.household_records import MemberPlace
from hub.storage.records import (
    AcceptedMessage,
    Agent,
    Coop,
    DeviceRow,
    Home,
    Member,
    ReadingRow,
    RefusalCount,
)
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import start_of
from tests.hub.storage.backends import OpenBackend

SLOT = 1_990_000
NOW_S = start_of(SLOT + 1)
SLOTS = range(SLOT - 96, SLOT)
ASKED = FleetAsked("", start_of(SLOTS.start), SLOT - 8, 120, NOW_S - 1000, NOW_S - 500)
NAMES = ("Ärztehaus", "Bäckerei 100%", "Chapel", "Dairy", "Elm Row", "Forge", "Gate", "Hall", "Inn")


@pytest.fixture
async def store(open_backend: OpenBackend) -> AsyncIterator[Store]:
    """Nine homes: of four the agents are in order; one is without an agent, and the last has left."""
    opened = await open_backend(now=lambda: float(NOW_S))
    await opened.set_coop(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    for number, name in enumerate(NAMES, start=1):
        left_at = start_of(SLOTS.start) if name == "Inn" else None
        member = Member(f"m{number}", f"Person {number}", f"P{number}@x.org", "en", number < 3, 1, left_at)
        await opened.add_member(member, Home(f"h{number}", name, member.id))
        if name != "Elm Row":
            await opened.add_invite(bytes([number]) * 32, home_id=f"h{number}", expires_at=NOW_S)
            agent = Agent(f"a-{number}", "", number, bytes([number]) * 32, 50, None)
            assert await opened.redeem_invite(bytes([number]) * 32, agent=agent, now=50) is None
    await opened.store_messages([message(n, SLOT - 1) for n in (1, 2, 3, 6, 7, 8)] + [message(4, SLOT - 40)])
    yield opened
    await opened.close()


def message(number: int, slot: int, *, device: str = "ok", mark: Mark = Mark.MEASURED) -> AcceptedMessage:
    home, agent = f"h{number}", f"a-{number}"
    readings = tuple(
        ReadingRow(home, measure, slot, 1, 4711, mark, Gap.NONE)
        for measure in (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
    )
    kept = (bytes([number]) * 32, b"sealed", NOW_S, slot, readings, (), (DeviceRow(home, "meter", device, 3, 500),))
    return AcceptedMessage(agent, home, 1, 1, "batch", *kept, None, None, None)


async def whole_fleet(store: Store, asked: FleetAsked, *, most: int) -> list[FleetPlace]:
    found: list[FleetPlace] = []
    while page := await store.fleet_places(asked, after=found[-1] if found else None, most=most):
        found += page
    return found


async def test_homes_that_need_somebody_come_first_however_long_a_page_is(store: Store) -> None:
    await store.cut_off_agents([CutOff("a-7", NOW_S, 9000)])
    await store.note_clocks([AgentClock("a-3", NOW_S, -121, "synchronised"), AgentClock("a-1", NOW_S, 120, "held")])
    await store.count_refusals(
        [
            RefusalCount("a-8", "brought_elsewhere", 1, NOW_S - 499, ""),
            RefusalCount("a-6", "brought_elsewhere", 1, NOW_S - 501, ""),
            RefusalCount("a-2", "garbage", 1, 7, ""),
        ]
    )
    in_order = [(0, "h4"), (0, "h7"), (1, "h1"), (1, "h3"), (1, "h5"), (2, "h2"), (3, "h8"), (5, "h6")]
    for most in (1, 3, 50):
        places = await whole_fleet(store, ASKED, most=most)
        assert [(place.harm, place.home) for place in places] == in_order


async def test_a_silent_device_and_an_agent_replaced_lately_are_told(store: Store) -> None:
    quiet = replace(message(6, SLOT, device="silent"), seq=2, hash=bytes(32), readings=())
    await store.store_messages([quiet])
    await store.add_invite(bytes([99]) * 32, home_id="h8", expires_at=NOW_S, replaces="a-8")
    late = Agent("a-new", "", 3, bytes([99]) * 32, NOW_S - 5, None)
    assert await store.redeem_invite(bytes([99]) * 32, agent=late, now=NOW_S - 5) is None
    await store.store_messages([replace(message(8, SLOT - 1), agent="a-new", hash=bytes([5]) * 32)])
    harms = {place.home: place.harm for place in await whole_fleet(store, ASKED, most=50)}
    assert (harms["h6"], harms["h8"], harms["h2"]) == (2, 4, 5)
    await store.count_refusals([RefusalCount("a-8", "revoked", 1, NOW_S, "")])
    harms = {place.home: place.harm for place in await whole_fleet(store, ASKED, most=50)}
    assert harms["h8"] == 1, "the replaced agent still sends"


@pytest.mark.parametrize(
    ("text", "homes"),
    [
        ("chap", ["h3"]),
        ("CHAP", ["h3"]),
        ("Är", ["h1"]),
        ("A-7", ["h7"]),
        ("H2", ["h2"]),
        ("100%", ["h2"]),
        ("%", ["h2"]),
        ("_", []),
        ("' OR 1 = 1 --", []),
        ("Inn", []),
    ],
)
async def test_a_search_finds_names_and_ids_as_they_are_written(store: Store, text: str, homes: list[str]) -> None:
    places = await whole_fleet(store, replace(ASKED, text=text), most=50)
    assert sorted(place.home for place in places) == homes


async def test_the_sums_are_of_all_homes_that_stay(store: Store) -> None:
    await store.store_messages([replace(message(6, SLOT - 2, mark=Mark.PARTIAL), seq=2, hash=bytes(32))])
    assert await store.fleet_sums(slots=SLOTS, silent_before=SLOT - 8) == FleetSums(homes=8, silent=2, present=7)


async def test_refusals_are_those_of_these_agents_and_of_strangers(store: Store) -> None:
    own, other = RefusalCount("a-1", "garbage", 1, 5, ""), RefusalCount("a-2", "garbage", 1, 6, "")
    strangers = [RefusalCount(f"stranger-{n}", "unknown_agent", 1, n, "") for n in range(5)]
    await store.count_refusals([own, other, *strangers])
    assert await store.refusals_of(["a-1"], strangers=2) == (own, strangers[4], strangers[3])
    assert await store.refusals_of(["a-1"], strangers=0) == (own,)
    assert await store.refusals_of([], strangers=0) == ()


async def test_members_whose_mail_or_agent_is_wanting_come_first_and_those_who_left_last(store: Store) -> None:
    await store.note_bounce("p8@x.org", "no such person")
    found: list[MemberPlace] = []
    while page := await store.member_places(text="", left_by=NOW_S, after=found[-1] if found else None, most=2):
        found += page
    ranks = [(0, "m8"), (1, "m5"), (2, "m1"), (2, "m2"), (2, "m3"), (2, "m4"), (2, "m6"), (2, "m7"), (3, "m9")]
    assert [(place.rank, place.member) for place in found] == ranks
    for text, members in (("p8@", ["m8"]), ("elm", ["m5"]), ("person 7", ["m7"]), ("Bäck", ["m2"]), ("none", [])):
        places = await store.member_places(text=text, left_by=NOW_S, after=None, most=50)
        assert [place.member for place in places] == members


async def test_a_members_card_has_what_is_theirs_and_nobody_elses(store: Store) -> None:
    adult = Member("m10", "Person 10", "p10@x.org", "en", False, 1)
    assert await store.add_adult("h3", adult, by="m1") is None
    await store.note_bounce("p2@x.org", "no such person")
    rows = await store.member_cards(["m10", "m2", "nobody"])
    assert [member.id for member in rows.members] == ["m10", "m2"]
    assert [home.id for home in rows.homes] == ["h2", "h3"]
    assert [agent.id for agent in rows.agents] == ["a-2"]
    assert [(each.home, each.member) for each in rows.adults] == [("h3", "m10")]
    assert [each.address for each in rows.bounces] == ["p2@x.org"]
    assert await store.member_cards([]) == type(rows)()
    assert await store.people_and_board() == (10, ("m1", "m2"))
