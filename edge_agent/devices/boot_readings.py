"""Readings taken before the time is known: kept in memory by seconds since boot and assigned to slots later.

They are lost in a reboot; the counters then still give the total, without its times.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edge_agent.devices.line import DeviceReadError, RegisterLink
from edge_agent.devices.reader import Device
from edge_agent.metering.clock.trusted import BootClock
from edge_agent.metering.home_meter import MeasuringPoint, Sample

log = logging.getLogger("commonwatt.agent")

MAX_KEPT = 8192
"""Samples kept: more than a day of one device. Beyond that the oldest are dropped and their slots get only a total."""

READ_EVERY_S = 15
"""Slot boundaries are not known yet; at this rate some reading is close enough to every boundary."""


@dataclass(frozen=True, slots=True)
class TimedSamples:
    """One reading of one device. `at_s` is in the clock of the readings: since boot, or wall time."""

    at_s: float
    samples: Mapping[MeasuringPoint, Sample]


class BootReadings:
    """The newest readings by the boot clock."""

    def __init__(self) -> None:
        self._moments: deque[TimedSamples] = deque(maxlen=MAX_KEPT)

    def add(self, boot_s: float, samples: Mapping[MeasuringPoint, Sample]) -> None:
        """Keep one reading."""
        self._moments.append(TimedSamples(boot_s, samples))

    def on_wall_clock(self, now_s: float, boot_s: float) -> list[TimedSamples]:
        """All readings in order with their wall times, given both clocks at one instant."""
        moments = (self._moved(moment, by_s=now_s - boot_s) for moment in self._moments)
        return sorted(moments, key=lambda moment: moment.at_s)

    def _moved(self, moment: TimedSamples, *, by_s: float) -> TimedSamples:
        at_s = moment.at_s + by_s
        return TimedSamples(at_s, {place: replace(sample, at_s=at_s) for place, sample in moment.samples.items()})

    async def read(self, link: RegisterLink, devices: Sequence[Device], boot_clock: BootClock) -> None:
        """Read the devices of one connection repeatedly until cancelled. Never raises for what a device does."""
        troubled: set[Device] = set()
        while True:
            began_s = boot_clock()
            for device in devices:
                at_s = boot_clock()
                try:
                    self.add(at_s, device.samples(await device.read_places(link), at_s))
                except DeviceReadError as trouble:
                    if device not in troubled:
                        log.warning("device %s at %s: %s", device.settings.name, link.endpoint.shown, trouble)
                    troubled.add(device)
            await asyncio.sleep(max(0.0, began_s + READ_EVERY_S - boot_clock()))
