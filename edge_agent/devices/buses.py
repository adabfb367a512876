"""One worker per connection: when its devices are read, how long a silent one is left alone, when a slot closes.

Connections are independent, so a dead device does not delay devices on other connections.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edge_agent.devices.line import DeviceBusyError, DeviceReadError, ReadRefusedError, RegisterLink, WrongDeviceError
from edge_agent.devices.reader import Device
from edge_agent.metering.clock.trusted import BootClock
from edge_agent.metering.counter_records import ReadingVerdict
from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint
from protocols.quantities import Gap
from protocols.slots import SLOT_S, slot_of, start_of
from protocols.timeline import Clock
from protocols.wire.readings import DeviceState, Liveness

log = logging.getLogger("commonwatt.agent")

BACK_OFF_MAX_S = 300.0
RETRY_FIRST_S = 5.0
CHECK_EVERY_S = 60.0
"""Real seconds after which a sleeping worker checks whether the clock was set."""

SMALLEST_STEP_S = 1.0
"""A clock that is off by less changes nothing that is said of a quarter hour."""

GIVEN_UP_AFTER = 3
"""A device that failed this often in a row gets one try at a boundary instead of tries throughout the window."""


@dataclass(frozen=True, slots=True)
class ReadingPace:
    """How often the devices are read. Units: seconds of the clock; `interval_s` divides 900."""

    interval_s: int
    boundary_window_s: int


@dataclass(slots=True)
class DeviceHealth:
    """How a device has behaved lately."""

    state: Liveness = Liveness.OK
    failures: int = 0
    failures_in_all: int = 0
    next_try_s: float = 0.0
    last_good_s: float = 0.0
    gap: Gap = Gap.DEVICE_SILENT
    trouble: str = ""
    verdicts: dict[MeasuringPoint, ReadingVerdict] = field(default_factory=dict)


class Bus:
    """The devices behind one connection and the one task that reads them."""

    def __init__(
        self,
        link: RegisterLink,
        devices: Sequence[Device],
        *,
        metering: HomeMeter,
        clock: Clock,
        pace: ReadingPace,
        random: Callable[[], float],
        closed: Callable[[], None],
        absence: Gap = Gap.AGENT_OFF,
        boot_clock: BootClock | None = None,
    ) -> None:
        self.link = link
        self.devices = tuple(devices)
        self._metering = metering
        self._clock = clock
        self._pace = pace
        self._random = random
        self._closed = closed
        self._absence = absence
        self._boot_clock = boot_clock
        self._offset_s = self._offset(clock.now())
        self._was_set = False
        self._shifted_s = 0.0
        self._has_begun = False
        started = clock.now()
        self._places = [(device, place) for device in self.devices for place in device.places]
        self._health = {device: DeviceHealth(last_good_s=started) for device in self.devices}

    async def run(self) -> None:
        """Read until cancelled. Never raises for anything a device or a connection does."""
        now_s = self._clock.now()
        self._close_what_passed(self._absence, now_s)
        tick_s = self._tick(now_s)
        if not await self._read_boundary(now_s):
            await self._poll(tick_s)
        while True:
            now_s = await self._sleep_until(tick_s + self._pace.interval_s)
            was_set, self._was_set = self._was_set, False
            tick_s = self._tick(now_s)
            self._close_what_passed(Gap.CLOCK_UNTRUSTED if was_set else Gap.AGENT_OFF, now_s)
            if not await self._read_boundary(now_s):
                await self._poll(tick_s)

    def states(self) -> list[DeviceState]:
        """What is reported to the hub about each device: whether it answers, nothing about power."""
        now_s = self._clock.now()
        return [
            DeviceState(device.settings.name, health.state, max(0, int(now_s - health.last_good_s)))
            for device, health in self._health.items()
        ]

    def troubles(self) -> dict[str, tuple[int, str]]:
        """For people in the home: how often each device gave no answer since the start, and the newest reason."""
        return {
            device.settings.name: (health.failures_in_all, health.trouble) for device, health in self._health.items()
        }

    def _tick(self, now_s: float) -> int:
        """The start of the current polling interval; samples carry this time, not the instant they were read."""
        return int(now_s) - int(now_s) % self._pace.interval_s

    def _offset(self, now_s: float) -> float:
        """Wall clock minus boot clock; constant until someone sets the wall clock."""
        return now_s - self._boot_clock() if self._boot_clock else 0.0

    async def _sleep_until(self, when_s: float) -> float:
        """Return at that time, or soon after the clock is set: a clock set back might not reach it for weeks.

        Returns the time it is then.
        """
        while True:
            now_s = self._clock.now()
            self._note_step(now_s)
            if self._was_set or now_s >= when_s:
                return now_s
            await self._clock.sleep_towards(when_s, at_most_s=CHECK_EVERY_S)

    def _note_step(self, now_s: float) -> None:
        """If the wall clock was set, inform the meter; if by more than the boundary window, say so too.

        By less than that a slot keeps its energy; but the time between two readings is then not what the clock says.
        """
        by_s = self._offset(now_s) - self._offset_s
        more_s = by_s - self._shifted_s
        if abs(by_s) <= self._pace.boundary_window_s:
            if abs(more_s) >= SMALLEST_STEP_S:
                self._shifted_s = by_s
                for _, place in self._places:
                    self._metering.step_time(place, more_s, is_small=True)
            return
        self._was_set = True
        self._offset_s += by_s
        for health in self._health.values():
            health.next_try_s += by_s
            health.last_good_s += by_s
        log.warning("the system clock was changed by %+.0f s: the energy of that slot is kept only as a total", by_s)
        for _, place in self._places:
            self._metering.step_time(place, more_s)
        self._shifted_s = 0.0

    def _close_what_passed(self, gap: Gap, now_s: float) -> None:
        """Close slots whose boundary was missed because the program was off or the computer asleep."""
        latest_s = now_s - self._pace.boundary_window_s
        found = False
        for device, place in self._places:
            while start_of(self._metering.next_of(place) + 1) < latest_s:
                self._metering.close(place, self._health[device].gap if self._health[device].failures else gap)
                found = True
        if found:
            self._closed()

    async def _read_boundary(self, now_s: float) -> bool:
        """At a boundary, read every device until it has answered or the window is over. Returns whether there was one.

        A boundary closes each point's slot, or opens its first one.
        """
        boundary = slot_of(now_s)
        ends_s = start_of(boundary) + self._pace.boundary_window_s
        waiting = {place for _, place in self._places if self._metering.next_of(place) + 1 == boundary}
        opening = {place for _, place in self._places if self._metering.next_of(place) == boundary}
        is_first = bool(opening) and now_s <= ends_s and not self._has_begun
        self._has_begun = True
        if not waiting and not is_first:
            return False
        await self._read_through_window(waiting or opening, start_of(boundary), ends_s=ends_s)
        for device, place in self._places:
            if place in waiting and self._metering.next_of(place) + 1 == boundary:
                self._metering.close(place, self._missed(device, place))
        self._closed()
        return True

    async def _read_through_window(self, places: set[MeasuringPoint], boundary_s: int, *, ends_s: int) -> None:
        """Read until every point has a good sample. Every device gets at least one try, however late it is."""
        left = set(places)
        devices = sorted(self.devices, key=lambda device: self._health[device].failures)
        retry_s = RETRY_FIRST_S
        while True:
            for device in devices:
                if mine := left.intersection(device.places):
                    left -= await self._read_at_boundary(device, boundary_s, places=mine)
            devices = [device for device in devices if self._health[device].failures < GIVEN_UP_AFTER]
            wait_s = retry_s * (0.5 + 0.5 * self._random())
            still = any(left.intersection(device.places) for device in devices)
            if not still or self._clock.now() + wait_s >= ends_s:
                return
            await self._sleep_until(self._clock.now() + wait_s)
            if self._was_set:
                return
            retry_s *= 2

    async def _read_at_boundary(
        self, device: Device, boundary_s: int, *, places: set[MeasuringPoint]
    ) -> set[MeasuringPoint]:
        """One try. Returns the points that gave a good sample; their slots are now closed or opened."""
        await self._read(device, boundary_s, places=places)
        health = self._health[device]
        if health.failures:
            return set()
        # A value refused again and again is not waited for; what the device does give is kept.
        done = {p for p in places if health.verdicts.get(p) is ReadingVerdict.GOOD or device.gives_up_on(p)}
        for place in done:
            if start_of(self._metering.next_of(place)) == boundary_s:
                self._metering.open(place)
            else:
                self._metering.close(place, self._missed(device, place))
        return done

    async def _poll(self, tick_s: int) -> None:
        for device in self.devices:
            next_try_s = self._health[device].next_try_s
            if not next_try_s or self._clock.now() >= next_try_s:
                await self._read(device, tick_s, places=set(device.places))

    async def _read(self, device: Device, at_s: int, *, places: set[MeasuringPoint]) -> None:
        """One reading of a device, checked by the meter. Failures are logged, never raised."""
        health = self._health[device]
        try:
            readout = await device.read_places(self.link)
            now_s = self._clock.now()
            samples = device.samples(readout, float(at_s), late_s=self._late(at_s, now_s))
            self._tell_news(device)
        except DeviceReadError as trouble:
            self._note_trouble(device, trouble, at_s)
            return
        for place in device.places:
            if place in places:
                health.verdicts[place] = self._metering.add_sample(place, samples[place])
        health.failures, health.next_try_s, health.last_good_s = 0, 0.0, now_s
        asleep = all(health.verdicts.get(place) is ReadingVerdict.NOTHING for place in device.places)
        refusing = any(device.is_refused(place) for place in device.places)
        self._note_state(
            device, Liveness.REFUSING if refusing else Liveness.ASLEEP if asleep else Liveness.OK, "answers"
        )

    def _tell_news(self, device: Device) -> None:
        """Log which registers the device refuses, each once."""
        for words in device.news():
            log.warning("device %s at %s: %s", device.settings.name, self.link.endpoint.shown, words)

    def _late(self, at_s: int, now_s: float) -> float:
        """How long after the instant it was read for an answer came; not across a change of the clock.

        On a developer's timeline that runs faster, what this computer needs for a reading is not stretched with it.
        """
        late_s = now_s - at_s
        within_s = late_s % self._pace.interval_s
        late_s -= within_s - within_s / max(1.0, self._clock.rate)
        return late_s if 0 <= late_s <= SLOT_S else 0.0

    def _missed(self, device: Device, place: MeasuringPoint) -> Gap:
        if self._health[device].failures:
            return self._health[device].gap
        return Gap.DEVICE_REFUSED if device.is_refused(place) else Gap.DEVICE_SILENT

    def _note_trouble(self, device: Device, trouble: Exception, at_s: int) -> None:
        """Leave the device alone for a while, counted from the instant it was read for: one failure skips no poll."""
        health = self._health[device]
        health.failures += 1
        health.failures_in_all += 1
        longest_s = max(BACK_OFF_MAX_S, float(self._pace.interval_s))
        delay_s = min(longest_s, self._pace.interval_s * 2.0 ** min(health.failures - 1, 10))
        health.next_try_s = at_s + delay_s * (0.5 + 0.5 * self._random())
        refused = isinstance(trouble, ReadRefusedError | WrongDeviceError)
        health.gap = Gap.DEVICE_REFUSED if refused else Gap.DEVICE_SILENT
        busy = isinstance(trouble, DeviceBusyError)
        self._note_state(
            device, Liveness.REFUSING if refused else Liveness.SLOW if busy else Liveness.SILENT, str(trouble)
        )

    def _note_state(self, device: Device, state: Liveness, words: str) -> None:
        """Log a change of state once."""
        health = self._health[device]
        if state is health.state and (state in (Liveness.OK, Liveness.ASLEEP) or words == health.trouble):
            return
        calm = state in (Liveness.OK, Liveness.ASLEEP)
        level = logging.INFO if calm else logging.WARNING
        tail = "" if calm else "; will retry with pauses, other devices are unaffected"
        log.log(level, "device %s at %s: %s (%s)%s", device.settings.name, self.link.endpoint.shown, state, words, tail)
        health.state, health.trouble = state, words
