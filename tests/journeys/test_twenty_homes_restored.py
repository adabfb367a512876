"""The disk dies in the evening and last night's backup is restored: twenty homes send again what the hub forgot.

Real outboxes, uplinks, intake, store, backup and restore in one process; only the broker between them is replaced.
"""

import asyncio
import hashlib
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.outbox.messages import ChainLink, SealedMessage, SealMessage
from edge_agent.outbox.opening import open_outbox
from edge_agent.outbox.store import Outbox
from edge_agent.uplink.broker_connection import BrokerConnection
from edge_agent.uplink.hub_keys import KnownHubKeys
from edge_agent.uplink.moving.place import BrokerPlace
from edge_agent.uplink.mqtt_link import Uplink
from hub.backups.keys import make_backup_key
from hub.backups.restoring import Restored, restore
from hub.backups.sealed_file import KeyLock
from hub.backups.service import BackupWish, back_up
from hub.books.days import settle_day
from hub.broker.connection import Delivery
from hub.commands.operation.init import init_hub
from hub.commands.operation.restore import note_restore
from hub.commands.operation.verify import verify_hub
from hub.folder.keys.signer import load_signer
from hub.folder.opening import OpenHub, opened_hub
from hub.intake.receiver import Intake
from hub.storage.contract import Store
from hub.storage.records import Agent, Home, Member
from protocols.public_keys import agent_name_of
from protocols.slots import slots_of_day, start_of
from protocols.timeline import Clock
from protocols.wire import topics
from protocols.wire.envelope import seal
from protocols.wire.readings import Batch, ClockTrust, encode_batch
from tests.hub.sending_home import COOP, grid_columns

HOMES = 20
DAY = date(2026, 6, 15)
SLOTS = slots_of_day(DAY, COOP.tz)
NEXT_DAY = slots_of_day(DAY + timedelta(days=1), COOP.tz)
BACKUP_AFTER = 9
"""How many of the day's quarter hours are over when the backup is made, at a quarter past two."""


class SmallHome:
    """One home: its key, its outbox and its uplink, whose broker is the street's."""

    def __init__(self, street: "Street", folder: Path, *, outbox: Outbox) -> None:
        self.name, self.street, self.outbox = folder.name, street, outbox
        name = folder.name
        self.key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
        self.public_key = self.key.public_key().public_bytes_raw()
        self.agent = agent_name_of(self.public_key)
        self.uplink = Uplink(
            outbox,
            coop=COOP.id,
            agent=self.agent,
            hub_keys=KnownHubKeys(folder, coop=COOP.id, identity=street.identity, first="", now=street.now),
            broker=BrokerPlace(("nowhere", 1)),
            now=street.now,
            monotonic=time.monotonic,
            reseal=lambda _message: None,
        )
        self.uplink._client = Wire(self)

    @property
    def has_all_receipts(self) -> bool:
        return self.uplink._receipted.through == self.outbox.next_link.seq - 1

    def sealing(self, slot: int) -> SealMessage:
        """The batch of a slot, to be given its place in the chain."""

        def make(link: ChainLink) -> SealedMessage:
            batch = Batch(
                *(self.agent, link.epoch, link.seq, link.previous),
                boot=1,
                clock=ClockTrust.TRUSTED,
                consent_version=1,
                made_at=start_of(slot + 1),
                slot=slot,
                columns=grid_columns(slot + int(self.name[1:])),
                long_intervals=(),
            )
            topic = topics.uplink_topic(COOP.id, self.agent, kind="batch")
            return SealedMessage("batch", topic, seal(self.key, topic, encode_batch(batch)))

        return make


class Wire(BrokerConnection):
    """The home's connection to the street's broker, which is always up."""

    def __init__(self, home: SmallHome) -> None:
        self._home = home
        self._is_up = False

    async def keep(self) -> None:
        if not self._is_up:
            self._is_up = True
            self._home.uplink.note_up()

    def publish(self, topic: str, sealed: bytes) -> bool:
        self._home.street.arrive(topic, sealed)
        return True

    async def leave(self) -> None:
        return


class Street:
    """The homes, the clock they share with the hub, and a broker that hands everything on at once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.identity = folder, load_signer(folder).identity
        self.homes: dict[str, SmallHome] = {}
        self.intake: Intake | None = None
        self.at_s = float(start_of(SLOTS[0]))
        self._number = 0

    def now(self) -> float:
        return self.at_s

    @property
    def clock(self) -> Clock:
        return Clock(real=self.now)

    def arrive(self, topic: str, sealed: bytes) -> None:
        if self.intake is not None:
            self._number += 1
            self.intake.offer([Delivery(topic, sealed, 1, self._number, 1)])

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """A broker's acknowledgement proves nothing."""

    def publish(self, topic: str, sealed: bytes) -> None:
        home = self.homes.get(topic.split("/")[3])
        if home is not None:
            home.uplink.note_message(topic, sealed)

    def publish_latest(self, topic: str, seal: Callable[[], bytes], *, of: Hashable) -> None:
        self.publish(topic, seal())

    @asynccontextmanager
    async def hub(self) -> AsyncIterator[OpenHub]:
        """The hub on its folder, taking what homes send."""
        async with opened_hub(self.folder, clock=self.clock) as hub:
            self.intake = Intake(hub.store, coop=COOP.id, key=hub.signer.key, clock=self.clock, broker=self)
            working = asyncio.create_task(self.intake.run())
            for home in self.homes.values():
                home.uplink.note_up()
            try:
                yield hub
            finally:
                self.intake = None
                working.cancel()
                await asyncio.wait({working})

    async def agents_changed(self) -> None:
        assert self.intake is not None
        await self.intake.agents_changed()

    async def measure(self, slots: range) -> None:
        """These quarter hours pass in every home."""
        self.at_s = max(self.at_s, start_of(slots[-1] + 1) + 60.0)
        for home in self.homes.values():
            await home.outbox.append([home.sealing(slot) for slot in slots], now_s=self.at_s)
        for home in self.homes.values():
            home.uplink.wake()

    async def until(self, ready: Callable[[], bool], what: str) -> None:
        for _ in range(3000):
            if ready():
                return
            await asyncio.sleep(0.02)
        pytest.fail(f"waited in vain for {what}")

    async def all_receipted(self) -> None:
        def done() -> bool:
            return all(home.has_all_receipts for home in self.homes.values())

        await self.until(done, "every receipt")


async def enrol(store: Store, home: SmallHome, *, joined_at: int = 0) -> None:
    """Add the home's member, the home and its agent to the store; the first two are on the board."""
    number = int(home.name[1:])
    member = Member(f"m{number:02d}", f"Member {number}", f"m{number}@example.org", "en", number <= 2, joined_at)
    await store.add_member(member, Home(home.name, home.name, member.id))
    token = hashlib.sha256(home.public_key).digest()
    await store.add_invite(token, home_id=home.name, expires_at=2**32)
    agent = Agent(home.agent, home.name, topics.shard_of(home.agent), home.public_key, 1, None)
    assert await store.redeem_invite(token, agent=agent, now=1) is None


async def held(store: Store, home: SmallHome) -> list[bytes]:
    rows = await store.stored_messages(home.agent, after=(0, 0), limit=1000)
    return [row.sealed for row in rows]


async def move_in(street: Street, folder: Path, exits: AsyncExitStack) -> SmallHome:
    """One more home, whose agent runs until the end."""
    name = f"h{len(street.homes) + 1:02d}"
    (folder / name).mkdir()
    outbox, _ = await exits.enter_async_context(open_outbox(folder / name, max_mb=20, now_s=street.at_s))
    home = SmallHome(street, folder / name, outbox=outbox)
    street.homes[home.agent] = home
    running = asyncio.create_task(home.uplink.run())

    async def end() -> None:
        running.cancel()
        await asyncio.wait({running})

    exits.push_async_callback(end)
    return home


@dataclass
class Evening:
    """What the hub had just before its disk died: every home's messages, and how the day was settled."""

    messages: dict[str, list[bytes]]
    result_hash: str
    late: SmallHome


async def live_until_the_disk_dies(street: Street, folder: Path, exits: AsyncExitStack, disk: Path) -> Evening:
    """A day of the street: backed up in the night, settled in the evening; a home more enrols in between."""
    homes = [await move_in(street, folder, exits) for _ in range(HOMES)]
    async with street.hub() as hub:
        for home in homes:
            await enrol(hub.store, home)
        await street.agents_changed()
        await street.measure(SLOTS[:BACKUP_AFTER])
        await street.all_receipted()
        at, wish = int(street.at_s), BackupWish(disk)
        await asyncio.to_thread(back_up, street.folder, coop=COOP, settings=None, made_at=at, wish=wish)
        await street.measure(SLOTS[BACKUP_AFTER:])
        late = await move_in(street, folder, exits)
        await enrol(hub.store, late, joined_at=int(street.at_s))
        await street.agents_changed()
        await street.measure(NEXT_DAY[:1])
        await street.all_receipted()
        settled = await settle_day(hub.store, day=DAY, made_at=int(street.at_s), key=hub.signer.key)
        messages = {home.name: await held(hub.store, home) for home in street.homes.values()}
    shutil.rmtree(street.folder)
    return Evening(messages, settled.result_hash, late)


async def restore_last_night(street: Street, disk: Path, key: KeyLock) -> None:
    (backup,) = disk.iterdir()

    def check(place: Path, found: Restored) -> None:
        asyncio.run(note_restore(place, backup=backup, found=found, clock=street.clock))

    await asyncio.to_thread(restore, backup, street.folder, lock=key, check=check)


async def test_nothing_receipted_is_missing_after_a_restore_and_the_day_settles_alike(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    disk = tmp_path / "disk"
    disk.mkdir()
    await init_hub(tmp_path / "hub", coop=COOP, clock=Clock(real=lambda: float(start_of(SLOTS[0]))))
    street, key = Street(tmp_path / "hub"), make_backup_key(tmp_path / "hub")
    async with AsyncExitStack() as exits:
        evening = await live_until_the_disk_dies(street, tmp_path, exits, disk)
        await restore_last_night(street, disk, key)
        forgotten = street.homes.pop(evening.late.agent)
        async with street.hub() as hub:
            assert {len(await held(hub.store, home)) for home in street.homes.values()} == {BACKUP_AFTER}
            await street.measure(NEXT_DAY[1:2])
            await street.all_receipted()
            for home in street.homes.values():
                assert (await held(hub.store, home))[:-1] == evening.messages[home.name], home.name
            assert len(evening.messages[home.name]) == len(SLOTS) + 1
            settled = await settle_day(hub.store, day=DAY, made_at=int(street.at_s), key=hub.signer.key)
            assert settled.result_hash == evening.result_hash
            forgotten.uplink.note_up()
            await forgotten.outbox.append([forgotten.sealing(NEXT_DAY[1])], now_s=street.at_s)
            forgotten.uplink.wake()
            assert await unknown_agents(hub.store) == [f"no agent {forgotten.agent} is enrolled"]
    told = [record.getMessage() for record in caplog.records if "restored from a backup?" in record.getMessage()]
    assert len(told) == HOMES
    verified = await asyncio.to_thread(asyncio.run, verify_hub(street.folder, clock=street.clock))
    assert verified["ok"], verified


async def unknown_agents(store: Store) -> list[str]:
    """What the hub counted of agents that it does not know, as `status` shows it to the board."""
    async with asyncio.timeout(30):
        while not (found := [row for row in await store.refusals() if row.reason == "unknown_agent"]):
            await asyncio.sleep(0.02)
    return [row.detail for row in found]
