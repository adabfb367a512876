"""A hub's folder with many signed quarter hours, sums and settled days, stored without intake's work."""

import asyncio
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from hub.books.days import settle_day
from hub.folder.keys.signer import load_signer
from hub.folder.opening import open_store
from hub.storage.contract import Store
from hub.storage.records import AcceptedMessage, DeviceRow, ReadingRow
from protocols.quantities import Gap, Mark
from protocols.slots import Slot, day_of, slots_of_day, start_of
from protocols.timeline import Clock
from protocols.wire.readings import Column, DeviceState, Liveness
from tests.benchmarks.bench_intake import MEASURES
from tests.hub.sending_home import COOP, FIRST_SLOT, SendingHome
from tests.hub.settled_street import RULE, SINCE
from tests.hub.verify.sending_street import SendingStreet, sending_street

AT_ONCE: Final = 4_000
"""Messages in one commit."""
FIRST_DAY: Final = day_of(FIRST_SLOT, COOP.tz) + timedelta(days=1)
"""The first whole day; what comes before it is sent through intake."""


@dataclass
class FilledHub:
    """A hub with so many homes and whole days from FIRST_DAY on; its clock stands in the night behind the last one."""

    folder: Path
    homes: int
    days: int = 0
    street: SendingStreet = field(init=False)

    def __post_init__(self) -> None:
        self.street = sending_street(self.folder, homes=self.homes, measures=MEASURES)
        asyncio.run(self._begin())
        self.street.send(1)

    @property
    def clock(self) -> Clock:
        """When it stands."""
        at = float(start_of(self._slots_of(self.days).start + 16))
        return Clock(real=lambda: at)

    @property
    def messages(self) -> int:
        """All that are stored."""
        return sum(home.seq for home in self.street.homes)

    def go_on(self, days: int) -> None:
        """So many more days, each settled when it is over."""
        asyncio.run(self._go_on(days))

    def _slots_of(self, day: int) -> range:
        return slots_of_day(FIRST_DAY + timedelta(days=day), COOP.tz)

    async def _begin(self) -> None:
        store = await open_store(self.folder, clock=self.clock)
        try:
            await store.add_rule(RULE.version(), canonical=RULE.canonical(), valid_from_day=SINCE)
        finally:
            await store.close()

    async def _go_on(self, days: int) -> None:
        for _ in range(days):
            slots = self._slots_of(self.days)
            self.days += 1
            store = await open_store(self.folder, clock=self.clock)
            try:
                await self._send(store, slots)
                await self._settle(store, FIRST_DAY + timedelta(days=self.days - 1))
            finally:
                await store.close()

    async def _send(self, store: Store, slots: range) -> None:
        waiting: list[AcceptedMessage] = []
        for slot in slots:
            for number, home in enumerate(self.street.homes):
                waiting.append(_message(home, slot, number=number))
            if len(waiting) >= AT_ONCE:
                await store.store_messages(waiting)
                waiting.clear()
        await store.store_messages(waiting)

    async def _settle(self, store: Store, day: date) -> None:
        await settle_day(store, day=day, made_at=int(self.clock.now()), key=load_signer(self.folder))


def _message(home: SendingHome, slot: Slot, *, number: int) -> AcceptedMessage:
    columns = [Column(m, 1, (number * 31 + slot * 7 + m) % 900, 0, Mark.MEASURED, Gap.NONE) for m in MEASURES]
    made_at = start_of(slot + 1)
    _, sealed = home.batch(slot, columns=columns, devices=(DeviceState("meter", Liveness.OK, slot % 60),))
    return AcceptedMessage(
        *(home.agent, home.home, home.epoch, home.seq, "batch", home.previous, sealed, made_at, slot),
        tuple(ReadingRow(home.home, each.measure, slot, 1, each.energy_wh, each.mark, each.gap) for each in columns),
        (),
        (DeviceRow(home.home, "meter", Liveness.OK.value, slot % 60, made_at, 1),),
        *(None, None, None),
    )
