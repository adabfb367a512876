"""Readings that follow one register, then another, then the first again: which energy is told, and from where."""

from edge_agent.metering.counter_records import CounterReading, SlotBase, read_memory, write_memory
from edge_agent.metering.home_meter import read_checkpoint
from protocols.quantities import Mark, Measure
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
