"""An outbox, an uplink and a stub hub on one real broker, for tests of what goes between them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.metering.home_meter import ClosedSlot
from edge_agent.outbox.opening import open_outbox
from edge_agent.outbox.store import Outbox
from edge_agent.uplink.hub_keys import KnownHubKeys
from edge_agent.uplink.moving.place import BrokerPlace
from edge_agent.uplink.mqtt_link import Uplink
from edge_agent.uplink.pace.told import HubPace
from edge_agent.uplink.sealing import AgentSigner, BatchContext, ConsentFilter, reseal_message
from protocols.consent.reduction import SlotValue
from protocols.consent.rules import default_consent
from protocols.quantities import Mark, Measure
from protocols.wire.readings import ClockTrust
from protocols.wire.topics import downlink_topic
from tests.edge_agent.hand_clock import until
from tests.edge_agent.stub_hub import AGENT, COOP, HOME, BrokerProcess, StubHub

NOW = 1_790_000_000.0


class Line:
    """An outbox, an uplink and a stub hub on one broker."""

    def __init__(self, outbox: Outbox, hub: StubHub, key: Ed25519PrivateKey, folder: Path) -> None:
        self.outbox = outbox
        self.folder = folder
        self.hub = hub
        self.signer = AgentSigner(COOP, AGENT, key)
        self.gate = ConsentFilter(default_consent(HOME))
        self.slot, self.boot = 2_000_000, 1
        self.is_stopped = False
        self.pace: HubPace | None = None
        self.uplink = self.make_uplink()

    def make_uplink(self, port: int | None = None) -> Uplink:
        uplink = Uplink(
            self.outbox,
            coop=COOP,
            agent=AGENT,
            hub_keys=self.hub_keys(),
            broker=BrokerPlace(("127.0.0.1", port or self.hub.port)),
            now=lambda: NOW,
            monotonic=asyncio.get_running_loop().time,
            reseal=partial(reseal_message, self.signer),
            resend_first_s=0.5,
            is_stopped=lambda: self.is_stopped,
            pace=self.pace,
        )
        uplink.takers[downlink_topic(COOP, AGENT, kind="pace")] = uplink.pace.note
        return uplink

    def hub_keys(self) -> KnownHubKeys:
        identity = self.hub.key.public_key().public_bytes_raw()
        return KnownHubKeys(self.folder, coop=COOP, identity=identity, first="", now=lambda: NOW)

    async def add(self, count: int, *, for_slot: bool = False) -> None:
        sealings = []
        for _ in range(count):
            values = {measure: SlotValue(7, Mark.MEASURED) for measure in (Measure.GRID_IMPORT, Measure.GRID_EXPORT)}
            slot = ClosedSlot(self.slot, values, ())
            made = BatchContext(self.boot, ClockTrust.TRUSTED, int(NOW))
            sealings.append(self.gate.batch(self.signer, slot, devices=(), context=made))
            self.slot += 1
        if for_slot:
            self.uplink.hold_for_slot()
        await self.outbox.append(sealings, now_s=NOW)
        self.uplink.wake(for_slot=for_slot)

    async def waiting(self) -> int:
        return len(await self.outbox.waiting(after=0, limit=10_000))

    async def all_receipted(self, through: int) -> None:
        await until(lambda: self.hub.position.seq == through, 60, "the hub has all")
        async with asyncio.timeout(60):
            while await self.waiting():
                await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.uplink.run())
        try:
            yield
        finally:
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=30)
            assert done, "the uplink did not end when it was told to"


@contextlib.asynccontextmanager
async def line(tmp_path: Path, broker: BrokerProcess, *, answers: bool = True) -> AsyncIterator[Line]:
    key = Ed25519PrivateKey.generate()
    hub = StubHub(broker.port, key.public_key())
    hub.answers = answers
    await asyncio.to_thread(hub.start)
    async with open_outbox(tmp_path / "data", max_mb=8, now_s=NOW) as (outbox, _):
        try:
            yield Line(outbox, hub, key, tmp_path / "data")
        finally:
            await asyncio.to_thread(hub.stop)
