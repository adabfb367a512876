"""A home's consent as the TOML text that its household reads and edits: parsed, with one-line errors, and written."""

from __future__ import annotations

from typing import Any

from protocols.consent.purposes import CONTRACT, HEALTH, Purpose, Resolution, purpose_of
from protocols.consent.rules import MAX_VERSION, ConsentRule, ConsentSet, contract_rule, encode_consent, sort_rules
from protocols.quantities import Measure
from protocols.slots import Slot, format_slot, parse_slot
from protocols.toml_text import TomlTextError, read_toml
from protocols.wire.refusal_reasons import WireError
from protocols.wire.topics import is_id

MAX_TEXT_CHARS = 65536

_TOP_KEYS = {"home", "version", "off", "rule"}
_RULE_KEYS = {"purpose", "measures", "resolution", "valid_from", "valid_until"}
_MEASURES = {measure.code: measure for measure in Measure}


def parse_consent(text: str) -> ConsentSet:
    """The consent in a TOML text. It always includes the contract, and device.health unless `off` names it.

    Raises: ValueError with a one-line message that names the key and what was expected.
    """
    if len(text) > MAX_TEXT_CHARS:
        raise ValueError(f"consent: more than {MAX_TEXT_CHARS} characters")
    try:
        top = read_toml(text)
    except TomlTextError as error:
        raise ValueError(f"consent: not TOML: {error}") from None
    _only(top, _TOP_KEYS, "consent")
    home, version = top.get("home"), top.get("version")
    if not isinstance(home, str) or not is_id(home):
        raise ValueError("consent: home: expected 1 to 32 of a-z, 0-9 and -")
    if type(version) is not int or not 1 <= version <= MAX_VERSION:
        raise ValueError(f"consent: version: expected a whole number from 1 to {MAX_VERSION}")
    rules = [_rule(item, f"consent: rule {number}") for number, item in enumerate(_rules(top), 1)]
    rules.append(contract_rule())
    if not _is_health_off(top.get("off", [])):
        rules.append(ConsentRule(HEALTH, (), Resolution.NONE, 0, None))
    consent = ConsentSet(home, version, sort_rules(rules))
    try:
        encode_consent(consent)
    except WireError as error:
        raise ValueError(f"consent: {error.detail}") from None
    return consent


def consent_toml(consent: ConsentSet) -> str:
    """The TOML text that `parse_consent` turns back into this consent, provided its contract rule is the full one."""
    lines = [f'home = "{consent.home}"', f"version = {consent.version}"]
    if not any(rule.purpose == HEALTH for rule in consent.rules):
        lines.append(f'off = ["{HEALTH}"]')
    for rule in consent.rules:
        if rule.purpose not in (CONTRACT, HEALTH):
            lines += ["", *_rule_lines(rule)]
    return "\n".join(lines) + "\n"


def _rule_lines(rule: ConsentRule) -> list[str]:
    names = ", ".join(f'"{measure.code}"' for measure in rule.measures)
    lines = [
        "[[rule]]",
        f'purpose = "{rule.purpose}"',
        f"measures = [{names}]",
        f'resolution = "{rule.resolution.value}"',
        f'valid_from = "{format_slot(rule.valid_from)}"',
    ]
    return lines if rule.valid_until is None else [*lines, f'valid_until = "{format_slot(rule.valid_until)}"']


def _rules(top: dict[str, Any]) -> list[dict[str, Any]]:
    rules = top.get("rule", [])
    if not isinstance(rules, list) or not all(isinstance(item, dict) for item in rules):
        raise ValueError("consent: rule: expected tables written as [[rule]]")
    return rules


def _is_health_off(off: Any) -> bool:
    if off not in ([], [HEALTH]):
        raise ValueError(f'consent: off: expected ["{HEALTH}"]; other purposes are off unless a [[rule]] names them')
    return bool(off)


def _rule(item: dict[str, Any], where: str) -> ConsentRule:
    _only(item, _RULE_KEYS, where)
    code = item.get("purpose")
    purpose = purpose_of(code) if isinstance(code, str) else None
    if purpose is None:
        raise ValueError(f"{where}: purpose: expected a code of the catalogue, such as peers.view")
    if code == CONTRACT:
        raise ValueError(f"{where}: purpose: {CONTRACT} is part of the membership contract and needs no rule")
    if code == HEALTH:
        raise ValueError(f'{where}: purpose: {HEALTH} is on; write off = ["{HEALTH}"] to object to it')
    return ConsentRule(
        str(code),
        _measures(item, purpose, where),
        _resolution(item, purpose, where),
        valid_from=_slot(item, "valid_from", where),
        valid_until=_slot(item, "valid_until", where) if "valid_until" in item else None,
    )


def _measures(item: dict[str, Any], purpose: Purpose, where: str) -> tuple[Measure, ...]:
    names = item.get("measures", [measure.code for measure in purpose.measures])
    if not isinstance(names, list) or not names or not all(name in _MEASURES for name in map(str, names)):
        raise ValueError(f"{where}: measures: expected a list of {', '.join(_MEASURES)}")
    return tuple(sorted({_MEASURES[str(name)] for name in names}))


def _resolution(item: dict[str, Any], purpose: Purpose, where: str) -> Resolution:
    text = item.get("resolution", purpose.resolution.value)
    if text not in (Resolution.PT15M.value, Resolution.PT1H.value, Resolution.P1D.value):
        raise ValueError(f"{where}: resolution: expected PT15M, PT1H or P1D")
    return Resolution(text)


def _slot(item: dict[str, Any], key: str, where: str) -> Slot:
    text = item.get(key)
    if not isinstance(text, str):
        raise ValueError(f'{where}: {key}: expected a time in quotes like "2026-11-21T10:15Z"')
    try:
        return parse_slot(text)
    except ValueError as error:
        raise ValueError(f"{where}: {key}: {error}") from None


def _only(table: dict[str, Any], keys: set[str], where: str) -> None:
    unknown = sorted(set(table) - keys)
    if unknown:
        raise ValueError(f"{where}: {unknown[0][:40]!r} is an unknown key: expected {', '.join(sorted(keys))}")
