"""Counters whose power says little: none at all, answers that only repeat, readings minutes apart."""

import pytest

from edge_agent.metering.home_meter import ClosedSlot, HomeMeter, MeasuringPoint, Sample
from edge_agent.metering.sample_feed import SampleFeed
from protocols.quantities import Mark, Measure
from protocols.slots import SLOT_S, start_of

FIRST = 2_000_000
T0 = start_of(FIRST)
PLACE = MeasuringPoint("it", "grid", 15_000)
Shown = dict[int, tuple[int, int | None]]


def closed_slots(shown: Shown, slots: int, late_s: dict[int, float] | None = None) -> list[ClosedSlot]:
    """The slots of a device that shows these counters and powers at these seconds."""
    meter = HomeMeter([PLACE], next_slot=FIRST, longest_hole_s=300)
    feed = SampleFeed(meter, window_s=60)
    for at_s, (counter_wh, power_w) in shown.items():
        late = (late_s or {}).get(at_s, 0.0)
        sample = Sample(T0 + at_s, {"import_wh": counter_wh, "export_wh": 0}, power_w, late_s=late)
        feed.add_samples(T0 + at_s, {PLACE: sample})
    feed.miss_through(FIRST + slots)
    found = []
    while closed := meter.next_closed_slot():
        found.append(closed[0])
    return found


def told(shown: Shown, slots: int, late_s: dict[int, float] | None = None) -> list[tuple[int | None, str]]:
    """What is told of the import."""
    values = [each.values[Measure.GRID_IMPORT] for each in closed_slots(shown, slots, late_s)]
    return [(value.energy_wh, value.mark.name) for value in values]


def steady(slots: int, every_s: int, *, power_w: int | None, flow_w: int = 920) -> Shown:
    seconds = range(0, slots * SLOT_S + 1, every_s)
    return {at_s: (1_000_000 + flow_w * at_s // 3600, power_w) for at_s in seconds}


def measured(found: list[tuple[int | None, str]]) -> set[int | None]:
    return {energy_wh for energy_wh, mark in found if mark == Mark.MEASURED.name}


def test_without_power_more_than_the_nameplate_carries_is_read_again() -> None:
    shown = steady(4, 60, power_w=None)
    shown |= {900: (1_001_130, None), 904: (1_000_231, None)}
    found = told(dict(sorted(shown.items())), 4)
    assert all(energy_wh is not None and abs(energy_wh - 230) <= 2 for energy_wh, _ in found)


def test_without_power_a_frozen_counter_that_catches_up_is_not_measured() -> None:
    shown = steady(6, 60, power_w=None)
    shown |= {at_s: (1_000_309, None) for at_s in shown if 1210 < at_s < 3500}
    found = told(shown, 6)
    assert measured(found[3:]) == {230}
    assert found[3][1] != Mark.MEASURED.name


def test_without_power_a_late_boundary_is_derived_if_all_may_have_flowed_after_it() -> None:
    shown = {at_s: (1_000_000 + 500 * at_s // 3600, None) for at_s in range(0, 1741, 60)}
    shown |= {at_s: (1_000_241 + 11_000 * (at_s - 1740) // 3600, None) for at_s in range(1860, 3601, 60)}
    shown[1800] = (1_000_241 + 11_000 * 80 // 3600, None)
    found = told(dict(sorted(shown.items())), 4, late_s={1800: 20.0})
    assert [mark for _, mark in found] == ["MEASURED", "DERIVED", "DERIVED", "DERIVED"]


@pytest.mark.parametrize("every_s", [60, 300])
def test_without_power_a_plausible_glitch_at_a_boundary_is_no_measurement(every_s: int) -> None:
    shown = steady(4, every_s, power_w=None, flow_w=100)
    shown[1800] = (shown[1800][0] + 40 * every_s // 60, None)
    found = told(shown, 4)
    assert measured(found) == {25}
    assert found[1][1] != Mark.MEASURED.name
    assert found[2][1] != Mark.MEASURED.name


@pytest.mark.parametrize("shown_wh", [0, 17, 1_000_000, 0x7FFFFFF])
def test_without_power_a_number_held_from_the_first_reading_is_no_measurement(shown_wh: int) -> None:
    """An idle register looks the same: it is told, but not as measured."""
    shown: Shown = dict.fromkeys(range(0, 3601, 60), (shown_wh, None))
    assert told(shown, 4) == [(0, "DERIVED")] * 4


@pytest.mark.parametrize("every_s", [10, 60, 300, 900])
def test_without_power_a_boundary_is_as_sure_as_its_readings_are_close(every_s: int) -> None:
    """Between two readings anything up to their difference may be wrong: 153 Wh in 300 s are no measurement."""
    found = told(steady(4, every_s, power_w=None, flow_w=1840), 4)
    assert {energy_wh for energy_wh, _ in found} == {460}
    assert {mark for _, mark in found[1:]} == {"MEASURED" if every_s == 10 else "DERIVED"}


def test_without_power_a_counter_that_stands_still_at_the_boundary_is_no_measurement() -> None:
    shown = steady(6, 60, power_w=None, flow_w=400)
    shown |= {at_s: (1_000_180, None) for at_s in shown if 1620 < at_s <= 1980}
    found = told(shown, 6)
    assert measured(found) == {100}
    assert "MEASURED" not in (found[1][1], found[2][1])


@pytest.mark.parametrize("low_s", [61, 1000])
def test_a_first_answer_that_was_only_repeated_is_no_base_for_a_leap(low_s: int) -> None:
    """The device shows 1,000 Wh too little when the agent starts, then the truth."""
    shown = steady(8, 60, power_w=920)
    shown |= {at_s: (999_000, 920) for at_s in shown if at_s < low_s}
    found = told(shown, 8)
    assert measured(found) == {230}
    assert len([each for each in found if each[1] == Mark.MEASURED.name]) >= 6
    totals = [long for each in closed_slots(shown, 8) for long in each.long_intervals]
    assert all(abs(each.energy_wh - 230 * each.slots) <= 2 for each in totals if each.measure is Measure.GRID_IMPORT)


@pytest.mark.parametrize("same_power", [True, False])
def test_a_cached_answer_read_every_five_minutes_is_no_measurement(same_power: bool) -> None:
    shown = steady(8, 300, power_w=920)
    if not same_power:
        shown = {at_s: (counter_wh, 920 + at_s % 7) for at_s, (counter_wh, _) in shown.items()}
    shown |= {at_s: (1_000_309, shown[at_s][1]) for at_s in shown if 1213 < at_s < 3500}
    assert measured(told(shown, 8)) == {230}


def test_a_frozen_counter_beside_a_steady_power_that_changes_at_the_boundary_is_no_measurement() -> None:
    """The steady power looks like an old answer, and the one at the boundary like a new one: 0 Wh was sealed."""
    shown = steady(8, 60, power_w=920)
    shown |= {at_s: (1_000_460, 920) for at_s in shown if 1801 < at_s < 2801}
    shown |= {2704: (1_000_460, 924)}
    shown = dict(sorted(shown.items()))
    found = told(shown, 8)
    assert measured(found) == {230}


def test_a_jump_of_the_power_at_a_boundary_read_every_five_minutes_stays_measured() -> None:
    """The counter may be anywhere the jump allows: here nothing had flowed before the boundary."""
    shown = {
        at_s: (1_000_000 + max(0, at_s - 1800) * 3400 // 3600, 3400 * (at_s >= 1800)) for at_s in range(0, 3601, 300)
    }
    assert told(shown, 4) == [(0, "MEASURED"), (0, "MEASURED"), (850, "MEASURED"), (850, "MEASURED")]


def test_what_a_meter_loses_in_a_restart_between_two_powers_is_not_measured() -> None:
    """629 of 655 Wh were measured: it fell back 25 Wh while one reading failed and a load went off."""
    shown = {at_s: (1_000_000 + 2354 * at_s // 3600, 2354) for at_s in range(0, 601, 60)}
    shown |= {at_s: (1_000_398 + 354 * (at_s - 720) // 3600, 354) for at_s in range(720, 1801, 60)}
    found = told(shown, 2)
    assert found[0] == (1_000_415 - 1_000_000, Mark.DERIVED.name)
    assert found[1][1] == Mark.MEASURED.name


@pytest.mark.parametrize("missed", [(), (660,), (360, 1020), (900,)])
def test_a_reading_that_fails_while_the_power_stays_costs_no_mark(missed: tuple[int, ...]) -> None:
    """Nothing that the power tells was lost; a boundary that failed is read a little later."""
    shown, late_s = steady(3, 60, power_w=5400, flow_w=5400), {}
    for at_s in missed:
        shown.pop(at_s)
        if at_s == 900:
            shown, late_s[at_s] = dict(sorted({**shown, 900: (1_001_350 + 37, 5400)}.items())), 25.0
    assert [mark for _, mark in told(shown, 3, late_s)] == [Mark.MEASURED.name] * 3


def test_a_fall_that_a_load_covers_within_the_quarter_hour_is_not_measured() -> None:
    """378 of 403 Wh were measured: a few readings below, then a load lifted the counter to where power allows it."""
    shown = {at_s: (1_000_000 + 251 * at_s // 3600, 251) for at_s in (0, 60, 120, 180)}
    shown |= {at_s: (1_000_004 + 251 * (at_s - 420) // 3600, 251) for at_s in (420, 480, 540)}
    shown |= {at_s: (1_000_066 + 3751 * (at_s - 600) // 3600, 3751) for at_s in range(600, 1801, 60)}
    found = told(shown, 2)
    assert found[0][1] == Mark.DERIVED.name
    assert found[1][1] == Mark.MEASURED.name


def test_what_flowed_the_other_way_before_a_silence_is_bridged_by_the_power_before_it() -> None:
    """59 of 192 Wh were measured: after the silence the sun fed in, and what was drawn before it was forgotten."""
    shown = {at_s: (1_000_000 + 1200 * at_s // 3600, 1200) for at_s in range(0, 181, 60)}
    shown |= {at_s: (1_000_065, -351 - at_s % 7) for at_s in range(540, 1801, 60)}
    found = told(shown, 2)
    assert found[0][1] == Mark.DERIVED.name


def test_a_register_that_falls_in_a_silence_makes_the_other_one_derived() -> None:
    """12 of 108 Wh were measured as import: the export's register fell, and a load ran while the meter was down."""
    meter = HomeMeter([PLACE], next_slot=FIRST, longest_hole_s=300)
    feed = SampleFeed(meter, window_s=60)
    for at_s in range(0, 1801, 60):
        export_wh = 7_000 + at_s // 36 - (12 if at_s >= 420 else 0)
        if not 240 < at_s < 420:
            sample = Sample(T0 + at_s, {"import_wh": 1_000_000, "export_wh": export_wh}, -100)
            feed.add_samples(T0 + at_s, {PLACE: sample})
    feed.miss_through(FIRST + 2)
    closed = [found[0].values for found in iter(meter.next_closed_slot, None) if found]
    assert closed[0][Measure.GRID_IMPORT].mark is Mark.DERIVED
    assert closed[0][Measure.GRID_EXPORT].mark is not Mark.MEASURED
    assert closed[1][Measure.GRID_IMPORT].mark is Mark.MEASURED


def test_a_meter_seen_starting_is_not_measured_in_that_quarter_hour() -> None:
    """It shows 0 everywhere once and then goes on: what flowed while it was down may be in no register."""
    shown = steady(3, 60, power_w=300, flow_w=300)
    shown |= {1200: (0, 0)}
    assert [mark for _, mark in told(shown, 3)] == [Mark.MEASURED.name, Mark.DERIVED.name, Mark.MEASURED.name]
