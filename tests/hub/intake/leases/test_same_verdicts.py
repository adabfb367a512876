"""Several workers judge the agents of one home as one worker does: each knows only its own shards, and nobody tells it
what the others have stored, whom the board has shut out, or who took over a seat.
"""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.intake.receiver import Intake
from hub.storage.sqlite.store import SqliteStore
from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, ConsentSet, contract_rule, sort_rules
from protocols.quantities import Gap, Mark, Measure
from protocols.timeline import Clock
from protocols.wire.readings import Column
from protocols.wire.topics import shard_of
from tests.hub.intake.leases.two_workers import Worker, let_expire
from tests.hub.intake.test_receiver import KEY, Bench, RecordingBroker
from tests.hub.new_store import open_new_store
from tests.hub.sending_home import COOP, FIRST_SLOT, NOW_S, SendingHome, enrol

AGENTS = 4
"""Two seats of one home; the other two may take a seat over. All in shards of their own."""

TABLES = {
    "message": "position, agent, epoch, seq, kind, hash, first_slot, last_slot, refused",
    "reading": "home, measure, slot, span, energy_wh, mark, gap",
    "measure_source": "home, measure, agent, after_position, first_slot",
    "consent": "home, seat, version, document",
    "chain_head": "agent, epoch, seq, hash, last_slot, messages",
}


def _keys() -> list[bytes]:
    found: dict[int, bytes] = {}
    for number in range(1, 200):
        key = number.to_bytes(32, "big")
        found.setdefault(shard_of(SendingHome("h01", Ed25519PrivateKey.from_private_bytes(key)).agent), key)
    return list(found.values())[:AGENTS]


KEYS = _keys()
SOME_MEASURES = st.sets(st.sampled_from([Measure.GRID_IMPORT, Measure.PV_PRODUCTION]), min_size=1)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("batch"), st.integers(0, AGENTS - 1), SOME_MEASURES),
        st.tuples(st.just("consent"), st.integers(0, AGENTS - 1), st.integers(1, 3)),
        st.tuples(st.just("shut out"), st.integers(0, AGENTS - 1), st.none()),
        st.tuples(st.just("replace"), st.integers(0, 1), st.none()),
    ),
    min_size=2,
    max_size=14,
)


def columns(measures: object, slot: int) -> list[Column]:
    assert isinstance(measures, set)
    told = {Measure.GRID_IMPORT, Measure.GRID_EXPORT, *measures}
    return [
        Column(measure, 1, slot % 97, 0, Mark.MEASURED, Gap.NONE)
        if Measure.GRID_IMPORT in measures or measure is Measure.PV_PRODUCTION
        else Column(measure, 1, None, 0, Mark.MISSING, Gap.AGENT_OFF)
        for measure in sorted(told)
    ]


def consent(version: int) -> ConsentSet:
    rule = ConsentRule("forecast.home", (Measure.PV_PRODUCTION,), Resolution.PT15M, FIRST_SLOT - 9, None)
    return ConsentSet("h01", version, sort_rules([contract_rule(), rule]))


@dataclass
class Home:
    """The agents of one home on one store, and who takes their messages."""

    store: SqliteStore
    agents: list[SendingHome] = field(
        default_factory=lambda: [SendingHome("h01", Ed25519PrivateKey.from_private_bytes(key)) for key in KEYS]
    )
    enrolled: list[int] = field(default_factory=list)

    async def begin(self) -> None:
        await self.store.set_coop(COOP)
        await enrol(self.store, self.agents[0], member="m01")
        await enrol(self.store, self.agents[1], member="m01", is_further=True)
        self.enrolled = [0, 1]

    async def play(self, event: tuple[str, int, object]) -> tuple[str, bytes] | None:
        """What happens in the store by others, or the message that an agent sends."""
        kind, number, more = event
        agent = self.agents[number]
        if kind == "replace":
            live = {each.id for each in await self.store.agents() if each.revoked_at is None}
            if len(self.enrolled) < AGENTS and agent.agent in live:
                await enrol(self.store, self.agents[len(self.enrolled)], member="m01", instead_of=agent.agent)
                self.enrolled.append(len(self.enrolled))
            return None
        if number not in self.enrolled:
            return None
        if kind == "shut out":
            sql = "UPDATE agent SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
            await self.store.write(lambda db: db.execute(sql, (NOW_S, agent.agent)))
            return None
        slot = FIRST_SLOT + agent.seq
        if kind == "consent":
            return agent.consent(consent(int(str(more))))
        return agent.batch(slot, columns=columns(more, slot))


async def rows_of(store: SqliteStore) -> dict[str, list[tuple[object, ...]]]:
    found = {}
    for table, names in TABLES.items():
        sql = f"SELECT {names} FROM {table} ORDER BY 1, 2, 3, 4"
        found[table] = await store.read(lambda db, sql=sql: db.execute_fetchall(sql))  # type: ignore[misc]
    return found


async def judged_by_one(folder: Path, events: list[tuple[str, int, object]]) -> dict[str, list[tuple[object, ...]]]:
    store = await open_new_store(folder / "hub.sqlite", now=lambda: NOW_S)
    home, broker = Home(store), RecordingBroker()
    await home.begin()
    intake = Intake(store, coop=COOP.id, key=KEY, clock=Clock(real=lambda: NOW_S), broker=broker)
    bench = Bench(store, intake, broker)
    for event in events:
        message = await home.play(event)
        await intake.agents_changed()
        if message is not None:
            await bench.receive(message)
    found = await rows_of(store)
    await store.close()
    return found


async def judged_by_many(folder: Path, events: list[tuple[str, int, object]]) -> dict[str, list[tuple[object, ...]]]:
    """One worker for each agent's shard, which learns of a new agent of its own and of nothing else."""
    store = await open_new_store(folder / "hub.sqlite", now=lambda: NOW_S)
    home = Home(store)
    await home.begin()
    workers = {agent.agent: Worker(f"w{number}", store) for number, agent in enumerate(home.agents)}
    first, *others = workers.values()
    await first.turn()
    for agent, worker in list(workers.items())[1:]:
        await let_expire(store, first, shards=[shard_of(agent)])
        worker.is_deaf = True
        await worker.shards.turn_once()
        worker.is_deaf = False
        await worker.turn()
    assert all(worker.shards.covers(agent) for agent, worker in workers.items() if worker is not first)
    assert others
    for event in events:
        before = set(home.enrolled)
        message = await home.play(event)
        for new in set(home.enrolled) - before:
            await workers[home.agents[new].agent].intake.agents_changed()
        if message is not None:
            await workers[home.agents[event[1]].agent].receive(message)
    found = await rows_of(store)
    await store.close()
    return found


@settings(max_examples=8, deadline=None)
@given(EVENTS)
def test_workers_that_know_nothing_of_each_other_judge_as_one_does(events: list[tuple[str, int, object]]) -> None:
    async def both() -> None:
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
            assert await judged_by_many(Path(many), events) == await judged_by_one(Path(one), events)

    asyncio.run(both())
