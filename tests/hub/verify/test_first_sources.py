"""Who a meter's first source was follows from what the homes signed: a hub that names another agent is found."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.intake.receiver import Intake
from hub.storage.sqlite.store import SqliteStore
from hub.verify.messages import check_messages
from protocols.quantities import Gap, Mark, Measure
from protocols.timeline import Clock
from protocols.wire.readings import Column, LongInterval
from tests.hub.intake.test_receiver import KEY, Bench, RecordingBroker
from tests.hub.sending_home import COOP, FIRST_SLOT, NOW_S, SendingHome, enrol, open_store

CAME_S = NOW_S - 1000
"""When agent `b` came beside agent `a`, unix seconds."""

METER = int(Measure.GRID_IMPORT)
NO_GRID = tuple(
    Column(measure, 1, None, 0, Mark.MISSING, Gap.AGENT_OFF) for measure in (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
)


def grid(wh: int) -> tuple[Column, ...]:
    return tuple(
        Column(measure, 1, energy_wh, 0, Mark.MEASURED, Gap.NONE)
        for measure, energy_wh in ((Measure.GRID_IMPORT, wh), (Measure.GRID_EXPORT, 0))
    )


class House:
    """A home with agent `a` in its first seat and, since CAME_S, agent `b` in its second one."""

    def __init__(self, store: SqliteStore) -> None:
        broker = RecordingBroker()
        self.bench = Bench(store, self._intake(store, broker), broker)
        self.now_s = NOW_S
        self.a = SendingHome("h01", Ed25519PrivateKey.from_private_bytes(b"a" * 32))
        self.b = SendingHome("h01", Ed25519PrivateKey.from_private_bytes(b"b" * 32))

    @property
    def store(self) -> SqliteStore:
        return self.bench.store

    def _intake(self, store: SqliteStore, broker: RecordingBroker) -> Intake:
        clock = Clock(real=lambda: self.now_s)
        return Intake(store, coop=COOP.id, key=KEY, clock=clock, broker=broker)

    async def restart(self) -> None:
        """The hub reads its store again."""
        self.bench.intake = self._intake(self.store, self.bench.broker)
        await self.bench.intake.agents_changed()

    async def a_sends(self, slot: int, *columns: Column, total: LongInterval | None = None) -> None:
        await self.bench.receive(self.a.batch(slot, columns=columns, long_intervals=(total,) if total else ()))

    async def b_sends(self, slot: int, *columns: Column) -> None:
        await self.bench.receive(self.b.batch(slot, columns=columns))

    async def rewrite(self, *statements: str) -> None:
        """What somebody who holds the store can do to it; `:a` and `:b` are the agents."""
        names = {"a": self.a.agent, "b": self.b.agent}
        for trigger in ("measure_source_is_kept", "measure_source_is_fixed"):
            await self.store.write(lambda db, name=trigger: db.execute(f"DROP TRIGGER IF EXISTS {name}"))
        for statement in statements:
            await self.store.write(lambda db, sql=statement: db.execute(sql, names))

    async def findings(self) -> list[str]:
        return (await check_messages(self.store)).findings


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    store = await open_store(tmp_path)
    made = House(store)
    await enrol(store, made.a, member="m01")
    await enrol(store, made.b, member="m01", is_further=True)
    await made.rewrite(f"UPDATE agent SET enrolled_at = {CAME_S} WHERE id = :b")
    yield made
    await store.close()


NAME_B = "UPDATE measure_source SET agent = :b WHERE measure = 1"
PUT_B = f"UPDATE reading SET energy_wh = 9999 WHERE slot = {FIRST_SLOT} AND measure = {METER}"


async def test_the_second_agents_value_in_place_of_the_first_ones_is_found(house: House) -> None:
    await house.a_sends(FIRST_SLOT, *grid(828))
    await house.b_sends(FIRST_SLOT, *grid(9_999))
    assert await house.findings() == []
    await house.rewrite(NAME_B, PUT_B)
    assert await house.findings() == [
        f"h01 grid_import: {house.b.agent} is called its first source, and {house.a.agent} sent energy of it before"
    ]


async def test_also_if_the_first_agent_was_shut_out_since_or_had_sent_a_total_only(house: House) -> None:
    await house.a_sends(FIRST_SLOT, *NO_GRID, total=LongInterval(Measure.GRID_IMPORT, FIRST_SLOT - 9, 9, 828))
    await house.b_sends(FIRST_SLOT, *grid(9_999))
    assert await house.findings() == []
    await house.rewrite(
        f"UPDATE agent SET revoked_at = {NOW_S} WHERE id = :a",
        NAME_B,
        f"UPDATE reading SET energy_wh = iif(measure = {METER}, 9999, 0), mark = 0, gap = 0",
        "DELETE FROM long_interval",
    )
    assert await house.findings() == [
        f"h01 grid_import: {house.b.agent} is called its first source, and {house.a.agent} sent energy of it before"
    ]


async def test_gaps_make_nobody_the_source(house: House) -> None:
    await house.a_sends(FIRST_SLOT, *NO_GRID)
    await house.b_sends(FIRST_SLOT, *grid(9_999))
    await house.a_sends(FIRST_SLOT + 1, *grid(828))
    assert await house.findings() == []
    await house.rewrite("UPDATE measure_source SET agent = :a")
    assert (
        f"h01 grid_import: {house.a.agent} is called its first source, and {house.b.agent} sent energy of it before"
        in await house.findings()
    )


async def test_a_source_that_begins_too_late_lets_nothing_else_count(house: House) -> None:
    await house.a_sends(FIRST_SLOT, *grid(828))
    await house.b_sends(FIRST_SLOT + 1, *grid(9_999))
    await house.rewrite(
        "UPDATE measure_source SET after_position = 9",
        "INSERT INTO reading SELECT home, measure, slot + 1, span,"
        f" iif(measure = {METER}, 9999, 0), mark, gap FROM reading",
    )
    assert await house.findings() == [
        f"h01 grid_import: {house.b.agent} sent energy of it that counts beside that of {house.a.agent}"
    ]


async def test_a_meter_without_a_source_is_found(house: House) -> None:
    await house.a_sends(FIRST_SLOT, *grid(828))
    await house.b_sends(FIRST_SLOT, *grid(9_999))
    await house.rewrite("DELETE FROM measure_source")
    assert await house.findings() == [
        f"h01 grid_import: nobody is called its source, and {house.a.agent} sent energy of it"
    ]


async def test_an_upgraded_store_may_hold_energy_of_an_agent_that_was_gone_by_then(house: House) -> None:
    await house.a_sends(FIRST_SLOT, *grid(828))
    await house.rewrite("DELETE FROM measure_source", f"UPDATE agent SET revoked_at = {CAME_S} WHERE id = :a")
    assert await house.findings() == []
    await house.restart()
    await house.b_sends(FIRST_SLOT + 1, *grid(700))
    assert [source.agent for source in await house.store.meter_sources()] == [house.b.agent]
    assert await house.findings() == []
    for revoked_at in (str(CAME_S + 1), "NULL"):
        await house.rewrite(f"UPDATE agent SET revoked_at = {revoked_at} WHERE id = :a")
        assert await house.findings() != [], "it still worked when the second one came, and so was its source"


async def test_an_agent_replaced_in_its_seat_was_not_gone(house: House) -> None:
    await house.a_sends(FIRST_SLOT, *grid(828))
    new = SendingHome("h01", Ed25519PrivateKey.from_private_bytes(b"c" * 32))
    await enrol(house.store, new, member="m01", instead_of=house.a.agent)
    await house.rewrite(
        "DELETE FROM measure_source",
        f"UPDATE agent SET revoked_at = {CAME_S - 5} WHERE id = :a",
        f"UPDATE agent SET enrolled_at = {CAME_S - 5} WHERE id NOT IN (:a, :b)",
    )
    await house.restart()
    await house.b_sends(FIRST_SLOT + 1, *grid(700))
    assert await house.findings() == [
        f"h01 grid_import: {house.b.agent} is called its first source, and {house.a.agent} sent energy of it before"
    ]


@pytest.mark.parametrize(("received_at", "is_right"), [(CAME_S, True), (CAME_S + 1, False)])
async def test_an_upgraded_store_may_hold_totals_that_made_no_source(
    house: House, *, received_at: int, is_right: bool
) -> None:
    house.now_s = received_at
    await house.a_sends(FIRST_SLOT, *NO_GRID, total=LongInterval(Measure.GRID_IMPORT, FIRST_SLOT - 9, 9, 828))
    await house.rewrite("DELETE FROM measure_source")
    house.now_s = NOW_S
    await house.restart()
    await house.b_sends(FIRST_SLOT + 1, *grid(700))
    assert (await house.findings() == []) is is_right


async def test_a_second_agent_called_the_source_from_another_message_on_is_found(house: House) -> None:
    await house.a_sends(FIRST_SLOT, *NO_GRID)
    await house.b_sends(FIRST_SLOT, *grid(700))
    await house.a_sends(FIRST_SLOT + 1, *NO_GRID)
    assert await house.findings() == []
    await house.rewrite("UPDATE measure_source SET after_position = 2")
    assert await house.findings() == [
        f"h01 grid_import: {house.b.agent} is called its first source from another message on than the first with its"
        " energy"
    ]
