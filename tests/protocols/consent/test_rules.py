"""A consent as a value and as bytes: one spelling, every limit on both sides, and always the whole contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.consent.purposes import CONTRACT, HEALTH, Resolution
from protocols.consent.rules import (
    MAX_RULES,
    MAX_VERSION,
    ConsentRule,
    ConsentSet,
    contract_rule,
    decode_consent,
    default_consent,
    encode_consent,
    sort_rules,
)
from protocols.quantities import Measure
from protocols.wire.readings import MAX_SLOT
from protocols.wire.refusal_reasons import RefusalReason, WireError
from tests.protocols.consent.consent_samples import DAY, consents

SOLAR = ConsentRule("peers.view", (Measure.PV_PRODUCTION,), Resolution.PT1H, DAY, DAY + 8)


def with_rules(*rules: ConsentRule) -> ConsentSet:
    """The default consent and these rules, in order."""
    base = default_consent("h01")
    return replace(base, rules=sort_rules([*base.rules, *rules]))


def refusal_of(consent: ConsentSet) -> str:
    with pytest.raises(WireError) as caught:
        encode_consent(consent)
    assert caught.value.reason is RefusalReason.GARBAGE
    return caught.value.detail


@settings(max_examples=50)
@given(consent=consents())
def test_bytes_read_back(consent: ConsentSet) -> None:
    data = encode_consent(consent)
    assert decode_consent(data) == consent


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


@pytest.mark.parametrize(
    ("first", "last", "covered"),
    [(DAY, DAY + 7, True), (DAY - 1, DAY + 7, False), (DAY, DAY + 8, False), (DAY + 3, DAY + 3, True)],
)
def test_a_rule_is_valid_from_its_first_slot_to_before_its_end(first: int, last: int, covered: bool) -> None:
    assert SOLAR.covers(first, last) is covered


def test_a_rule_without_an_end_is_valid_for_ever() -> None:
    assert replace(SOLAR, valid_until=None).covers(DAY, MAX_SLOT)
    assert not replace(SOLAR, valid_until=None).covers(DAY - 1, DAY)


def test_a_home_that_has_decided_nothing_has_the_contract_and_its_devices_health() -> None:
    consent = default_consent("h01")
    assert (consent.home, consent.version) == ("h01", 1)
    assert [(rule.purpose, rule.measures, rule.resolution) for rule in consent.rules] == [
        ("device.health", (), Resolution.NONE),
        ("settle.share", (Measure.GRID_IMPORT, Measure.GRID_EXPORT), Resolution.PT15M),
    ]
    assert all((rule.valid_from, rule.valid_until) == (0, None) for rule in consent.rules)
    assert default_consent("h01", 7).version == 7
    assert contract_rule(DAY) == replace(contract_rule(), valid_from=DAY)


def test_the_bytes_are_the_documented_form() -> None:
    assert cbor2.loads(encode_consent(with_rules(SOLAR))) == {
        1: 1,
        2: "h01",
        3: 1,
        4: [
            ["device.health", [], 3, 0, None],
            ["peers.view", [3], 1, DAY, DAY + 8],
            ["settle.share", [1, 2], 0, 0, None],
        ],
    }


@settings(max_examples=40)
@given(consent=consents(), data=st.data())
def test_any_order_of_the_rules_is_sorted_into_one(consent: ConsentSet, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(consent.rules))
    assert sort_rules(shuffled) == consent.rules


def test_rules_are_sorted_by_purpose_start_end_and_resolution() -> None:
    early = replace(SOLAR, valid_from=DAY - 4)
    ended = replace(SOLAR, valid_until=DAY + 4)
    endless = replace(SOLAR, valid_until=None)
    finer = replace(SOLAR, resolution=Resolution.PT15M)
    forecast = replace(SOLAR, purpose="forecast.home", valid_from=DAY + 50, valid_until=None)
    assert sort_rules([endless, SOLAR, finer, ended, early, forecast]) == (
        forecast,
        early,
        ended,
        finer,
        SOLAR,
        endless,
    )


def test_the_limits_are_allowed_and_one_more_is_not() -> None:
    many = [replace(SOLAR, valid_from=DAY + n, valid_until=DAY + n + 1) for n in range(MAX_RULES - 1)]
    assert len(decode_consent(encode_consent(with_rules(*many[:-1]))).rules) == MAX_RULES
    assert refusal_of(with_rules(*many)) == f"more than {MAX_RULES} rules"
    for version in (1, MAX_VERSION):
        assert decode_consent(encode_consent(default_consent("h01", version))).version == version
    for wrong in (0, MAX_VERSION + 1, True, 1.0):
        assert "version" in refusal_of(default_consent("h01", wrong))  # type: ignore[arg-type]
    edges = replace(SOLAR, valid_from=MAX_SLOT - 1, valid_until=MAX_SLOT)
    assert edges in decode_consent(encode_consent(with_rules(edges))).rules
    assert "slot" in refusal_of(with_rules(replace(edges, valid_until=MAX_SLOT + 1)))
    assert "slot" in refusal_of(with_rules(replace(SOLAR, valid_from=-1)))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (replace(SOLAR, purpose="selling"), "catalogue"),
        (replace(SOLAR, purpose="research"), "catalogue"),
        (replace(SOLAR, measures=(Measure.SUBMETER, Measure.PV_PRODUCTION)), "in order"),
        (replace(SOLAR, measures=(Measure.PV_PRODUCTION,) * 2), "repeated"),
        (replace(SOLAR, measures=()), "contradict"),
        (replace(SOLAR, resolution=Resolution.NONE), "contradict"),
        (ConsentRule(HEALTH, (Measure.PV_PRODUCTION,), Resolution.PT1H, 1, None), "never carries a measure"),
        (replace(SOLAR, valid_until=DAY), "ends before it begins"),
        (ConsentRule(CONTRACT, (Measure.GRID_IMPORT, Measure.GRID_EXPORT), Resolution.PT1H, 0, None), "exactly import"),
    ],
)
def test_a_rule_that_contradicts_itself_is_not_written(wrong: ConsentRule, named: str) -> None:
    assert named in refusal_of(with_rules(wrong))


def test_the_same_rule_twice_is_refused() -> None:
    assert "repeated" in refusal_of(with_rules(SOLAR, SOLAR))


@pytest.mark.parametrize("home", ["", "H01", "h" * 33, 5])
def test_a_home_has_a_name_of_the_agreed_form(home: Any) -> None:
    assert "home's name" in refusal_of(replace(default_consent("h01"), home=home))


@pytest.mark.parametrize(
    "damage",
    [
        lambda fields: fields | {1: 2},
        lambda fields: fields | {5: 0},
        lambda fields: {key: fields[key] for key in (1, 2, 3)},
        lambda fields: fields | {4: 5},
        lambda fields: fields | {4: [row[:4] for row in fields[4]]},
        lambda fields: fields | {4: [[*row[:2], 4, *row[3:]] for row in fields[4]]},
        lambda fields: fields | {4: [[*row[:2], None, *row[3:]] for row in fields[4]]},
        lambda fields: fields | {4: [[row[0], 1, *row[2:]] for row in fields[4]]},
        lambda fields: fields | {4: [[row[0], [8], *row[2:]] for row in fields[4]]},
        lambda fields: fields | {4: [[7, *row[1:]] for row in fields[4]]},
        lambda fields: fields | {4: [[*row[:3], "0", row[4]] for row in fields[4]]},
        lambda fields: [fields[1]],
    ],
)
def test_bytes_of_another_form_are_garbage(damage: Callable[[dict[int, Any]], Any]) -> None:
    fields = cbor2.loads(encode_consent(with_rules(SOLAR)))
    with pytest.raises(WireError) as caught:
        decode_consent(cbor2.dumps(damage(fields)))
    assert caught.value.reason is RefusalReason.GARBAGE
