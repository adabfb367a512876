"""The worker of one connection: boundaries, windows, back-off, and what it tells about its devices.

Mostly only the boundaries are read, a quarter hour apart: that is no measurement, so the values are DERIVED.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from edge_agent.devices.buses import Bus, ReadingPace
from edge_agent.devices.line import LineSettings, NoAnswerError, RegisterLink
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.devices.reader import Device, Readout
from edge_agent.metering.home_meter import ClosedSlot, HomeMeter
from edge_agent.settings import Endpoint
from protocols.consent.reduction import SlotValue
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import start_of
from protocols.wire.readings import Liveness
from tests.edge_agent.devices.test_reader import device
from tests.edge_agent.hand_clock import HandClock, until
from tests.edge_agent.modbus_stand import Stand, link_to, meter_words, shipped

FIRST = 2_000_000
T0 = float(start_of(FIRST))


class Street:
    """Stands, their buses and one meter, on a clock moved by hand."""

    def __init__(
        self,
        *devices: Device,
        now_s: float = T0,
        window_s: int = 60,
        clock: HandClock | None = None,
        interval_s: int = 60,
    ) -> None:
        self.clock = clock or HandClock(now_s)
        self.devices = devices
        places = [place for each in devices for place in each.places]
        self.metering = HomeMeter(places, next_slot=int(now_s // 900), longest_hole_s=max(300, 2 * interval_s))
        self.pace = ReadingPace(interval_s, window_s)
        self.closed: list[ClosedSlot] = []
        self.buses: list[Bus] = []
        self.running_by: dict[RegisterLink, asyncio.Task[None]] = {}

    def bus(self, stand: Stand, *devices: Device) -> Bus:
        link = link_to(Endpoint("tcp", "127.0.0.1", stand.port), LineSettings(timeout_s=0.1))
        bus = Bus(
            link,
            devices,
            metering=self.metering,
            clock=self.clock,
            pace=self.pace,
            random=lambda: 0.5,
            closed=self._collect,
        )
        self.buses.append(bus)
        return bus

    def _collect(self) -> None:
        while found := self.metering.next_closed_slot():
            self.closed.append(found[0])

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.running_by = {bus.link: asyncio.create_task(bus.run()) for bus in self.buses}
        tasks = self.running_by.values()
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for bus in self.buses:
                await bus.link.close()

    async def is_still(self) -> None:
        """Every worker has done what there is to do, and waits for the clock."""
        await until(lambda: self.clock.waiting >= set(self.running_by.values()), what="the end of the reading")

    async def reads(self, stand: Stand, more_than: int = 0) -> None:
        """The worker of this one has asked it, and waits for the clock again."""
        await until(lambda: len(stand.requests) > more_than, what="a request")
        (worker,) = (task for link, task in self.running_by.items() if link.endpoint.port == stand.port)
        await until(lambda: worker in self.clock.waiting, what="the end of the reading")

    async def slot_value(self, at: int, measure: Measure = Measure.GRID_IMPORT) -> SlotValue:
        await until(lambda: len(self.closed) > at, what=f"slot {at}")
        assert self.closed[at].slot == FIRST + at
        return self.closed[at].values[measure]


async def test_two_boundaries_make_a_slot_and_polls_between_do_not_matter() -> None:
    stand = await Stand(meter_words(1_000)).start()
    street = Street(device("eastron-sdm630"))
    street.bus(stand, *street.devices)
    async with street.running():
        await street.reads(stand)
        for minute in range(1, 15):
            stand.words = meter_words(1_000 + minute * 133, power_w=8000)
            seen = len(stand.requests)
            street.clock.move_to(T0 + 60 * minute + 1)
            await street.reads(stand, seen)
        stand.words = meter_words(3_000, power_w=8000)
        street.clock.move_to(T0 + 900.1)
        assert await street.slot_value(0) == SlotValue(2000, Mark.MEASURED)
    await stand.stop()


async def test_a_start_in_mid_slot_is_a_gap_with_its_reason() -> None:
    stand = await Stand(meter_words(1_000)).start()
    street = Street(device("eastron-sdm630"), now_s=T0 + 400)
    street.bus(stand, *street.devices)
    async with street.running():
        await street.reads(stand)
        seen = len(stand.requests)
        street.clock.move_to(T0 + 900)
        assert await street.slot_value(0) == SlotValue(None, Mark.MISSING, Gap.AGENT_OFF)
        await street.reads(stand, seen)
        stand.words = meter_words(1_125)
        street.clock.move_to(T0 + 1800)
        assert await street.slot_value(1) == SlotValue(125, Mark.DERIVED)
    await stand.stop()


async def test_a_boundary_is_tried_again_within_its_window() -> None:
    stand = await Stand(meter_words(1_000)).start()
    street = Street(device("eastron-sdm630"))
    bus = street.bus(stand, *street.devices)
    async with street.running():
        await street.reads(stand)
        stand.words = meter_words(1_250)
        stand.modes.append("silent")
        street.clock.move_to(T0 + 900)
        await until(lambda: bus.states()[0].state is Liveness.SILENT)
        street.clock.move_to(T0 + 930)
        assert await street.slot_value(0) == SlotValue(250, Mark.DERIVED)
        assert bus.states()[0].state is Liveness.OK
    await stand.stop()


async def test_a_boundary_missed_leaves_two_gaps_and_a_total() -> None:
    stand = await Stand(meter_words(1_000)).start()
    street = Street(device("eastron-sdm630"))
    street.bus(stand, *street.devices)
    async with street.running():
        await street.reads(stand)
        stand.always = "silent"
        for at in (900, 930, 959, 961):
            street.clock.move_to(T0 + at)
            await street.is_still()
        assert await street.slot_value(0) == SlotValue(None, Mark.MISSING, Gap.DEVICE_SILENT)
        stand.always = "ok"
        stand.words = meter_words(1_375)
        street.clock.move_to(T0 + 1800)
        assert await street.slot_value(1) == SlotValue(None, Mark.MISSING, Gap.DEVICE_SILENT)
        totals = street.closed[1].long_intervals
        assert {(each.measure, each.first_slot, each.slots, each.energy_wh) for each in totals} == {
            (Measure.GRID_IMPORT, FIRST, 2, 375),
            (Measure.GRID_EXPORT, FIRST, 2, 0),
        }
    await stand.stop()


async def test_a_dead_device_costs_the_others_nothing() -> None:
    alive, dead = await Stand(meter_words(1_000)).start(), await Stand().start()
    dead.always = "silent"
    meter, sun = device("eastron-sdm630"), device("huawei-sun2000", "pv")
    street = Street(meter, sun)
    street.bus(alive, meter)
    street.bus(dead, sun)
    async with street.running():
        await street.reads(alive)
        for minute in range(1, 15):
            seen = len(alive.requests)
            alive.words = meter_words(1_000 + minute * 33, power_w=2000)
            street.clock.move_to(T0 + 60 * minute)
            await street.reads(alive, seen)
        alive.words = meter_words(1_500, power_w=2000)
        street.clock.move_to(T0 + 900)
        await street.is_still()
        street.clock.move_to(T0 + 960)
        assert await street.slot_value(0) == SlotValue(500, Mark.MEASURED)
        assert street.closed[0].values[Measure.PV_PRODUCTION].gap is Gap.DEVICE_SILENT
        assert len(dead.requests) < len(alive.requests), "a silent device is asked less and less"
    await alive.stop()
    await dead.stop()


class Unreachable(Device):
    """A device that never answers, and when it was asked."""

    asked_at: list[float]

    async def read_places(self, link: ModbusLink) -> Readout:
        self.asked_at.append(self.asked_by.now() - T0)
        raise NoAnswerError("no answer in time")


async def test_a_silent_device_is_left_alone_for_longer_and_longer_but_asked_at_every_boundary() -> None:
    it = device("eastron-sdm630")
    it.__class__ = Unreachable
    street = Street(it, now_s=T0 + 400)
    it.asked_at, it.asked_by = [], street.clock
    street.bus(Stand(), it)
    async with street.running():
        await until(lambda: it.asked_at, what="the first try")
        for minute in range(7, 32):
            street.clock.move_to(T0 + 60 * minute)
            for _ in range(20):
                await asyncio.sleep(0)
    # Pauses of 60, 120, 240, 300 s at most, shortened by a quarter here; the boundaries at 900 and 1800 always.
    assert it.asked_at == [400, 420, 540, 720, 900, 1140, 1380, 1620, 1800]


async def test_a_counter_that_begins_again_is_believed_after_an_hour_and_its_total_is_kept() -> None:
    stand = await Stand(meter_words(90_000)).start()
    street = Street(device("eastron-sdm630"))
    street.bus(stand, *street.devices)
    async with street.running():
        await street.reads(stand)
        seen = len(stand.requests)
        street.clock.move_to(T0 + 60)
        await street.reads(stand, seen)
        for at in range(1, 7):
            stand.words = meter_words(125 * at)
            for after_s in (0, 10, 30, 61):
                street.clock.move_to(T0 + 900 * at + after_s)
                await street.is_still()
        values = [await street.slot_value(at) for at in range(6)]
        assert values[:5] == [SlotValue(None, Mark.MISSING, Gap.COUNTER_RESET)] * 5
        assert values[5] == SlotValue(125, Mark.DERIVED)
        totals = [each for each in street.closed[4].long_intervals if each.measure is Measure.GRID_IMPORT]
        assert [(each.first_slot, each.slots, each.energy_wh) for each in totals] == [(FIRST + 1, 4, 500)]
    await stand.stop()


async def test_a_sleeping_computer_finds_its_slots_closed_as_off() -> None:
    stand = await Stand(meter_words(1_000)).start()
    street = Street(device("eastron-sdm630"))
    street.bus(stand, *street.devices)
    async with street.running():
        await street.reads(stand)
        stand.words = meter_words(1_500)
        street.clock.move_to(T0 + 900 * 4 + 10)
        values = [await street.slot_value(at) for at in range(4)]
        assert [value.gap for value in values] == [Gap.AGENT_OFF] * 3 + [Gap.DEVICE_SILENT]
        assert street.closed[3].long_intervals[0].energy_wh == 500
    await stand.stop()


async def test_a_refused_counter_is_a_gap_of_its_own_kind() -> None:
    stand = await Stand(meter_words(1_000)).start()
    stand.holes = {(4, 72)}
    clock = HandClock(T0)
    street = Street(device("eastron-sdm630", monotonic=clock.now), clock=clock)
    bus = street.bus(stand, *street.devices)
    async with street.running():
        await street.reads(stand)
        for at in (900, 960):
            street.clock.move_to(T0 + at)
            await street.is_still()
        assert (await street.slot_value(0)).gap is Gap.DEVICE_REFUSED
        seen = len(stand.requests)
        street.clock.move_to(T0 + 1800)
        assert await street.slot_value(1) == SlotValue(None, Mark.MISSING, Gap.DEVICE_REFUSED)
        assert await street.slot_value(1, Measure.GRID_EXPORT) == SlotValue(0, Mark.DERIVED)
        assert len(stand.requests) <= seen + 3, "what is refused is asked for once"
        assert bus.states()[0].state is Liveness.REFUSING
    await stand.stop()


async def test_a_single_refusal_at_a_boundary_costs_no_slot(caplog: pytest.LogCaptureFixture) -> None:
    stand = await Stand(meter_words(1_000)).start()
    clock = HandClock(T0)
    street = Street(device("eastron-sdm630", monotonic=clock.now), clock=clock)
    street.bus(stand, *street.devices)
    async with street.running():
        await street.reads(stand)
        stand.words, stand.holes = meter_words(1_500), {(4, 72)}
        seen = len(stand.requests)
        street.clock.move_to(T0 + 900)
        await street.reads(stand, seen)
        stand.holes = set()
        for at in range(905, 960, 5):
            street.clock.move_to(T0 + at)
            await street.is_still()
        assert await street.slot_value(0) == SlotValue(500, Mark.DERIVED)
    said = [record.message for record in caplog.records if "register" in record.message]
    assert [text.split(": ", 1)[1] for text in said] == [
        "registers 72..73 (energy_import_total): refused with exception 2; will be retried at growing intervals",
        "registers 72..73 (energy_import_total): answered again",
    ]
    await stand.stop()


async def test_night_zero_is_asleep() -> None:
    sun = device("huawei-sun2000", "pv")
    day = shipped("huawei-sun2000").encode({"energy_production_total": Decimal(5000), "active_power": Decimal(10)})
    stand = await Stand(day).start()
    street = Street(sun)
    bus = street.bus(stand, sun)
    async with street.running():
        await street.reads(stand)
        stand.words = {}
        for at in (300, 900, 910, 959):
            street.clock.move_to(T0 + at)
            await street.is_still()
        assert (await street.slot_value(0, Measure.PV_PRODUCTION)).energy_wh is None
        assert bus.states()[0].state is Liveness.ASLEEP
        stand.words = day
        street.clock.move_to(T0 + 1800)
        await street.slot_value(1, Measure.PV_PRODUCTION)
        assert [each.energy_wh for each in street.closed[1].long_intervals] == [0]
    await stand.stop()


class FastClock(HandClock):
    """A developer's timeline, moved by hand, that claims to run 600 times as fast."""

    rate = 600.0


@pytest.mark.parametrize(("clock", "shown_wh"), [(HandClock, 3_667), (FastClock, 3_500)])
async def test_a_late_answer_is_taken_back_by_what_flowed_meanwhile_in_real_time(
    clock: type[HandClock], shown_wh: int
) -> None:
    """At 600 times real speed the boundary's answer is a minute late because this computer needed 0.1 s for it."""
    stand = await Stand(meter_words(1_000, power_w=10_000)).start()
    street = Street(device("eastron-sdm630"), clock=clock(T0), window_s=240, interval_s=300)
    street.bus(stand, *street.devices)
    async with street.running():
        await street.reads(stand)
        for at, counter_wh in ((300, 1_833), (600, 2_667), (960, shown_wh)):
            stand.words = meter_words(counter_wh, power_w=10_000)
            seen = len(stand.requests)
            street.clock.move_to(T0 + at)
            await street.reads(stand, seen)
        assert await street.slot_value(0) == SlotValue(2_500, Mark.MEASURED)
    await stand.stop()


async def test_one_failure_skips_no_poll_however_long_it_took() -> None:
    stand = await Stand(meter_words(1_000)).start()
    street = Street(device("eastron-sdm630"), interval_s=300)
    street.bus(stand, *street.devices)
    street.buses[0]._random = lambda: 0.999
    async with street.running():
        await street.reads(stand)
        for at in (330, 600.1):
            stand.always = "busy" if at < 600 else "ok"
            seen = len(stand.requests)
            street.clock.move_to(T0 + at)
            await street.reads(stand, seen)
            await until(lambda: street.buses[0].states()[0].state is (Liveness.SLOW if at < 600 else Liveness.OK))  # noqa: B023
    await stand.stop()
