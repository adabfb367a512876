"""What every store promises, tested on each backend through the contract alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from hub.core.homes.consents import AgentConsent
from hub.storage.contract import Store
from hub.storage.errors import StoreConflictError, StoreError
from hub.storage.invite_records import InviteRefusal
from hub.storage.jobs.records import WORKER_LOST, Job, JobRun
from hub.storage.records import (
    AcceptedMessage,
    Access,
    Agent,
    Appliance,
    AttestationRow,
    BookRows,
    ChainHead,
    Coop,
    DeviceRow,
    EntryRow,
    ForecastRow,
    Home,
    LongIntervalRow,
    Member,
    PromptRow,
    ReadingRow,
    RefusalCount,
    RefusedNumber,
    RunRow,
)
from hub.storage.rule_records import NewProposal, RuleAdoption
from hub.storage.sql import series
from hub.storage.street_records import PartPlace, StreetTotal
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import start_of
from tests.hub.storage.backends import OpenBackend

IMPORT, EXPORT, PV = Measure.GRID_IMPORT, Measure.GRID_EXPORT, Measure.PV_PRODUCTION
SLOT = 1_990_000
SELF = Access("m01", "self", "self.view")
JOB = Access("job:forecast", "job", "forecast.hood")
COOP = Coop("street", "The Street", "Europe/Madrid", "EUR")
SLOTS = range(SLOT, SLOT + 8)

Reopen = Callable[[], Awaitable[Store]]


def now() -> float:
    return 1_800_000_000.0


@pytest.fixture
def open_again(open_backend: OpenBackend) -> Reopen:
    return lambda: open_backend(now=now)


@pytest.fixture
async def store(open_again: Reopen) -> AsyncIterator[Store]:
    opened = await open_again()
    await opened.set_coop(COOP)
    for number in (1, 2):
        member = Member(f"m{number:02d}", f"Member {number}", f"m{number}@x.org", "en", number == 2, number)
        await opened.add_member(member, Home(f"h{number:02d}", f"Home {number}", member.id))
        await opened.add_invite(bytes([number]) * 32, home_id=f"h{number:02d}", expires_at=100)
        agent = Agent(f"a-{number}", "", number, bytes([number]) * 32, 50, None)
        assert await opened.redeem_invite(bytes([number]) * 32, agent=agent, now=50) is None
    yield opened
    await opened.close()


def message(
    seq: int,
    *readings: ReadingRow,
    agent: str = "a-1",
    epoch: int = 1,
    slot: int | None = None,
    received_at: int = 1000,
) -> AcceptedMessage:
    home = agent.replace("a-", "h0")
    return AcceptedMessage(
        *(agent, home, epoch, seq, "batch", bytes([epoch, seq]) + agent[-1:].encode() * 30),
        sealed=f"sealed {agent} {epoch} {seq}".encode(),
        received_at=received_at,
        slot=SLOT + seq if slot is None else slot,
        readings=readings,
        long_intervals=(),
        devices=(),
        consent=None,
        consent_version=None,
        answer=None,
    )


def reading(
    energy_wh: int | None,
    *,
    at: int = 0,
    home: str = "h01",
    measure: Measure = IMPORT,
    span: int = 1,
    mark: Mark = Mark.MEASURED,
    gap: Gap = Gap.NONE,
) -> ReadingRow:
    return ReadingRow(home, measure, SLOT + at, span, energy_wh, mark, gap)


async def values(store: Store, home: str = "h01", *, measure: Measure = IMPORT) -> list[int]:
    series = await store.home_series(home, [measure], slots=SLOTS, access=SELF)
    return [int(value) for value in series[measure].energy_wh]


async def test_members_homes_and_agents_come_back_as_they_were_given(store: Store, open_again: Reopen) -> None:
    again = await open_again()
    try:
        assert await again.coop() == COOP
        assert [m.id for m in await again.members()] == ["m01", "m02"]
        assert await again.member("m02") == Member("m02", "Member 2", "m2@x.org", "en", True, 2)
        assert await again.member("m99") is None
        assert await again.home_of("m01") == Home("h01", "Home 1", "m01")
        assert [a.home_id for a in await again.agents()] == ["h01", "h02"]
    finally:
        await again.close()


async def test_a_co_op_keeps_its_id_and_time_zone(store: Store) -> None:
    await store.set_coop(replace(COOP, name="New name"))
    assert (await store.coop()).name == "New name"
    for other in (replace(COOP, id="other"), replace(COOP, tz="Europe/Berlin")):
        with pytest.raises(StoreConflictError, match="belongs to co-op street"):
            await store.set_coop(other)


async def test_an_invitation_works_once_and_replaces_the_agent_it_names(store: Store) -> None:
    fresh = Agent("a-9", "", 9, b"9" * 32, 60, None)
    assert await store.redeem_invite(b"?" * 32, agent=fresh, now=60) is InviteRefusal.UNKNOWN
    assert await store.redeem_invite(bytes([1]) * 32, agent=fresh, now=60) is InviteRefusal.USED
    same = Agent("a-1", "", 1, bytes([1]) * 32, 50, None)
    assert await store.redeem_invite(bytes([1]) * 32, agent=same, now=100) is None, "a lost answer is asked for again"
    assert await store.redeem_invite(bytes([1]) * 32, agent=same, now=101) is InviteRefusal.EXPIRED
    await store.add_invite(b"i" * 32, home_id="h01", expires_at=100, replaces="a-1")
    assert await store.redeem_invite(b"i" * 32, agent=fresh, now=101) is InviteRefusal.EXPIRED
    assert await store.redeem_invite(b"i" * 32, agent=same, now=70) is InviteRefusal.KNOWN_KEY
    assert await store.redeem_invite(b"i" * 32, agent=fresh, now=100) is None
    live = {agent.id: agent.revoked_at for agent in await store.agents()}
    assert live == {"a-1": 100, "a-2": None, "a-9": None}
    assert await store.redeem_invite(bytes([1]) * 32, agent=same, now=60) is InviteRefusal.USED, "it was replaced"
    with pytest.raises(StoreConflictError, match="no such home"):
        await store.add_invite(b"j" * 32, home_id="h99", expires_at=1)


async def test_a_home_keeps_its_agent_and_an_older_invitation_is_void(store: Store) -> None:
    fresh = Agent("a-9", "", 9, b"9" * 32, 60, None)
    await store.add_invite(b"i" * 32, home_id="h01", expires_at=100)
    assert await store.redeem_invite(b"i" * 32, agent=fresh, now=60) is InviteRefusal.HAS_AGENT
    await store.add_invite(b"j" * 32, home_id="h01", expires_at=100, replaces="a-2", masked_key=b"k" * 32)
    assert await store.redeem_invite(b"i" * 32, agent=fresh, now=60) is InviteRefusal.VOID
    assert await store.redeem_invite(b"j" * 32, agent=fresh, now=60) is InviteRefusal.HAS_AGENT, "another home's agent"
    assert await store.invite_key(b"j" * 32) == b"k" * 32
    assert await store.invite_key(b"i" * 32) is None, "made without a key, as by an earlier release"
    assert all(agent.revoked_at is None for agent in await store.agents())


async def test_a_member_is_appointed_to_the_board_and_removed(store: Store) -> None:
    assert await store.set_board("m01", is_board=True)
    assert not await store.set_board("m01", is_board=True)
    assert await store.set_board("m02", is_board=False)
    assert not await store.set_board("m99", is_board=True)
    assert [member.is_board for member in await store.members()] == [True, False]


async def test_a_sign_in_link_works_once_and_sessions_end(store: Store) -> None:
    await store.add_sign_in(b"link", member_id="m01", expires_at=100)
    await store.add_sign_in(b"late", member_id="m01", expires_at=100)
    redeem = store.redeem_sign_in
    assert await redeem(b"link", session_hash=b"s1", expires_at=200, now=90) == "m01"
    assert await redeem(b"link", session_hash=b"s2", expires_at=200, now=90) is None
    assert await redeem(b"late", session_hash=b"s3", expires_at=200, now=101) is None
    member = await store.session(b"s1", now=200)
    assert member is not None
    assert (member.member.id, member.link_by) == ("m01", "")
    assert await store.session(b"s1", now=201) is None
    await store.end_session(b"s1")
    assert await store.session(b"s1", now=100) is None
    assert await store.session(b"s2", now=100) is None


async def test_of_several_values_for_a_slot_in_one_group_the_best_and_first_is_kept(store: Store) -> None:
    partial, late = reading(900, mark=Mark.PARTIAL), reading(700)
    await store.store_messages([message(1, partial, reading(500)), message(2, late, reading(3, at=1))])
    assert (await values(store))[:2] == [500, 3]
    again = [message(3, reading(9, at=1), reading(8, at=2)), message(4, reading(7, at=2, mark=Mark.PARTIAL))]
    await store.store_messages(again)
    assert (await values(store))[:3] == [500, 3, 8]


async def test_stored_messages_survive_and_give_the_chains_head(store: Store, open_again: Reopen) -> None:
    await store.store_messages([message(1, reading(10)), message(2, reading(20, at=1)), message(1, agent="a-2")])
    again = await open_again()
    try:
        assert (await again.chain_heads())["a-1"] == ChainHead("a-1", 1, 2, message(2).hash)
        assert await again.message_hash("a-1", epoch=1, seq=1) == message(1).hash
        assert await again.message_hash("a-1", epoch=1, seq=3) is None
        assert await again.received_through() == {"a-1": SLOT + 2, "a-2": SLOT + 1}
        assert await again.message_count() == 3
        page = await again.stored_messages("a-1", after=(0, 0), limit=1)
        held = [(row.epoch, row.seq, row.kind, row.hash, row.sealed) for row in page]
        assert held == [(1, 1, "batch", message(1).hash, message(1).sealed)]
        assert [row.seq for row in await again.stored_messages("a-1", after=(1, 1), limit=9)] == [2]
        assert await values(again) == [10, 20, -1, -1, -1, -1, -1, -1]
    finally:
        await again.close()


async def test_the_store_tells_the_room_it_takes_where_it_is(store: Store) -> None:
    before = await store.size_bytes()
    assert before > 64 * 1024, "its tables and indexes are there from the start"
    await store.store_messages([message(number, reading(10, at=number)) for number in range(1, 200)])
    assert await store.size_bytes() > before


async def test_a_message_stored_twice_counts_once(store: Store) -> None:
    await store.store_messages([message(1, reading(10)), message(1, reading(10))])
    await store.store_messages([message(1, reading(99)), message(2)])
    assert await values(store) == [10, -1, -1, -1, -1, -1, -1, -1]
    assert await store.message_count() == 2


@pytest.mark.parametrize("bad", [message(3), replace(message(1), hash=b"?" * 32)], ids=["hole", "other bytes"])
async def test_a_contradicting_message_refuses_its_whole_group(store: Store, bad: AcceptedMessage) -> None:
    await store.store_messages([message(1, reading(10))])
    with pytest.raises(StoreConflictError):
        await store.store_messages([message(1, reading(5), agent="a-2"), bad])
    assert await store.message_count() == 1
    assert set(await store.chain_heads()) == {"a-1"}


async def test_a_new_epoch_follows_and_old_heads_are_still_known(store: Store) -> None:
    await store.store_messages([message(1), message(2), message(1, epoch=2)])
    assert (await store.chain_heads())["a-1"].epoch == 2
    assert await store.epoch_head("a-1", epoch=1) == ChainHead("a-1", 1, 2, message(2).hash)
    assert await store.epoch_head("a-1", epoch=3) is None


async def test_a_refused_content_leaves_only_its_number_and_hash(store: Store) -> None:
    refused = replace(message(2), sealed=b"", slot=None, refused="outside_consent")
    await store.store_messages([message(1), refused, message(3)])
    assert await store.refused_numbers(newest=64) == (RefusedNumber("a-1", 1, 2, "outside_consent"),)
    assert await store.message_count() == 2
    assert [row.sealed for row in await store.stored_messages("a-1", after=(0, 0), limit=9)][1] == b""
    assert await store.message_hash("a-1", epoch=1, seq=2) == refused.hash


async def test_a_better_mark_replaces_a_worse_one_and_never_the_reverse(store: Store) -> None:
    marks = [
        (None, Mark.MISSING, Gap.AGENT_OFF, -1),
        (5, Mark.PARTIAL, Gap.DEVICE_SILENT, 5),
        (6, Mark.DERIVED, Gap.NONE, 6),
        (7, Mark.MEASURED, Gap.NONE, 7),
        (8, Mark.MEASURED, Gap.NONE, 7),
        (9, Mark.DERIVED, Gap.NONE, 7),
        (None, Mark.MISSING, Gap.AGENT_OFF, 7),
    ]
    for seq, (energy_wh, mark, gap, expected) in enumerate(marks, start=1):
        await store.store_messages([message(seq, reading(energy_wh, mark=mark, gap=gap))])
        assert (await values(store))[0] == expected


async def test_gaps_keep_their_reason_and_missing_messages_show_as_never_arrived(store: Store) -> None:
    await store.store_messages([message(1, reading(None, at=1, mark=Mark.MISSING, gap=Gap.DEVICE_SILENT))])
    series = (await store.home_series("h01", [IMPORT], slots=SLOTS, access=SELF))[IMPORT]
    assert [Gap(gap) for gap in series.gap[:3]] == [Gap.NEVER_ARRIVED, Gap.DEVICE_SILENT, Gap.NEVER_ARRIVED]
    assert set(series.mark[:3]) == {Mark.MISSING}


async def test_hourly_values_are_spread_for_charts_and_kept_out_of_settlement(store: Store) -> None:
    await store.store_messages([message(1, reading(10, at=3, span=4), reading(7, at=5))])
    series = (await store.home_series("h01", [IMPORT], slots=SLOTS, access=SELF))[IMPORT]
    assert list(series.energy_wh) == [3, 3, 2, 2, -1, 7, -1, -1]
    assert [Mark(mark) for mark in series.mark[:4]] == [Mark.DERIVED] * 4
    await store.store_messages([message(1, reading(100, home="h02"), agent="a-2")])
    hood = (await store.hood_series([IMPORT], slots=SLOTS, access=JOB))[IMPORT]
    assert list(hood.energy_wh) == [103, 3, 2, 2, 0, 7, 0, 0]
    assert list(hood.homes) == [2, 1, 1, 1, 0, 1, 0, 0]
    part = await store.home_series("h01", [IMPORT], slots=range(SLOT, SLOT + 2), access=SELF)
    assert list(part[IMPORT].energy_wh) == [3, 3], "an hour that ends after the range still fills its slots"
    inputs = await store.settlement_inputs(slots=SLOTS, access=JOB)
    assert list(inputs.demand_wh[:, 0]) == [-1, -1, -1, -1, -1, 7, -1, -1]


@pytest.mark.parametrize("cells", [1, 10**6])
async def test_homes_that_are_read_together_read_as_each_by_itself(
    store: Store, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    monkeypatch.setattr(series, "MOST_CELLS", cells)
    missing = reading(None, at=1, mark=Mark.MISSING, gap=Gap.NOT_KEPT)
    partial = reading(50, at=2, mark=Mark.PARTIAL, gap=Gap.DEVICE_SILENT)
    large = reading(2**40, at=4, mark=Mark.DERIVED)
    hourly = reading(41, at=3, home="h02", span=4)
    late = reading(9, at=len(SLOTS) + 1, home="h02", measure=PV, span=4)
    await store.store_messages(
        [
            message(1, reading(0), missing, partial, large, reading(7, at=len(SLOTS), measure=EXPORT)),
            message(1, hourly, late, reading(6, at=1, home="h02"), agent="a-2"),
        ]
    )
    wanted = {"h01": [IMPORT, EXPORT], "h02": [PV, IMPORT], "h-none": [IMPORT], "h-nothing": []}
    found = await store.homes_series(wanted, slots=SLOTS, access=JOB)
    assert list(found) == list(wanted)
    for home, measures in wanted.items():
        alone = await store.home_series(home, measures, slots=SLOTS, access=JOB)
        assert list(found[home]) == measures
        for measure in measures:
            for name in ("home", "measure", "first_slot", "energy_wh", "mark", "gap"):
                np.testing.assert_array_equal(getattr(found[home][measure], name), getattr(alone[measure], name), name)
    assert found["h01"][IMPORT].energy_wh[:5].tolist() == [0, -1, 50, -1, 2**40]
    assert found["h02"][IMPORT].energy_wh[:4].tolist() == [11, 6, 10, 10]


async def test_hood_sums_leave_out_partial_values_and_other_homes(store: Store) -> None:
    partial = reading(50, mark=Mark.PARTIAL, gap=Gap.DEVICE_SILENT)
    await store.store_messages([message(1, partial), message(1, reading(5, home="h02"), agent="a-2")])
    hood = (await store.hood_series([IMPORT, PV], slots=SLOTS, access=JOB))[IMPORT]
    assert (hood.energy_wh[0], hood.homes[0]) == (5, 1)
    only = (await store.hood_series([IMPORT], slots=SLOTS, access=JOB, homes=["h01"]))[IMPORT]
    assert not only.homes.any()


async def test_a_home_sends_a_measure_while_a_usable_quarter_hour_of_it_lies_in_the_slots(store: Store) -> None:
    partial = reading(50, home="h02", mark=Mark.PARTIAL, gap=Gap.DEVICE_SILENT)
    hourly = reading(40, at=3, home="h02", measure=PV, span=4)
    await store.store_messages(
        [
            message(1, reading(7), reading(8, at=2), reading(3, at=2, measure=PV, mark=Mark.DERIVED)),
            message(1, partial, hourly, agent="a-2"),
        ]
    )
    slots = range(SLOT, SLOT + 4)
    assert await store.sending_homes([IMPORT, PV, EXPORT], slots=slots) == {IMPORT: {"h01"}, PV: {"h01"}, EXPORT: set()}
    by_slot = await store.reporting_homes([IMPORT, PV], slots=slots)
    assert by_slot == {IMPORT: {SLOT: {"h01"}, SLOT + 2: {"h01"}}, PV: {SLOT + 2: {"h01"}}}
    assert (await store.sending_homes([IMPORT], slots=range(SLOT + 1, SLOT + 2)))[IMPORT] == frozenset()


async def test_settlement_takes_counter_values_of_members_only(store: Store) -> None:
    await store.add_member(Member("m00", "Late", "l@x.org", "en", False, start_of(SLOT + 2)), Home("h00", "H", "m00"))
    await store.store_messages(
        [
            message(1, reading(10), reading(3, measure=EXPORT), reading(9, at=1, mark=Mark.DERIVED)),
            message(1, reading(4, home="h02"), agent="a-2"),
        ]
    )
    inputs = await store.settlement_inputs(slots=range(SLOT, SLOT + 3), access=JOB)
    assert inputs.members == ("m00", "m01", "m02")
    assert inputs.demand_wh.tolist() == [[-1, 10, 4], [-1, -1, -1], [-1, -1, -1]]
    assert inputs.surplus_wh.tolist() == [[-1, 3, -1], [-1, -1, -1], [-1, -1, -1]]
    assert inputs.present.tolist() == [[False, True, True], [False, True, True], [True, True, True]]


LOOKS: dict[str, Callable[[Store, Access], Awaitable[object]]] = {
    "home_series": lambda store, access: store.home_series("h01", [IMPORT], slots=SLOTS, access=access),
    "hood_series": lambda store, access: store.hood_series([IMPORT], slots=SLOTS, access=access),
    "settlement_inputs": lambda store, access: store.settlement_inputs(slots=SLOTS, access=access),
    "long_intervals": lambda store, access: store.long_intervals("h01", slots=SLOTS, access=access),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
async def test_no_access_to_values_without_a_row_in_the_log(
    store: Store, look: Callable[[Store, Access], Awaitable[object]]
) -> None:
    await look(store, SELF)
    (row,) = await store.access_rows("h01", limit=9)
    assert (row.actor, row.role, row.purpose, row.count, row.at) == ("m01", "self", "self.view", 1, 1_800_000_000)
    assert row.rows >= len(SLOTS)
    for nameless in (Access("", "self", "x"), Access("m01", "guest", "x"), Access("m01", "self", "")):
        with pytest.raises(ValueError, match="actor"):
            await look(store, nameless)
    assert len(await store.access_rows("h01", limit=9)) == 1


async def test_accesses_by_jobs_are_summed_per_day_and_those_by_people_are_not(store: Store) -> None:
    for _ in range(3):
        await store.hood_series([IMPORT, PV], slots=SLOTS, access=JOB)
        await store.home_series("h01", [IMPORT], slots=SLOTS, access=SELF)
    rows = await store.access_rows("h01", limit=9)
    assert sorted((row.role, row.count) for row in rows) == [("job", 3), ("self", 1), ("self", 1), ("self", 1)]
    assert [row.count for row in await store.access_rows("h02", limit=9)] == [3]
    assert await store.access_line_count() == await store.last_access_line()
    machine = next(row for row in rows if row.role == "job")
    assert machine.fields == "grid_import, pv_production"


async def test_the_fleet_shows_completeness_and_no_value(store: Store) -> None:
    device = DeviceRow("h01", "meter", "ok", 3, 500)
    first = replace(message(1, reading(4711), reading(5, measure=EXPORT)), devices=(device,))
    gap = reading(None, at=1, mark=Mark.MISSING, gap=Gap.DEVICE_SILENT)
    await store.store_messages([first, message(2, gap, reading(4712, at=1, measure=EXPORT))])
    older = replace(message(3, slot=SLOT + 2), devices=(replace(device, state="silent", reported_at=400),))
    await store.store_messages([older])
    rows = await store.fleet(slots=range(SLOT, SLOT + 3))
    assert [row.home for row in rows] == ["h01", "h02"]
    assert rows[0].presence == ("present", "missing", "waiting")
    assert rows[0].gaps == ((Gap.DEVICE_SILENT.label, 1),)
    assert rows[0].devices == (device,)
    assert (rows[0].agent, rows[0].epoch, rows[0].seq, rows[0].stored_messages) == ("a-1", 1, 3, 3)
    assert (rows[1].last_slot, rows[1].stored_messages) == (None, 0)
    assert "471" not in repr(rows)


async def test_long_intervals_are_found_by_the_slots_they_touch(store: Store) -> None:
    total = LongIntervalRow("h01", IMPORT, SLOT - 4, 6, 900)
    await store.store_messages([replace(message(1), long_intervals=(total,))])
    assert await store.long_intervals("h01", slots=range(SLOT + 1, SLOT + 2), access=SELF) == (total,)
    assert await store.long_intervals("h01", slots=range(SLOT + 2, SLOT + 9), access=SELF) == ()


async def test_the_newest_message_of_a_slot_and_its_members_are_known(store: Store) -> None:
    assert await store.first_slot() is None
    await store.store_messages([message(1, reading(1, at=2), slot=SLOT + 2), message(2, slot=SLOT + 3)])
    before = await store.newest_messages(slots=SLOTS)
    await store.store_messages([message(1, reading(9, at=2), agent="a-2", slot=SLOT + 2)])
    after = await store.newest_messages(slots=SLOTS)
    assert (set(before), set(after)) == ({SLOT + 2, SLOT + 3}, {SLOT + 2, SLOT + 3})
    assert after[SLOT + 3] == before[SLOT + 3] < after[SLOT + 2], "a late reading is newer than all earlier messages"
    assert await store.newest_messages(slots=range(SLOT, SLOT)) == {}
    assert await store.first_slot() == SLOT + 2
    inputs = await store.settlement_inputs(slots=SLOTS, access=JOB)
    assert inputs.message_position == after[SLOT + 2]
    members, present = await store.settlement_members(slots=SLOTS)
    assert (members, present.tolist()) == (inputs.members, inputs.present.tolist())


async def test_the_newest_consent_counts(store: Store) -> None:
    consents = [(2, b"two"), (3, b"three")]
    for seq, (version, document) in enumerate(consents, start=1):
        await store.store_messages([replace(message(seq), kind="consent", consent=document, consent_version=version)])
    assert await store.consent_bytes("h01") == (3, b"three")
    assert await store.consents() == {"h01": (AgentConsent(3, b"three"),)}
    assert await store.consent_bytes("h02") is None


async def test_refusals_are_counted_with_their_newest_detail(store: Store) -> None:
    await store.count_refusals([RefusalCount("a-1", "garbage", 2, 10, "old"), RefusalCount("", "garbage", 1, 10, "x")])
    await store.count_refusals([RefusalCount("a-1", "garbage", 3, 20, "new")])
    assert await store.refusals() == (
        RefusalCount("", "garbage", 1, 10, "x"),
        RefusalCount("a-1", "garbage", 5, 20, "new"),
    )


def forecast(issued: int, *, first: int = SLOT) -> ForecastRow:
    energy_wh = np.array([[1.5, 2.5], [issued, 0.1]], dtype=np.float64)
    return ForecastRow("demand", issued, first, (0.1, 0.9), energy_wh, "ridge", "why", ("sun", "hour"), None)


async def test_forecasts_come_back_to_the_bit(store: Store) -> None:
    await store.add_forecasts([forecast(5), forecast(6, first=SLOT + 1)])
    await store.add_forecasts([forecast(5)])
    latest = await store.latest_forecasts(issued_by=5)
    assert latest["demand"].issued_slot == 5
    assert latest["demand"].energy_wh.tobytes() == forecast(5).energy_wh.tobytes()
    assert (await store.latest_forecasts(issued_by=9))["demand"].issued_slot == 6
    assert await store.latest_forecasts(issued_by=4) == {}
    assert [f.issued_slot for f in await store.forecasts_covering("demand", slots=range(SLOT, SLOT + 1))] == [5]
    assert [f.issued_slot for f in await store.forecasts_covering("demand", slots=range(SLOT + 1, SLOT + 9))] == [5, 6]
    with pytest.raises(ValueError, match="shape"):
        await store.add_forecasts([replace(forecast(7), quantiles=(0.5,))])


async def test_weather_is_what_was_known_then(store: Store) -> None:
    await store.add_weather(100, rows=[(3600, 1.0, 2.0, 3.0), (7200, 4.0, 5.0, 6.0)])
    await store.add_weather(200, rows=[(3600, 1.5, 2.5, 3.5)])
    known = store.weather_known_at
    assert await known(150, first_s=0, until_s=9999) == ((3600, 100, 1.0, 2.0, 3.0), (7200, 100, 4.0, 5.0, 6.0))
    assert await known(200, first_s=0, until_s=7200) == ((3600, 200, 1.5, 2.5, 3.5),)
    assert await known(99, first_s=0, until_s=9999) == ()


def prompt(number: int, *, home: str = "h01") -> PromptRow:
    return PromptRow(
        *(f"p-{number}", home, home.replace("h", "m"), "dishwasher", 900, SLOT + 40, SLOT + 20, 6, 450),
        reasons=(("sun", 450), ("price", -3)),
        issued_slot=SLOT + number,
        answer_by_slot=SLOT + 20,
        answer=None,
        answered_at=None,
        measured_wh=None,
    )


DISHWASHER = Appliance("h01", "dishwasher", 900, 6, 80, 40, 90, is_asked=True)


async def test_prompts_are_stored_once_and_their_last_answer_counts(store: Store) -> None:
    await store.set_appliances("h01", [DISHWASHER, replace(DISHWASHER, kind="dryer")])
    await store.add_prompts([prompt(1), prompt(2, home="h02")])
    await store.add_prompts([replace(prompt(1), energy_wh=1)])
    assert await store.prompts(home=None, issued=range(SLOT, SLOT + 9)) == (prompt(1), prompt(2, home="h02"))
    assert await store.prompts(home="h02", issued=range(SLOT, SLOT + 9)) == (prompt(2, home="h02"),)
    answer, in_time = store.answer_prompt, start_of(SLOT + 20)
    assert "no such prompt" in (await answer("p-1", home="h02", answer="yes", at=in_time) or "")
    assert "too late" in (await answer("p-1", home="h01", answer="yes", at=start_of(SLOT + 21)) or "")
    assert "one of" in (await answer("p-1", home="h01", answer="maybe", at=in_time) or "")
    assert await answer("p-1", home="h01", answer="never_appliance", at=in_time) is None
    assert await answer("p-1", home="h01", answer="never_appliance", at=in_time) is None
    assert [a.is_asked for a in await store.appliances()] == [False, True]
    await store.set_measured({"p-1": (4, 2)})
    assert await answer("p-1", home="h01", answer="yes", at=in_time) is None
    assert [a.is_asked for a in await store.appliances()] == [True, True], "that home may be asked again"
    (row,) = await store.prompts(home="h01", issued=range(SLOT, SLOT + 9))
    assert (row.answer, row.measured_wh, row.measured_uncertainty_wh) == ("yes", None, None)
    assert "later answer" in (await answer("p-1", home="h01", answer="no", at=in_time - 1) or "")
    assert await answer("p-1", home="h01", answer="never_appliance", at=in_time) is None
    assert [a.is_asked for a in await store.appliances()] == [False, True]
    await store.set_measured({"p-1": (-5, 40)})
    (row,) = await store.prompts(home="h01", issued=range(SLOT, SLOT + 9))
    assert (row.answer, row.answered_at, row.measured_wh) == ("never_appliance", in_time, -5)
    with pytest.raises(ValueError, match="does not belong"):
        await store.set_appliances("h02", [DISHWASHER])


async def test_an_answer_in_the_chain_counts_like_one_on_the_page(store: Store) -> None:
    await store.add_prompts([prompt(1)])
    said = replace(message(1), kind="answer", slot=None, answer=("p-1", "yes", start_of(SLOT + 2)))
    await store.store_messages([said])
    (row,) = await store.prompts(home="h01", issued=range(SLOT, SLOT + 9))
    assert (row.answer, row.answered_at) == ("yes", start_of(SLOT + 2))


def run(key: str, *, day: str = "2026-11-20", entries: int = 0) -> RunRow:
    return RunRow(key, "D", day, "rule", "digest", "result", "complete", b"packed", 77, entries)


def entries(key: str, first: int, count: int, *, day: str = "2026-11-20") -> Sequence[EntryRow]:
    return [
        EntryRow(n, "Wh", day, f"m{n % 2 + 1:02d}", key, f"entry {n}".encode(), bytes([n]) * 32)
        for n in range(first, first + count)
    ]


async def test_the_currency_of_the_books_cannot_change(store: Store) -> None:
    await store.set_coop(replace(COOP, currency="CHF"))
    assert (await store.coop()).currency == "CHF", "nothing is booked yet"
    assert await store.book_run(run("one", entries=1), entries=entries("one", 1, 1))
    with pytest.raises(StoreConflictError, match="kept in CHF and cannot change to EUR") as refused:
        await store.set_coop(COOP)
    assert "\n" not in str(refused.value)
    assert (await store.coop()).currency == "CHF"


async def test_the_books_only_grow_and_each_run_counts_once(store: Store) -> None:
    assert await store.ledger_head() == (0, bytes(32))
    assert await store.last_settled_day() is None
    assert await store.book_run(run("one", entries=4), entries=entries("one", 1, 4))
    assert not await store.book_run(run("one", entries=4), entries=entries("one", 5, 4))
    with pytest.raises(StoreConflictError, match="next position is 5"):
        await store.book_run(run("two"), entries=entries("two", 4, 1))
    assert [r.run_key for r in await store.runs()] == ["one"], "a run is not booked if its entries do not fit"
    assert await store.book_run(run("two", day="2026-11-21"), entries=entries("two", 5, 2, day="2026-11-21"))
    assert await store.book_run(run("empty", day="2026-11-19"), entries=[])
    assert await store.ledger_head() == (6, bytes([6]) * 32)
    assert await store.last_settled_day() == "2026-11-21"
    assert [e.position for e in await store.entries(after_position=3, limit=2)] == [4, 5]
    assert [e.position for e in await store.entries_of_day("2026-11-21")] == [5, 6]
    mine = await store.entries_of_member("m01", days=("2026-11-20", "2026-11-20"))
    assert [e.position for e in mine] == [2, 4]
    newest = await store.entries_before("2026-11-20", position=4, most=3)
    assert [e.position for e in newest] == [4, 3, 2]
    assert [e.position for e in await store.entries_before("2026-11-20", position=2, most=9)] == [2, 1]
    assert [await store.run_record(key) for key in ("two", "none")] == [b"packed", b""]
    assert [r.run_key for r in await store.runs(days=("2026-11-19", "2026-11-20"))] == ["one", "empty"]


def signed(number: int, kind: str, *, subject: str = "2026-11", run_key: str = "one") -> AttestationRow:
    return AttestationRow(number, kind, subject, run_key, f"document {number}".encode(), bytes([number]) * 64)


async def test_the_books_are_read_whole_at_one_moment(store: Store) -> None:
    empty = await store.book_rows(decisions=("approval",), funds=("fund:grant",))
    assert empty == BookRows(COOP, None, (0, bytes(32)), empty.log, 0, (), (), ())
    assert empty.log[0] > 0, "the log of rows holds what was written so far"
    await store.book_run(run("one", entries=2), entries=entries("one", 1, 2))
    later = run("two", day="2026-11-21", entries=1)
    await store.book_run(later, entries=entries("two", 3, 1, day="2026-11-21"))
    grant, bill = replace(run("grant"), kind="fund:grant"), replace(run("bill"), kind="fund:bill")
    await store.book_run(grant, entries=[])
    await store.book_run(bill, entries=[])
    await store.attest([signed(1, "month-run"), signed(2, "approval"), signed(3, "payment-order")])
    await store.log_access(SELF, ["h01", "h02"], fields="x", rows=1)

    rows = await store.book_rows(decisions=("approval", "month-run"), funds=("fund:grant",))
    assert rows.coop == COOP
    assert rows.last_attestation == signed(3, "payment-order"), "the newest of any kind"
    assert (rows.ledger, rows.access_line) == ((3, bytes([3]) * 32), 2)
    assert rows.runs == (replace(run("one", entries=2), allocation=b""), replace(later, allocation=b""))
    assert rows.fund_runs == (grant,), "with its record, and no other kind"
    assert [row.position for row in rows.decisions] == [1, 2], "in the order they were signed"
    for months, found in ((("2026-11", "2026-11"), [1, 2]), (("2026-09", "2026-10"), [])):
        limited = await store.book_rows(decisions=("approval", "month-run"), subjects=months)
        assert [row.position for row in limited.decisions] == found
    assert await store.fund_runs(kinds=("fund:bill",), records=False) == (replace(bill, allocation=b""),)

    heads = await store.book_rows(days=("2026-11-21", "2026-11-21"))
    assert [row.run_key for row in heads.runs] == ["two"]
    assert (heads.fund_runs, heads.decisions) == ((), ())
    assert (heads.ledger, heads.last_attestation) == (rows.ledger, rows.last_attestation)


async def test_the_books_of_one_moment_fit_together_while_others_write(store: Store) -> None:
    """A head and a run from different moments would let a writer use a position that is taken."""

    async def write() -> None:
        for n in range(1, 31):
            await store.book_run(
                run(f"run {n}", entries=1), entries=entries(f"run {n}", n, 1), attestations=[signed(n, "approval")]
            )

    async def read() -> None:
        while (seen := await store.book_rows(decisions=("approval",))).ledger[0] < 30:
            positions = (seen.ledger[0], len(seen.runs), len(seen.decisions))
            last = 0 if seen.last_attestation is None else seen.last_attestation.position
            assert {*positions, last} == {last}

    await asyncio.gather(write(), read(), read())


async def test_the_books_of_a_store_without_a_co_op_are_refused(open_again: Reopen) -> None:
    bare = await open_again()
    try:
        with pytest.raises(StoreError, match="the store has no co-op"):
            await bare.book_rows()
    finally:
        await bare.close()


AT_S = 1_780_000_000  # 2026-05-28, 22:26 in Madrid


def proposed(name: str, first_day: str, by: str = "m02") -> NewProposal:
    return NewProposal(name, name.encode(), first_day, "a file", by, AT_S)


async def test_the_rule_in_force_is_the_newest_with_a_past_start(store: Store) -> None:
    with pytest.raises(StoreError, match="no rule is in force on 2026-01-01"):
        await store.rule_on("2026-01-01")
    for _ in range(2):
        await store.add_rule("first", canonical=b"1", valid_from_day="2026-01-01")
    await store.set_board("m01", is_board=True)
    number = await store.propose_rule(proposed("second", "2026-06-01"))
    assert await store.rule_on("2026-06-01") == ("first", b"1"), "a proposal alone changes nothing"
    await store.adopt_rule(number, adopted=RuleAdoption("m01", AT_S))
    assert await store.rule_on("2026-05-31") == ("first", b"1")
    assert await store.rule_on("2026-06-01") == ("second", b"second")
    days = ["2025-12-31", "2026-05-31", "2026-06-01", "2027-01-01"]
    assert await store.rule_hashes(days) == dict(zip(days[1:], ("first", "second", "second"), strict=True))
    first, second = await store.journal_rules()
    assert (first.is_adopted, first.people) == (True, ())
    assert (second.is_adopted, second.people, second.adopted_at) == (True, ("m02", "m01"), AT_S)


async def test_a_new_rule_needs_two_members_of_the_board_and_a_later_day(store: Store) -> None:
    await store.add_rule("first", canonical=b"1", valid_from_day="1970-01-01")
    with pytest.raises(StoreError, match="needs one member of the board to propose it and another to adopt it"):
        await store.add_rule("half", canonical=b"2", valid_from_day="2026-05-29")
    for wrong, said in (
        (proposed("half", "2026-05-28"), "cannot hold from 2026-05-28: today is 2026-05-28, so 2026-05-29 is the"),
        (proposed("half", "1970-01-01"), "cannot hold from 1970-01-01"),
        (proposed("half", "2026-05-29", by="m01"), "'m01' is not on the board"),
        (proposed("half", "2026-05-29", by="m77"), "'m77' is not on the board"),
    ):
        with pytest.raises(StoreError, match=said):
            await store.propose_rule(wrong)
    assert await store.rule_proposals() == ()
    one = await store.propose_rule(proposed("half", "2026-05-29"))
    with pytest.raises(StoreError, match="this rule is proposal 1 of m02 already"):
        await store.propose_rule(proposed("half", "2026-05-29"))
    for by, at, said in (
        ("m02", AT_S, "m02 made proposal 1: another member of the board has to adopt it"),
        ("m01", AT_S, "'m01' is not on the board"),
    ):
        with pytest.raises(StoreError, match=said):
            await store.adopt_rule(one, adopted=RuleAdoption(by, at))
    await store.set_board("m01", is_board=True)
    with pytest.raises(StoreError, match="cannot hold from 2026-05-29: today is 2026-05-29"):
        await store.adopt_rule(one, adopted=RuleAdoption("m01", AT_S + 86_400))
    with pytest.raises(StoreError, match="there is no proposal 7"):
        await store.adopt_rule(7, adopted=RuleAdoption("m01", AT_S))
    await store.set_board("m02", is_board=False)
    with pytest.raises(StoreError, match="'m02' is not on the board"):
        await store.adopt_rule(one, adopted=RuleAdoption("m01", AT_S))
    assert len(await store.journal_rules()) == 1


async def test_a_withdrawn_proposal_is_never_adopted(store: Store) -> None:
    await store.add_rule("first", canonical=b"1", valid_from_day="1970-01-01")
    await store.set_board("m01", is_board=True)
    one, two = [await store.propose_rule(proposed(name, "2026-06-01")) for name in ("one", "two")]
    with pytest.raises(StoreError, match="m02 made proposal 1 and is on the board: only m02 withdraws it"):
        await store.withdraw_rule(one, by="m01", at=AT_S)
    await store.withdraw_rule(one, by="m02", at=AT_S)
    for wrong, said in (
        (store.withdraw_rule(one, by="m02", at=AT_S), "proposal 1 is withdrawn already"),
        (store.adopt_rule(one, adopted=RuleAdoption("m01", AT_S)), "m02 withdrew proposal 1: it can no longer be"),
        (store.propose_rule(proposed("one", "2026-06-01")), "was withdrawn: propose it for another day"),
        (store.withdraw_rule(7, by="m02", at=AT_S), "there is no proposal 7"),
    ):
        with pytest.raises(StoreError, match=said):
            await wrong
    book = await store.rulebook("2026-05-28")
    assert ([each.id for each in book.waiting], [each.id for each in book.withdrawn]) == ([two], [one])
    await store.set_board("m02", is_board=False)
    with pytest.raises(StoreError, match="'m02' is not on the board"):
        await store.withdraw_rule(two, by="m02", at=AT_S)
    await store.withdraw_rule(two, by="m01", at=AT_S)
    assert len(await store.journal_rules()) == 1


async def test_a_proposal_from_before_another_adoption_is_stale(store: Store) -> None:
    await store.add_rule("first", canonical=b"1", valid_from_day="1970-01-01")
    await store.set_board("m01", is_board=True)
    one = await store.propose_rule(proposed("one", "2026-06-01"))
    two = await store.propose_rule(proposed("two", "2026-07-01"))
    await store.adopt_rule(two, adopted=RuleAdoption("m01", AT_S))
    with pytest.raises(StoreError, match="proposal 1 is stale: another rule was adopted since it was made"):
        await store.adopt_rule(one, adopted=RuleAdoption("m01", AT_S))
    with pytest.raises(StoreError, match="proposal 2 is adopted already"):
        await store.adopt_rule(two, adopted=RuleAdoption("m01", AT_S))


async def test_a_published_total_and_its_group_stay_as_they_were(store: Store, open_again: Reopen) -> None:
    assert await store.fix_street_day("2026-06-12", homes=["h2", "h1"]) == ("h1", "h2")
    assert await store.fix_street_day("2026-06-12", homes=["h3"]) == ("h1", "h2")
    first = StreetTotal(SLOT, ("h1", "h2"), 1, 100, 0, 700)
    await store.add_street_totals([first])
    await store.add_street_totals([replace(first, used_wh=1), replace(first, slot=SLOT + 1)])
    await store.close()
    again = await open_again()
    try:
        assert await again.street_totals(slots=SLOTS) == {SLOT: first, SLOT + 1: replace(first, slot=SLOT + 1)}
    finally:
        await again.close()


async def test_jobs_are_remembered(store: Store) -> None:
    await store.put_job(Job("late", 20, None, ""))
    await store.put_job(Job("soon", 10, 5, "it rained"))
    await store.put_job(Job("late", 30, 20, ""))
    assert await store.jobs() == (Job("soon", 10, 5, "it rained"), Job("late", 30, 20, ""))


async def test_runs_of_jobs_are_remembered_for_two_days(store: Store) -> None:
    first = JobRun("soon", 10, 11, None, "here:1", "")
    assert await store.begin_job_run(first)
    assert await store.job_runs(since=0) == (first,)
    ended = replace(first, ended_at=15, error="it rained")
    await store.put_job(Job("soon", 75, 10, "it rained"), run=ended)
    assert await store.job_runs(since=15) == (ended,)
    assert await store.job_runs(since=16) == ()
    late = JobRun("soon", 500_000, 500_000, 500_001, "here:2", "")
    await store.put_job(Job("soon", 500_100, 500_000, ""), run=late)
    assert await store.job_runs(since=0) == (late,), "older ones are forgotten with a new one"


async def test_a_run_whose_worker_was_lost_is_closed_when_the_job_begins_again(store: Store) -> None:
    lost, again = JobRun("soon", 10, 11, None, "here:1", ""), JobRun("soon", 10, 50, None, "there:2", "")
    assert await store.begin_job_run(lost)
    assert await store.begin_job_run(replace(lost, name="other"))
    assert await store.begin_job_run(again)
    closed = replace(lost, ended_at=50, error=WORKER_LOST)
    assert await store.job_runs(since=0) == (again, replace(lost, name="other"), closed)


async def test_a_job_that_has_succeeded_for_a_due_time_does_not_begin_for_it_again(store: Store) -> None:
    run = JobRun("soon", 10, 20, None, "here:1", "")
    await store.put_job(Job("soon", 70, 10, "it rained"))
    assert await store.begin_job_run(run), "it failed for this due time"
    await store.put_job(Job("soon", 70, 10, ""), run=replace(run, ended_at=25))
    for due_s in (10, 9):
        assert not await store.begin_job_run(replace(run, due_at=due_s, began_at=30))
    assert await store.begin_job_run(replace(run, due_at=70, began_at=75))


async def test_a_closed_store_refuses_a_write(store: Store) -> None:
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.put_job(Job("x", 1, None, ""))
    await store.close()


async def test_parts_are_kept_by_their_place_and_forgotten_by_day(store: Store) -> None:
    places: list[PartPlace] = [
        (day, name, part)
        for day in ("2026-05-01", "2026-05-02")
        for name in ("n1", "p1")
        for part in ("head", "of m01")
    ]
    parts = {place: " ".join(place).encode() for place in places}
    await store.keep_parts(parts)
    assert await store.kept_parts(places) == parts
    assert await store.kept_parts([places[1], ("2026-05-01", "n1", "of m02")]) == {places[1]: parts[places[1]]}
    await store.keep_parts({places[0]: b"another"})
    assert (await store.kept_parts(places))[places[0]] == b"another"
    await store.drop_parts(before="2026-05-01", days=["2026-05-01", "2026-04-30"], names=("n", "o"))
    assert set(await store.kept_parts(places)) == {place for place in places if place[:2] != ("2026-05-01", "n1")}
    await store.drop_parts(before="2026-05-02", days=[], names=("n", "o"))
    assert {day for day, _, _ in await store.kept_parts(places)} == {"2026-05-02"}
    assert not await store.has_run_group("one")
    await store.fix_run_group("one", homes=["h01"], plants=[])
    assert await store.has_run_group("one")


async def test_what_came_since_a_position_is_told_by_slot(store: Store) -> None:
    await store.store_messages([message(1, slot=SLOT), message(2, slot=SLOT + 1)])
    newest, found = await store.newest_since(0)
    assert found == await store.newest_messages(slots=SLOTS)
    await store.store_messages([message(3, slot=SLOT)])
    assert await store.newest_since(newest) == (newest + 1, {SLOT: newest + 1})
    assert await store.newest_since(2**62) == (newest + 1, {})
