"""A home's consent as a value and as canonical bytes, identical for everyone who hashes, sends or stores it.

This module only builds, checks, encodes and decodes a consent; `reduction` decides what it allows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from protocols.consent.purposes import CATALOGUE, CONTRACT, HEALTH, Basis, Resolution, purpose_of
from protocols.quantities import Measure
from protocols.slots import Slot
from protocols.wire import strict_cbor
from protocols.wire.field_checks import require_id, require_number
from protocols.wire.readings import MAX_SLOT
from protocols.wire.refusal_reasons import garbage

FORM = 1
MAX_RULES = 64
MAX_VERSION = 2**32 - 1

_RESOLUTIONS = tuple(Resolution)


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """One purpose may have these measures at this resolution for slots from `valid_from` to before `valid_until`."""

    purpose: str
    measures: tuple[Measure, ...]
    resolution: Resolution
    valid_from: Slot
    valid_until: Slot | None

    def covers(self, first: Slot, last: Slot) -> bool:
        """Whether the rule is valid in every slot from `first` to `last`."""
        return self.valid_from <= first and (self.valid_until is None or last < self.valid_until)


@dataclass(frozen=True, slots=True)
class ConsentSet:
    """All rules of one home. A later consent has a higher version; an earlier one never comes back."""

    home: str
    version: int
    rules: tuple[ConsentRule, ...]


def contract_rule(valid_from: Slot = 0) -> ConsentRule:
    """The rule every member has by contract: import and export in quarter hours, for settlement."""
    purpose = CATALOGUE[CONTRACT]
    return ConsentRule(CONTRACT, purpose.measures, purpose.resolution, valid_from, None)


def default_consent(home: str, version: int = 1) -> ConsentSet:
    """The consent of a home that has decided nothing: the contract and device.health."""
    health = ConsentRule(HEALTH, (), Resolution.NONE, 0, None)
    return ConsentSet(home, version, (health, contract_rule()))


def encode_consent(consent: ConsentSet) -> bytes:
    """The canonical bytes of a consent, which are hashed, sent and stored.

    Raises: WireError(GARBAGE) if the set breaks a rule of this module.
    """
    _check(consent)
    return strict_cbor.encode(
        {
            1: FORM,
            2: consent.home,
            3: consent.version,
            4: [
                [
                    rule.purpose,
                    [int(measure) for measure in rule.measures],
                    _RESOLUTIONS.index(rule.resolution),
                    rule.valid_from,
                    rule.valid_until,
                ]
                for rule in consent.rules
            ],
        }
    )


def decode_consent(data: bytes) -> ConsentSet:
    """The consent that these bytes encode; the exact inverse of `encode_consent`. The caller must limit `len(data)`.

    Raises: WireError(GARBAGE).
    """
    fields = strict_cbor.decode(data)
    if type(fields) is not dict or tuple(fields) != (1, 2, 3, 4) or fields[1] != FORM:
        raise garbage("not a consent of version 1")
    try:
        consent = ConsentSet(
            fields[2], fields[3], tuple(_rule(item) for item in strict_cbor.require_rows(fields[4], 5))
        )
    except (ValueError, TypeError):
        raise garbage("a field of the consent has the wrong form") from None
    _check(consent)
    return consent


def sort_rules(rules: Iterable[ConsentRule]) -> tuple[ConsentRule, ...]:
    """Rules in the order of the canonical bytes: by purpose, then start, then the remaining fields."""
    return tuple(sorted(rules, key=_order))


def _rule(item: list[Any]) -> ConsentRule:
    purpose, measures, resolution, valid_from, valid_until = item
    if type(resolution) is not int or not 0 <= resolution < len(_RESOLUTIONS):
        raise garbage("an unknown resolution")
    if type(measures) is not list:
        raise garbage("a list of measures is missing")
    return ConsentRule(
        purpose, tuple(Measure(code) for code in measures), _RESOLUTIONS[resolution], valid_from, valid_until
    )


def _order(rule: ConsentRule) -> tuple[Any, ...]:
    until = MAX_SLOT + 1 if rule.valid_until is None else rule.valid_until
    return (rule.purpose, rule.valid_from, until, _RESOLUTIONS.index(rule.resolution), rule.measures)


def _check(consent: ConsentSet) -> None:
    require_id(consent.home, "the home's")
    require_number(consent.version, "the consent's version", least=1, most=MAX_VERSION)
    if len(consent.rules) > MAX_RULES:
        raise garbage(f"more than {MAX_RULES} rules")
    for rule in consent.rules:
        _check_rule(rule)
    keys = [_order(rule) for rule in consent.rules]
    if any(left >= right for left, right in pairwise(keys)):
        raise garbage("rules are repeated or not in order")
    if not any(rule.purpose == CONTRACT for rule in consent.rules):
        raise garbage(f"{CONTRACT} is part of the membership contract and must be in every consent")


def _check_rule(rule: ConsentRule) -> None:
    purpose = purpose_of(rule.purpose) if type(rule.purpose) is str else None
    if purpose is None:
        raise garbage("a purpose is not in the catalogue")
    if any(left >= right for left, right in pairwise(rule.measures)):
        raise garbage("measures are repeated or not in order")
    if bool(rule.measures) != (rule.resolution is not Resolution.NONE):
        raise garbage("measures and resolution contradict each other")
    if rule.purpose == HEALTH and rule.measures:
        raise garbage(f"{HEALTH} never carries a measure")
    granted = (rule.measures, rule.resolution)
    if purpose.basis is Basis.CONTRACT and granted != (purpose.measures, purpose.resolution):
        raise garbage(f"{CONTRACT} has exactly import and export in quarter hours")
    require_number(rule.valid_from, "a slot", most=MAX_SLOT)
    if rule.valid_until is not None:
        require_number(rule.valid_until, "a slot", most=MAX_SLOT)
        if rule.valid_until <= rule.valid_from:
            raise garbage("a rule ends before it begins")
