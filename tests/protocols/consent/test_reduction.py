"""What leaves a home is always within its consent, loses no energy between resolutions, and never tells what stayed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.consent.reduction import (
    CONTRACT,
    HEALTH,
    ConsentRule,
    ConsentSet,
    Resolution,
    SlotValue,
    consent_digest,
    consent_toml,
    contract_rule,
    decode_consent,
    default_consent,
    encode_consent,
    filter_devices,
    filter_long_intervals,
    filter_values,
    find_violations,
    finest_spans,
    parse_consent,
    sort_rules,
)
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
from protocols.wire.refusal_reasons import WireError

DAY = 20_400 * 96
HOUR = range(DAY, DAY + 4)
SERIES = (Resolution.PT15M, Resolution.PT1H, Resolution.P1D)
PURPOSES = ("peers.view", "forecast.home", "forecast.hood", "prompt.shift", "research.heat", "grid.flex")
OPTIONAL = tuple(measure for measure in Measure if measure not in contract_rule().measures)


@st.composite
def rules(draw: st.DrawFn) -> ConsentRule:
    begin = draw(st.integers(DAY - 40, DAY + 140))
    return ConsentRule(
        draw(st.sampled_from(PURPOSES)),
        tuple(sorted(draw(st.sets(st.sampled_from(Measure), min_size=1)))),
        draw(st.sampled_from(SERIES)),
        begin,
        draw(st.none() | st.integers(begin + 1, begin + 200)),
    )


@st.composite
def consents(draw: st.DrawFn) -> ConsentSet:
    base = default_consent("h01", draw(st.integers(1, 9)))
    kept = base.rules if draw(st.booleans()) else (contract_rule(),)
    return replace(base, rules=sort_rules({*kept, *draw(st.lists(rules(), max_size=4))}))


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


def with_rule(
    purpose: str, resolution: Resolution, *measures: Measure, begin: int = 0, end: int | None = None
) -> ConsentSet:
    base = default_consent("h01")
    return replace(base, rules=sort_rules([*base.rules, ConsentRule(purpose, measures, resolution, begin, end)]))


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


@settings(max_examples=60)
@given(consent=consents(), slot=st.integers(DAY, DAY + 95), data=st.data())
def test_the_second_lock_finds_every_column_the_gate_would_not_let_out(
    consent: ConsentSet, slot: int, data: st.DataObject
) -> None:
    measure = data.draw(st.sampled_from(OPTIONAL))
    span = data.draw(st.sampled_from([span for span in (1, 4, 96) if (slot + 1) % span == 0]))
    batch = batch_of(consent, slot, (Column(measure, span, 7, 0, Mark.MEASURED, Gap.NONE),))
    inside = all(
        any(
            measure in rule.measures and rule.covers(covered, covered) and rule.resolution.span <= span
            for rule in consent.rules
        )
        for covered in range(slot + 1 - span, slot + 1)
    )
    assert (find_violations(consent, batch) == ()) == inside


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


@given(consent=consents())
def test_bytes_and_text_read_back(consent: ConsentSet) -> None:
    assert decode_consent(encode_consent(consent)) == consent
    assert parse_consent(consent_toml(consent)) == consent
    assert len(consent_digest(consent)) == 32


@given(consent=consents(), where=st.integers(0, 10**6), change=st.integers(1, 255))
def test_consent_bytes_have_no_second_spelling(consent: ConsentSet, where: int, change: int) -> None:
    data = bytearray(encode_consent(consent))
    data[where % len(data)] ^= change
    try:
        other = decode_consent(bytes(data))
    except WireError:
        return
    assert other != consent
    assert encode_consent(other) == bytes(data)


def test_no_consent_is_without_the_contract_or_changes_it() -> None:
    base = default_consent("h01")
    without = replace(base, rules=tuple(rule for rule in base.rules if rule.purpose != CONTRACT))
    finer = replace(base, rules=sort_rules([replace(contract_rule(), measures=(Measure.PV_PRODUCTION,))]))
    for wrong in (without, finer, replace(base, rules=base.rules[::-1]), replace(base, version=0)):
        with pytest.raises(WireError):
            encode_consent(wrong)


def test_a_value_without_its_reason_is_a_broken_program() -> None:
    with pytest.raises(ValueError, match="reason"):
        filter_values(default_consent("h01"), DAY, {(Measure.GRID_IMPORT, DAY): SlotValue(None, Mark.MISSING)})


RULE = 'home = "h01"\nversion = 1\n[[rule]]\npurpose = "peers.view"\nvalid_from = "2026-11-01T00:00Z"\n'


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("home = ", "TOML"),
        ("version = 1", "home"),
        ('home = "H"\nversion = 1', "home"),
        ('home = "h"', "version"),
        ('home = "h"\nversion = true', "version"),
        ('home = "h"\nversion = 0', "version"),
        ('home = "h"\nversion = 1\nextra = 1', "extra"),
        ('home = "h"\nversion = 1\noff = ["settle.share"]', "off"),
        ('home = "h"\nversion = 1\nrule = 5', "rule"),
        ('home = "h"\nversion = 1\n[[rule]]\n', "purpose"),
        ('home = "h"\nversion = 1\n[[rule]]\npurpose = "selling"', "purpose"),
        ('home = "h"\nversion = 1\n[[rule]]\npurpose = "research"', "purpose"),
        ('home = "h"\nversion = 1\n[[rule]]\npurpose = "settle.share"', "settle.share"),
        ('home = "h"\nversion = 1\n[[rule]]\npurpose = "device.health"', "off"),
        ('home = "h"\nversion = 1\n[[rule]]\npurpose = "peers.view"', "valid_from"),
        (RULE + 'resolution = "PT1M"', "resolution"),
        (RULE + 'measures = ["gas"]', "measures"),
        (RULE + "measures = []", "measures"),
        (RULE + "measures = 3", "measures"),
        (RULE + 'valid_until = "2026-10-01T00:00Z"', "ends before"),
        (RULE + "valid_until = 2026-12-01", "valid_until"),
        (RULE + 'valid_until = "2026-12-01T00:07Z"', "valid_until"),
        (RULE + "until = 1", "until"),
        ("x" * 70_000, "characters"),
    ],
)
def test_a_wrong_consent_text_gets_one_line_that_names_the_key(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        parse_consent(text)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("consent")


def test_a_rule_gets_its_purposes_defaults() -> None:
    rule = next(rule for rule in parse_consent(RULE).rules if rule.purpose == "peers.view")
    assert rule.measures == tuple(Measure)
    assert rule.resolution is Resolution.PT1H
