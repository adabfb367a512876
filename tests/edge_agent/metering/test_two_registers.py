"""Readings that follow one register, then another, then the first again: which energy is told, and from where."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.metering.counter_records import CounterReading, SlotBase, read_memory, write_memory
from edge_agent.metering.home_meter import read_checkpoint
from edge_agent.metering.witness import CLOUDED_WH, HIDDEN_W, WOBBLE_WH, WitnessMark
from protocols.quantities import Gap, Mark, Measure
from tests.edge_agent.metering.test_excursions import Home
from tests.edge_agent.metering.test_weak_witness import Shown, measured, steady, told


def sum_told(home: Home, measure: Measure = Measure.GRID_IMPORT) -> int:
    """All that was told: slots and totals."""
    slots = sum(each.values[measure].energy_wh or 0 for each in home.closed)
    return slots + sum(energy_wh for *_, energy_wh in home.totals(measure))


def test_a_dip_that_climbs_past_the_old_reading_is_still_a_dip() -> None:
    """150 Wh low for 40 minutes at 8 kW: the sum over it was 150 too low, and the next one 150 too high."""
    home = Home()
    for minute in range(121):
        low_wh = 150 if 20 <= minute < 60 else 0
        home.read(minute, 8000 + minute % 3, import_wh=100_000 + minute * 8000 // 60 - low_wh, export_wh=0)
    assert all(isinstance(each, str) or abs(each - 2000) <= 5 for each in home.told())
    assert all(abs(energy_wh - 2000 * slots) <= 5 for _, slots, energy_wh in home.totals())
    assert sum_told(home) == 16_000


def test_an_exchanged_meter_that_shows_zero_before_it_is_believed_loses_no_total() -> None:
    """Half an hour of the new meter, two hours of 0, then the new meter again: it goes on where it was."""
    home = Home()
    for minute in range(301):
        counter_wh = 11_000 + 15 * minute if minute < 30 else 400_700 + 15 * (minute - 30)
        shown_wh = 0 if 65 <= minute < 185 else counter_wh
        home.read(minute, 900, import_wh=shown_wh, export_wh=0)
    assert home.told()[-4:] == [225] * 4
    assert sum_told(home) == 285 * 15, "only the quarter hour that the exchange ended is unknown"


def test_a_scale_that_is_wrong_while_a_new_meter_is_not_yet_believed_moves_no_boundary() -> None:
    home = Home()
    for minute in range(151):
        counter_wh = 900_000 + 50 * minute if minute < 40 else 3_000 + 50 * (minute - 40)
        home.read(minute, 3000, import_wh=counter_wh * (10 if 44 <= minute < 80 else 1), export_wh=0)
    for _, slots, energy_wh in home.totals():
        assert energy_wh == 750 * slots
    assert all(each in (750, "DERIVED", "MISSING") for each in home.told())


def test_a_register_left_hours_ago_is_not_returned_to_after_a_restart() -> None:
    """After a restart the power before it was forgotten, and a far counter passed for the one removed long ago."""
    home = Home()
    for minute in range(241):
        if minute == 151:
            home.restart()
        if 200 <= minute < 209:
            continue
        counter_wh = 12_021 + 6 * minute if minute < 20 else 11_000 + 6 * (minute - 20)
        home.read(minute, 360, import_wh=counter_wh, export_wh=0)
    assert [each for each in home.told()[6:] if each not in (90, "DERIVED")] == []


def test_what_the_power_saw_since_a_kept_reading_is_in_the_checkpoint() -> None:
    home = Home()
    for minute in range(46):
        home.read(minute, 900, import_wh=(12_000_000 if minute < 16 else 17) + 15 * minute, export_wh=0)
    base = read_checkpoint(home.kept)[1]["it/grid/import_wh"]
    assert base.memory is not None
    mark = base.memory.reference.mark
    assert mark is not None
    assert abs(-mark.areas_ws[0] / 3600 - 30 * 15) <= 1
    assert read_memory(SlotBase(base.slot, base.at_s, base.counter_wh), write_memory(base)) == base
    old = read_memory(SlotBase(1, 900.0, 5), {"reference": [900, 5]})
    assert old.memory is not None
    assert old.memory.reference == CounterReading(900.0, 5), "as earlier versions wrote it"
    old = read_memory(SlotBase(1, 900.0, 5), {"reference": [900, 5, -3600, 0, 20, 0, -60, -3600]})
    assert old.memory is not None
    assert old.memory.reference.mark == WitnessMark((-3600.0, 0.0), (20.0, 0.0), -60.0, -3600.0)


def test_a_new_inverter_that_showed_zero_all_night_counts_from_zero() -> None:
    home = Home("pv")
    for minute in range(91):
        power_w = 0 if minute < 40 else 600
        home.read(minute, power_w, production_wh=max(0, minute - 40) * 10)
    assert sum_told(home, Measure.PV_PRODUCTION) == 500


def test_a_reading_a_little_high_between_seldom_ones_costs_one_quarter_hour() -> None:
    """43 Wh too much, read once in five minutes, held the reference above the idle counter for hours."""
    home = Home("pv")
    for minute in range(0, 181, 5):
        home.read(minute, 0, production_wh=5_000 + (43 if minute == 20 else 0))
    assert home.told(Measure.PV_PRODUCTION).count(0) >= 11


def test_a_repeated_answer_is_no_second_look_at_itself() -> None:
    """A counter stands still for four minutes at 920 W, up to a boundary at which the power reads 924."""
    shown = steady(6, 60, power_w=920)
    shown |= {at_s: (1_000_866, 924 if at_s == 3600 else 920) for at_s in shown if 3390 < at_s < 4390}
    assert measured(told(dict(sorted(shown.items())), 6)) == {230}


def test_a_pulse_that_moved_no_counter_is_no_measurement_of_zero() -> None:
    shown: Shown = {at_s: (1_000_000, 2549 if at_s == 1320 else 0) for at_s in range(0, 2701, 60)}
    found = told(shown, 3)
    assert [mark for _, mark in found] == [Mark.MEASURED.name, Mark.DERIVED.name, Mark.MEASURED.name]


def test_a_register_that_stands_near_an_older_one_at_night_makes_no_total() -> None:
    """Two exchanges while nothing flows, the last to a number 75 Wh above the first: told before as 75 Wh of sun."""
    home = Home("pv")
    for minute in range(166):
        counter_wh = 2928 if minute < 20 else 0 if minute < 40 else 420_002 if minute < 130 else 3003
        home.read(minute, None if 60 <= minute < 78 else 0, production_wh=counter_wh)
    assert sum_told(home, Measure.PV_PRODUCTION) == 0
    assert Gap.IMPLAUSIBLE in {each.values[Measure.PV_PRODUCTION].gap for each in home.closed}
    assert home.told(Measure.PV_PRODUCTION)[-1] == 0, "the register is followed from then on"


def near_an_older_one(low_wh: int, *, is_other: bool = True) -> Home:
    """An hour of another register at 1.2 kW, then a number where the one before may be, so much too low."""
    home = Home()
    for minute in range(121):
        counter_wh = 2000 + 20 * minute - (low_wh if minute >= 80 else 0)
        shown_wh = 400_000 + 20 * minute if is_other and 20 <= minute < 80 else counter_wh
        home.read(minute, 1200 + 3 * (minute % 2), import_wh=shown_wh, export_wh=0)
    return home


def test_a_register_a_little_behind_an_older_one_after_another_ran_makes_no_total() -> None:
    """Told before as a total that lacks 100 Wh; one that is where the power says is the same one, with its total."""
    assert near_an_older_one(100).totals() == []
    assert near_an_older_one(100).told()[-2:] == [300, 300]
    assert near_an_older_one(30).totals() == [(1, 5, 1470)], "as near as the power can tell"
    assert near_an_older_one(0).totals() == [(1, 5, 1500)]
    assert near_an_older_one(-95).totals() == [(1, 5, 1595)], "a load of a minute that no reading saw"


def test_a_register_near_an_older_one_after_old_answers_makes_no_total() -> None:
    """Another register ran, then its last answer was repeated for 39 minutes, whose power was long over."""
    home = Home()
    for minute in range(121):
        ran_wh = 20 * min(minute, 60) + 5 * max(0, minute - 60)
        is_old = 60 <= minute < 99
        other_wh = 400_000 + (20 * 60 if is_old else ran_wh)
        counter_wh = 2000 + ran_wh + (250 if minute >= 99 else 0)
        power_w = 1200 + 3 * (minute % 2) if minute < 60 else 1200 if is_old else 300
        home.read(minute, power_w, import_wh=other_wh if 20 <= minute < 99 else counter_wh, export_wh=0)
    assert home.totals() == []


def test_a_register_near_an_older_one_after_a_silence_makes_no_total() -> None:
    """Another register ran and then nothing answered for a while: what the new one shows may be anything."""
    home = Home()
    for minute in range(121):
        if 61 <= minute < 75:
            continue
        counter_wh = 2000 + 20 * minute + (-130 if minute >= 75 else 0)
        shown_wh = 400_000 + 20 * minute if 20 <= minute <= 60 else counter_wh
        home.read(minute, 1200 + 3 * (minute % 2), import_wh=shown_wh, export_wh=0)
    assert home.totals() == []


@given(
    power_w=st.integers(0, 80).map(lambda sixties: 60 * sixties),
    long_min=st.integers(11, 60),
    more_wh=st.integers(-500, 3000),
    unseen_from=st.integers(0, 40),
    unseen_min=st.integers(0, 30),
)
@settings(max_examples=40, deadline=None)
def test_no_total_over_two_exchanges_is_more_than_the_power_may_be_wrong_by(
    power_w: int, long_min: int, more_wh: int, unseen_from: int, unseen_min: int
) -> None:
    """Whatever number the third register begins at, and where the power was not read for a while."""
    home, back = Home(), 20 + long_min
    for minute in range(121):
        ran_wh = power_w // 60 * minute
        shown_wh = 9000 + ran_wh if minute < 20 else 400_000 + ran_wh if minute < back else 9000 + ran_wh + more_wh
        is_seen = not 20 + unseen_from <= minute < 20 + unseen_from + unseen_min
        home.read(minute, power_w + minute % 2 if is_seen else None, import_wh=shown_wh, export_wh=0)
    for _, slots, energy_wh in home.totals():
        flowed_wh = slots * power_w // 4
        unsure_wh = CLOUDED_WH + HIDDEN_W // 60 + 2 * (1 + WOBBLE_WH)
        assert energy_wh <= 1.1 * flowed_wh + unsure_wh


def test_a_register_established_near_an_older_one_does_not_stand_for_what_the_power_saw_before() -> None:
    """It begins at the old number, although 64 Wh were seen and more may have flowed unseen: it is another one."""
    home = Home("pv")
    for minute in range(181):
        if 46 <= minute < 60:
            continue
        is_day, ran_wh = minute >= 60, 4 * (minute - 60)
        counter_wh = (5000 + ran_wh - 64 if minute >= 76 else 3000 + ran_wh) if is_day else 5000 if minute < 20 else 0
        home.read(minute, 240 if is_day else 0, production_wh=counter_wh)
    assert all(first >= 5 for first, *_ in home.totals(Measure.PV_PRODUCTION))
    assert home.told(Measure.PV_PRODUCTION)[-1] == 60


def test_a_counter_that_stood_still_while_a_little_less_was_seen_keeps_its_total() -> None:
    """It only stood at its own number, so that no other one was put in: what it shows then is its own."""
    home = Home()
    for minute in range(121):
        shown_wh = 2000 + 20 * (20 if 20 <= minute < 80 else minute) + (100 if minute >= 80 else 0)
        home.read(minute, 1200 + 3 * (minute % 2), import_wh=shown_wh, export_wh=0)
    assert home.totals() == [(1, 5, 1600)]


def test_a_register_a_little_below_the_old_one_that_passes_it_unseen_makes_no_total() -> None:
    """After three quarters of an hour of 0 at night it began 131 Wh below: the total lacked them."""
    home = Home("battery")
    for minute in range(151):
        if 106 <= minute < 120:
            continue
        ran_wh = 12 * max(0, minute - 75)
        charge_wh = 400_836 if minute < 20 else 0 if minute < 66 else 400_705 + ran_wh
        home.read(minute, 720 + 3 * (minute % 2) if minute > 75 else 0, charge_wh=charge_wh, discharge_wh=0)
    assert all(first > 1 for first, *_ in home.totals(Measure.BATTERY_CHARGE))
    assert home.told(Measure.BATTERY_CHARGE)[-1] == 180


def test_a_register_read_before_its_device_showed_0_is_not_forgotten() -> None:
    """A quarter hour of another number, half an hour of 0, then a number 75 Wh above the first, and nothing flowed."""
    home = Home()
    for minute in range(91):
        shown_wh = 9000 if minute < 20 else 420_002 if minute < 36 else 0 if minute < 66 else 9075
        power_w = None if 60 <= minute < 66 else -800 - 3 * (minute % 2)
        home.read(minute, power_w, import_wh=shown_wh, export_wh=40_000 + 400 * minute // 30)
    assert sum_told(home) == 0


@pytest.mark.parametrize(("more_wh", "totals"), [(0, [(1, 4, 900)]), (300, [])])
def test_after_long_0_a_number_beyond_what_the_power_around_allows_makes_no_total(
    more_wh: int, totals: list[tuple[int, int, int]]
) -> None:
    """A meter shows 0 for three quarters of an hour, and ten minutes of its power are unknown."""
    home = Home()
    for minute in range(91):
        shown_wh = 0 if 18 <= minute < 64 else 9000 + 15 * minute + (more_wh if minute >= 64 else 0)
        power_w = None if 30 <= minute < 40 else 900 + 3 * (minute % 2)
        home.read(minute, power_w, import_wh=shown_wh, export_wh=0)
    assert home.totals() == totals


@pytest.mark.parametrize("power_w", [240, 1200])
def test_a_meter_that_saves_its_count_seldom_keeps_its_total_over_a_restart(power_w: int) -> None:
    """Seven minutes without an answer, then 8 Wh less; a kettle between two readings hides which number it goes on."""
    home, flowed_wh = Home(), 0
    for minute in range(76):
        flowed_wh += 58 if minute == 37 else power_w // 60
        if 18 <= minute < 25:
            continue
        lost_wh = 8 + 8 * (power_w // 60) if minute >= 25 else 0
        shown_w = 3500 if minute == 36 else power_w + 3 * (minute % 2)
        home.read(minute, shown_w, import_wh=9000 + flowed_wh - lost_wh, export_wh=0)
    assert [(first, slots) for first, slots, _ in home.totals()] == [(1, 2)]
    assert sum_told(home) == 75 * (power_w // 60) + 58 - power_w // 60 - 8 - 8 * (power_w // 60)


def test_a_coarse_meter_that_lost_some_steps_in_a_restart_loses_no_total() -> None:
    """It shows hundreds and lost 225 Wh at night; when the sun has brought it back, what it ran since is known."""
    home = Home("pv")
    home.step_wh = 100
    for minute in range(256):
        if 18 <= minute < 20:
            continue
        true_wh = 900_000 + 4 * max(0, minute - 120) - (225 if minute >= 20 else 0)
        home.read(minute, 240 + minute % 2 if minute > 120 else 0, production_wh=true_wh // 100 * 100)
    assert sum_told(home, Measure.PV_PRODUCTION) == 4 * 135 - 225


def test_a_boundary_just_after_a_new_register_is_first_read_counts() -> None:
    """It takes four minutes until the new register is taken for one; a boundary in them was forgotten."""
    home = Home()
    for minute in range(121):
        counter_wh = 9000 + 20 * minute if minute < 28 else 400_000 + 20 * (minute - 28)
        home.read(minute, 1200 + 3 * (minute % 2), import_wh=0 if 16 <= minute < 28 else counter_wh, export_wh=0)
    assert sum_told(home) == 7 * 300, "only the quarter hour of the exchange is unknown"


def test_that_answers_were_old_is_kept_over_a_restart_of_the_agent() -> None:
    """A gateway repeats an answer for an hour; a restart must not take its power for what flowed then."""
    home = Home()
    for minute in range(121):
        if minute == 77:
            home.restart()
        is_old = 20 <= minute < 76
        ran_wh = 30 * min(minute, 20) + 10 * max(0, minute - 20)
        shown_w = 1800 if is_old else 600 + 3 * (minute % 2) if minute > 20 else 1800 + 3 * (minute % 2)
        home.read(minute, shown_w, import_wh=9000 + (600 if is_old else ran_wh), export_wh=0)
    assert home.told()[-2:] == [150, 150]
    told_wh = sum_told(home)
    assert told_wh == 600 + 100 * 10, "all that the counter ran"
