"""One counter without power: what is energy and what only looks like it. Boundaries alone measure little.

The phantom rows are pains 17 to 20 of the field notes.
"""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.metering.counter_records import CounterLimits, ReadingVerdict, SlotBase
from edge_agent.metering.counters import ClosedCounterSlot, CounterInterval, CounterMeter
from protocols.quantities import Gap, Mark
from protocols.slots import start_of

LIMITS = CounterLimits(max_power_w=10_000)
FIRST = 2_000_000


def begun(counter_wh: int = 100_000, limits: CounterLimits = LIMITS) -> CounterMeter:
    meter = CounterMeter(limits)
    assert meter.add_reading(start_of(FIRST), counter_wh) is ReadingVerdict.GOOD
    meter.open(FIRST)
    return meter


def end_slot(meter: CounterMeter, slot: int, *readings: int | None) -> ClosedCounterSlot:
    """Give the readings at the slot's end until one is believed, then close."""
    verdict = ReadingVerdict.NOTHING
    for reading in readings:
        verdict = meter.add_reading(start_of(slot + 1), reading)
    closed = meter.close(slot, Gap.NONE if verdict is ReadingVerdict.GOOD else Gap.DEVICE_SILENT)
    assert closed is not None
    return closed


def test_a_slot_is_the_difference_of_its_two_boundaries() -> None:
    meter = begun()
    assert end_slot(meter, FIRST, 100_250) == ClosedCounterSlot(250, Mark.DERIVED, Gap.NONE)
    assert end_slot(meter, FIRST + 1, 100_250) == ClosedCounterSlot(0, Mark.DERIVED, Gap.NONE)


def test_a_slot_before_the_first_boundary_is_unknown_not_zero() -> None:
    meter = CounterMeter(LIMITS)
    meter.add_reading(start_of(FIRST) + 300, 5_000)
    assert meter.close(FIRST - 1, Gap.DEVICE_SILENT) is None


def test_missing_boundaries_leave_gaps_and_one_total_over_them() -> None:
    meter = begun()
    assert meter.close(FIRST, Gap.DEVICE_SILENT) == ClosedCounterSlot(None, Mark.MISSING, Gap.DEVICE_SILENT)
    assert meter.close(FIRST + 1, Gap.DEVICE_REFUSED) == ClosedCounterSlot(None, Mark.MISSING, Gap.DEVICE_REFUSED)
    closed = end_slot(meter, FIRST + 2, 103_000)
    assert closed == ClosedCounterSlot(None, Mark.MISSING, Gap.DEVICE_SILENT, CounterInterval(FIRST, 3, 3_000))
    assert end_slot(meter, FIRST + 3, 103_500).energy_wh == 500


def test_zero_at_night_is_asleep_and_the_way_back_is_no_production() -> None:
    meter = begun(12_345_678)
    meter.add_reading(start_of(FIRST) + 300, 0)
    assert end_slot(meter, FIRST, 0, 0).gap is Gap.DEVICE_SILENT
    assert end_slot(meter, FIRST + 1, None, None).energy_wh is None
    morning = end_slot(meter, FIRST + 2, 12_345_690)
    assert morning.energy_wh is None
    assert morning.long == CounterInterval(FIRST, 3, 12)


def test_a_reset_is_believed_after_an_hour_and_what_ran_since_is_one_total() -> None:
    meter = begun()
    assert meter.add_reading(start_of(FIRST) + 60, 100_010) is ReadingVerdict.GOOD
    for at in range(4):
        closed = end_slot(meter, FIRST + at, 40 + 250 * at)
        assert closed == ClosedCounterSlot(None, Mark.MISSING, Gap.COUNTER_RESET)
    closed = end_slot(meter, FIRST + 4, 1040)
    assert closed == ClosedCounterSlot(None, Mark.MISSING, Gap.COUNTER_RESET, CounterInterval(FIRST + 1, 4, 1000))
    assert end_slot(meter, FIRST + 5, 1299) == ClosedCounterSlot(259, Mark.DERIVED, Gap.NONE)


def test_one_wrong_low_reading_is_forgotten() -> None:
    meter = begun()
    assert meter.add_reading(start_of(FIRST) + 300, 40) is ReadingVerdict.SUSPECT
    assert meter.add_reading(start_of(FIRST) + 600, 100_100) is ReadingVerdict.GOOD
    assert end_slot(meter, FIRST, 100_200) == ClosedCounterSlot(200, Mark.DERIVED, Gap.NONE)


def test_a_fall_that_comes_back_is_not_counted_as_production() -> None:
    meter = begun(100_000)
    for reading in (99_000, 99_000, 99_010, 100_300):
        meter.add_reading(start_of(FIRST) + 300, reading)
    assert end_slot(meter, FIRST, 100_400) == ClosedCounterSlot(400, Mark.DERIVED, Gap.NONE)


def test_an_impossible_rise_is_never_energy() -> None:
    meter = begun()
    assert meter.add_reading(start_of(FIRST + 1), 900_000) is ReadingVerdict.SUSPECT
    assert meter.add_reading(start_of(FIRST + 1), 900_000) is ReadingVerdict.SUSPECT
    assert meter.close(FIRST, Gap.NONE) == ClosedCounterSlot(None, Mark.MISSING, Gap.IMPLAUSIBLE)
    back = end_slot(meter, FIRST + 1, 100_900)
    assert back == ClosedCounterSlot(None, Mark.MISSING, Gap.IMPLAUSIBLE, CounterInterval(FIRST, 2, 900))


def test_more_than_the_connection_can_carry_in_a_slot_is_implausible() -> None:
    meter = begun()
    meter.add_reading(start_of(FIRST) + 450, 102_000)
    assert end_slot(meter, FIRST, 104_000) == ClosedCounterSlot(None, Mark.MISSING, Gap.IMPLAUSIBLE)


def test_a_wrap_is_counted_through() -> None:
    limits = CounterLimits(10_000, wraps_wh=2**32)
    meter = begun(2**32 - 100, limits)
    assert end_slot(meter, FIRST, 150) == ClosedCounterSlot(250, Mark.DERIVED, Gap.NONE)
    assert end_slot(meter, FIRST + 1, 350) == ClosedCounterSlot(200, Mark.DERIVED, Gap.NONE)
    again = CounterMeter(limits, meter.base)
    assert end_slot(again, FIRST + 2, 400) == ClosedCounterSlot(50, Mark.DERIVED, Gap.NONE)


def test_a_counter_that_showed_zero_long_ago_is_not_believed_at_once() -> None:
    meter = CounterMeter(replace(LIMITS, sleeps=True), SlotBase(FIRST, start_of(FIRST), 0))
    meter.close(FIRST, Gap.DEVICE_SILENT)
    meter.close(FIRST + 1, Gap.DEVICE_SILENT)
    assert meter.add_reading(start_of(FIRST + 3), 4_000) is ReadingVerdict.SUSPECT
    assert end_slot(meter, FIRST + 2, 4_000).energy_wh is None


def test_a_counter_that_stays_at_zero_measures_zero() -> None:
    meter = begun(0)
    assert [end_slot(meter, FIRST + at, 0).energy_wh for at in range(3)] == [0, 0, 0]
    assert end_slot(meter, FIRST + 3, 12).energy_wh == 12


def test_rounding_down_by_less_than_a_step_is_not_a_reset() -> None:
    meter = begun(100_010, CounterLimits(10_000, step_wh=10))
    assert end_slot(meter, FIRST, 100_005) == ClosedCounterSlot(0, Mark.MEASURED, Gap.NONE)
    assert end_slot(meter, FIRST + 1, 100_020).energy_wh == 10


steps = st.lists(st.tuples(st.integers(0, 2_400), st.booleans()), min_size=1, max_size=60)


@given(steps)
def test_slots_and_totals_add_up_to_what_the_counter_ran(found: list[tuple[int, bool]]) -> None:
    meter = begun(50_000)
    counter, last_good, told = 50_000, 50_000, 0
    for at, (rise, is_there) in enumerate(found):
        counter += rise
        if is_there:
            last_good = counter
            closed = end_slot(meter, FIRST + at, counter)
            told += (closed.energy_wh or 0) + (closed.long.energy_wh if closed.long else 0)
            assert closed.energy_wh is not None or closed.gap is not Gap.NONE
        else:
            meter.close(FIRST + at, Gap.DEVICE_SILENT)
    assert told == last_good - 50_000


faults = st.sampled_from(["zero", "null", "low_once", "high_once", "low_for_long", "silent", "none"])


@given(st.lists(st.tuples(st.integers(0, 300), faults), min_size=1, max_size=60))
def test_no_fault_ever_makes_energy_out_of_nothing(found: list[tuple[int, str]]) -> None:
    """Whatever the device shows in between, no more is told than truly ran."""
    meter = begun(1_000_000)
    truth, told, low = 1_000_000, 0, 0
    for at, (rise, fault) in enumerate(found):
        truth += rise
        wrong = {"zero": 0, "null": None, "low_once": 777, "high_once": 9_999_999}
        if fault == "silent":
            meter.close(FIRST + at, Gap.DEVICE_SILENT)
            continue
        if fault == "low_for_long":
            readings: list[int | None] = [5_000 + low, 5_000 + low]
            low += rise
        else:
            readings = [wrong[fault], truth] if fault in wrong else [truth]
            readings += [truth]
        closed = end_slot(meter, FIRST + at, *readings)
        told += (closed.energy_wh or 0) + (closed.long.energy_wh if closed.long else 0)
        assert closed.energy_wh is None or closed.energy_wh >= 0
    assert told <= truth - 1_000_000


def test_a_restart_goes_on_from_its_base() -> None:
    meter = CounterMeter(LIMITS, SlotBase(FIRST, start_of(FIRST), 100_000))
    assert end_slot(meter, FIRST, 100_099) == ClosedCounterSlot(99, Mark.DERIVED, Gap.NONE)
