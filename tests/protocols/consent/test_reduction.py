"""What leaves a home is always within its consent, loses no energy between resolutions, and never tells what stayed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.consent.purposes import HEALTH, Resolution
from protocols.consent.reduction import (
    SlotValue,
    allowed_at,
    filter_devices,
    filter_long_intervals,
    filter_values,
    find_omissions,
    find_violations,
    finest_spans,
)
from protocols.consent.rules import ConsentSet, contract_rule, default_consent
from protocols.consent.text import parse_consent
from protocols.quantities import SENT_GAPS, Gap, Mark, Measure
from protocols.wire.readings import (
    Batch,
    ClockTrust,
    Column,
    DeviceState,
    Liveness,
    LongInterval,
    decode_batch,
    encode_batch,
)
from tests.protocols.consent.consent_samples import DAY, SERIES, consents, with_rule

HOUR = range(DAY, DAY + 4)
OPTIONAL = tuple(measure for measure in Measure if measure not in contract_rule().measures)


@st.composite
def slot_values(draw: st.DrawFn) -> SlotValue:
    mark = draw(st.sampled_from(Mark))
    gap = draw(st.sampled_from(sorted(SENT_GAPS - {Gap.NONE}))) if mark >= Mark.PARTIAL else Gap.NONE
    return SlotValue(None if mark is Mark.MISSING else draw(st.integers(0, 5000)), mark, gap)


def batch_of(consent: ConsentSet, slot: int, columns: tuple[Column, ...], **more: object) -> Batch:
    batch = Batch(
        *("a1", 1, 1, bytes(32)),
        boot=1,
        clock=ClockTrust.TRUSTED,
        consent_version=consent.version,
        made_at=slot * 900 + 930,
        slot=slot,
        columns=columns,
    )
    return replace(batch, **more)  # type: ignore[arg-type]


MEASURED = st.dictionaries(
    st.tuples(st.sampled_from(Measure), st.integers(DAY, DAY + 95)), slot_values(), min_size=40, max_size=200
)


@settings(max_examples=60)
@given(consent=consents(), measured=MEASURED, slots=st.lists(st.integers(DAY, DAY + 95), min_size=1, max_size=8))
def test_what_leaves_is_within_consent_and_can_be_sent(
    consent: ConsentSet, measured: dict[tuple[Measure, int], SlotValue], slots: list[int]
) -> None:
    for slot in [*slots, DAY + 95, DAY + 3]:
        batch = batch_of(consent, slot, filter_values(consent, slot, measured))
        assert find_violations(consent, batch) == ()
        assert decode_batch(encode_batch(batch)) == batch
        for column in batch.columns:
            for covered in range(slot + 1 - column.span, slot + 1):
                granted = [rule for rule in consent.rules if column.measure in rule.measures]
                assert any(
                    rule.covers(covered, covered) and 0 < rule.resolution.span <= column.span for rule in granted
                )


def test_the_hub_finds_every_column_that_the_filter_would_not_let_out() -> None:
    outcomes: set[tuple[int, bool]] = set()

    @settings(max_examples=150)
    @given(consent=consents(), slot=st.sampled_from([DAY + 3, DAY + 95]) | st.integers(DAY, DAY + 95), data=st.data())
    def holds(consent: ConsentSet, slot: int, data: st.DataObject) -> None:
        granted = sorted({measure for rule in consent.rules for measure in rule.measures} & set(OPTIONAL))
        measure = data.draw(st.sampled_from(granted or OPTIONAL))
        span = data.draw(st.sampled_from([span for span in (96, 4, 1) if (slot + 1) % span == 0]))
        batch = batch_of(consent, slot, (Column(measure, span, 7, 0, Mark.MEASURED, Gap.NONE),))
        inside = all(
            any(
                measure in rule.measures and rule.covers(covered, covered) and rule.resolution.span <= span
                for rule in consent.rules
            )
            for covered in range(slot + 1 - span, slot + 1)
        )
        assert (find_violations(consent, batch) == ()) == inside
        outcomes.add((span, inside))

    holds()
    assert outcomes == {(span, inside) for span in (1, 4, 96) for inside in (True, False)}


@given(consent=consents(), slot=st.integers(DAY - 10, DAY + 110), data=st.data())
def test_what_is_allowed_in_a_slot_is_allowed_as_far_as_it_says(
    consent: ConsentSet, slot: int, data: st.DataObject
) -> None:
    allowed = allowed_at(consent, slot)
    assert slot in allowed.slots
    near = data.draw(st.integers(max(allowed.slots.start, DAY - 50), min(allowed.slots.stop - 1, DAY + 150)))
    assert allowed_at(consent, near) == allowed
    measures = sorted(data.draw(st.sets(st.sampled_from(Measure))))
    columns = tuple(Column(measure, 1, 7, 0, Mark.MEASURED, Gap.NONE) for measure in measures)
    batch = batch_of(consent, near, columns)
    assert find_violations(consent, batch, allowed) == find_violations(consent, batch)
    assert find_omissions(consent, batch, allowed) == find_omissions(consent, batch)


@settings(max_examples=30)
@given(energies=st.lists(st.integers(0, 4000), min_size=96, max_size=96))
def test_energy_is_conserved_between_resolutions(energies: list[int]) -> None:
    measured = {
        (Measure.PV_PRODUCTION, DAY + n): SlotValue(energy_wh, Mark.MEASURED) for n, energy_wh in enumerate(energies)
    }
    totals = []
    for resolution in SERIES:
        consent = with_rule("peers.view", resolution, Measure.PV_PRODUCTION)
        left = [
            column
            for slot in range(DAY, DAY + 96)
            for column in filter_values(consent, slot, measured)
            if column.measure is Measure.PV_PRODUCTION
        ]
        assert len(left) == 96 // resolution.span
        totals.append(sum(column.energy_wh or 0 for column in left))
    assert totals == [sum(energies)] * 3


def test_an_hourly_value_leaves_only_with_the_last_quarter_of_its_hour() -> None:
    consent = with_rule("peers.view", Resolution.PT1H, Measure.WIND_PRODUCTION)
    measured = {(Measure.WIND_PRODUCTION, slot): SlotValue(10, Mark.MEASURED) for slot in HOUR}
    wind = [
        [c for c in filter_values(consent, slot, measured) if c.measure is Measure.WIND_PRODUCTION] for slot in HOUR
    ]
    assert wind == [[], [], [], [Column(Measure.WIND_PRODUCTION, 4, 40, 0, Mark.MEASURED, Gap.NONE)]]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["10", "10", "silent", "10"], (30, Mark.PARTIAL, Gap.DEVICE_SILENT)),
        (["10", None, "10", "10"], (30, Mark.PARTIAL, Gap.AGENT_OFF)),
        (["silent"] * 4, (None, Mark.MISSING, Gap.DEVICE_SILENT)),
        (["10", "derived", "10", "10"], (40, Mark.DERIVED, Gap.NONE)),
        (["10", "derived", "silent", "10"], (30, Mark.PARTIAL, Gap.DEVICE_SILENT)),
        (["10", "part", "10", "10"], (40, Mark.PARTIAL, Gap.COUNTER_RESET)),
    ],
)
def test_missing_parts_make_the_sum_partial_or_missing(
    parts: list[str | None], expected: tuple[int | None, Mark, Gap]
) -> None:
    kinds = {
        "10": SlotValue(10, Mark.MEASURED),
        "derived": SlotValue(10, Mark.DERIVED),
        "silent": SlotValue(None, Mark.MISSING, Gap.DEVICE_SILENT),
        "part": SlotValue(10, Mark.PARTIAL, Gap.COUNTER_RESET),
    }
    consent = with_rule("peers.view", Resolution.PT1H, Measure.SUBMETER)
    measured = {(Measure.SUBMETER, slot): kinds[part] for slot, part in zip(HOUR, parts, strict=True) if part}
    column = filter_values(consent, HOUR[-1], measured)[-1]
    assert (column.energy, column.mark, column.gap) == expected


def test_the_contract_is_answered_for_in_every_slot_and_nothing_else_is_told() -> None:
    columns = filter_values(default_consent("h01"), DAY, {(Measure.PV_PRODUCTION, DAY): SlotValue(900, Mark.MEASURED)})
    assert [(c.measure, c.energy, c.gap) for c in columns] == [
        (Measure.GRID_IMPORT, None, Gap.AGENT_OFF),
        (Measure.GRID_EXPORT, None, Gap.AGENT_OFF),
    ]


def test_a_consent_that_begins_or_ends_inside_an_hour_does_not_give_that_hour() -> None:
    measured = {(Measure.SUBMETER, slot): SlotValue(10, Mark.MEASURED) for slot in range(DAY, DAY + 12)}
    consent = with_rule("peers.view", Resolution.PT1H, Measure.SUBMETER, begin=DAY + 1, end=DAY + 10)
    left = [slot for slot in range(DAY, DAY + 12) if len(filter_values(consent, slot, measured)) == 3]
    assert left == [DAY + 7]


def test_a_withdrawn_consent_lets_nothing_out_and_the_contract_stays() -> None:
    consent = with_rule("peers.view", Resolution.PT15M, Measure.PV_PRODUCTION, begin=DAY, end=DAY + 2)
    assert finest_spans(consent, DAY + 1)[Measure.PV_PRODUCTION] == 1
    assert set(finest_spans(consent, DAY + 2)) == set(contract_rule().measures)


def test_totals_over_outages_do_not_cut_through_consented_hours() -> None:
    consent = with_rule("peers.view", Resolution.PT1H, Measure.PV_PRODUCTION)
    whole = LongInterval(Measure.PV_PRODUCTION, DAY, 8, 100)
    cutting = LongInterval(Measure.PV_PRODUCTION, DAY + 1, 8, 100)
    foreign = LongInterval(Measure.BATTERY_CHARGE, DAY, 8, 100)
    grid = LongInterval(Measure.GRID_IMPORT, DAY + 1, 3, 100)
    assert filter_long_intervals(consent, (whole, cutting, foreign, grid)) == (whole, grid)
    found = find_violations(consent, batch_of(consent, DAY + 9, (), long_intervals=(grid, whole, cutting, foreign)))
    assert len(found) == 2


LONG = st.builds(
    LongInterval,
    st.sampled_from(Measure),
    st.integers(DAY - 12, DAY + 140),
    st.integers(1, 12) | st.sampled_from([16, 96]),
    st.just(100),
)


def test_a_total_leaves_only_under_one_rule_that_covers_all_its_slots() -> None:
    outcomes: set[bool] = set()

    @settings(max_examples=100)
    @given(consent=consents(), interval=LONG)
    def holds(consent: ConsentSet, interval: LongInterval) -> None:
        slots = range(interval.first_slot, interval.first_slot + interval.slots)
        at_last = [
            rule
            for rule in consent.rules
            if interval.measure in rule.measures
            and rule.valid_from <= slots[-1]
            and (rule.valid_until is None or slots[-1] < rule.valid_until)
        ]
        finest = min((rule.resolution.span for rule in at_last), default=0)
        expected = bool(finest) and interval.first_slot % finest == 0 and interval.slots % finest == 0
        expected = expected and any(
            rule.resolution.span == finest and rule.valid_from <= interval.first_slot for rule in at_last
        )
        assert (filter_long_intervals(consent, (interval,)) == (interval,)) == expected
        outcomes.add(expected)

    holds()
    assert outcomes == {True, False}


def test_a_total_does_not_reach_past_the_end_of_a_rule() -> None:
    consent = with_rule("peers.view", Resolution.PT15M, Measure.PV_PRODUCTION, begin=DAY, end=DAY + 3)
    within = LongInterval(Measure.PV_PRODUCTION, DAY, 3, 100)
    past_the_end = LongInterval(Measure.PV_PRODUCTION, DAY, 4, 100)
    before_the_start = LongInterval(Measure.PV_PRODUCTION, DAY - 1, 3, 100)
    assert filter_long_intervals(consent, (before_the_start, within, past_the_end)) == (within,)


def test_a_total_of_one_slot_needs_a_rule_in_that_slot() -> None:
    consent = with_rule("peers.view", Resolution.PT15M, Measure.PV_PRODUCTION, begin=DAY, end=DAY + 1)
    one = LongInterval(Measure.PV_PRODUCTION, DAY, 1, 100)
    next_one = LongInterval(Measure.PV_PRODUCTION, DAY + 1, 1, 100)
    assert filter_long_intervals(consent, (one, next_one)) == (one,)


def test_device_states_leave_unless_the_home_objects() -> None:
    states = (DeviceState("meter", Liveness.OK, 1),)
    objecting = parse_consent(f'home = "h01"\nversion = 1\noff = ["{HEALTH}"]\n')
    assert filter_devices(default_consent("h01"), DAY, states) == states
    assert filter_devices(objecting, DAY, states) == ()
    assert find_violations(objecting, batch_of(objecting, DAY, (), devices=states)) == (
        "device states are not allowed",
    )


def test_another_version_is_a_violation_and_words_hold_no_values() -> None:
    consent = default_consent("h01", 3)
    column = Column(Measure.PV_PRODUCTION, 1, 4711, 0, Mark.MEASURED, Gap.NONE)
    found = find_violations(consent, batch_of(consent, DAY, (column,), consent_version=2))
    assert len(found) == 2
    assert "4711" not in " ".join(found)


def test_a_value_without_its_reason_is_a_broken_program() -> None:
    with pytest.raises(ValueError, match="reason"):
        filter_values(default_consent("h01"), DAY, {(Measure.GRID_IMPORT, DAY): SlotValue(None, Mark.MISSING)})


def test_the_contracts_measures_are_missed_unless_they_have_a_quarter_hour() -> None:
    consent = default_consent("h01", 3)
    gap = Column(Measure.GRID_IMPORT, 1, None, 0, Mark.MISSING, Gap.DEVICE_SILENT)
    hour = Column(Measure.GRID_EXPORT, 4, 9, 0, Mark.MEASURED, Gap.NONE)
    quarter = Column(Measure.GRID_EXPORT, 1, 9, 0, Mark.MEASURED, Gap.NONE)
    assert len(find_omissions(consent, batch_of(consent, DAY + 3, ()))) == 2
    (found,) = find_omissions(consent, batch_of(consent, DAY + 3, (gap, hour)))
    assert found.startswith("grid_export")
    assert find_omissions(consent, batch_of(consent, DAY + 3, (gap, quarter))) == ()
