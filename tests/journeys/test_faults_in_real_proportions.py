"""The demonstration's short faults as the agent meets them at real speed, on a virtual clock: no energy is lost."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from edge_agent.devices.buses import Bus, ReadingPace
from edge_agent.devices.line import LineSettings
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.devices.reader import Device
from edge_agent.metering.home_meter import ClosedSlot, HomeMeter
from edge_agent.settings import DeviceSettings, Endpoint
from protocols.maps.loading import load_map
from protocols.quantities import Mark, Measure
from protocols.slots import slot_of, start_of
from protocols.timeline import Clock
from simulator.devices.faults import Fault, FaultKind, FaultScript
from simulator.devices.image import DeviceImage
from simulator.devices.modbus_server import SimulatedLink
from simulator.world.families import SUNSPEC_METER
from simulator.world.site import DAY_S
from simulator.world.street import Street
from tests.protocols.maps.shipped import MAPS

DAY = datetime(2026, 5, 6, 15, tzinfo=UTC)
BEGIN = slot_of(DAY.timestamp())
SLOTS = 3
ANSWER_S = 0.1


class VirtualClock(Clock):
    """Time that only sleeping moves, until it ends: then whoever sleeps stays asleep."""

    def __init__(self, now_s: float, end_s: float) -> None:
        super().__init__(lambda: self.now_s, sleep=self.pass_time)
        self.now_s, self._end_s = now_s, end_s
        self.is_over = asyncio.Event()

    async def pass_time(self, seconds: float) -> None:
        if self.now_s + seconds >= self._end_s:
            self.is_over.set()
            await asyncio.Event().wait()
        self.now_s += seconds


@contextmanager
def no_wait_for(link: ModbusLink, clock: VirtualClock) -> Iterator[None]:
    """Each answer takes ANSWER_S of the virtual time."""
    read = link.read_words

    async def read_words(unit: int, function: int, *, address: int, count: int) -> list[int]:
        clock.now_s += ANSWER_S
        return await read(unit, function, address=address, count=count)

    link.read_words = read_words  # type: ignore[method-assign]
    yield


@pytest.fixture(scope="module")
def street() -> Street:
    """The demonstration's street, begun shortly before its live day."""
    return Street(seed=1, homes=12, first_day=int(DAY.timestamp()) // DAY_S - 1)


@pytest.mark.parametrize("kind", ["busy", "short_answer"])
@pytest.mark.parametrize(("interval_s", "window_s"), [(60, 60), (300, 240)])
async def test_a_short_fault_between_two_quarter_hours_costs_nothing(
    street: Street, kind: FaultKind, interval_s: int, window_s: int, caplog: pytest.LogCaptureFixture
) -> None:
    home = street.home("h10")
    unit = next(each for each in home.units if SUNSPEC_METER in each.families)
    physics, begin_s = street.physics(home.id), start_of(BEGIN)
    clock = VirtualClock(begin_s + 0.01, start_of(BEGIN + SLOTS) + 100)
    fault = Fault(home.id, unit.link, unit.unit, kind, begin_s + 300, begin_s + 600)
    image = DeviceImage(unit, home, physics=physics, seed=1, step_s=1)
    simulated = SimulatedLink([image], clock.now, script=FaultScript([fault]))
    port = await simulated.serve_tcp()
    endpoint = Endpoint("tcp", "127.0.0.1", port)
    link = ModbusLink(endpoint, LineSettings(timeout_s=1.5), sleep=clock.pass_time, monotonic=clock.now)
    settings = DeviceSettings(
        "meter", "sunspec-meter", ("grid",), endpoint, unit.unit, "as_documented",
        invert=False, max_power_w=25_000, timeout_ms=None,
    )  # fmt: skip
    text = (MAPS / "sunspec-meter.toml").read_text()
    device = Device(settings, load_map(text, name="sunspec-meter"), sleep=clock.pause, monotonic=clock.now)
    meter = HomeMeter(device.places, next_slot=BEGIN, longest_hole_s=3.0 * interval_s)
    closed: list[ClosedSlot] = []

    def collect() -> None:
        while found := meter.next_closed_slot():
            closed.append(found[0])

    pace = ReadingPace(interval_s, window_s)
    bus = Bus(link, [device], metering=meter, clock=clock, pace=pace, random=lambda: 0.5, closed=collect)
    with no_wait_for(link, clock):
        reading = asyncio.create_task(bus.run())
        await asyncio.wait_for(clock.is_over.wait(), 60)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    await link.close()
    await simulated.close()
    assert "will retry" in caplog.text, "the fault was met"
    assert [each.slot for each in closed] == list(range(BEGIN, BEGIN + SLOTS))
    for each in closed:
        flowed_ws = [physics.counted_ws("export", start_of(each.slot + n)) for n in (0, 1)]
        value = each.values[Measure.GRID_EXPORT]
        # Five minutes without power values, at polls of a minute: nothing is lost, but nobody saw the rise.
        is_unseen = interval_s == 60 and each.slot == BEGIN
        assert value.mark is Mark.MEASURED or (is_unseen and value.mark is Mark.DERIVED)
        assert value.energy_wh is not None
        assert abs(value.energy_wh - (flowed_ws[1] - flowed_ws[0]) / 3600) <= 2
