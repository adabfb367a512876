"""Seats of a home's agents in the store: who takes which, and what waits because a further agent came."""

from collections.abc import AsyncIterator

import pytest

from hub.core.homes.measure_sources import GRID_METER, MeterSource
from hub.storage.contract import Store
from hub.storage.invite_records import InviteRefusal
from hub.storage.records import AcceptedMessage, Access, Agent, Coop, Home, Member, ReadingRow
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slot_of, start_of
from tests.hub.storage.backends import OpenBackend

BEGIN_S = start_of(2_000_000)
SLOTS = range(slot_of(BEGIN_S), slot_of(BEGIN_S) + 8)
LOOK = Access("job:settle", "job", "settle.share", "")
NOW_S = BEGIN_S + 8 * 900


@pytest.fixture
async def store(open_backend: OpenBackend) -> AsyncIterator[Store]:
    opened = await open_backend(now=lambda: NOW_S)
    await opened.set_coop(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    await opened.add_member(Member("m01", "One", "m1@x.org", "en", True, 1), Home("h01", "Home", "m01"))
    assert await add(opened, "a", at=BEGIN_S - 90_000) is None
    yield opened
    await opened.close()


async def add(
    store: Store, name: str, *, at: int, replaces: str | None = None, is_further: bool = False
) -> InviteRefusal | None:
    token = name.encode().ljust(32)
    await store.add_invite(token, home_id="h01", expires_at=2**40, replaces=replaces, is_further=is_further)
    return await store.redeem_invite(token, agent=Agent(name, "", 3, token, int(at), None), now=int(at))


async def seats(store: Store) -> dict[str, tuple[int, bool]]:
    return {each.id: (each.seat, each.revoked_at is None) for each in await store.agents()}


async def send(store: Store, agent: str, slots: range, *, seat: int, becomes_source: bool = False) -> None:
    """One message with the grid's readings of these slots."""
    rows = tuple(
        ReadingRow("h01", measure, slot, 1, 100, Mark.MEASURED, Gap.NONE)
        for slot in slots
        for measure in (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
    )
    head = (await store.chain_heads()).get(agent)
    seq = head.seq + 1 if head else 1
    source = MeterSource("h01", GRID_METER, agent, seat, slots.start, start_of(slots.stop))
    message = AcceptedMessage(
        *(agent, "h01", 1, seq, "batch", seq.to_bytes(32), b"s", 1, slots.stop - 1, rows, (), (), None, None, None),
        seat=seat,
        sources=(source,) if becomes_source else (),
    )
    await store.store_messages([message])


async def counted(store: Store) -> list[bool]:
    inputs = await store.settlement_inputs(slots=SLOTS, access=LOOK)
    return [wh >= 0 for wh in inputs.demand_wh[:, 0].tolist()]


async def test_seats_are_taken_in_order_and_kept_by_whoever_replaces(store: Store) -> None:
    assert await add(store, "early", at=BEGIN_S) is InviteRefusal.HAS_AGENT
    assert await add(store, "b", at=BEGIN_S, is_further=True) is None
    assert await add(store, "c", at=BEGIN_S + 1, replaces="a") is None
    assert await add(store, "d", at=BEGIN_S + 2, replaces="a") is InviteRefusal.HAS_AGENT, "its seat is taken"
    assert await seats(store) == {"a": (1, False), "b": (2, True), "c": (1, True)}
    assert await store.revoke_agent("b", by="m01", reason="stolen") is None
    assert await add(store, "e", at=BEGIN_S + 3, is_further=True) is None
    assert (await seats(store))["e"] == (3, True), "a seat whose agent was shut out is not handed to a stranger"
    for agent in ("c", "e"):
        assert await store.revoke_agent(agent, by="m01", reason="all gone") is None
    assert await add(store, "f", at=BEGIN_S + 4) is None
    assert (await seats(store))["f"] == (4, True), "whose consent it should go on with, nobody can say"
    changes = [(each.kind, each.subject) for each in await store.member_changes()][1:]
    assert ("agent replaced", "a") in changes
    assert ("agent replaced", "b") not in changes


async def test_a_consent_is_kept_for_each_seat(store: Store) -> None:
    await add(store, "b", at=BEGIN_S, is_further=True)
    for agent, seat, version, document in (("a", 1, 3, b"three"), ("b", 2, 2, b"two")):
        message = AcceptedMessage(
            *(agent, "h01", 1, 1, "consent", bytes([seat]) * 32, b"s", 1, None, (), (), (), document, version, None),
            seat=seat,
        )
        await store.store_messages([message])
    assert [await store.consent_bytes("h01", seat=seat) for seat in (1, 2, 3)] == [(3, b"three"), (2, b"two"), None]
    held = (await store.consents())["h01"]
    assert [(each.seat, each.version, each.document) for each in held] == [(1, 3, b"three"), (2, 2, b"two")]
    assert await store.revoke_agent("b", by="m01", reason="gone") is None
    assert [each.seat for each in (await store.consents())["h01"]] == [1], "it brought nothing, and it is gone"


async def test_a_statement_does_not_change_because_a_further_agent_came(store: Store) -> None:
    await send(store, "a", SLOTS[:4], seat=1, becomes_source=True)
    await add(store, "b", at=BEGIN_S + 2 * 900, is_further=True)
    await send(store, "a", SLOTS[4:], seat=1)
    (key,) = await store.new_agent_keys()
    assert (key.agent, key.seat) == ("b", 2), "the home is shown it and can object"
    assert await counted(store) == [True] * 8
    assert await store.object_to_agent("b", member="m01", reason="who is it?") is None
    assert await counted(store) == [True] * 8, "what the other agent brings is not the newcomer's"


async def test_a_further_agent_that_takes_the_meter_over_waits_its_day(store: Store) -> None:
    await send(store, "a", SLOTS[:4], seat=1, becomes_source=True)
    await add(store, "b", at=BEGIN_S + 2 * 900, is_further=True)
    assert await store.revoke_agent("a", by="m01", reason="broken") is None
    await send(store, "b", SLOTS[5:], seat=2, becomes_source=True)
    assert await counted(store) == [True] * 4 + [False] * 4
    assert await store.object_to_agent("b", member="m01", reason="who is it?") is None
    assert await counted(store) == [True] * 4 + [False] * 4


async def test_what_it_signs_for_days_before_that_holds_back_nothing_that_another_brought(store: Store) -> None:
    await send(store, "a", SLOTS[:4], seat=1, becomes_source=True)
    await add(store, "b", at=BEGIN_S + 2 * 900, is_further=True)
    assert await store.revoke_agent("a", by="m01", reason="broken") is None
    await send(store, "b", SLOTS[5:], seat=2, becomes_source=True)
    early = AcceptedMessage(
        *("b", "h01", 1, 2, "batch", bytes(32), b"s", 1, SLOTS[0], (), (), (), None, None, None), seat=2
    )
    await store.store_messages([early])
    assert await counted(store) == [True] * 4 + [False] * 4, "of those days, it counts nothing"
