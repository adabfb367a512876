"""Whatever is done to the clock, no slot is told twice, their order stays, and energy is what the counter ran."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent.devices.boot_readings import BootReadings
from edge_agent.devices.buses import Bus, ReadingPace
from edge_agent.metering.home_meter import ClosedSlot, HomeMeter, MeasuringPoint, Sample
from edge_agent.metering.sample_feed import SampleFeed
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import SLOT_S, slot_of, start_of
from protocols.timeline import Clock

FIRST = 2_000_000
PLACE = MeasuringPoint("meter", "grid", 15_000)
POWER_W = 5000
WINDOW_S = 60
STEPS = st.one_of(st.integers(-9000, 9000), st.integers(-60, 60))
JUMPS = st.lists(st.tuples(st.integers(0, 30_000), STEPS), max_size=6)


def counter_at(boot_s: float) -> int:
    return 1_000_000 + int(boot_s * POWER_W / 3600)


def sample_at(boot_s: float, at_s: float) -> Sample:
    return Sample(at_s, {"import_wh": counter_at(boot_s), "export_wh": 0}, power_w=POWER_W)


class Ended(Exception):
    """The time of the test is over."""


class Computer:
    """A boot clock that only goes on when somebody sleeps, and a wall clock that is set at given moments."""

    def __init__(self, jumps: list[tuple[int, int]], *, ends_s: int) -> None:
        self.boot_s = 0.0
        self._offset_s = start_of(FIRST) + 100.0
        self._jumps = sorted(jumps)
        self._ends_s = ends_s
        self.clock = Clock(lambda: self.boot_s + self._offset_s, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.boot_s += seconds
        while self._jumps and self._jumps[0][0] <= self.boot_s:
            self._offset_s += self._jumps.pop(0)[1]
        if self.boot_s >= self._ends_s:
            raise Ended


class Meter:
    """A device that counts on by the boot clock."""

    def __init__(self, computer: Computer) -> None:
        self.places = (PLACE,)
        self.settings = SimpleNamespace(name="meter")
        self._computer = computer

    async def read_places(self, _link: object) -> float:
        return self._computer.boot_s

    def samples(self, boot_s: float, at_s: float, *, late_s: float) -> dict[MeasuringPoint, Sample]:
        return {PLACE: replace(sample_at(boot_s, at_s), late_s=late_s)}

    def is_refused(self, _place: MeasuringPoint) -> bool:
        return False

    def gives_up_on(self, _place: MeasuringPoint) -> bool:
        return False

    def news(self) -> list[str]:
        return []


def check(closed: list[ClosedSlot], metering: HomeMeter) -> None:
    """Each slot once and in order; slots and totals are disjoint and sum up to what the counter ran."""
    assert [each.slot for each in closed] == list(range(FIRST, FIRST + len(closed)))
    told: dict[int, int] = {}
    covered: list[int] = []
    for each in closed:
        value = each.values[Measure.GRID_IMPORT]
        if value.energy_wh is not None:
            assert value.mark is Mark.MEASURED
            told[each.slot] = value.energy_wh
            covered.append(each.slot)
        else:
            assert value.gap is not Gap.NONE, "every gap has a reason"
        for total in each.long_intervals:
            if total.measure is Measure.GRID_IMPORT:
                told[each.slot] = told.get(each.slot, 0) + total.energy_wh
                covered += range(total.first_slot, total.first_slot + total.slots)
    assert len(covered) == len(set(covered)), "no slot counts twice"
    bases = metering._counters
    if (base := bases[PLACE, "import_wh"].base) and covered:
        began_wh = base.counter_wh - sum(told.values())
        assert began_wh == metering_began(metering), "what was told is what the counter ran"


def metering_began(metering: HomeMeter) -> int:
    """Where the counter stood at the first boundary that was read."""
    return metering.first_base_wh  # type: ignore[attr-defined,no-any-return]


class Watched(HomeMeter):
    """A meter that remembers where its first base stood."""

    first_base_wh = -1

    def open(self, place: MeasuringPoint) -> None:
        super().open(place)
        self._note()

    def close(self, place: MeasuringPoint, reason: Gap = Gap.DEVICE_SILENT) -> None:
        super().close(place, reason)
        self._note()

    def _note(self) -> None:
        meter = self._counters.get((PLACE, "import_wh"))
        if self.first_base_wh < 0 and meter and meter.base:
            self.first_base_wh = meter.base.counter_wh


def bus_of(computer: Computer, meter: Meter, *, metering: HomeMeter, closed: Callable[[], None]) -> Bus:
    return Bus(
        SimpleNamespace(endpoint=SimpleNamespace(shown="here")),  # type: ignore[arg-type]
        [meter],  # type: ignore[list-item]
        metering=metering,
        clock=computer.clock,
        pace=ReadingPace(60, WINDOW_S),
        random=lambda: 0.5,
        closed=closed,
        boot_clock=lambda: computer.boot_s,
    )


@given(JUMPS)
@example([(3409, 47)])  # by less than the window, right before a boundary: the power saw less time than the clock says
@example([(5295, 59)])
@example([(704, 44), (1452, -42)])
@example([(2662, -601), (4096, 57)])
def test_a_clock_that_is_set_while_the_agent_runs(jumps: list[tuple[int, int]]) -> None:
    computer = Computer(jumps, ends_s=40_000)
    metering = Watched([PLACE], next_slot=FIRST, longest_hole_s=300)
    closed: list[ClosedSlot] = []

    def collect() -> None:
        while found := metering.next_closed_slot():
            closed.append(found[0])

    bus = bus_of(computer, Meter(computer), metering=metering, closed=collect)
    try:
        asyncio.run(bus.run())
    except Ended:
        check(closed, metering)
    longest_wh = POWER_W * (SLOT_S + 2 * WINDOW_S) / 3600
    measured = [each.values[Measure.GRID_IMPORT].energy_wh for each in closed]
    assert all(energy_wh is None or energy_wh <= longest_wh for energy_wh in measured), "no slot takes another's energy"


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(1, 1200), min_size=2, max_size=80))
def test_readings_by_the_boot_clock_get_their_slots_whatever_the_wall_clock_said(
    wrong_by_s: int, pauses_s: list[int]
) -> None:
    readings, boot_s = BootReadings(), 40.0
    for pause_s in pauses_s:
        readings.add(boot_s, {PLACE: sample_at(boot_s, wrong_by_s)})
        boot_s += pause_s
    now_s = start_of(FIRST) + 200.0 + boot_s
    moments = readings.on_wall_clock(now_s, boot_s)
    assert [moment.at_s - now_s for moment in moments] == [each - boot_s for each in [40.0, *running(40.0, pauses_s)]]
    first = slot_of(moments[0].at_s)
    metering = Watched([PLACE], next_slot=first, longest_hole_s=300)
    feed = SampleFeed(metering, window_s=WINDOW_S)
    closed: list[ClosedSlot] = []
    for moment in moments:
        feed.add_samples(moment.at_s, moment.samples)
        while found := metering.next_closed_slot():
            closed.append(found[0])
    assert first == FIRST
    if metering.first_base_wh >= 0:
        check(closed, metering)
    for each in closed:
        value = each.values[Measure.GRID_IMPORT]
        if value.energy_wh is not None:
            assert abs(value.energy_wh - POWER_W / 4) <= POWER_W * WINDOW_S / 3600 + 1


def running(first_s: float, pauses_s: list[int]) -> list[float]:
    """The moments after the first, as the boot clock had them."""
    found = []
    for pause_s in pauses_s[:-1]:
        first_s += pause_s
        found.append(first_s)
    return found


@given(st.integers(0, 20), st.lists(st.sampled_from([None, 0]), max_size=4))
def test_a_boundary_is_the_first_good_reading_in_its_window(first_s: int, bad: list[int | None]) -> None:
    metering = Watched([PLACE], next_slot=FIRST, longest_hole_s=300)
    feed = SampleFeed(metering, window_s=WINDOW_S)
    closed: list[ClosedSlot] = []
    good_wh = [counter_at(900 * slot) for slot in range(3)]
    for slot, counter_wh in enumerate(good_wh):
        # A counter's very first reading is believed whatever it is; good ones after the first do not count.
        heads = bad if slot else [None] * len(bad)
        for nth, shown_wh in enumerate([*heads, counter_wh, counter_wh + 9]):
            at_s = float(start_of(FIRST + slot) + first_s + 7 * nth)
            feed.add_samples(at_s, {PLACE: Sample(at_s, {"import_wh": shown_wh, "export_wh": 0})})
        while found := metering.next_closed_slot():
            closed.append(found[0])
    values = [each.values[Measure.GRID_IMPORT] for each in closed]
    assert [value.energy_wh for value in values] == [later - first for first, later in pairwise(good_wh)]
    assert {value.mark for value in values} == {Mark.DERIVED}, "only boundaries are read"


def test_a_boundary_without_a_good_reading_is_a_gap_and_a_total() -> None:
    metering = Watched([PLACE], next_slot=FIRST, longest_hole_s=300)
    feed = SampleFeed(metering, window_s=WINDOW_S)
    closed: list[ClosedSlot] = []
    for at, counter_wh in ((0, 1000), (900, None), (930, None), (961, 2000), (1800, 3000)):
        at_s = start_of(FIRST) + at
        feed.add_samples(at_s, {PLACE: Sample(at_s, {"import_wh": counter_wh, "export_wh": 0})})
        while found := metering.next_closed_slot():
            closed.append(found[0])
    assert [each.values[Measure.GRID_IMPORT].gap for each in closed] == [Gap.DEVICE_SILENT] * 2
    totals = [each for each in closed[1].long_intervals if each.measure is Measure.GRID_IMPORT]
    assert [(each.first_slot, each.slots, each.energy_wh) for each in totals] == [(FIRST, 2, 2000)]


def test_a_clock_set_back_by_weeks_is_said_within_a_minute_and_the_devices_are_read_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    computer = Computer([(2000, -30 * 86_400)], ends_s=6000)
    metering = Watched([PLACE], next_slot=FIRST, longest_hole_s=300)
    meter, read_at, said_at = Meter(computer), [], []

    async def read_places(_link: object) -> float:
        read_at.append(computer.boot_s)
        if caplog.records and not said_at:
            said_at.append(computer.boot_s)
        return computer.boot_s

    meter.read_places = read_places  # type: ignore[method-assign]
    bus = bus_of(computer, meter, metering=metering, closed=lambda: None)
    with pytest.raises(Ended):
        asyncio.run(bus.run())
    assert "the system clock was changed by -2592000 s" in caplog.text
    assert said_at[0] <= 2000 + 2 * 60
    assert max(later - first for first, later in pairwise(read_at)) <= 2 * 60
    assert read_at[-1] > 5800
