"""A home's consent as lines for people and as JSON for programs: each purpose in plain words, and what it gets."""

from __future__ import annotations

import json

from protocols.consent.purposes import CATALOGUE, CONTRACT, HEALTH, Basis, Resolution
from protocols.consent.rules import ConsentRule, ConsentSet
from protocols.quantities import Measure
from protocols.slots import format_slot

MEASURE_WORDS = {
    Measure.GRID_IMPORT: "what you draw from the grid",
    Measure.GRID_EXPORT: "what you feed into the grid",
    Measure.PV_PRODUCTION: "what your panels produce",
    Measure.WIND_PRODUCTION: "what your wind turbine produces",
    Measure.BATTERY_CHARGE: "what your battery takes",
    Measure.BATTERY_DISCHARGE: "what your battery gives",
    Measure.SUBMETER: "what the meter of an appliance counts",
}
RESOLUTION_WORDS = {
    Resolution.PT15M: "each quarter hour",
    Resolution.PT1H: "one value an hour",
    Resolution.P1D: "one value a day",
    Resolution.NONE: "no amounts",
}


def consent_lines(consent: ConsentSet, *, in_force: int | None = None) -> list[str]:
    """Every purpose of the catalogue, and research projects that have a rule: allowed or not, and what it gets."""
    head = f"consent of home {consent.home}, version {consent.version}"
    if in_force is not None and in_force != consent.version:
        head += f" (version {in_force} is in force until the running agent takes this one up)"
    lines = [head]
    for code in _codes(consent):
        held = [rule for rule in consent.rules if rule.purpose == code]
        lines.append(f"{'allowed' if held else 'no':<8} {code:<14} {_plain(code)}")
        lines += [f"{'':<23} {_granted(rule)}" for rule in held if rule.measures]
    return lines


def consent_record(consent: ConsentSet, *, in_force: int | None) -> str:
    """The same for programs."""
    purposes = [
        {
            "purpose": code,
            "plain_words": _plain(code),
            "basis": CATALOGUE[code.partition(".")[0] if code.startswith("research.") else code].basis.value,
            "allowed": any(rule.purpose == code for rule in consent.rules),
            "rules": [
                {
                    "measures": [measure.code for measure in rule.measures],
                    "resolution": rule.resolution.value,
                    "valid_from": format_slot(rule.valid_from),
                    "valid_until": None if rule.valid_until is None else format_slot(rule.valid_until),
                }
                for rule in consent.rules
                if rule.purpose == code
            ],
        }
        for code in _codes(consent)
    ]
    record = {"home": consent.home, "version": consent.version, "in_force": in_force, "purposes": purposes}
    return json.dumps(record, indent=2, ensure_ascii=False)


def measures_words(measures: tuple[Measure, ...]) -> str:
    """What these measures are, in plain words."""
    return ", ".join(MEASURE_WORDS.get(each, each.code) for each in measures)


def _granted(rule: ConsentRule) -> str:
    since = "" if rule.valid_from == 0 else f", from {format_slot(rule.valid_from)}"
    until = "" if rule.valid_until is None else f" until {format_slot(rule.valid_until)}"
    return f"{measures_words(rule.measures)}; {RESOLUTION_WORDS[rule.resolution]}{since}{until}"


def _plain(code: str) -> str:
    purpose = CATALOGUE["research" if code.startswith("research.") else code]
    tail = {CONTRACT: " (membership contract: always)", HEALTH: " (you may object: withdraw it)"}.get(code, "")
    return purpose.plain_words + tail


def _codes(consent: ConsentSet) -> list[str]:
    known = [code for code in CATALOGUE if code != "research"]
    contract = [code for code in known if CATALOGUE[code].basis is not Basis.CONSENT]
    projects = sorted({rule.purpose for rule in consent.rules} - set(known))
    return [*contract, *(code for code in known if code not in contract), *projects]
