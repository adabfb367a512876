"""A consent as the text its household edits: read back exactly, and a mistake is named in one line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from protocols.consent.purposes import HEALTH, Resolution
from protocols.consent.rules import MAX_VERSION, ConsentRule, ConsentSet, contract_rule, default_consent, sort_rules
from protocols.consent.text import MAX_TEXT_CHARS, consent_toml, parse_consent
from protocols.quantities import Measure
from protocols.slots import parse_slot
from tests.protocols.consent.consent_samples import consents

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


@settings(max_examples=50)
@given(consent=consents())
def test_text_reads_back(consent: ConsentSet) -> None:
    assert parse_consent(consent_toml(consent)) == consent


def test_the_text_is_the_one_a_household_sees() -> None:
    rule = ConsentRule(
        "research.heat",
        (Measure.GRID_IMPORT, Measure.SUBMETER),
        Resolution.P1D,
        parse_slot("2026-11-01T00:00Z"),
        parse_slot("2027-03-01T00:00Z"),
    )
    assert consent_toml(ConsentSet("h01", 3, sort_rules([contract_rule(), rule]))) == (
        'home = "h01"\n'
        "version = 3\n"
        'off = ["device.health"]\n'
        "\n"
        "[[rule]]\n"
        'purpose = "research.heat"\n'
        'measures = ["grid_import", "submeter"]\n'
        'resolution = "P1D"\n'
        'valid_from = "2026-11-01T00:00Z"\n'
        'valid_until = "2027-03-01T00:00Z"\n'
    )


def test_the_shortest_text_is_the_consent_of_a_home_that_has_decided_nothing() -> None:
    assert parse_consent('home = "h01"\nversion = 1\n') == default_consent("h01")
    assert parse_consent('home = "h01"\nversion = 1\noff = []\n') == default_consent("h01")


def test_only_the_health_of_devices_can_be_switched_off() -> None:
    off = parse_consent(f'home = "h01"\nversion = 1\noff = ["{HEALTH}"]\n')
    assert off.rules == (contract_rule(),)


def test_measures_are_sorted_and_named_once() -> None:
    rule = next(
        rule
        for rule in parse_consent(RULE + 'measures = ["submeter", "pv_production", "submeter"]').rules
        if rule.purpose == "peers.view"
    )
    assert rule.measures == (Measure.PV_PRODUCTION, Measure.SUBMETER)
    assert (rule.valid_from, rule.valid_until) == (parse_slot("2026-11-01T00:00Z"), None)


def test_the_limits_of_a_text_are_allowed_and_one_more_is_not() -> None:
    text = f'home = "h01"\nversion = {MAX_VERSION}\n'
    assert parse_consent(text.ljust(MAX_TEXT_CHARS)).version == MAX_VERSION
    with pytest.raises(ValueError, match=f"more than {MAX_TEXT_CHARS} characters"):
        parse_consent(text.ljust(MAX_TEXT_CHARS + 1))
    with pytest.raises(ValueError, match="consent: version: expected a whole number from 1 to 4294967295"):
        parse_consent(f'home = "h01"\nversion = {MAX_VERSION + 1}\n')


def test_the_number_of_a_wrong_rule_is_given() -> None:
    with pytest.raises(ValueError, match="consent: rule 2: purpose: expected a code of the catalogue"):
        parse_consent(RULE + '[[rule]]\npurpose = "selling"\n')


def test_a_byte_order_mark_changes_nothing() -> None:
    text = consent_toml(default_consent("h01"))
    assert parse_consent("\ufeff" + text) == parse_consent(text)
