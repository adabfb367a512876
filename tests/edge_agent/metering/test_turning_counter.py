"""A counter near its end that begins at 0 again: because it was full, or because its device restarts beside it.

A device that starts shows 0 for a while, or its old value, or has turned meanwhile, or has begun at 0 for good.
Whatever it does, no Wh is told that did not flow, and all is told that the counter still knows.
"""

from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from edge_agent.metering.counters import CERTAIN_WH
from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint, Sample, read_checkpoint
from edge_agent.metering.witness import WOBBLE_WH
from protocols.quantities import Mark, Measure
from protocols.slots import SLOT_S, start_of

PLACE, FIRST, SLOTS = MeasuringPoint("it", "grid", 15_000), 2_000_000, 40
POLL_S, WRAPS_WH = 60, 10**8
ROUNDING_WH = 3


@dataclass(frozen=True)
class Start:
    """Silent from `off_s` for `silent_s`, then 0 everywhere for `zero_s`; `before_w` until then, `after_w` since."""

    left_wh: int
    """So far from the end the counter is when the device goes down."""
    off_s: int
    silent_s: int
    zero_s: int
    before_w: int
    after_w: int
    step_wh: int = 1
    begins_at_0: bool = False
    also_restarts: bool = False
    """The agent restarts while the device is down."""

    def flowed_wh(self, at_s: float) -> float:
        return (self.before_w * min(at_s, self.off_s) + self.after_w * max(0, at_s - self.off_s)) / 3600

    @property
    def awake_s(self) -> int:
        return self.off_s + self.silent_s + self.zero_s

    def shown(self, at_s: int) -> Sample | None:
        if self.off_s <= at_s < self.off_s + self.silent_s:
            return None
        is_zero = self.off_s <= at_s < self.awake_s
        counted_wh = WRAPS_WH - self.left_wh + self.flowed_wh(at_s) - self.flowed_wh(self.off_s)
        if self.begins_at_0 and at_s >= self.off_s:
            counted_wh = self.flowed_wh(at_s) - self.flowed_wh(self.off_s + self.silent_s)
        import_wh = 0 if is_zero else int(counted_wh // self.step_wh * self.step_wh) % WRAPS_WH
        export_wh = 0 if is_zero or (self.begins_at_0 and at_s >= self.off_s) else 50_000
        power_w = 0 if is_zero else self.before_w if at_s < self.off_s else self.after_w
        names = ("import_wh", "export_wh")
        return Sample(
            start_of(FIRST) + at_s, {"import_wh": import_wh, "export_wh": export_wh}, power_w,
            dict.fromkeys(names, self.step_wh), dict.fromkeys(names, WRAPS_WH),
        )  # fmt: skip

    @property
    def shows_zero(self) -> bool:
        """Whether a reading shows 0 although the device counts from there on."""
        return any(self.off_s + self.silent_s <= at_s < self.awake_s for at_s in range(0, SLOTS * SLOT_S, POLL_S))

    @property
    def is_like_a_beginning(self) -> bool:
        """Whether it shows 0 and then no more than a counter would that began at 0 for good: nothing tells the two."""
        times = range(self.off_s // POLL_S * POLL_S, SLOTS * SLOT_S, POLL_S)
        shown = {at_s: sample.counters_wh["import_wh"] for at_s in times if (sample := self.shown(at_s))}
        zeros = [at_s for at_s, each in shown.items() if each == 0]
        if not zeros:
            return False
        first_s = next((at_s for at_s in shown if at_s > zeros[-1]), SLOTS * SLOT_S)
        ran_wh = self.after_w * (2 * first_s - zeros[0] - zeros[-1]) / 3600
        return (shown.get(first_s) or 0) <= ran_wh + 2 * self.step_wh + WOBBLE_WH


def told_of(start: Start) -> tuple[int, dict[int, int]]:
    """All that was told together, and what was measured of each slot."""
    meter = HomeMeter([PLACE], next_slot=FIRST, longest_hole_s=300)
    told_wh, measured, kept = 0, dict[int, int](), meter.first_checkpoint()
    for at_s in range(0, SLOTS * SLOT_S + 1, POLL_S):
        if start.also_restarts and start.off_s <= at_s < start.off_s + POLL_S:
            next_slot, bases = read_checkpoint(kept)
            meter = HomeMeter([PLACE], next_slot=next_slot, longest_hole_s=300, bases=bases)
        if (sample := start.shown(at_s)) is not None:
            meter.add_sample(PLACE, sample)
        if at_s % SLOT_S:
            continue
        if meter.next_of(PLACE) == FIRST + at_s // SLOT_S:
            meter.open(PLACE)
        while meter.next_of(PLACE) < FIRST + at_s // SLOT_S:
            meter.close(PLACE)
        while found := meter.next_closed_slot():
            closed, kept = found
            value = closed.values[Measure.GRID_IMPORT]
            told_wh += value.energy_wh or 0
            told_wh += sum(each.energy_wh for each in closed.long_intervals if each.measure is Measure.GRID_IMPORT)
            if value.mark is Mark.MEASURED and value.energy_wh is not None:
                measured[closed.slot - FIRST] = value.energy_wh
    return told_wh, measured


def check(start: Start) -> None:
    told_wh, measured = told_of(start)
    flowed_wh = start.flowed_wh(SLOTS * SLOT_S)
    assert told_wh <= flowed_wh + start.step_wh + ROUNDING_WH
    if start.begins_at_0:
        return
    unknown_wh = 0.0
    if start.is_like_a_beginning:
        unknown_wh = start.flowed_wh(start.awake_s + 2 * SLOT_S) - start.flowed_wh(start.off_s - 2 * SLOT_S)
    assert told_wh >= flowed_wh - unknown_wh - start.step_wh - ROUNDING_WH
    for slot, energy_wh in measured.items():
        true_wh = start.flowed_wh((slot + 1) * SLOT_S) - start.flowed_wh(slot * SLOT_S)
        assert energy_wh == pytest.approx(true_wh, abs=2 * (start.step_wh + CERTAIN_WH)), slot


ways = st.builds(
    Start,
    left_wh=st.integers(1, 3000) | st.integers(1, 100),
    off_s=st.sampled_from([4 * SLOT_S - 30, 4 * SLOT_S, 4 * SLOT_S + 1, 4 * SLOT_S + 300]),
    silent_s=st.sampled_from([0, 5, 40, 130, 400, 1500]),
    zero_s=st.sampled_from([0, 20, 70, 200, 500]),
    before_w=st.sampled_from([0, 120, 300, 1500, 6000]),
    after_w=st.sampled_from([0, 120, 300, 1500, 2600, 6000]),
    step_wh=st.sampled_from([1, 1, 10, 100]),
    also_restarts=st.booleans(),
)


@given(ways)
@settings(max_examples=40, deadline=None)
@example(Start(1000, 4 * SLOT_S, 400, 200, 300, 300))
@example(Start(50, 4 * SLOT_S + 300, 400, 0, 300, 2600))
@example(Start(1877, 4 * SLOT_S, 1500, 20, 6000, 2600))
@example(Start(2, 4 * SLOT_S, 1500, 500, 0, 2600, step_wh=100))
def test_what_a_counter_near_its_end_knows_is_told_after_a_start(start: Start) -> None:
    check(start)


@given(ways)
@settings(max_examples=40, deadline=None)
@example(Start(50_000_000, 4 * SLOT_S - 30, 1500, 200, 1500, 2600, step_wh=10))
@example(Start(50_000_000, 4 * SLOT_S, 400, 70, 6000, 6000, also_restarts=True))
def test_nor_is_anything_lost_far_from_its_end(start: Start) -> None:
    check(replace(start, left_wh=50_000_000 + start.left_wh))


@given(ways)
@settings(max_examples=40, deadline=None)
@example(Start(82, 4 * SLOT_S, 5, 70, 0, 6000))
@example(Start(841, 4 * SLOT_S, 0, 70, 1500, 6000, also_restarts=True))
@example(Start(1971, 4 * SLOT_S - 30, 5, 500, 0, 300))
def test_one_that_shows_0_and_begins_there_for_good_is_no_turn(start: Start) -> None:
    start = replace(start, begins_at_0=True)
    assume(start.shows_zero)
    check(start)


@given(ways)
@settings(max_examples=40, deadline=None)
@example(Start(2777, 4 * SLOT_S + 300, 5, 0, 6000, 2600, also_restarts=True))
@example(Start(2648, 4 * SLOT_S - 30, 1500, 0, 300, 2600))
@example(Start(99, 4 * SLOT_S - 30, 40, 0, 6000, 300))
@example(Start(92, 4 * SLOT_S + 300, 5, 0, 6000, 120, step_wh=10))
@example(Start(66, 4 * SLOT_S + 300, 5, 0, 1500, 6000, step_wh=10))
def test_one_that_begins_at_0_unseen_takes_its_other_register_along(start: Start) -> None:
    """Up to 2,773 Wh were told that did not flow, and 610 for 520 measured: no 0 was read, so it seemed to be full."""
    check(replace(start, begins_at_0=True, zero_s=0))


def one_register(left_wh: int, silent_s: int, before_w: int, after_w: int, *, begins_at_0: bool) -> tuple[int, Mark]:
    """What is told of two hours, and the mark of the quarter hour in which a device with one register restarts."""
    start = Start(left_wh, 4 * SLOT_S + 300, silent_s, 0, before_w, after_w, begins_at_0=begins_at_0)
    place, marks, told_wh = MeasuringPoint("it", "load", 15_000), list[Mark](), 0
    meter = HomeMeter([place], next_slot=FIRST, longest_hole_s=300)
    for at_s in range(0, 8 * SLOT_S + 1, POLL_S):
        if (sample := start.shown(at_s)) is not None:
            counters = {"import_wh": sample.counters_wh["import_wh"]}
            meter.add_sample(place, replace(sample, counters_wh=counters))
        if at_s == 0:
            meter.open(place)
        elif at_s % SLOT_S == 0:
            meter.close(place)
        while found := meter.next_closed_slot():
            value = found[0].values[Measure.SUBMETER]
            marks.append(value.mark)
            told_wh += (value.energy_wh or 0) + sum(each.energy_wh for each in found[0].long_intervals)
    return told_wh - round(start.flowed_wh(8 * SLOT_S)), marks[4]


@pytest.mark.parametrize(("silent_s", "before_w", "after_w"), [(400, 120, 1500), (130, 300, 300), (400, 1500, 300)])
def test_more_than_the_power_allows_is_no_turn_of_a_register_alone(silent_s: int, before_w: int, after_w: int) -> None:
    """Up to 1,255 Wh were told that did not flow."""
    over_wh, mark = one_register(1300, silent_s, before_w, after_w, begins_at_0=True)
    assert over_wh <= 1 + ROUNDING_WH
    assert mark is not Mark.MEASURED


@pytest.mark.parametrize(("silent_s", "before_w", "after_w"), [(130, 3000, 3000), (400, 1500, 2600), (400, 6000, 300)])
def test_a_turn_of_a_register_alone_is_told_but_not_measured(silent_s: int, before_w: int, after_w: int) -> None:
    """What is left to the end may have flowed while the device was down: it is told, and nobody saw it."""
    over_wh, mark = one_register(20, silent_s, before_w, after_w, begins_at_0=False)
    assert abs(over_wh) <= 1 + ROUNDING_WH
    assert mark is not Mark.MEASURED


@pytest.mark.parametrize(
    ("silent_s", "zero_s", "before_w", "after_w"), [(400, 200, 9000, 9000), (400, 130, 10_000, 9000)]
)
def test_one_that_has_turned_and_starts_under_a_heavy_load_keeps_its_total(
    silent_s: int, zero_s: int, before_w: int, after_w: int
) -> None:
    """Its 0 after a turn was taken for another register, and the total of two hours was lost."""
    check(Start(-3000, 4 * SLOT_S + 300, silent_s, zero_s, before_w, after_w))
