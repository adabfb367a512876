"""Counters read every five minutes, and counters without power: what one look cannot tell is derived or missing."""

from itertools import pairwise

import pytest

from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint, Sample
from edge_agent.metering.sample_feed import SampleFeed
from protocols.maps.model import RoleName
from protocols.quantities import Mark, Measure
from protocols.slots import SLOT_S, start_of

FIRST = 2_000_000
T0 = start_of(FIRST)
Shown = list[tuple[int, int, int | None]]
"""Second of the wanted reading, counter, power; a second answer at a boundary has the same second."""


def read(shown: Shown, slots: int, role: RoleName = "load") -> tuple[list[str | int], list[tuple[int, int, int]]]:
    """What is told of each slot (its energy if measured, else its mark), and the totals."""
    place = MeasuringPoint("it", role, 15_000)
    measure = Measure.SUBMETER if role == "load" else Measure.PV_PRODUCTION
    name = "import_wh" if role == "load" else "production_wh"
    meter = HomeMeter([place], next_slot=FIRST, longest_hole_s=750)
    feed = SampleFeed(meter, window_s=60)
    last_s, late_s = -1, 0.0
    for at_s, counter_wh, power_w in shown:
        late_s, last_s = (late_s + 8 if at_s == last_s else 0.0), at_s
        feed.add_samples(T0 + at_s, {place: Sample(T0 + at_s, {name: counter_wh}, power_w, late_s=late_s)})
    feed.miss_through(FIRST + slots)
    told: list[str | int] = []
    totals: list[tuple[int, int, int]] = []
    while closed := meter.next_closed_slot():
        value = closed[0].values[measure]
        told.append(value.energy_wh or 0 if value.mark is Mark.MEASURED else value.mark.name)
        totals += [(each.first_slot - FIRST, each.slots, each.energy_wh) for each in closed[0].long_intervals]
    return told, totals


def steady(slots: int, power_w: int, *, every_s: int = 300, base_wh: int = 50_000, alone: bool = False) -> Shown:
    shown_w = None if alone else power_w
    return [(at_s, base_wh + power_w * at_s // 3600, shown_w) for at_s in range(0, slots * SLOT_S + 1, every_s)]


def test_a_counter_stuck_at_a_boundary_while_the_power_falls_is_no_measurement() -> None:
    """73 of 262 Wh were measured: the power is low at the boundary, so that it could have stopped at once."""
    powers = [1800] * 5 + [1240, 28, 1200, 1240, 28, 1300, 1300, 1300]
    counters = [50_000]
    for first, last in pairwise(powers):
        counters.append(counters[-1] + (first + last) * 300 // 7200)
    shown: Shown = [(at * 300, counters[min(at, 5)], power_w) for at, power_w in enumerate(powers)]
    told, _ = read(shown, 4)
    assert told[0] == 450
    assert all(isinstance(each, str) for each in told[1:]), told


def test_an_old_answer_from_just_before_a_boundary_is_no_measurement() -> None:
    """379 of 599 Wh were measured: the power of the old answer is steady, and the counter stops at once."""
    shown = steady(4, 1260)
    shown = [each if each[0] < 1800 else (each[0], 50_540, 1255) for each in shown]
    told, _ = read(shown, 4, "pv")
    assert told[0] == 315
    assert all(isinstance(each, str) for each in told[1:]), told


@pytest.mark.parametrize("glitch_wh", [40, 155, 600])
def test_a_wrong_answer_at_a_boundary_is_asked_again_however_small(glitch_wh: int) -> None:
    """The energy of a load that no reading saw was measured without a second look: 308 for 152 Wh."""
    shown = steady(4, 600)
    at = next(at for at, each in enumerate(shown) if each[0] == 1800)
    shown.insert(at, (1800, shown[at][1] + glitch_wh, 600))
    told, totals = read(shown, 4)
    assert {each for each in told if isinstance(each, int)} <= set(range(148, 153))
    assert told[0] == told[3] == 150
    assert all(abs(energy_wh - 150 * slots) <= 3 for _, slots, energy_wh in totals)


def test_a_load_between_two_readings_is_measured_when_a_second_answer_says_the_same() -> None:
    shown = [(at_s, counter_wh + (150 if at_s >= 1800 else 0), power_w) for at_s, counter_wh, power_w in steady(4, 600)]
    at = next(at for at, each in enumerate(shown) if each[0] == 1800)
    shown.insert(at, (1800, shown[at][1] + 1, 600))
    assert read(shown, 4)[0] == [150, pytest.approx(300, abs=2), pytest.approx(150, abs=2), 150]


def test_a_wrong_scale_that_lasts_over_the_boundary_is_no_energy() -> None:
    """387 Wh were told for 0: ten times 43 is more than any load between two readings uses."""
    shown: Shown = [(at_s, 43, 0) for at_s in range(0, 3601, 300)]
    at = next(at for at, each in enumerate(shown) if each[0] == 1800)
    shown[at : at + 1] = [(1800, 430, 0), (1800, 430, 0), (1800, 430, 0)]
    told, totals = read(shown, 4)
    assert told == [0, "MISSING", "MISSING", 0]
    assert totals == [(1, 2, 0)]


def test_a_first_look_after_a_silence_is_seconded_over_an_odd_answer() -> None:
    """Two hours without an answer, one good answer, one ten times too high: the total of the silence was lost."""
    shown = [each for each in steady(14, 2400) if not 900 < each[0] < 9300]
    shown = [(at_s, wh * 10 if at_s == 9600 else wh, power_w) for at_s, wh, power_w in shown]
    told, totals = read(shown, 14)
    assert told[0] == 600
    assert totals == [(1, 10, 6000)]
    assert told[-3:] == ["DERIVED", 600, 600]


@pytest.mark.parametrize("every_s", [60, 300])
def test_without_power_a_return_from_a_tenth_is_no_total_of_ten_times_too_much(every_s: int) -> None:
    """6,798 Wh were told for 1,292: a tenth looks like a meter that began again, and the return like its energy."""
    shown = steady(40, 1800, every_s=every_s, base_wh=5000, alone=True)
    shown = [(at_s, wh // 10 if 1860 < at_s < 4200 else wh, None) for at_s, wh, _ in shown]
    told, totals = read(shown, 40)
    assert all(energy_wh <= 450 * slots + 5 for _, slots, energy_wh in totals), totals
    assert told[-4:] != ["MISSING"] * 4


def test_without_power_a_number_after_a_long_zero_is_not_energy_since_the_zero() -> None:
    """3,005 Wh were told for 0: the meter was exchanged while the register showed 0."""
    shown: Shown = [
        (at_s, 250_000 if at_s < 1800 else 0 if at_s < 9000 else 3005, None) for at_s in range(0, 36001, 300)
    ]
    _, totals = read(shown, 40)
    assert all(energy_wh == 0 for *_, energy_wh in totals), totals


def test_without_power_what_runs_while_another_register_stood_still_is_not_told() -> None:
    """687 Wh were told for 0: of two exchanged registers the third reads a little above the first."""
    shown: Shown = [
        (at_s, 9 if 1800 <= at_s < 5400 else 400_014 + 687 * (at_s >= 5400), None) for at_s in range(0, 36001, 300)
    ]
    _, totals = read(shown, 40)
    assert all(energy_wh == 0 for *_, energy_wh in totals), totals


def test_a_reset_in_a_silence_keeps_no_total_of_what_no_register_shows() -> None:
    """1,350 Wh were told for 3,887: a counter at 40 that shows 0 after two hours has begun again."""
    shown: Shown = [(at_s, 40, 0) for at_s in range(0, 1801, 300)]
    shown += [(at_s, 1000 * (at_s - 9000) // 3600, 1000) for at_s in range(9000, 30 * SLOT_S + 1, 300)]
    told, totals = read(shown, 30)
    assert told[-4:] == [250] * 4
    assert all(first >= 10 for first, *_ in totals), totals


def test_without_power_a_leap_inside_what_began_again_is_no_energy() -> None:
    """724 Wh were told for 24: a dip of 700 and then one of 151 look like one register that runs."""
    shown: Shown = [(at_s, 427_000 + at_s // 360, None) for at_s in range(0, 36001, 300)]
    shown = [
        (at_s, wh - (700 if 1800 <= at_s < 4200 else 151 if 4200 <= at_s < 4800 else 0), None) for at_s, wh, _ in shown
    ]
    _, totals = read(shown, 40)
    assert all(energy_wh <= 3 * slots + 5 for _, slots, energy_wh in totals), totals


def test_without_power_an_idle_register_that_comes_back_much_higher_is_another_one() -> None:
    """16,605 Wh were told for 0: between two exchanges at night the register stood still all the time."""
    shown: Shown = [
        (at_s, 403_001 if 3600 <= at_s < 18_900 else 20_003 if at_s >= 18_900 else 3398, None)
        for at_s in range(0, 36001, 300)
    ]
    _, totals = read(shown, 40, "pv")
    assert all(energy_wh == 0 for *_, energy_wh in totals), totals
