"""The nightly retention on both databases: who moved out long ago goes, and all others stay."""

import hashlib

import pytest

from hub.moving_out.retention import RetentionJob, months_earlier
from hub.storage.contract import Store
from hub.storage.records import AcceptedMessage, Agent, Coop, Home, Member, ReadingRow
from hub.storage.sql.connection import Transactions
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import Slot, slot_of, start_of
from tests.hub.storage.backends import OpenBackend

NOW_S = 1_900_000_000
MONTHS = 16
LEFT_S = months_earlier(NOW_S, MONTHS, tz="UTC") - 1
FIRST = slot_of(LEFT_S) - 3 * 2976
"""Three months before the move-out."""

Key = tuple[str, int, int]


def message(number: int, seq: int, slot: Slot) -> AcceptedMessage:
    home = f"h{number:02d}"
    return AcceptedMessage(
        agent=f"a-{number:02d}",
        home=home,
        epoch=1,
        seq=seq,
        kind="batch",
        hash=hashlib.sha256(f"{home} {seq}".encode()).digest(),
        sealed=b"sealed",
        received_at=start_of(slot + 1),
        slot=slot,
        readings=(ReadingRow(home, Measure.GRID_IMPORT, slot, 1, seq, Mark.MEASURED, Gap.NONE),),
        long_intervals=(),
        devices=(),
        consent=None,
        consent_version=None,
        answer=None,
    )


async def filled(open_backend: OpenBackend, *, stays: Slot) -> Store:
    """Home h01 sent in three months and moved out; home h02 began to send at the slot `stays`."""
    store = await open_backend(now=lambda: float(NOW_S))
    await store.set_coop(Coop("street", "The Street", "UTC", "EUR"))
    for number in (1, 2):
        home, member = f"h{number:02d}", f"m{number:02d}"
        key = hashlib.sha256(home.encode()).digest()
        await store.add_member(Member(member, member, f"{member}@x.org", "en", True, 1), Home(home, home, member))
        await store.add_invite(key, home_id=home, expires_at=100)
        assert await store.redeem_invite(key, agent=Agent(f"a-{number:02d}", home, 1, key, 50, None), now=50) is None
    slots = [range(FIRST, FIRST + 3 * 2976, 500), range(stays, stays + 2000, 500)]
    for number, sent in enumerate(slots, start=1):
        await store.store_messages([message(number, seq, slot) for seq, slot in enumerate(sent, start=1)])
    assert await store.change_role("m01", "board", begins=False, by="m02") is None
    assert await store.revoke_agent("a-01", by="m02", reason="moved out") is None
    assert await store.set_left("m01", LEFT_S, last_day="then", by="m02") is None
    return store


async def keep_rule(store: Store) -> None:
    await RetentionJob(store, months=MONTHS, tz="UTC", is_paying=False)(NOW_S)


async def counts(store: Store) -> dict[str, int]:
    """Readings of each home, and its messages that still have their bytes."""
    assert isinstance(store, Transactions)
    async with store.reading() as db:
        readings = await db.execute_fetchall("SELECT home, count(*) FROM reading GROUP BY home")
        sealed = await db.execute_fetchall(
            "SELECT agent, count(*) FROM message WHERE length(sealed) > 0 GROUP BY agent"
        )
        kept = await db.execute_fetchall("SELECT count(*) FROM message")
    return {str(name): int(count) for name, count in (*readings, *sealed, ("messages", kept[0][0]))}


async def months(store: Store) -> list[str]:
    """The parts of the readings' table on a server."""
    assert isinstance(store, Transactions)
    sql = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'reading'::regclass ORDER BY 1"
    async with store.reading() as db:
        return [str(row[0]) for row in await db.execute_fetchall(sql)]


async def test_who_moved_out_long_ago_is_erased_and_the_others_stay(open_backend: OpenBackend) -> None:
    store = await filled(open_backend, stays=FIRST + 2 * 2976)
    before = await counts(store)
    await keep_rule(store)
    await keep_rule(store)
    assert await counts(store) == {"h02": 4, "a-02": 4, "messages": before["messages"]}
    assert [each.home for each in await store.erasures()] == ["h01"]
    member = await store.member("m01")
    assert member is not None
    assert (member.name, member.email) == ("erased", "")
    await store.close()


@pytest.mark.parametrize("open_backend", ["postgres"], indirect=True)
async def test_months_in_which_nobody_is_left_give_their_room_back(open_backend: OpenBackend) -> None:
    store = await filled(open_backend, stays=FIRST + 2 * 2976)
    before = await months(store)
    assert len(before) >= 4
    other = await open_backend(now=lambda: float(NOW_S))
    await other.store_messages([message(2, 5, FIRST + 2 * 2976 + 2000)])  # this process knows the months, too
    await keep_rule(store)
    after = await months(store)
    assert after == before[-len(after) :], "those in which the other home sent"
    assert len(after) == len(before) - 2
    for each, seq in ((store, 6), (other, 7)):
        await each.store_messages([message(2, seq, FIRST + seq)])
    assert await months(store) == before[:1] + after, "a month that was dropped is made again for what comes late"
    assert (await counts(store))["h02"] == 7
    await store.close()
    await other.close()


@pytest.mark.parametrize("open_backend", ["postgres"], indirect=True)
async def test_a_month_that_somebody_reads_waits_for_the_next_night(open_backend: OpenBackend) -> None:
    store = await filled(open_backend, stays=FIRST + 2 * 2976)
    before = await months(store)
    assert isinstance(store, Transactions)
    async with store.reading() as db:
        await db.execute_fetchall("SELECT count(*) FROM reading")
        await keep_rule(store)
        assert (await counts(store)).keys() == {"h02", "a-02", "messages"}, "the readings are gone"
        assert await months(store) == before
    await keep_rule(store)
    assert len(await months(store)) == len(before) - 2
    await store.close()
