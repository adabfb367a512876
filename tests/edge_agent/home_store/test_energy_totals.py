"""Totals that only ever rise: over slots, outages, restarts, resets, and readings that nobody believes."""

import itertools
from pathlib import Path

import pytest

from edge_agent.home_store.energy_totals import FAR_BACK_SLOTS, FILE_NAME, EnergyTotals, most_power_w
from edge_agent.home_store.live_values import WatchedMeter
from edge_agent.metering.counter_records import ReadingVerdict
from edge_agent.metering.home_meter import ClosedSlot, MeasuringPoint, Sample
from protocols.consent.reduction import SlotValue
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import start_of
from protocols.wire.readings import LongInterval

FIRST = 2_000_000
IMPORT, SUN = Measure.GRID_IMPORT, Measure.PV_PRODUCTION
GRID, ROOF = MeasuringPoint("meter", "grid", 15_000), MeasuringPoint("roof", "pv", 5_000)


def slot(at: int, energy_wh: int | None, *totals: LongInterval) -> ClosedSlot:
    mark = Mark.MISSING if energy_wh is None else Mark.MEASURED
    gap = Gap.DEVICE_SILENT if energy_wh is None else Gap.NONE
    return ClosedSlot(FIRST + at, {IMPORT: SlotValue(energy_wh, mark, gap)}, totals)


def test_slots_and_outages_add_up_and_a_gap_holds_the_last_value(tmp_path: Path) -> None:
    totals = EnergyTotals(tmp_path)
    assert totals.shown_wh() == {}
    totals.add([slot(0, 100), slot(1, None), slot(2, None)])
    assert totals.shown_wh() == {IMPORT: 100}
    totals.add([slot(3, None, LongInterval(IMPORT, FIRST + 1, 3, 330))])
    assert totals.shown_wh() == {IMPORT: 430}


def test_what_was_counted_before_a_restart_does_not_count_twice(tmp_path: Path) -> None:
    before = EnergyTotals(tmp_path)
    before.add([slot(0, 100), slot(1, 50)])
    before.save()
    after = EnergyTotals(tmp_path)
    assert after.shown_wh() == {}, "not shown before a reading says what it is now"
    after.add([slot(1, 50), slot(2, 7), slot(3, None, LongInterval(IMPORT, FIRST + 1, 3, 99))])
    assert after.shown_wh() == {IMPORT: 157}


def test_it_follows_the_counter_between_slots_and_never_falls(tmp_path: Path) -> None:
    running: dict[Measure, int | None] = {IMPORT: 30}
    totals = EnergyTotals(tmp_path)
    totals.running = lambda: running
    totals.add([slot(0, 100)])
    assert totals.shown_wh() == {IMPORT: 130}
    for beyond, shown in ((80, 180), (None, 180), (0, 180), (10, 180)):
        running[IMPORT] = beyond
        assert totals.shown_wh() == {IMPORT: shown}
    running[IMPORT] = 5
    totals.add([slot(1, 60)])
    assert totals.shown_wh() == {IMPORT: 180}
    running[IMPORT] = 40
    assert totals.shown_wh() == {IMPORT: 200}
    totals.save(is_end=True)
    again = EnergyTotals(tmp_path)
    again.running = lambda: {IMPORT: 0}
    assert again.shown_wh() == {IMPORT: 200}


def test_a_clock_that_was_ahead_does_not_stop_the_totals_for_ever(tmp_path: Path) -> None:
    totals = EnergyTotals(tmp_path)
    totals.add([slot(10 * FAR_BACK_SLOTS, 10)])
    totals.add([slot(0, 20), slot(1, 5)])
    assert totals.shown_wh() == {IMPORT: 35}


@pytest.mark.parametrize("content", ["", "[]", '{"grid_import": [1]}', '{"moon": [1, 2, 3]}', '{"grid_import": "abc"}'])
def test_a_damaged_file_is_said_and_begins_again(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    totals = EnergyTotals(tmp_path)
    totals.add([slot(0, 5)])
    assert totals.shown_wh() == {IMPORT: 5}
    assert "begin at 0 again" in caplog.text


def test_a_full_disk_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    totals = EnergyTotals(tmp_path / "gone")
    totals.add([slot(0, 5)])
    for _ in range(3):
        totals.save()
    assert caplog.text.count("cannot be written") == 1


def read(meter: WatchedMeter, after_s: float, import_wh: int, power_w: int = 1200) -> ReadingVerdict:
    sample = Sample(start_of(FIRST) + after_s, {"import_wh": import_wh, "export_wh": 0}, power_w)
    return meter.add_sample(GRID, sample)


def test_the_meters_own_judgement_decides_what_runs(tmp_path: Path) -> None:
    """1200 W are 20 Wh a minute; a value out of line moves nothing, whatever it is."""
    meter = WatchedMeter([GRID], next_slot=FIRST, longest_hole_s=150)
    totals = EnergyTotals(tmp_path)
    totals.running = meter.running_wh
    assert totals.shown_wh() == {}
    assert read(meter, 0, 1000) is ReadingVerdict.GOOD
    meter.open(GRID)
    shown = []
    for minute in range(1, 15):
        counter_wh = {5: 0, 8: 900_000, 9: 17}.get(minute, 1000 + 20 * minute)
        read(meter, 60 * minute, counter_wh)
        shown.append(totals.shown_wh()[IMPORT])
    assert shown == sorted(shown)
    assert shown[:4] == [20, 40, 60, 80]
    assert shown[4] == 80
    assert shown[7:9] == [shown[6]] * 2
    assert shown[-1] == 280
    read(meter, 900, 1300)
    meter.close(GRID)
    found = meter.next_closed_slot()
    assert found is not None
    totals.add([found[0]])
    assert totals.shown_wh()[IMPORT] == 300


def test_an_exchanged_meter_adds_what_it_counts_and_not_what_it_shows(tmp_path: Path) -> None:
    """The new meter starts at 50 kWh: the total goes on from where it was, by what flows."""
    meter = WatchedMeter([GRID], next_slot=FIRST, longest_hole_s=150)
    totals = EnergyTotals(tmp_path)
    totals.running = meter.running_wh
    shown = [0]
    read(meter, 0, 1_000_000)
    meter.open(GRID)
    for minute in range(1, 181):
        counter_wh = 1_000_000 + 20 * minute if minute < 40 else 50_000 + 20 * (minute - 40)
        read(meter, 60 * minute, counter_wh)
        if minute % 15 == 0:
            meter.close(GRID)
            while found := meter.next_closed_slot():
                totals.add([found[0]])
        shown.append(totals.shown_wh().get(IMPORT, 0))
    assert shown == sorted(shown)
    assert max(after - before for before, after in itertools.pairwise(shown)) < 1000
    assert 180 * 20 - 40 * 20 <= shown[-1] <= 180 * 20


def test_what_is_only_known_at_the_end_of_a_slot_waits_for_it() -> None:
    meter = WatchedMeter([ROOF], next_slot=FIRST, longest_hole_s=150)
    assert meter.running_wh() == {SUN: None}
    meter.add_sample(ROOF, Sample(start_of(FIRST), {}, 900))
    assert meter.running_wh() == {SUN: 0}


def test_after_a_kill_a_total_waits_until_it_is_certainly_no_less(tmp_path: Path) -> None:
    """Shown was up to 30 Wh beyond the last quarter hour written down, and nobody wrote that."""
    before = EnergyTotals(tmp_path)
    before.running = lambda: {IMPORT: 30}
    before.add([slot(0, 100)])
    before.save()
    assert before.shown_wh() == {IMPORT: 130}
    after = EnergyTotals(tmp_path)
    after.running = lambda: {IMPORT: 5}
    after.add([slot(1, None)])
    assert after.shown_wh() == {}, "the quarter hour of the kill is not known"
    after.save()
    again = EnergyTotals(tmp_path)
    again.add([slot(2, 40), slot(2, None, LongInterval(IMPORT, FIRST + 1, 2, 99))])
    assert again.shown_wh() == {}, "what was counted does not begin where the total ended"
    third = EnergyTotals(tmp_path)
    third.add([slot(2, None, LongInterval(IMPORT, FIRST + 1, 2, 99))])
    assert third.shown_wh() == {IMPORT: 199}


def test_after_a_kill_and_a_lost_quarter_hour_it_is_shown_once_more_has_flowed_than_could_have_been_shown(
    tmp_path: Path,
) -> None:
    before = EnergyTotals(tmp_path, most_w=most_power_w([GRID]))
    before.add([slot(0, 100)])
    before.save()
    after = EnergyTotals(tmp_path, most_w=most_power_w([GRID]))
    after.add([slot(2, 7_300)])
    assert after.shown_wh() == {}
    after.add([slot(3, 250)])
    assert after.shown_wh() == {IMPORT: 7_650}, "15 kW for half an hour are 7,500 Wh"
