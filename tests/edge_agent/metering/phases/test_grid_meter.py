"""A grid meter that counts its phases in another way than the legal meter, driven through the home's meter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

import pytest

from edge_agent.metering.home_meter import ClosedSlot, HomeMeter, MeasuringPoint, Sample
from edge_agent.metering.phases.grid_meter import PhaseStep, certain_totals, phase_step
from edge_agent.metering.sample_feed import SampleFeed
from protocols.consent.reduction import SlotValue
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import SLOT_S, start_of
from protocols.wire.readings import LongInterval
from tests.edge_agent.metering.phases.three_phase_home import LOADS, USUAL_LOADS, Load, Totals, powers

FIRST = 2_000_000
GRID = MeasuringPoint("meter", "grid", 15_000)
IMPORT, EXPORT = Measure.GRID_IMPORT, Measure.GRID_EXPORT


def day(
    step: PhaseStep, *, every_s: int, slots: int, seed: int = 3, loads: Sequence[Load] = LOADS
) -> Iterator[tuple[ClosedSlot, Totals, int | None]]:
    """Each closed slot with what truly flowed in it and the error the agent states."""
    metering = HomeMeter([GRID], next_slot=FIRST, longest_hole_s=300, phase_steps={GRID: step})
    truth, before = Totals(), Totals()
    for second, now in enumerate(powers(seed, seconds=slots * SLOT_S + 1, loads=loads)):
        if second % every_s == 0:
            taken, given = (
                (truth.separate_import, truth.separate_export)
                if step == "net"
                else (truth.netted_import, truth.netted_export)
            )
            counters = {"import_wh": 10_000 + taken // 3600, "export_wh": 20_000 + given // 3600}
            phases = now if step == "separate" else None
            metering.add_sample(GRID, Sample(start_of(FIRST) + second, counters, sum(now), phases_w=phases))
        if second % SLOT_S == 0 and second == 0:
            metering.open(GRID)
        elif second % SLOT_S == 0:
            metering.close(GRID)
            found = metering.next_closed_slot()
            assert found is not None
            here = Totals(*(getattr(truth, name) - getattr(before, name) for name in Totals.__slots__))
            last = metering.phases[GRID].last
            assert last is not None
            yield found[0], here, last.error_wh
            before = Totals(*(getattr(truth, name) for name in Totals.__slots__))
        truth.add(now)


@pytest.mark.parametrize("step", ["net", "separate"])
def test_every_slot_is_within_its_stated_error_and_marked_derived(step: PhaseStep) -> None:
    derived = 0
    for closed, truth, error_wh in day(step, every_s=10, slots=12):
        taken, given = (
            (truth.netted_import, truth.netted_export)
            if step == "net"
            else (truth.separate_import, truth.separate_export)
        )
        values = [closed.values[IMPORT], closed.values[EXPORT]]
        if values[0].mark is Mark.MISSING:
            assert values == [SlotValue(None, Mark.MISSING, Gap.IMPLAUSIBLE)] * 2
            continue
        assert error_wh is not None
        for value, true_ws in zip(values, (taken, given), strict=True):
            assert value.energy_wh is not None
            assert abs(value.energy_wh - true_ws / 3600) <= error_wh + 2
        derived += values[0].mark is Mark.DERIVED
    assert derived >= 6


def test_readings_a_minute_apart_are_too_far_for_such_a_home_and_say_so() -> None:
    marks = [closed.values[EXPORT].mark for closed, _, _ in day("net", every_s=60, slots=8)]
    assert Mark.MISSING in marks


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("loads", "every_s", "least"),
    [(LOADS, 5, 0.95), (LOADS, 10, 0.6), (LOADS, 60, 0.1), (USUAL_LOADS, 10, 0.95), (USUAL_LOADS, 60, 0.7)],
    ids=["hob 5 s", "hob 10 s", "hob 60 s", "usual 10 s", "usual 60 s"],
)
def test_how_many_quarter_hours_are_derived(loads: Sequence[Load], every_s: int, least: float) -> None:
    """The share of those in which both counters moved that is told, and that none is beyond its stated error."""
    told = asked = 0
    errors_wh: list[float] = []
    for seed in range(8):
        for closed, truth, error_wh in day("net", every_s=every_s, slots=24, seed=seed, loads=loads):
            value = closed.values[EXPORT]
            if value.mark is Mark.MEASURED:
                continue
            asked += 1
            if value.energy_wh is not None and error_wh is not None:
                told += 1
                errors_wh.append(abs(value.energy_wh - truth.netted_export / 3600))
                assert errors_wh[-1] <= error_wh + 1
    off = f"off by {median(errors_wh):.1f} Wh in the median, {max(errors_wh):.0f} at most"
    print(f"\nreadings {every_s} s apart: {told / asked:.0%} of {asked} told, {off}")
    assert told / asked >= least


def test_a_quarter_hour_that_can_hardly_differ_needs_no_power() -> None:
    """50 Wh were counted in the lesser direction: half of it is off by 25 Wh at most, whatever the power did unseen."""
    whole = steady(range(0, 901, 10), import_w=200, export_w=240)
    (closed,) = slots("net", [(*each[:3], None if 300 < each[0] < 420 else each[3]) for each in whole])
    assert closed.values[IMPORT] == SlotValue(25, Mark.DERIVED)
    assert closed.values[EXPORT] == SlotValue(35, Mark.DERIVED)


def slots(step: PhaseStep, readings: list[tuple[int, int, int, int | None]]) -> tuple[ClosedSlot, ...]:
    """Readings as (second, import, export, power)."""
    metering = HomeMeter([GRID], next_slot=FIRST, longest_hole_s=300, phase_steps={GRID: step})
    feed, closed = SampleFeed(metering, window_s=60), []
    for second, taken, given, power_w in readings:
        at_s = start_of(FIRST) + second
        feed.add_samples(at_s, {GRID: Sample(at_s, {"import_wh": taken, "export_wh": given}, power_w)})
    while (found := metering.next_closed_slot()) is not None:
        closed.append(found[0])
    return tuple(closed)


def steady(seconds: range, *, import_w: int, export_w: int) -> list[tuple[int, int, int, int | None]]:
    return [(at, 1000 + import_w * at // 3600, 1000 + export_w * at // 3600, import_w - export_w) for at in seconds]


def test_one_phase_feeds_in_and_two_draw() -> None:
    """The case of a home with one-phase solar: 2 kW in on one phase, 1.4 kW drawn on the others, all the time."""
    (closed,) = slots("net", steady(range(0, 901, 10), import_w=1400, export_w=2000))
    assert closed.values[IMPORT] == SlotValue(0, Mark.DERIVED)
    assert closed.values[EXPORT] == SlotValue(150, Mark.DERIVED)


def test_at_night_what_was_counted_stands_as_it_was() -> None:
    (closed,) = slots("net", steady(range(0, 901, 60), import_w=1200, export_w=0))
    assert closed.values[IMPORT] == SlotValue(300, Mark.MEASURED)
    assert closed.values[EXPORT] == SlotValue(0, Mark.MEASURED)


def test_a_counter_in_doubt_is_not_told_as_derived_unless_the_power_bounds_it() -> None:
    """Nothing in the other direction, but no power in the middle: how far the counter is off nobody can say."""
    whole = steady(range(0, 901, 10), import_w=6000, export_w=0)
    (closed,) = slots("net", [(*each[:3], None if 200 < each[0] < 600 else each[3]) for each in whole])
    assert closed.values[IMPORT].mark is Mark.MISSING


def test_a_coarse_counter_that_stands_still_proves_nothing() -> None:
    """300 W are fed in all the time; the meter's own steps of 100 Wh show 100 Wh drawn and nothing given."""
    metering = HomeMeter([GRID], next_slot=FIRST, longest_hole_s=300, phase_steps={GRID: "net"})
    feed, steps = SampleFeed(metering, window_s=60), {"import_wh": 100, "export_wh": 100}
    for second in range(0, 901, 10):
        at_s, counters = start_of(FIRST) + second, {"import_wh": 1000 + 100 * (second > 450), "export_wh": 1000}
        feed.add_samples(at_s, {GRID: Sample(at_s, counters, -300, steps_wh=steps)})
    found = metering.next_closed_slot()
    assert found is not None
    assert {each.mark for each in found[0].values.values()} & {Mark.MEASURED} == set()


def test_without_power_nothing_is_made_up() -> None:
    bare = [(at, taken, given, None) for at, taken, given, _ in steady(range(0, 901, 10), import_w=1400, export_w=2000)]
    (closed,) = slots("net", bare)
    assert closed.values[IMPORT] == closed.values[EXPORT] == SlotValue(None, Mark.MISSING, Gap.IMPLAUSIBLE)


def test_a_hole_in_the_power_is_not_bridged() -> None:
    whole = steady(range(0, 901, 10), import_w=1400, export_w=2000)
    (closed,) = slots("net", [each for each in whole if not 200 < each[0] < 600])
    assert closed.values[EXPORT].mark is Mark.MISSING


def test_netting_meters_without_the_power_of_each_phase_cannot_be_taken_apart() -> None:
    (closed,) = slots("separate", steady(range(0, 901, 10), import_w=0, export_w=600))
    assert closed.values[EXPORT] == SlotValue(None, Mark.MISSING, Gap.IMPLAUSIBLE)


def test_after_an_outage_only_the_difference_is_told() -> None:
    readings = steady(range(0, 901, 10), import_w=1400, export_w=2000)
    later = steady(range(3600, 3621, 10), import_w=1400, export_w=2000)
    *_, last = slots("net", [*readings, *later])
    assert last.long_intervals == (LongInterval(IMPORT, FIRST + 1, 3, 0), LongInterval(EXPORT, FIRST + 1, 3, 452))


def test_a_total_of_one_direction_alone_is_left_out() -> None:
    sun = LongInterval(Measure.PV_PRODUCTION, FIRST, 4, 900)
    assert certain_totals([LongInterval(IMPORT, FIRST, 4, 300), sun]) == [sun]
    apart = [LongInterval(IMPORT, FIRST, 4, 300), LongInterval(EXPORT, FIRST + 1, 3, 300)]
    assert certain_totals(apart) == []


@pytest.mark.parametrize(
    ("device", "legal", "step"),
    [("netted", "netted", None), ("unknown", "netted", None), ("separate", "unknown", None), (None, "netted", None)],
)
def test_nothing_is_derived_where_nothing_differs_or_is_known(device: str | None, legal: str, step: None) -> None:
    assert phase_step(device, legal) is step
