"""Suspect readings and nothing else are held, the board's decision counts, and estimates fill what is missing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.books.stored_rules import read_rule
from hub.core.quality.decisions import open_verdicts
from hub.core.quality.settlement_check import (
    QualityDecision,
    SuspectSlots,
    WeeksBefore,
    apply_quality_check,
    find_suspect_slots,
)
from hub.core.rules.estimate_rule import EstimateRule
from hub.core.rules.rulebook import Prices, Rule
from hub.core.settlement.allocation_record import read_record
from hub.core.settlement.period import settle
from hub.core.settlement.prepared_readings import MISSING_WH, Readings, digest_inputs
from hub.core.settlement.slot_marks import SlotMarks
from protocols.quantities import Measure

IMPORT, EXPORT = Measure.GRID_IMPORT, Measure.GRID_EXPORT
FIRST = 1_990_000
MEMBERS = ("a", "b", "c")
WIDE = 10**9
LINE = EstimateRule("straight_line", longest=4)
NO_ESTIMATE = EstimateRule()
RULE = Rule("proportional", prices=Prices(185_432, 158_765, 301_999, 71_003))
relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), max_examples=60)


def day(count: int = 96, *, seed: int = 1) -> Readings:
    rng = np.random.default_rng(seed)
    surplus, demand = rng.integers(1, 900, (2, count, len(MEMBERS)))
    return Readings(MEMBERS, tuple(range(FIRST, FIRST + count)), surplus, demand)


def put(readings: Readings, measure: Measure, place: slice, value: int, *, column: int = 1) -> Readings:
    name = "demand_wh" if measure is IMPORT else "surplus_wh"
    energy = getattr(readings, name).copy()
    energy[place, column] = value
    return replace(readings, **{name: energy})


def passed(
    readings: Readings, *words: QualityDecision, estimate: EstimateRule = NO_ESTIMATE, w: int = WIDE
) -> Readings:
    return apply_quality_check(readings, connection_w=w, estimate=estimate, decisions=words)


def word(verdict: str, *, first: int = 10, slots: int = 16, code: str = "frozen_value") -> QualityDecision:
    return QualityDecision(code, "b", None if code == "frozen" else IMPORT, FIRST + first, slots, verdict)


STUCK = put(day(), IMPORT, slice(10, 26), 345)


def test_a_good_day_passes_as_it_is() -> None:
    readings = day()
    assert passed(readings, w=25_000) is readings


@pytest.mark.parametrize(("slots", "value", "found"), [(16, 345, 1), (15, 345, 0), (16, 99, 0), (40, 100, 1)])
def test_one_value_over_and_over_is_in_doubt_from_four_hours_on(slots: int, value: int, found: int) -> None:
    doubts = find_suspect_slots(put(day(), IMPORT, slice(10, 10 + slots), value), connection_w=WIDE)
    expected = SuspectSlots("frozen_value", "b", IMPORT, FIRST + 10, slots, (("energy_wh", value),))
    assert doubts == (expected,) * found


@pytest.mark.parametrize(("step", "value", "found"), [(10, 190, 0), (10, 200, 1), (100, 1_900, 0), (1_000, 3_000, 0)])
def test_a_coarse_counter_repeats_itself_without_being_in_doubt(step: int, value: int, found: int) -> None:
    coarse = day()
    coarse = replace(coarse, demand_wh=coarse.demand_wh // step * step)
    doubts = find_suspect_slots(put(coarse, IMPORT, slice(10, 30), value), connection_w=WIDE)
    assert [each.member for each in doubts] == ["b"] * found


def test_a_meter_still_all_day_in_both_directions_is_in_doubt_and_for_less_is_not() -> None:
    still = put(put(day(), IMPORT, slice(None), 0), EXPORT, slice(None), 0)
    assert find_suspect_slots(still, connection_w=WIDE) == (SuspectSlots("frozen", "b", None, FIRST, 96),)
    for measure in (IMPORT, EXPORT):
        assert find_suspect_slots(put(still, measure, slice(50, 51), 1), connection_w=WIDE) == ()
        assert find_suspect_slots(put(still, measure, slice(50, 51), MISSING_WH), connection_w=WIDE) == ()


@pytest.mark.parametrize("measure", [IMPORT, EXPORT])
def test_more_than_a_connection_carries_is_in_doubt_only_where_that_is_known(measure: Measure) -> None:
    limit_wh = 25_000 * 102 // 400
    for value, found in ((limit_wh, 0), (limit_wh + 1, 1), (345_000, 1)):
        readings = put(day(), measure, slice(7, 9), value)
        doubts = find_suspect_slots(readings, connection_w=25_000)
        assert [(each.code, each.first_slot, each.slots) for each in doubts] == [("impossible", FIRST + 7, 2)] * found
        assert find_suspect_slots(readings, connection_w=WIDE) == ()


@pytest.mark.parametrize("measure", [IMPORT, EXPORT])
def test_an_hour_over_the_limit_is_one_finding_of_that_hour_or_of_its_day(measure: Measure) -> None:
    limit_wh = 25_000 * 102 // 400
    over = put(day(), measure, slice(7, 11), limit_wh + 1)
    fuse_wh = limit_wh * 160 // 100
    for peak, code, first, slots in (
        (limit_wh + 1, "impossible", FIRST + 7, 4),
        (fuse_wh, "impossible", FIRST + 7, 4),
        (fuse_wh + 1, "out_of_proportion", FIRST, 96),
    ):
        (doubt,) = find_suspect_slots(put(over, measure, slice(8, 9), peak), connection_w=25_000)
        assert (doubt.code, doubt.member, doubt.first_slot, doubt.slots) == (code, "b", first, slots)
    held = apply_quality_check(put(over, measure, slice(8, 9), fuse_wh + 1), connection_w=25_000, estimate=NO_ESTIMATE)
    assert held.marks["b"].held == ((FIRST, 96),)


@pytest.mark.parametrize(
    ("words", "estimate", "marks"),
    [
        ((), NO_ESTIMATE, SlotMarks(held=((FIRST + 10, 16),))),
        ((word("accept"),), NO_ESTIMATE, None),
        ((word("reject"),), NO_ESTIMATE, SlotMarks(rejected=((FIRST + 10, 16),))),
        ((word("reject"), word("accept")), NO_ESTIMATE, None),
        ((word("accept", slots=10),), NO_ESTIMATE, SlotMarks(held=((FIRST + 20, 6),))),
        ((word("accept", code="frozen"),), NO_ESTIMATE, SlotMarks(held=((FIRST + 10, 16),))),
        ((word("estimate"),), NO_ESTIMATE, SlotMarks(rejected=((FIRST + 10, 16),))),
        ((word("estimate"),), LINE, SlotMarks(rejected=((FIRST + 10, 16),))),
    ],
)
def test_the_boards_word_decides_what_is_settled(
    words: tuple[QualityDecision, ...], estimate: EstimateRule, marks: SlotMarks | None
) -> None:
    out = passed(STUCK, *words, estimate=estimate)
    assert out.marks.get("b") == marks
    assert set(out.marks) <= {"b"}
    missing = {FIRST + row for row in np.flatnonzero(out.demand_wh[:, 1] == MISSING_WH).tolist()}
    assert missing == {slot for slot, mark in (marks or SlotMarks()).by_slot().items() if mark != "estimated"}
    assert np.array_equal(out.demand_wh == MISSING_WH, out.surplus_wh == MISSING_WH)


def test_a_rejected_reading_is_estimated_by_the_rule_and_stays_provisional() -> None:
    out = passed(STUCK, word("estimate"), estimate=replace(LINE, longest=16))
    (estimated,) = [out.marks["b"].estimated]
    assert [slot for slot, _, _ in estimated] == list(range(FIRST + 10, FIRST + 26))
    beside = sorted((int(STUCK.demand_wh[9, 1]), int(STUCK.demand_wh[26, 1])))
    assert all(beside[0] <= demand <= beside[1] and demand != 345 for _, _, demand in estimated)
    settled = settle(out, RULE)
    assert np.flatnonzero(settled.provisional).tolist() == list(range(10, 26))
    assert read_record(settled.record(), RULE).marks == out.marks


def test_gaps_are_filled_by_the_rule_alone_and_a_late_reading_takes_the_place() -> None:
    whole = day()
    gap = put(whole, IMPORT, slice(40, 43), MISSING_WH)
    assert passed(gap) is gap
    out = passed(gap, estimate=LINE)
    assert [slot - FIRST for slot, _, _ in out.marks["b"].estimated] == [40, 41, 42]
    assert np.array_equal(out.surplus_wh, whole.surplus_wh), "the direction that was read stays as it was read"
    assert passed(whole, estimate=LINE) is whole
    assert "b" not in passed(put(whole, IMPORT, slice(40, 45), MISSING_WH), estimate=LINE).marks, "too long"


def test_what_is_held_makes_no_estimate_and_is_not_filled_by_itself() -> None:
    readings = put(STUCK, IMPORT, slice(26, 28), MISSING_WH)
    assert passed(readings, estimate=replace(LINE, longest=10)).marks == {"b": SlotMarks(held=((FIRST + 10, 16),))}


def test_the_weeks_before_fill_a_gap_at_any_place_of_the_day() -> None:
    gap = put(put(day(), IMPORT, slice(0, 2), MISSING_WH), EXPORT, slice(0, 2), MISSING_WH)
    before = np.full((4, 96, 3), MISSING_WH)
    before[0, 0, 1], before[2, 0, 1], before[3, 0, 1] = 10, 30, 50
    rule = EstimateRule("same_time_of_week")
    out = apply_quality_check(gap, connection_w=WIDE, estimate=rule, before=WeeksBefore(before, before * 2))
    assert out.marks["b"].estimated == ((FIRST, 30, 60),)


def test_a_mark_changes_the_digest_and_the_record_and_no_mark_leaves_both() -> None:
    plain = put(put(STUCK, IMPORT, slice(10, 26), MISSING_WH), EXPORT, slice(10, 26), MISSING_WH)
    held = passed(STUCK)
    assert np.array_equal(plain.demand_wh, held.demand_wh)
    assert digest_inputs(plain, RULE) != digest_inputs(held, RULE)
    assert digest_inputs(replace(held, marks={"b": SlotMarks()}), RULE) == digest_inputs(plain, RULE)
    one, other = settle(plain, RULE), settle(held, RULE)
    assert np.array_equal(one.alloc_wh, other.alloc_wh)
    assert one.result_hash() != other.result_hash()
    assert read_record(other.record(), RULE).marks == held.marks
    assert other.part(12, 20).marks["b"].held == ((FIRST + 12, 8),)


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(1, 40), st.sampled_from(["accept", "reject", "estimate"])), max_size=6
    ),
    st.lists(st.tuples(st.integers(0, 95), st.integers(0, 2), st.booleans()), max_size=30),
    st.sampled_from([NO_ESTIMATE, LINE, replace(LINE, longest=96)]),
)
@relaxed
def test_every_slot_is_settled_as_read_or_says_why_not(
    said: list[tuple[int, int, str]], gone: list[tuple[int, int, bool]], estimate: EstimateRule
) -> None:
    readings = STUCK
    for row, column, is_import in gone:
        readings = put(readings, IMPORT if is_import else EXPORT, slice(row, row + 1), MISSING_WH, column=column)
    words = [word(verdict, first=first, slots=slots) for first, slots, verdict in said]
    out = passed(readings, *words, estimate=estimate)
    for column, member in enumerate(MEMBERS):
        marks = out.marks.get(member, SlotMarks()).by_slot()
        estimated = {slot: pair for slot, *pair in out.marks.get(member, SlotMarks()).estimated}
        for row, slot in enumerate(readings.slots):
            given_ = [int(readings.surplus_wh[row, column]), int(readings.demand_wh[row, column])]
            settled = [int(out.surplus_wh[row, column]), int(out.demand_wh[row, column])]
            mark = marks.get(slot)
            if mark is None:
                assert settled == given_
            elif mark == "estimated":
                assert settled == estimated[slot]
                assert min(settled) >= 0
            else:
                assert settled == [MISSING_WH, MISSING_WH]
                assert max(given_) >= 0, "nothing is held where nothing was read"
            assert mark != "held" or member == "b"


def test_a_rule_keeps_its_old_bytes_until_it_says_something_new() -> None:
    assert b"estimate" not in RULE.canonical()
    assert b"connection" not in RULE.canonical()
    new = replace(RULE, connection_w=25_000, estimate=LINE)
    assert new.version() != RULE.version()
    assert read_rule(new.canonical()) == new
    assert read_rule(RULE.canonical()) == RULE


def test_a_gap_is_nobodys_to_decide_and_what_touches_no_credits_is_only_seen() -> None:
    assert open_verdicts("gap", None, has_estimates=True) == ()
    assert open_verdicts("odd_yield", Measure.PV_PRODUCTION, has_estimates=True) == ("accept",)
    assert open_verdicts("frozen_value", IMPORT, has_estimates=False) == ("accept", "reject")
    assert open_verdicts("unbalanced", None, has_estimates=True) == ("accept", "reject", "estimate")
