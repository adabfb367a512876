"""What the points show now and the means of each minute, from the readings the meter believed."""

from edge_agent.home_store.live_values import MINUTES_KEPT, LiveValue, LiveValues, WatchedMeter
from edge_agent.metering.counter_records import ReadingVerdict
from edge_agent.metering.home_meter import MeasuringPoint, Sample
from protocols.slots import start_of

FIRST = 2_000_000
GRID = MeasuringPoint("meter", "grid", 10_000)
SUN = MeasuringPoint("sun", "pv", 5_000)


def note(live: LiveValues, place: MeasuringPoint, after_s: int, power_w: int | None) -> None:
    live.note(place, Sample(start_of(FIRST) + after_s, {}, power_w), ReadingVerdict.GOOD)


def test_the_mean_of_each_minute_is_kept_until_its_slot_is_taken() -> None:
    live = LiveValues()
    for after_s, power_w in ((0, 100), (10, 200), (59, 301), (130, -40), (899, 7), (900, 8)):
        note(live, GRID, after_s, power_w)
    note(live, SUN, 60, 900)
    taken = live.take_minutes(FIRST)
    assert taken["meter/grid"] == (200, None, -40, *[None] * 11, 7)
    assert taken["sun/pv"] == (None, 900, *[None] * 13)
    assert live.take_minutes(FIRST) == {}
    assert live.take_minutes(FIRST + 1) == {"meter/grid": (8, *[None] * 14)}


def test_only_what_the_meter_believes_is_shown() -> None:
    live = LiveValues()
    note(live, GRID, 0, 100)
    live.note(GRID, Sample(start_of(FIRST) + 10, {}, 9_999), ReadingVerdict.SUSPECT)
    note(live, SUN, 0, 99_000)
    assert live.newest == {GRID: LiveValue(start_of(FIRST), 100), SUN: LiveValue(start_of(FIRST), None)}
    assert live.refused == {GRID: 1}


def test_slots_that_never_close_fill_no_memory() -> None:
    live = LiveValues()
    for minute in range(2 * MINUTES_KEPT):
        note(live, GRID, 60 * minute, 1)
    assert len(live._minutes) == MINUTES_KEPT


def test_the_watched_meter_judges_as_the_home_meter_does() -> None:
    meter = WatchedMeter([GRID], next_slot=FIRST, longest_hole_s=900)
    meter.live = LiveValues()
    sample = Sample(float(start_of(FIRST)), {"import_wh": 5, "export_wh": 0}, 250)
    assert meter.add_sample(GRID, sample) is ReadingVerdict.GOOD
    assert meter.live.newest[GRID].power_w == 250
