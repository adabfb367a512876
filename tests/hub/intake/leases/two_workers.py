"""Intake workers that share one store within a test: what real ones do, with turns and takeovers when it says so."""

import asyncio
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field

from hub.broker.connection import Delivery
from hub.broker.link.outgoing import Seal, Taken
from hub.intake.homes_link import HomesLink
from hub.intake.leases.leased_link import LeasedLink
from hub.intake.leases.shards import Shards
from hub.intake.leases.work import OwnShards
from hub.intake.receiver import Intake
from hub.storage.shared.records import HubProcess
from hub.storage.sqlite.store import SqliteStore
from protocols.timeline import Clock
from protocols.wire.envelope import open_sealed
from protocols.wire.receipts import Receipt, decode_receipt
from tests.hub.intake.test_receiver import KEY
from tests.hub.sending_home import COOP, NOW_S


@dataclass
class SharedBroker:
    """What one worker would send, what it hears, and which deliveries it left to others."""

    sent: list[tuple[str, bytes]] = field(default_factory=list)
    settled: list[Delivery] = field(default_factory=list)
    returned: list[Delivery] = field(default_factory=list)
    hears: frozenset[int] = frozenset()
    untaken: list[Callable[[], None]] = field(default_factory=list)
    is_slow: bool = False
    unsealed: list[tuple[str, Seal]] = field(default_factory=list)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.settled.extend(deliveries)

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        self.returned.extend(deliveries)
        self.settled.extend(deliveries)

    def hear_shards(self, shards: Collection[int]) -> None:
        self.hears = frozenset(shards)

    def publish(self, topic: str, sealed: bytes, *, is_kept: bool = False) -> None:
        self.sent.append((topic, sealed))

    def publish_latest(self, topic: str, seal: Seal, *, of: Hashable, taken: Taken | None = None) -> None:
        if self.is_slow:
            self.unsealed.append((topic, seal))
        elif (sealed := seal()) is not None:
            self.publish(topic, sealed)
            if taken is not None:
                self.untaken.append(taken)

    def take(self) -> None:
        """The broker acknowledges everything that it was sent."""
        for taken in self.untaken:
            taken()
        self.untaken.clear()

    def receipts(self) -> list[Receipt]:
        return [
            decode_receipt(open_sealed(sealed, topic, KEY.public_key()))
            for topic, sealed in self.sent
            if topic.endswith("/down/receipt")
        ]


class Worker:
    """One intake worker; `steady` is its own clock, in seconds, which the test moves."""

    def __init__(self, name: str, store: SqliteStore) -> None:
        self.name, self.store = name, store
        self.steady = [0.0]
        self.now_s = NOW_S
        self.is_deaf = False
        self.broker = SharedBroker()
        own = HubProcess(name, "intake", "here", 0, 0)
        self.shards = Shards(
            store,
            own,
            can_work=lambda: not self.is_deaf,
            changed=lambda: None,  # the test follows by itself
            steady_s=lambda: self.steady[0],
        )
        fenced = store.fenced(holder=name, held=lambda: self.shards.leases)
        link = HomesLink(LeasedLink(self.broker, may_tell=self.shards.may_tell), None)
        self.work = OwnShards(self.shards, link=self.broker, store=fenced)
        clock = Clock(real=lambda: self.now_s)
        self.intake = Intake(fenced, coop=COOP.id, key=KEY, clock=clock, broker=link, work=self.work)

    async def turn(self) -> None:
        """A turn, after which intake works on what it gave."""
        await self.shards.turn_once()
        await self.intake.follow_shards()

    async def receive(self, *messages: tuple[str, bytes]) -> None:
        """Deliver these and work until each is settled one way or the other."""
        deliveries = [Delivery(topic, sealed, 1, n, 1) for n, (topic, sealed) in enumerate(messages)]
        until = len(self.broker.settled) + len(deliveries)
        self.intake.offer(deliveries)
        while len(self.broker.settled) < until:
            await asyncio.wait_for(self.intake.work_once(), 10)


async def let_expire(store: SqliteStore, worker: Worker, *, shards: Collection[int] | None = None) -> None:
    """As if this worker had taken no turn for ten seconds; of these shards only, if they are given."""
    names = [f"shard {shard:02d}" for shard in (range(64) if shards is None else shards)]
    lines = [(worker.name, name) for name in names]
    await store.write(lambda db: db.executemany("UPDATE lease SET until_ms = 0 WHERE holder = ? AND name = ?", lines))
    if shards is None:
        await store.write(lambda db: db.execute("UPDATE process SET heard_ms = 0 WHERE id = ?", (worker.name,)))
