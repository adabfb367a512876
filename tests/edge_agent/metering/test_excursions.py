"""A counter that shows something else for a while: what is sealed around it, and what total is kept."""

import random
from itertools import pairwise

import pytest

from edge_agent.metering.counter_records import CounterLimits
from edge_agent.metering.counters import ClosedCounterSlot, CounterMeter
from edge_agent.metering.home_meter import ClosedSlot, HomeMeter, MeasuringPoint, Sample, read_checkpoint
from protocols.maps.model import RoleName
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import SLOT_S, start_of

FIRST = 2_000_000
T0 = start_of(FIRST)


def dip(dip_wh: int, fuse_w: int = 15_000, every_s: int = 60) -> list[ClosedCounterSlot]:
    """No power is known; 1 Wh flows between two readings, and the two readings up to the first slot's end are low."""
    meter, counter_wh = CounterMeter(CounterLimits(fuse_w, 1)), 1_000_000
    meter.add_reading(T0, counter_wh)
    meter.open(FIRST)
    found = []
    for slot in range(3):
        for second in range(slot * SLOT_S + every_s, (slot + 1) * SLOT_S + 1, every_s):
            counter_wh += 1
            low = slot == 0 and second > SLOT_S - 2 * every_s
            meter.add_reading(T0 + second, counter_wh - dip_wh if low else counter_wh)
        closed = meter.close(FIRST + slot, Gap.NONE)
        assert closed is not None
        found.append(closed)
    return found


@pytest.mark.parametrize("dip_wh", [20, 100, 500, 1000, 1600, 2000, 10_000])
@pytest.mark.parametrize(("fuse_w", "every_s"), [(15_000, 60), (5750, 60), (15_000, 10)])
def test_a_dip_around_a_slots_end_is_a_gap_with_its_total_whatever_its_size(
    dip_wh: int, fuse_w: int, every_s: int
) -> None:
    flowed_wh = SLOT_S // every_s
    first, second, third = dip(dip_wh, fuse_w, every_s)
    assert first == ClosedCounterSlot(None, Mark.MISSING, Gap.COUNTER_RESET)
    assert second.energy_wh is None
    assert second.long is not None
    assert (second.long.first_slot, second.long.slots, second.long.energy_wh) == (FIRST, 2, 2 * flowed_wh)
    assert third == ClosedCounterSlot(flowed_wh, Mark.MEASURED, Gap.NONE)


@pytest.mark.parametrize("dip_wh", [2, 3, 5])
def test_a_wobble_costs_no_quarter_hour(dip_wh: int) -> None:
    closed = dip(dip_wh)
    assert {each.mark for each in closed} == {Mark.MEASURED}
    assert sum(each.energy_wh or 0 for each in closed) == 45
    assert all(abs((each.energy_wh or 0) - 15) <= 5 for each in closed)


class Home:
    """A meter that is read each minute, as the agent reads it; what it shows can be changed at any minute."""

    def __init__(self, role: RoleName = "grid", max_power_w: int = 15_000, longest_hole_s: float = 300) -> None:
        self.place = MeasuringPoint("it", role, max_power_w)
        self.meter = HomeMeter([self.place], next_slot=FIRST, longest_hole_s=longest_hole_s)
        self.step_wh = 1
        self.kept = b""
        self.closed: list[ClosedSlot] = []

    def read(self, minute: int, power_w: int | None, late_s: float = 0.0, **counters: int | None) -> None:
        steps = dict.fromkeys(counters, self.step_wh) if self.step_wh > 1 else {}
        sample = Sample(T0 + 60.0 * minute, counters, power_w, steps, is_shaped=bool(steps), late_s=late_s)
        self.meter.add_sample(self.place, sample)
        if minute == 0:
            self.meter.open(self.place)
        elif minute % 15 == 0:
            self.meter.close(self.place)
        while found := self.meter.next_closed_slot():
            self.closed.append(found[0])
            self.kept = found[1]

    def restart(self) -> None:
        next_slot, bases = read_checkpoint(self.kept)
        self.meter = HomeMeter([self.place], next_slot=next_slot, longest_hole_s=300, bases=bases)

    def told(self, measure: Measure = Measure.GRID_IMPORT) -> list[int | str]:
        """A slot's energy if it is measured, else its mark."""
        values = [each.values[measure] for each in self.closed]
        return [each.energy_wh or 0 if each.mark is Mark.MEASURED else each.mark.name for each in values]

    def totals(self, measure: Measure = Measure.GRID_IMPORT) -> list[tuple[int, int, int]]:
        found = [long for each in self.closed for long in each.long_intervals if long.measure is measure]
        return [(each.first_slot - FIRST, each.slots, each.energy_wh) for each in found]


def test_a_frozen_counter_that_catches_up_is_a_gap_and_its_own_total() -> None:
    """Sealed before as 80, 0, 0, 860 Wh; 235 flowed in each quarter hour."""
    home = Home()
    for minute in range(76):
        counter_wh = 50_000 + round(min(minute, 5) * 940 / 60) if minute < 58 else 50_000 + round(minute * 940 / 60)
        home.read(minute, 940 + 3 * (minute % 2), import_wh=counter_wh, export_wh=0)
    assert home.told() == ["MISSING", "MISSING", "MISSING", "MISSING", 235]
    assert home.totals() == [(0, 4, 940)]
    assert home.told(Measure.GRID_EXPORT) == [0] * 5


@pytest.mark.parametrize("switched_min", [10.1, 12.5, 14.9])
def test_power_that_changes_between_two_seldom_readings_stays_measured(switched_min: float) -> None:
    """Read every five minutes: a counter is not doubted because nobody saw when the power changed."""
    home, export_w = Home(), 3400
    for minute in range(0, 46, 5):
        export_wh = 571_040 + max(0, int((minute - switched_min) * export_w / 60))
        home.read(minute, -export_w if minute > switched_min else 0, import_wh=3_816_850, export_wh=export_wh)
    first = int((15 - switched_min) * export_w / 60)
    whole = export_w // 4
    assert home.told(Measure.GRID_EXPORT) == [first, pytest.approx(whole, abs=1), pytest.approx(whole, abs=1)]
    assert home.told() == [0, 0, 0]


@pytest.mark.parametrize("missed", [(), (10, 35), (5, 20)])
def test_clouds_between_two_seldom_readings_cost_nothing(missed: tuple[int, ...]) -> None:
    """Read every five minutes, some readings without an answer; the power changes each 20 s as under clouds."""
    clouds = random.Random(3)
    powers = [clouds.randrange(400, 2400) for _ in range(61 * 3)]
    home, at_quarter = Home("pv", longest_hole_s=900), []
    for minute in range(0, 61, 5):
        counter_wh = 7_000 + sum(powers[: minute * 3]) // 180
        if minute % 15 == 0:
            at_quarter.append(counter_wh)
        if minute not in missed:
            home.read(minute, powers[minute * 3], production_wh=counter_wh)
    flowed = [last - first for first, last in pairwise(at_quarter)]
    assert home.told(Measure.PV_PRODUCTION) == flowed


def test_an_old_answer_repeated_at_a_boundary_is_no_measurement() -> None:
    """A gateway keeps an answer half a minute old, for two minutes up to the boundary; 1,100 Wh flow in each slot."""
    home = Home()
    for minute in range(46):
        shown_min = 13.5 if minute in (14, 15) else minute
        shown_w = 4400 if minute in (14, 15) else 4390 + minute % 3
        home.read(minute, shown_w, import_wh=90_000 + int(shown_min * 4400 / 60), export_wh=0)
    assert {each.values[Measure.GRID_IMPORT].mark for each in home.closed[:2]} == {Mark.DERIVED}
    assert [each.values[Measure.GRID_IMPORT].energy_wh for each in home.closed] == [pytest.approx(1100, abs=5)] * 3
    assert home.closed[2].values[Measure.GRID_IMPORT].mark is Mark.MEASURED
    assert sum(each.values[Measure.GRID_IMPORT].energy_wh or 0 for each in home.closed) == 3300


def test_one_wrong_reading_exactly_at_a_boundary_is_read_again_or_a_gap_never_energy() -> None:
    """Sealed before as 1,125 Wh for 225."""
    home = Home()
    for minute in range(46):
        wrong_wh = 900 if minute == 15 else 0
        home.read(minute, 900, import_wh=70_000 + 15 * minute + wrong_wh, export_wh=0)
    assert home.told() == ["MISSING", "MISSING", 225]
    assert home.totals() == [(0, 2, 450)]


@pytest.mark.parametrize("factor", [10, 100])
def test_a_wrong_scale_is_not_believed_however_often_it_is_read(factor: int) -> None:
    home = Home()
    for minute in range(181):
        true_wh = 300 + 15 * minute
        home.read(minute, 900, import_wh=true_wh * factor if 20 <= minute < 100 else true_wh, export_wh=0)
    assert [each for each in home.told() if each != "MISSING"] == [225] * 6
    assert home.totals() == [(1, 6, 1350)]


@pytest.mark.parametrize("garbage_wh", [-1, -1000, 0xFFFFFFFF, 34 * 10**37, 0, 17])
@pytest.mark.parametrize("with_restart", [False, True])
def test_garbage_held_over_slots_is_no_base_and_the_outages_total_is_kept(garbage_wh: int, with_restart: bool) -> None:
    home = Home()
    for minute in range(91):
        if with_restart and minute == 50:
            home.restart()
        wrong = 20 <= minute < 64
        shown = {"import_wh": garbage_wh, "export_wh": garbage_wh} if wrong else {}
        home.read(minute, 900, **{"import_wh": 5_000_000 + 15 * minute, "export_wh": 40_000, **shown})
    assert home.told() == [225, "MISSING", "MISSING", "MISSING", "MISSING", 225]
    assert home.told(Measure.GRID_EXPORT) == [0, "MISSING", "MISSING", "MISSING", "MISSING", 0]
    assert home.totals() == [(1, 4, 900)]
    assert home.totals(Measure.GRID_EXPORT) == [(1, 4, 0)]


@pytest.mark.parametrize("with_restart", [False, True])
def test_a_meter_exchanged_in_a_home_that_does_not_export_is_measured_again(with_restart: bool) -> None:
    """Before, the export register that shows 0 was asleep for ever."""
    home = Home()
    for minute in range(151):
        if with_restart and minute in (32, 61):
            home.restart()
        old = minute < 20
        counter_wh = 12_345_678 + 15 * minute if old else 3 + 15 * (minute - 20)
        home.read(minute, 900, import_wh=counter_wh, export_wh=115_000 if old else 0)
    for measure, flowed_wh in ((Measure.GRID_IMPORT, 225), (Measure.GRID_EXPORT, 0)):
        told = home.told(measure)
        assert told[0] == flowed_wh
        assert told[-3:] == [flowed_wh] * 3
        assert set(told[1:-3]) <= {"MISSING", flowed_wh}
        known_wh = sum(each for each in told if isinstance(each, int))
        known_wh += sum(energy_wh for *_, energy_wh in home.totals(measure))
        assert known_wh == (len(told) - 1) * flowed_wh, "only the quarter hour of the exchange is unknown"


def test_a_register_that_never_counted_stays_zero_and_night_zero_is_asleep() -> None:
    home = Home()
    for minute in range(46):
        home.read(minute, 300, import_wh=900 + 5 * minute, export_wh=0)
    assert home.told(Measure.GRID_EXPORT) == [0, 0, 0]
    sun = Home("pv")
    for minute in range(46):
        sun.read(minute, 0, production_wh=0 if 10 <= minute < 40 else 7_000)
    assert sun.told(Measure.PV_PRODUCTION) == ["MISSING"] * 3
    assert sun.totals(Measure.PV_PRODUCTION) == [(0, 3, 0)]


@pytest.mark.parametrize("late_s", [5.0, 30.0, 59.0])
def test_an_answer_that_comes_late_is_taken_back_by_the_power(late_s: float) -> None:
    """59 s at 11 kW moved 168 of 2,750 Wh into the quarter hour before."""
    home = Home()
    for minute in range(46):
        late = late_s if minute == 15 else 0.0
        home.read(minute, 11_000, late, import_wh=int(9000 + 11_000 * (60 * minute + late) / 3600), export_wh=0)
    assert all(isinstance(each, int) and abs(each - 2750) <= 10 for each in home.told()), home.told()
    assert sum(each for each in home.told() if isinstance(each, int)) == 8250


def test_a_late_answer_while_the_power_changes_is_derived() -> None:
    home = Home()
    for minute in range(31):
        late = 59.0 if minute == 15 else 0.0
        home.read(minute, 11_000 if minute < 15 else 2_000, late, import_wh=9000 + 180 * minute, export_wh=0)
    assert home.told()[0] == "DERIVED"


def test_power_that_contradicts_a_running_counter_all_day_leaves_slots_derived_by_the_counter() -> None:
    """A clamp the wrong way round: the counter is right, and nothing of it is lost."""
    home = Home("load")
    for minute in range(481):
        home.read(minute, -3000, import_wh=10_000 + 50 * minute)
    assert home.told(Measure.SUBMETER)[-8:] == ["DERIVED"] * 8
    values = [each.values[Measure.SUBMETER].energy_wh or 0 for each in home.closed]
    assert sum(values) + sum(total_wh for *_, total_wh in home.totals(Measure.SUBMETER)) == 480 * 50
