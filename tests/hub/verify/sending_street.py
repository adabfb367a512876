"""A hub's folder whose homes send real messages, so that a verification can be followed by more of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.connection import Delivery
from hub.commands.operation.init import init_hub
from hub.commands.operation.verify import find_checkpoint, keep_checkpoint
from hub.folder.opening import open_store
from hub.folder.settings import load_settings
from hub.intake.fair_queues import MAX_GROUP, MAX_GROUP_EACH
from hub.intake.receiver import Intake
from hub.storage.contract import Store
from hub.verify.folder_check.checking import Verified, check_hub
from hub.verify.folder_check.checkpoint import Checkpoint
from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, ConsentSet, default_consent, sort_rules
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import start_of
from protocols.timeline import Clock
from protocols.wire.readings import Column, DeviceState, Liveness, LongInterval
from tests.benchmarks.bench_intake import Nobody
from tests.hub.sending_home import COOP, FIRST_SLOT, SendingHome, enrol

MEASURES: Final = (Measure.GRID_IMPORT, Measure.GRID_EXPORT, Measure.PV_PRODUCTION)
CLOCK: Final = Clock(real=lambda: float(start_of(FIRST_SLOT + 5000)))
PROGRAM: Final = "test"


@dataclass
class SendingStreet:
    """A hub's folder and the agents that send to it; their keys follow from their numbers."""

    folder: Path
    homes: list[SendingHome]
    sent: int = 0
    measures: Sequence[Measure] = MEASURES
    more_wh: int = 0
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def send(self, batches: int) -> None:
        """So many more batches of each home, stored by intake."""
        asyncio.run(self._send(batches))

    async def open(self) -> Store:
        """The store, wherever the settings say it is."""
        return await open_store(self.folder, clock=CLOCK, server=load_settings(self.folder).store)

    async def _send(self, batches: int) -> None:
        store = await self.open()
        try:
            intake = Intake(store, coop=COOP.id, key=self.key, clock=CLOCK, broker=Nobody())
            await intake.agents_changed()
            messages = self._messages(batches)
            most, before = min(MAX_GROUP, MAX_GROUP_EACH * len(self.homes)), await store.message_count()
            for at in range(0, len(messages), most):
                group = messages[at : at + most]
                intake.offer([Delivery(topic, sealed, 1, n, 1) for n, (topic, sealed) in enumerate(group)])
                await intake.work_once()
            assert await store.message_count() == before + len(messages)
        finally:
            await store.close()

    def _messages(self, batches: int) -> list[tuple[str, bytes]]:
        messages = []
        if self.sent == 0:
            rule = ConsentRule("forecast.hood", tuple(self.measures), Resolution.PT15M, 0, None)
            for home in self.homes:
                rules = sort_rules([*default_consent(home.home).rules, rule])
                messages.append(home.consent(ConsentSet(home.home, 2, rules)))
        for n in range(self.sent, self.sent + batches):
            slot = FIRST_SLOT + n
            for home in self.homes:
                columns = [
                    Column(m, 1, (n * 7 + m) % 900 + self.more_wh, 0, Mark.MEASURED, Gap.NONE) for m in self.measures
                ]
                totals = (LongInterval(Measure.GRID_IMPORT, slot - 3, 3, n),) if n % 5 == 4 else ()
                devices = (DeviceState("meter", Liveness.OK, n % 60),)
                messages.append(home.batch(slot, columns=columns, long_intervals=totals, devices=devices))
        self.sent += batches
        return messages

    def check(self, *, since: Checkpoint | None = None, only: str | None = None, processes: int = 1) -> Verified:
        """What a verification finds."""
        return asyncio.run(
            check_hub(self.folder, clock=CLOCK, program=PROGRAM, since=since, only=only, processes=processes)
        )

    def go_on(self) -> Verified:
        """A verification from the folder's checkpoint on, which leaves its own."""
        verified = self.check(since=find_checkpoint(self.folder, None, clock=CLOCK))
        keep_checkpoint(self.folder, verified)
        return verified


def sending_street(folder: Path, *, homes: int = 2, measures: Sequence[Measure] = MEASURES) -> SendingStreet:
    """A new hub with these homes, which have sent nothing."""
    keys = [Ed25519PrivateKey.from_private_bytes(number.to_bytes(32)) for number in range(1, homes + 1)]
    street = SendingStreet(folder, [SendingHome(f"h{n:02d}", key) for n, key in enumerate(keys, 1)], measures=measures)

    async def begin() -> None:
        await init_hub(folder, coop=COOP, clock=CLOCK)
        store = await open_store(folder, clock=CLOCK)
        try:
            for number, home in enumerate(street.homes, start=1):
                await enrol(store, home, member=f"m{number:02d}")
        finally:
            await store.close()

    asyncio.run(begin())
    return street


def sentences(verified: Verified) -> list[str]:
    """Everything that was found."""
    return [sentence for part in verified.parts.values() for sentence in part.findings]
