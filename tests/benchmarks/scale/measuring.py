"""Measures on this machine what one home's connection, message and day cost a core, and what they take of a disk.

CPU time only, the least of several tries where a try is short: other work on the machine counts little.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.access_keeper import AccessKeeper
from hub.broker.access_rules import KnownAgents
from hub.broker.check.client import CheckClient, HomesPlace
from hub.broker.client_id import hub_client_id
from hub.broker.connection import BrokerLink, Delivery
from hub.broker.mosquitto_files import find_mosquitto
from hub.broker.plans import free_port, plan_broker
from hub.broker.supervisor import BrokerProcess
from hub.folder.settings import parse_settings
from hub.intake.fair_queues import MAX_GROUP
from hub.intake.receiver import Intake
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import start_of
from protocols.timeline import Clock
from protocols.wire.readings import Column
from protocols.wire.topics import down_filter, downlink_topic, up_filters, uplink_topic
from tests.benchmarks import bench_backlog_postgres, bench_books, bench_disk
from tests.benchmarks.bench_intake import Nobody
from tests.hub.broker.coop_certificates import CoopCertificates
from tests.hub.broker.test_supervisor import children_of
from tests.hub.postgres_server import candidates
from tests.hub.sending_home import COOP, FIRST_SLOT, SendingHome, open_store

TRIES: Final = 3
CONNECTIONS: Final = 200
OPEN: Final = 150
PASSED: Final = 1_500
SEALED_BYTES: Final = 512
WITHIN_S: Final = 120
MEASURES: Final = (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
"""What the membership contract covers; a home that allows more costs a few microseconds a column."""


@dataclass(frozen=True, slots=True)
class BrokerFigures:
    """Of one Mosquitto process: its own CPU, and its memory for a home that is connected."""

    connection_us: float
    passed_us: float
    connected_kb: float
    link_us: float
    """The hub's side of the same messages: taking one, acknowledging it, sending one back."""


@dataclass(frozen=True, slots=True)
class DatabaseFigures:
    """Of a PostgreSQL server: its CPU for a batch of a backlog, and how many times the disk of SQLite it takes."""

    database_us: float
    database_disk: float


@dataclass(frozen=True, slots=True)
class IntakeFigures:
    """Of one intake worker over SQLite."""

    batch_us: float
    receipt_us: float


async def measure_intake() -> IntakeFigures:
    """Verify and store batches, once with a receipt for each and once with one for many."""
    batches = min([await _intake(10, 100) for _ in range(TRIES)])
    live = min([await _intake(MAX_GROUP, 2) for _ in range(TRIES)])
    share = 10 / MAX_GROUP
    receipt_s = (live - batches) / (1 - share)
    return IntakeFigures((batches - share * receipt_s) * 1e6, receipt_s * 1e6)


def measure_settling() -> float:
    """Microseconds of a core for one home's day: read, shared out, booked, chained and signed."""
    day = asyncio.run(bench_books.one_day())
    return float(str(day["day_cpu_s"])) / int(str(day["members"])) * 1e6


def measure_disk() -> float:
    """Millions of bytes of the store for a year of a home that sends five measures."""
    return float(str(bench_disk.measure()["five_mb_per_home_and_year"]))


def measure_database(*, disk_mb: float) -> DatabaseFigures | None:
    """From a backlog that two workers take; `disk_mb` is what the same home's year takes in SQLite.

    None where no PostgreSQL is to be had.
    """
    if not candidates():
        return None
    found = bench_backlog_postgres.measure()
    year_mb = float(str(found["stored_bytes_per_batch"])) * bench_disk.YEAR_BATCHES / 1e6
    return DatabaseFigures(float(str(found["server_us_per_batch"])), year_mb / disk_mb)


async def measure_broker() -> BrokerFigures | None:
    """Connections over TLS 1.3 with a certificate each, and messages from a home to the hub; None without Mosquitto."""
    if find_mosquitto() is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        coop = CoopCertificates(folder / "authority")
        text = (
            f'[coop]\nid = "{COOP.id}"\nname = "C"\ntz = "Europe/Madrid"\n'
            '[broker]\nkind = "mosquitto"\nallow_other_users = true\n'
        )
        settings = parse_settings(text.encode(), name="hub.toml", folder=folder).broker
        plan = plan_broker(
            settings, folder=folder / "b", coop=COOP.id, port=0, homes=coop.listener(free_port("127.0.0.1"))
        )
        broker = BrokerProcess(plan)
        running = asyncio.create_task(broker.run())
        try:
            await asyncio.wait_for(broker.ready.wait(), 30)
            return await _Mosquitto(folder, broker, coop).measure()
        finally:
            running.cancel()
            await asyncio.wait({running})


class _Mosquitto:
    """A running broker, its homes and the hub's link to it."""

    def __init__(self, folder: Path, broker: BrokerProcess, coop: CoopCertificates) -> None:
        homes = broker.plan.homes
        assert homes is not None
        assert broker.pid is not None
        self._broker = broker
        # The process that was started watches over Mosquitto.
        [self._pid] = [each for each in children_of(broker.pid) if _name_of(each) == "mosquitto"]
        self._coop = coop
        self._place = HomesPlace("127.0.0.1", homes.port, coop.root_file)
        self._arrived: list[Delivery] = []
        self._client_id = hub_client_id(folder / "b", coop=COOP.id)

    async def measure(self) -> BrokerFigures:
        names = [f"a-{number}" for number in range(OPEN)]
        await AccessKeeper(self._broker, coop=COOP.id).update(KnownAgents(frozenset(names)))
        connection_us = min([await asyncio.to_thread(self._connections) for _ in range(TRIES)])
        connected_kb = await asyncio.to_thread(self._memory, names)
        passed_us, link_us = await self._messages(names[0])
        return BrokerFigures(connection_us, passed_us, connected_kb, link_us)

    def _connections(self) -> float:
        identity = self._coop.identity("a-0")
        before = _cpu_ns(self._pid)
        for _ in range(CONNECTIONS):
            client = CheckClient.of_home(self._place, client_id="a-0", identity=identity)
            assert client.is_connected, "the broker did not let a home in"
            client.listen((down_filter(COOP.id, "a-0"),))
            client.close()
        return (_cpu_ns(self._pid) - before) / CONNECTIONS / 1e3

    def _memory(self, names: Sequence[str]) -> float:
        identities = [self._coop.identity(name) for name in names]
        before = _memory_kb(self._pid)
        clients = [
            CheckClient.of_home(self._place, client_id=name, identity=identity)
            for name, identity in zip(names, identities, strict=True)
        ]
        for name, client in zip(names, clients, strict=True):
            client.listen((down_filter(COOP.id, name),))
        after = _memory_kb(self._pid)
        for client in clients:
            client.close()
        return (after - before) / len(names)

    async def _messages(self, agent: str) -> tuple[float, float]:
        """What a message and its receipt cost the broker, and the hub's link. The home sends while the hub is away."""
        await self._with_link(lambda: True)
        home = await asyncio.to_thread(
            CheckClient.of_home, self._place, client_id=agent, identity=self._coop.identity(agent)
        )
        before = _cpu_ns(self._pid)
        await asyncio.to_thread(home.listen, (down_filter(COOP.id, agent),))
        await asyncio.to_thread(self._send, home, uplink_topic(COOP.id, agent, kind="batch"))
        self._arrived.clear()
        began_s = time.process_time()
        await self._with_link(lambda: len(self._arrived) >= PASSED)
        link_s = time.process_time() - began_s
        passed_ns = _cpu_ns(self._pid) - before
        await asyncio.to_thread(home.close)
        return passed_ns / PASSED / 1e3, link_s / PASSED * 1e6

    def _send(self, home: CheckClient, topic: str) -> None:
        sent = [home._client.publish(topic, bytes(SEALED_BYTES), qos=1) for _ in range(PASSED)]
        for each in sent:
            each.wait_for_publish(WITHIN_S)
        assert all(each.is_published() for each in sent), "the broker did not take every batch"

    async def _with_link(self, is_done: Callable[[], bool]) -> None:
        """The hub's session, until this is so; each message it gets is acknowledged and answered."""

        def deliver(deliveries: list[Delivery]) -> None:
            self._arrived.extend(deliveries)
            link.acknowledge(deliveries)
            for delivery in deliveries:
                agent = delivery.topic.split("/")[3]
                link.publish(downlink_topic(COOP.id, agent, kind="receipt"), delivery.payload)

        link = BrokerLink(client_id=self._client_id, filters=up_filters(COOP.id), deliver=deliver)
        link.start(self._broker.plan.address)
        async with asyncio.timeout(WITHIN_S):
            while not (link.is_connected and is_done()):
                await asyncio.sleep(0.02)
        await asyncio.to_thread(link.stop)


async def _intake(homes: int, each: int) -> float:
    """Seconds of a core for one batch."""
    street = [SendingHome(f"h{n:04d}", Ed25519PrivateKey.generate()) for n in range(homes)]
    columns = [Column(measure, 1, 321, 0, Mark.MEASURED, Gap.NONE) for measure in MEASURES]
    messages = [home.batch(FIRST_SLOT + n, columns=columns) for n in range(each) for home in street]
    now_s = float(start_of(FIRST_SLOT + each + 1))
    with tempfile.TemporaryDirectory() as name:
        store = await open_store(Path(name), street)
        intake = Intake(
            store,
            coop=COOP.id,
            key=Ed25519PrivateKey.generate(),
            clock=Clock(real=lambda: now_s),
            broker=Nobody(),
        )
        await intake.agents_changed()
        began_s = time.process_time()
        for at in range(0, len(messages), MAX_GROUP):
            group = messages[at : at + MAX_GROUP]
            intake.offer([Delivery(topic, sealed, 1, n, 1) for n, (topic, sealed) in enumerate(group)])
            while intake.admission.waiting:
                await intake.work_once()
        spent_s = time.process_time() - began_s
        stored = await store.message_count()
        await store.close()
    if stored != len(messages):
        raise AssertionError(f"{stored} of {len(messages)} messages were stored")
    return spent_s / len(messages)


def _name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _cpu_ns(pid: int) -> int:
    """Nanoseconds that a process of one thread has had of a core."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def _memory_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
