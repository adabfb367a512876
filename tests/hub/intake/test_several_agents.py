"""Two agents of one home, over a real store: each has its own consent, and no meter's energy counts twice."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.core.homes.consents import homes_allowing
from hub.intake.receiver import Intake
from hub.storage.records import Access
from hub.storage.sqlite.store import SqliteStore
from hub.verify.messages import check_messages
from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, ConsentSet, contract_rule, sort_rules
from protocols.quantities import Gap, Mark, Measure
from protocols.timeline import Clock
from protocols.wire.readings import Column, LongInterval
from tests.hub.intake.test_receiver import KEY, Bench, RecordingBroker
from tests.hub.sending_home import COOP, FIRST_SLOT, NOW_S, SendingHome, enrol, grid_columns, open_store

SUN, IMPORT, EXPORT = Measure.PV_PRODUCTION, Measure.GRID_IMPORT, Measure.GRID_EXPORT
OWN = Access("m01", "self", "own.view", "")
NO_GRID = tuple(Column(measure, 1, None, 0, Mark.MISSING, Gap.AGENT_OFF) for measure in (IMPORT, EXPORT))


def solar(wh: int) -> Column:
    return Column(SUN, 1, wh, 0, Mark.MEASURED, Gap.NONE)


def consent(version: int, *purposes: str, measures: tuple[Measure, ...] = (SUN,)) -> ConsentSet:
    rules = [ConsentRule(purpose, measures, Resolution.PT15M, FIRST_SLOT - 9, None) for purpose in purposes]
    return ConsentSet("h01", version, sort_rules([contract_rule(), *rules]))


class House:
    """A home with agent `a` at the grid's meter and agent `b` at the inverter; the clock stands still."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.a = SendingHome("h01", Ed25519PrivateKey.from_private_bytes(b"a" * 32))
        self.b = SendingHome("h01", Ed25519PrivateKey.from_private_bytes(b"b" * 32))

    @property
    def store(self) -> SqliteStore:
        return self.bench.store

    async def send(self, *messages: tuple[str, bytes]) -> None:
        await self.bench.receive(*messages)

    async def b_sends(self, slot: int, *columns: Column) -> None:
        await self.send(self.b.batch(slot, columns=(*NO_GRID, *columns)))

    async def counted(self, measure: Measure, slot: int = FIRST_SLOT) -> int | None:
        series = await self.store.home_series("h01", [measure], slots=range(slot, slot + 1), access=OWN)
        wh = int(series[measure].energy_wh[0])
        return None if wh < 0 else wh

    async def told(self) -> dict[tuple[str, str], int]:
        return {(each.agent, each.reason): each.count for each in await self.store.refusals()}

    async def shut_out(self, agent: str) -> None:
        await self.store.write(lambda db: db.execute("UPDATE agent SET revoked_at = ? WHERE id = ?", (NOW_S, agent)))
        await self.bench.intake.agents_changed()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    store = await open_store(tmp_path)
    broker = RecordingBroker()
    clock = Clock(real=lambda: NOW_S)
    made = House(Bench(store, Intake(store, coop=COOP.id, key=KEY, clock=clock, broker=broker), broker))
    await enrol(store, made.a, member="m01")
    await enrol(store, made.b, member="m01", is_further=True)
    await made.send(made.a.batch(FIRST_SLOT))
    yield made
    checked = await check_messages(store)
    assert checked.findings == []
    await store.close()


async def test_each_agent_brings_its_own_meter(house: House) -> None:
    assert [(agent.id, agent.seat) for agent in sorted(await house.store.agents(), key=lambda a: a.seat)] == [
        (house.a.agent, 1),
        (house.b.agent, 2),
    ]
    await house.send(house.b.consent(consent(2, "forecast.hood")))
    await house.b_sends(FIRST_SLOT, solar(700))
    assert await house.counted(SUN) == 700
    assert await house.counted(IMPORT) == FIRST_SLOT % 977, "what the inverter's agent lacks hides nothing"
    assert {(each.meter, each.agent) for each in await house.store.meter_sources()} == {
        (IMPORT, house.a.agent),
        (SUN, house.b.agent),
    }
    assert await house.told() == {}


async def test_a_second_agents_grid_meter_counts_nothing_and_is_named(house: House) -> None:
    await house.send(house.b.batch(FIRST_SLOT + 1), house.a.batch(FIRST_SLOT + 2))
    assert await house.counted(IMPORT, FIRST_SLOT + 1) is None, "not even where the first agent has nothing yet"
    (told,) = await house.store.refusals()
    assert (told.agent, told.reason, told.count) == (house.b.agent, "brought_elsewhere", 1)
    assert told.detail.startswith(f"grid_import is brought by agent {house.a.agent}: put both devices into one agent")
    total = LongInterval(IMPORT, FIRST_SLOT, 4, 9_999)
    await house.send(house.b.batch(FIRST_SLOT + 4, columns=NO_GRID, long_intervals=(total,)))
    assert await house.store.long_intervals("h01", slots=range(FIRST_SLOT, FIRST_SLOT + 9), access=OWN) == ()
    assert await house.counted(IMPORT, FIRST_SLOT + 2) == (FIRST_SLOT + 2) % 977


async def test_the_grids_other_direction_belongs_to_the_same_meter(house: House) -> None:
    """A first agent that counts one direction only leaves no room to invent the other one."""
    only_import = (grid_columns(FIRST_SLOT + 1)[0], NO_GRID[1])
    await house.send(house.a.batch(FIRST_SLOT + 1, columns=only_import))
    await house.send(
        house.b.batch(FIRST_SLOT + 1, columns=(NO_GRID[0], Column(EXPORT, 1, 5_000, 0, Mark.MEASURED, Gap.NONE)))
    )
    assert await house.counted(EXPORT, FIRST_SLOT + 1) is None


async def test_what_does_not_count_blocks_nothing_else_of_the_batch(house: House) -> None:
    await house.send(house.b.consent(consent(2, "forecast.hood")))
    await house.send(house.b.batch(FIRST_SLOT + 1, columns=(*grid_columns(FIRST_SLOT + 1), solar(400))))
    assert (await house.counted(SUN, FIRST_SLOT + 1), await house.counted(IMPORT, FIRST_SLOT + 1)) == (400, None)
    assert (await house.store.chain_heads())[house.b.agent].seq == 2, "it has its receipt"


async def test_a_consent_at_one_agent_is_none_at_the_other(house: House) -> None:
    await house.send(house.b.consent(consent(2, "forecast.hood", "peers.view")))
    await house.b_sends(FIRST_SLOT, solar(700))
    held = await house.store.consents()
    assert homes_allowing(held, "forecast.hood", slot=FIRST_SLOT, measure=SUN) == ("h01",)
    for measure in (IMPORT, EXPORT):
        assert homes_allowing(held, "forecast.hood", slot=FIRST_SLOT, measure=measure) == ()
    assert homes_allowing(held, "forecast.hood", slot=FIRST_SLOT) == (), "the grid's agent does not allow it"
    house.a.consent_version = 2
    await house.send(house.a.batch(FIRST_SLOT + 1, columns=(*grid_columns(FIRST_SLOT + 1), solar(1))))
    assert (await house.told())[house.a.agent, "outside_consent"] == 1, (
        "the other agent's version and rights are no help"
    )


async def test_a_hostile_agent_cannot_widen_the_others_consent(house: House) -> None:
    everything = consent(2, "peers.view", "forecast.hood", "prompt.shift", measures=(IMPORT, EXPORT, SUN))
    await house.send(house.b.consent(everything))
    await house.send(house.b.batch(FIRST_SLOT + 1, columns=(*grid_columns(FIRST_SLOT + 1), solar(9))))
    held = await house.store.consents()
    for purpose in ("peers.view", "forecast.hood", "prompt.shift"):
        assert homes_allowing(held, purpose, slot=FIRST_SLOT, measure=IMPORT) == ()
        assert homes_allowing(held, purpose, slot=FIRST_SLOT) == ()


async def test_a_consent_lowered_at_the_inverters_agent_stops_solar_only(house: House) -> None:
    await house.send(house.b.consent(consent(2, "forecast.hood")))
    await house.b_sends(FIRST_SLOT, solar(700))
    await house.send(house.b.consent(consent(3)))
    await house.b_sends(FIRST_SLOT + 1, solar(800))
    await house.send(house.a.batch(FIRST_SLOT + 1))
    assert (await house.counted(SUN), await house.counted(SUN, FIRST_SLOT + 1)) == (700, None)
    assert await house.counted(IMPORT, FIRST_SLOT + 1) == (FIRST_SLOT + 1) % 977
    assert homes_allowing(await house.store.consents(), "forecast.hood", slot=FIRST_SLOT, measure=SUN) == ()


async def test_the_next_sender_takes_over_from_a_shut_out_agent_and_the_past_stays(house: House) -> None:
    partial = Column(IMPORT, 1, 10, 0, Mark.PARTIAL, Gap.DEVICE_SILENT)
    await house.send(house.a.batch(FIRST_SLOT + 1, columns=(partial, grid_columns(FIRST_SLOT)[1])))
    await house.shut_out(house.a.agent)
    await house.send(*(house.b.batch(FIRST_SLOT + late) for late in (0, 1, 2)))
    series = await house.store.home_series("h01", [IMPORT], slots=range(FIRST_SLOT, FIRST_SLOT + 3), access=OWN)
    assert series[IMPORT].energy_wh.tolist() == [FIRST_SLOT % 977, 10, (FIRST_SLOT + 2) % 977]
    assert series[IMPORT].mark.tolist() == [Mark.MEASURED, Mark.PARTIAL, Mark.MEASURED]
    assert [(each.agent, each.first_slot) for each in await house.store.meter_sources()] == [
        (house.a.agent, 0),
        (house.b.agent, FIRST_SLOT + 2),
    ]


async def test_a_replacement_keeps_the_seat_so_that_nobody_slips_in_between(house: House) -> None:
    new = SendingHome("h01", Ed25519PrivateKey.from_private_bytes(b"c" * 32))
    await enrol(house.store, new, member="m01", instead_of=house.a.agent)
    await house.bench.intake.agents_changed()
    await house.send(house.b.batch(FIRST_SLOT + 1))
    assert await house.counted(IMPORT, FIRST_SLOT + 1) is None
    await house.send(new.batch(FIRST_SLOT + 2))
    assert await house.counted(IMPORT, FIRST_SLOT + 2) == (FIRST_SLOT + 2) % 977
    assert {agent.id: agent.seat for agent in await house.store.agents() if agent.revoked_at is None} == {
        house.b.agent: 2,
        new.agent: 1,
    }


async def test_who_brings_what_is_known_again_after_a_restart(house: House) -> None:
    clock = Clock(real=lambda: NOW_S)
    again = Intake(house.store, coop=COOP.id, key=KEY, clock=clock, broker=house.bench.broker)
    house.bench.intake = again
    await again.agents_changed()
    await house.send(house.b.batch(FIRST_SLOT + 1))
    assert await house.counted(IMPORT, FIRST_SLOT + 1) is None


async def test_another_homes_agent_has_no_say(house: House) -> None:
    stranger = SendingHome("h02", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
    await enrol(house.store, stranger, member="m02")
    await house.bench.intake.agents_changed()
    await house.send(stranger.consent(ConsentSet("h01", 7, (contract_rule(),))), stranger.batch(FIRST_SLOT + 1))
    assert await house.counted(IMPORT, FIRST_SLOT + 1) is None
    assert "h01" not in await house.store.consents()


async def test_the_fleet_has_a_line_for_each_agent_of_a_home(house: House) -> None:
    rows = {row.agent: row for row in await house.store.fleet(slots=range(FIRST_SLOT, FIRST_SLOT + 1))}
    assert set(rows) == {house.a.agent, house.b.agent}
    assert (rows[house.a.agent].is_first, rows[house.b.agent].is_first) == (True, False)
    assert rows[house.b.agent].last_slot is None, "its silence is its own"
    assert rows[house.a.agent].presence == rows[house.b.agent].presence == ("present",)


async def test_hours_that_another_agent_brings_make_no_stored_message_wrong(house: House) -> None:
    """The fixture lets `verify` look: a message is stored with the slots of what counts, not of all that was sent."""
    base = FIRST_SLOT - FIRST_SLOT % 4 + 4
    await house.send(house.a.consent(consent(2, "forecast.hood")), house.b.consent(consent(2, "forecast.hood")))
    await house.send(*(house.a.batch(base + n, columns=(*grid_columns(base + n), solar(100))) for n in (0, 1)))
    hour = Column(SUN, 4, 5_000, 0, Mark.MEASURED, Gap.NONE)
    await house.b_sends(base + 3, hour)
    await house.shut_out(house.a.agent)
    await house.b_sends(base + 3, hour)
    await house.b_sends(base + 7, hour)
    found = [await house.counted(SUN, base + n) for n in (0, 1, 2, 3, 4, 7)]
    assert found == [100, 100, None, None, 1_250, 1_250], "an hour that began before the take-over does not count"
