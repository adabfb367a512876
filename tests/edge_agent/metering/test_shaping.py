"""Coarse counters: power spreads their steps over the slots, and the sums stay the counter's own."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint, Sample, read_checkpoint
from edge_agent.metering.shaping import CounterShape
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import SLOT_S, start_of

FIRST = 2_000_000
STEP_WH = 1000
PLACE = MeasuringPoint("sun", "pv", 10_000)
POWERS = st.lists(st.integers(0, 8000), min_size=3, max_size=40)


class Plant:
    """A plant whose power runs straight from one quarter hour's value to the next, and its coarse counter."""

    def __init__(self, powers_w: list[int], *, begins_at_wh: int = 5_000_000, told_percent: int = 100) -> None:
        self.powers_w, self.begins_at_wh, self.told_percent = powers_w, begins_at_wh, told_percent

    def energy_wh(self, at: int) -> float:
        """What was truly made up to this minute."""
        slot, minute = divmod(at, 15)
        whole = sum((first + last) / 8 for first, last in zip(self.powers_w, self.powers_w[1 : slot + 1], strict=False))
        first, last = self.powers_w[slot], self.powers_w[min(slot + 1, len(self.powers_w) - 1)]
        hours = minute / 60
        return self.begins_at_wh + whole + hours * (first + (last - first) * minute / 30)

    def sample(self, at: int) -> Sample:
        slot, minute = divmod(at, 15)
        first, last = self.powers_w[slot], self.powers_w[min(slot + 1, len(self.powers_w) - 1)]
        power_w = round((first + (last - first) * minute / 15) * self.told_percent / 100)
        counter_wh = int(self.energy_wh(at) // STEP_WH) * STEP_WH
        steps = {"production_wh": STEP_WH}
        return Sample(start_of(FIRST) + 60.0 * at, {"production_wh": counter_wh}, power_w, steps, is_shaped=True)


def run(plant: Plant, metering: HomeMeter, *, minutes: range) -> list[tuple[int | None, Mark]]:
    """Read every minute; the slots' energy and mark."""
    closed = []
    for at in minutes:
        metering.add_sample(PLACE, plant.sample(at))
        if at % 15 == 0 and at == minutes.start:
            metering.open(PLACE)
        elif at % 15 == 0:
            metering.close(PLACE)
            slot, _ = metering.next_closed_slot() or (None, b"")
            assert slot is not None
            value = slot.values[Measure.PV_PRODUCTION]
            closed.append((value.energy_wh, value.mark))
    return closed


def metering() -> HomeMeter:
    return HomeMeter([PLACE], next_slot=FIRST, longest_hole_s=300)


@given(POWERS, st.integers(0, STEP_WH - 1), st.integers(60, 140))
def test_sums_are_the_counters_to_less_than_a_step_however_wrong_power_is(
    powers_w: list[int], phase_wh: int, told_percent: int
) -> None:
    plant = Plant(powers_w, begins_at_wh=5_000_000 + phase_wh, told_percent=told_percent)
    closed = run(plant, metering(), minutes=range((len(powers_w) - 1) * 15 + 1))
    assert {mark for _, mark in closed} == {Mark.DERIVED}
    total_wh = sum(energy_wh or 0 for energy_wh, _ in closed)
    true_wh = plant.energy_wh((len(powers_w) - 1) * 15) - plant.begins_at_wh
    # At both ends the counter hides up to a step.
    assert abs(total_wh - true_wh) < 2 * STEP_WH
    assert all(energy_wh is not None and energy_wh >= 0 for energy_wh, _ in closed)


@given(POWERS, st.integers(0, STEP_WH - 1))
def test_with_true_power_each_slot_is_true_to_a_few_watt_hours(powers_w: list[int], phase_wh: int) -> None:
    plant = Plant(powers_w, begins_at_wh=5_000_000 + phase_wh)
    closed = run(plant, metering(), minutes=range((len(powers_w) - 1) * 15 + 1))
    # A step is seen only at the next reading: until it is, a minute of power hides in it, at most once per step.
    for at, (energy_wh, _) in enumerate(closed):
        true_wh = plant.energy_wh(15 * (at + 1)) - plant.energy_wh(15 * at)
        assert energy_wh is not None
        assert abs(energy_wh - true_wh) <= 8000 / 60 * 2 + 3


def test_without_power_a_kilowatt_hour_falls_into_one_slot_and_with_it_does_not() -> None:
    plant = Plant([1000] * 41)
    spread = [energy_wh for energy_wh, _ in run(plant, metering(), minutes=range(601))]
    assert all(energy_wh in range(245, 255) for energy_wh in spread), spread


def test_it_goes_on_after_a_restart_within_its_step() -> None:
    plant = Plant([2000] * 40)
    before = metering()
    kept = b""
    first = 0
    for at in range(151):
        before.add_sample(PLACE, plant.sample(at))
        if at == 0:
            before.open(PLACE)
        elif at % 15 == 0:
            before.close(PLACE)
            slot, kept = before.next_closed_slot() or (None, b"")
            assert slot is not None
            first += slot.values[Measure.PV_PRODUCTION].energy_wh or 0
    next_slot, bases = read_checkpoint(kept)
    after = HomeMeter([PLACE], next_slot=next_slot, longest_hole_s=300, bases=bases)
    second = 0
    for at in range(151, 451):
        after.add_sample(PLACE, plant.sample(at))
        if at % 15 == 0:
            after.close(PLACE)
            slot, _ = after.next_closed_slot() or (None, b"")
            assert slot is not None
            second += slot.values[Measure.PV_PRODUCTION].energy_wh or 0
    assert abs(first + second - 450 / 60 * 2000) < STEP_WH


def test_a_sleeping_device_and_a_counter_that_begins_again_stay_what_they_are() -> None:
    shape = CounterShape(0, 300)
    assert shape.refine_reading(0, 5000, power_w=600, step_wh=1000) == 5000
    shape.confirm_reading()
    assert shape.refine_reading(60, None, power_w=None, step_wh=1000) is None
    assert shape.refine_reading(120, 0, power_w=0, step_wh=1000) == 0
    assert shape.refine_reading(180, 5000, power_w=0, step_wh=1000) == 5010, "10 Wh since the first reading"
    shape.confirm_reading()
    assert shape.refine_reading(240, 1000, power_w=0, step_wh=1000) == 1000, (
        "the meter behind it decides what a fall is"
    )
    meter = metering()
    for at, counter_wh in enumerate((7000, 2000, 2000)):
        meter.add_sample(PLACE, Sample(start_of(FIRST) + 450.0 * at, {"production_wh": counter_wh}, 0, is_shaped=True))
        if at == 0:
            meter.open(PLACE)
    meter.close(PLACE)
    slot, _ = meter.next_closed_slot() or (None, b"")
    assert slot is not None
    assert slot.values[Measure.PV_PRODUCTION].gap is Gap.COUNTER_RESET
    assert SLOT_S == 900


def total_wh(plant: Plant, minutes: int, *, wrong_steps: Mapping[int, int]) -> int:
    """Slots and totals of readings of which some show this many steps too many."""
    meter, told_wh = metering(), 0
    for at in range(minutes + 1):
        sample = plant.sample(at)
        counter_wh = (sample.counters_wh["production_wh"] or 0) + wrong_steps.get(at, 0) * STEP_WH
        meter.add_sample(PLACE, replace(sample, counters_wh={"production_wh": counter_wh}))
        if at == 0:
            meter.open(PLACE)
        elif at % 15 == 0:
            meter.close(PLACE)
        while found := meter.next_closed_slot():
            told_wh += sum(value.energy_wh or 0 for value in found[0].values.values())
            told_wh += sum(total.energy_wh for total in found[0].long_intervals)
    return told_wh


@given(
    POWERS,
    st.integers(0, STEP_WH - 1),
    st.integers(60, 140),
    st.dictionaries(st.integers(0, 280), st.sampled_from([-5, -4, -3, -2, -1, 6, 20]), max_size=40),
)
def test_single_misreads_cost_nothing_however_many(
    powers_w: list[int], phase_wh: int, told_percent: int, wrong: dict[int, int]
) -> None:
    plant = Plant(powers_w, begins_at_wh=5_000_000 + phase_wh, told_percent=told_percent)
    minutes = (len(powers_w) - 1) * 15
    # Every second minute at most, the first and the last are right.
    wrong_steps = {1 + 2 * at: steps for at, steps in wrong.items() if 1 + 2 * at < minutes}
    ran_wh = sum(sign * (plant.sample(at).counters_wh["production_wh"] or 0) for at, sign in ((minutes, 1), (0, -1)))
    assert abs(total_wh(plant, minutes, wrong_steps=wrong_steps) - ran_wh) < STEP_WH


def test_a_misread_the_meter_believes_is_made_up_for() -> None:
    plant = Plant([1000] * 41)
    wrong_steps = dict.fromkeys(range(7, 590, 45), 1)
    assert abs(total_wh(plant, 600, wrong_steps=wrong_steps) - 10_000) < STEP_WH


@pytest.mark.parametrize("power_w", [None, 0])
def test_the_first_step_lifts_the_beginning_by_less_than_a_step_without_power(power_w: int | None) -> None:
    shape = CounterShape(0, 300)
    shape.refine_reading(0, 5000, power_w=power_w, step_wh=1000)
    shape.confirm_reading()
    assert shape.refine_reading(60, 6000, power_w=power_w, step_wh=1000) == 6000
    assert shape.found_wh == 999


def test_a_new_beginning_is_placed_anew_and_only_a_confirmed_one() -> None:
    shape = CounterShape(0, 300, begins_at_wh=5400)
    for counter_wh, has_begun_again, found_wh in (
        (2000, False, 0),
        (3000, False, 0),
        (1000, True, 0),
        (2000, True, 999),
    ):
        shape.refine_reading(0, counter_wh, power_w=None, step_wh=1000)
        assert shape.found_wh == found_wh
        if counter_wh != 2000 or has_begun_again:
            shape.confirm_reading(has_begun_again=has_begun_again)


def test_power_is_counted_on_after_the_clock_was_set_back() -> None:
    shape = CounterShape(0, 300)
    shape.refine_reading(1000, 5000, power_w=600, step_wh=1000)
    shape.confirm_reading()
    shape.step_time(-900)
    assert shape.refine_reading(160, 5000, power_w=600, step_wh=1000) == 5010
