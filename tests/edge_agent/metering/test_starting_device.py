"""A meter that restarts shows 0 everywhere for a moment: no power that says nothing flowed meanwhile."""

from dataclasses import replace

import pytest

from edge_agent.metering.counter_records import ReadingVerdict
from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint, Sample
from protocols.quantities import Measure
from protocols.slots import SLOT_S, start_of

PLACE, FIRST = MeasuringPoint("it", "grid", 15_000), 2_000_000
BEGINS_WH = 1_234_567


def shown(at_s: int, power_w: int, *, awake_s: tuple[int, int]) -> Sample | None:
    """300 W, and `power_w` from the moment on at which it goes down; it is silent at first and then shows 0."""
    off_s, up_s = awake_s
    true_wh = BEGINS_WH + (300 * min(at_s, off_s) + power_w * max(0, at_s - off_s)) // 3600
    if off_s <= at_s < off_s + 120:
        return None
    is_zero = off_s <= at_s < up_s
    counters = {"import_wh": 0 if is_zero else true_wh, "export_wh": 0 if is_zero else 5000}
    return Sample(start_of(FIRST) + at_s, counters, 0 if is_zero else power_w if at_s >= off_s else 300)


@pytest.mark.parametrize("power_w", [300, 1500, 2600, 6000])
@pytest.mark.parametrize("off_s", [4 * SLOT_S, 4 * SLOT_S + 300])
def test_what_the_counter_knows_is_told_after_a_start_from_0(off_s: int, power_w: int) -> None:
    meter = HomeMeter([PLACE], next_slot=FIRST, longest_hole_s=300)
    told_wh, slots = 0, 16
    for at_s in range(0, slots * SLOT_S + 1, 60):
        if (sample := shown(at_s, power_w, awake_s=(off_s, off_s + 320))) is not None:
            meter.add_sample(PLACE, sample)
        if at_s == 0:
            meter.open(PLACE)
        elif at_s % SLOT_S == 0:
            meter.close(PLACE)
        while found := meter.next_closed_slot():
            told_wh += found[0].values[Measure.GRID_IMPORT].energy_wh or 0
            told_wh += sum(each.energy_wh for each in found[0].long_intervals if each.measure is Measure.GRID_IMPORT)
    flowed_wh = (300 * off_s + power_w * (slots * SLOT_S - off_s)) / 3600
    assert told_wh == pytest.approx(flowed_wh, abs=3)


def begun_again(
    at_s: float, *, up_s: float, awake_s: float, down_s: int = 60, first_up_s: float = float("inf")
) -> Sample | None:
    """A meter that is down for a moment and begins at 0 again; until `awake_s` it shows 0 everywhere.

    From `first_up_s` to then it shows another number, as one does that saves its count seldom.
    """
    if up_s - down_s <= at_s < up_s:
        return None
    if up_s <= at_s < awake_s:
        return Sample(0.0, {"import_wh": 0, "export_wh": 0}, 0)
    began_s, begins_wh = (up_s, 0) if at_s >= up_s else (first_up_s, 500) if at_s >= first_up_s else (0.0, BEGINS_WH)
    return Sample(0.0, {"import_wh": begins_wh + int(1400 * (at_s - began_s)) // 3600, "export_wh": 0}, 1400)


@pytest.mark.parametrize("down_s", [60, 400])
@pytest.mark.parametrize("up_before_s", [5, 60, 180])
@pytest.mark.parametrize("awake_after_s", [-30, 2, 15, 30, 75, 200])
def test_a_0_shown_at_a_boundary_while_a_meter_starts_is_no_beginning_of_a_total(
    up_before_s: int, awake_after_s: int, down_s: int
) -> None:
    """Up to 70 Wh from before the boundary were in the total after it."""
    check_totals(up_before_s, awake_after_s, down_s=down_s)


@pytest.mark.parametrize("up_before_s", [60, 180])
@pytest.mark.parametrize("awake_after_s", [75, 200, 260, 320])
def test_nor_where_it_showed_another_number_before(up_before_s: int, awake_after_s: int) -> None:
    """The 0 competes with that number, and takes its place after four minutes."""
    check_totals(up_before_s, awake_after_s, first_up_s=4 * SLOT_S - up_before_s - 900)


def check_totals(up_before_s: int, awake_after_s: int, *, down_s: int = 60, first_up_s: float = float("inf")) -> None:
    """A meter begins at 0 so long before a boundary: each total after it is what flowed in its quarter hours."""
    meter = HomeMeter([PLACE], next_slot=FIRST, longest_hole_s=300)
    boundary_s, slots = 4 * SLOT_S, 12
    up_s, awake_s = boundary_s - up_before_s, boundary_s + awake_after_s
    totals: list[tuple[int, int, int]] = []
    for at_s in range(0, slots * SLOT_S + 1, 60):
        for late_s in (0, 4, 11, 25, 52) if at_s % SLOT_S == 0 else (0,):
            moment_s = at_s + late_s
            sample = begun_again(moment_s, up_s=up_s, awake_s=awake_s, down_s=down_s, first_up_s=first_up_s)
            if sample is None:
                continue
            sample = replace(sample, at_s=float(start_of(FIRST) + at_s), late_s=float(late_s))
            if meter.add_sample(PLACE, sample) is ReadingVerdict.GOOD:
                break
        if at_s == 0:
            meter.open(PLACE)
        elif at_s % SLOT_S == 0:
            meter.close(PLACE)
        while found := meter.next_closed_slot():
            slot = found[0]
            totals += [(each.first_slot, each.slots, each.energy_wh) for each in slot.long_intervals if each.energy_wh]
    assert totals, "what ran since it began again is known"
    for first, length, energy_wh in totals:
        assert first in (FIRST + 4, FIRST + 5)
        assert 350 * length - 5 <= energy_wh <= 350 * length + 5


@pytest.mark.parametrize("power_w", [1500, 6000])
@pytest.mark.parametrize("late_s", [11, 25, 52])
@pytest.mark.parametrize("has_power", [True, False])
def test_one_late_answer_after_a_restart_ends_the_total_at_the_boundary(
    power_w: int, late_s: int, has_power: bool
) -> None:
    """What flowed after the boundary, up to 87 Wh in 52 s, was in the total before it."""
    meter = HomeMeter([PLACE], next_slot=FIRST, longest_hole_s=300)
    totals: list[tuple[int, int, int]] = []
    slots, boundary_s = 12, 5 * SLOT_S
    for at_s in range(0, slots * SLOT_S + 1, 60):
        after_s = late_s if at_s == boundary_s else 0
        if not boundary_s - 400 <= at_s < boundary_s:
            counters = {"import_wh": BEGINS_WH + power_w * (at_s + after_s) // 3600, "export_wh": 5000}
            sample = Sample(float(start_of(FIRST) + at_s), counters, power_w if has_power else None, late_s=after_s)
            meter.add_sample(PLACE, sample)
        if at_s == 0:
            meter.open(PLACE)
        elif at_s % SLOT_S == 0:
            meter.close(PLACE)
        while found := meter.next_closed_slot():
            slot = found[0]
            mine = [each for each in slot.long_intervals if each.measure is Measure.GRID_IMPORT]
            value = slot.values[Measure.GRID_IMPORT]
            totals += [(each.first_slot, each.slots, each.energy_wh) for each in mine]
            if value.energy_wh is not None:
                totals.append((slot.slot, 1, value.energy_wh))
    told_wh = sum(each[2] for each in totals)
    assert told_wh == pytest.approx(power_w * slots / 4, abs=2)
    for _, length, energy_wh in totals:
        assert energy_wh == pytest.approx(power_w * length / 4, abs=4)


def test_a_late_answer_that_leaves_open_what_flowed_before_it_is_no_boundary() -> None:
    """A load began 20 s before the answer: 53 Wh from before the boundary would be in the slot after it."""
    meter = HomeMeter([PLACE], next_slot=FIRST, longest_hole_s=300)
    boundary_s, told = 5 * SLOT_S, list[tuple[int, int]]()
    for at_s in range(0, 8 * SLOT_S + 1, 60):
        answered_s = at_s + (52 if at_s == boundary_s else 0)
        if not boundary_s - 400 <= at_s < boundary_s:
            flowed_wh = (300 * answered_s + 5700 * max(0, answered_s - boundary_s - 32)) // 3600
            counters = {"import_wh": BEGINS_WH + flowed_wh, "export_wh": 5000}
            power_w = 6000 if answered_s >= boundary_s + 32 else 300
            late_s = float(answered_s - at_s)
            meter.add_sample(PLACE, Sample(float(start_of(FIRST) + at_s), counters, power_w, late_s=late_s))
        if at_s == 0:
            meter.open(PLACE)
        elif at_s % SLOT_S == 0:
            meter.close(PLACE)
        while found := meter.next_closed_slot():
            mine = [each for each in found[0].long_intervals if each.measure is Measure.GRID_IMPORT]
            told += [(each.slots, each.energy_wh) for each in mine]
            if (energy_wh := found[0].values[Measure.GRID_IMPORT].energy_wh) is not None:
                told.append((1, energy_wh))
    assert told[:4] == [(1, 75)] * 4
    assert told[4] == (2, pytest.approx(150 + 5700 * (SLOT_S - 32) / 3600, abs=2))
