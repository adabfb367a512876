"""A home elsewhere for journeys: enrolled over TLS as the agent does it, with a real outbox and uplink; no devices."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from edge_agent.metering.home_meter import ClosedSlot
from edge_agent.outbox.opening import open_outbox
from edge_agent.outbox.store import Outbox
from edge_agent.setup.enrolment import enrol, find_root
from edge_agent.setup.hub_site import fetch_root_document, post_question, post_to
from edge_agent.uplink.hub_time import HubTime
from edge_agent.uplink.identity import KEY_FILE, Identity, hub_keys_of, own_key
from edge_agent.uplink.moving.asking import AskingParts, keep_asking
from edge_agent.uplink.moving.place import BrokerPlace
from edge_agent.uplink.mqtt_link import Uplink
from edge_agent.uplink.sealing import BatchContext, ConsentFilter, reseal_message
from protocols.consent.reduction import SlotValue
from protocols.public_keys import agent_name_of
from protocols.quantities import Mark, Measure
from protocols.slots import slot_of
from protocols.wire.clock_check import ClockState
from protocols.wire.readings import ClockTrust
from protocols.wire.topics import downlink_topic, shard_of
from tests.hub.sending_home import COOP

BACKLOG_SLOTS = 5000
"""How far back the first quarter hour lies: so many can be made before they reach the present."""


class UplinkHome:
    """The agent's side towards the hub, in this process. `hurry` divides its pauses before it asks the hub."""

    def __init__(self, folder: Path, identity: Identity, outbox: Outbox, *, now_s: float, hurry: float = 60.0) -> None:
        self.folder, self.identity, self.outbox, self.now_s = folder, identity, outbox, now_s
        self.gate, self.slot = ConsentFilter(identity.consent), slot_of(now_s) - BACKLOG_SLOTS
        enrolment, signer = identity.enrolment, identity.signer
        self.agent = enrolment.agent
        hub_keys = hub_keys_of(folder, enrolment, now=time.time)
        self.place = BrokerPlace(
            (enrolment.broker_host, enrolment.broker_port),
            agent=self.agent,
            folder=folder,
            now=time.time,
            monotonic=time.monotonic,
        )
        state = lambda: ClockState.SYNCHRONISED  # noqa: E731
        time_of_hub = HubTime(signer, boot_clock=time.monotonic, wall=time.time, nonces=os.urandom, state=state)
        self.uplink = Uplink(
            outbox,
            coop=enrolment.coop,
            agent=self.agent,
            hub_keys=hub_keys,
            broker=self.place,
            now=time.time,
            monotonic=time.monotonic,
            reseal=partial(reseal_message, signer),
            resend_first_s=2.0,
            hub_time=time_of_hub,
            tls=identity.tls,
        )
        time_of_hub.note_answered = self.place.note_answered
        self.place.moved, self.place.is_up = self.uplink.wake, lambda: self.uplink.is_connected
        self.uplink.takers[downlink_topic(enrolment.coop, self.agent, kind="broker")] = self.place.note
        assert identity.tls is not None
        self._asking = AskingParts(
            self.place,
            hub_keys,
            enrolment.coop,
            self.agent,
            post=post_question(enrolment.broker_host, enrolment.enrol_port, root=identity.tls.root),
            is_out_of_reach=lambda: self.uplink.is_out_of_reach,
            random=lambda: 0.5,
            pause=lambda pause_s: asyncio.sleep(pause_s / hurry),
        )

    async def add(self, count: int = 1) -> None:
        """Quarter hours end: so many batches are sealed and stored."""
        sealings = []
        for _ in range(count):
            values = {each: SlotValue(7, Mark.MEASURED) for each in (Measure.GRID_IMPORT, Measure.GRID_EXPORT)}
            made = BatchContext(1, ClockTrust.TRUSTED, int(self.now_s))
            slot = ClosedSlot(self.slot, values, ())
            sealings.append(self.gate.batch(self.identity.signer, slot, devices=(), context=made))
            self.slot += 1
        await self.outbox.append(sealings, now_s=self.now_s)
        self.uplink.wake()

    async def waiting(self) -> int:
        """How many messages have no receipt."""
        return len(await self.outbox.waiting(after=0, limit=100_000))

    @property
    def made(self) -> int:
        """How many messages there are in all."""
        return self.outbox.next_link.seq - 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.uplink.run()), asyncio.create_task(keep_asking(self._asking))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            done, left = await asyncio.wait(tasks, timeout=60)
            assert len(done) == len(tasks), f"{left} did not end when it was told to"


def key_in(folder: Path, shards: range) -> str:
    """Make the folder's key so that its agent is in one of these shards; the agent's name."""
    while True:
        name = agent_name_of(own_key(folder).public_key().public_bytes_raw())
        if shard_of(name) in shards:
            return name
        (folder / KEY_FILE).unlink()


@asynccontextmanager
async def uplink_home(
    folder: Path, *, enrol_port: int, token: str, shards: range, now_s: float
) -> AsyncIterator[UplinkHome]:
    """A home with an agent in one of these shards that is enrolled with the hub at this port, not yet connected."""
    url = f"https://localhost:{enrol_port}"
    key_in(folder, shards)

    def enrolled() -> Identity:
        root = find_root(token, coop=COOP.id, fetch=lambda: fetch_root_document(url))
        return enrol(folder, token, coop=COOP.id, post=post_to(url, root=root), root=root)

    identity = await asyncio.to_thread(enrolled)
    async with open_outbox(folder, max_mb=64, now_s=now_s) as (outbox, _):
        yield UplinkHome(folder, identity, outbox, now_s=now_s)
