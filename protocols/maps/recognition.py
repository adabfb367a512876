"""Whether a device belongs to the family its map describes: a map's identify rules compared with what was read.

Sends nothing; a rule whose registers were not all read does not match.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from protocols.maps.model import DeviceMap, IdentifyRule, IdentityCheck
from protocols.maps.placement import RegisterWords
from protocols.maps.registers import Value, decode
from protocols.maps.sunspec import SunSpecModel

Certainty = Literal["certain", "likely"]


@dataclass(frozen=True, slots=True)
class SunSpecIdentity:
    """What a SunSpec walk has learned about a device."""

    models: tuple[SunSpecModel, ...] = ()
    manufacturer: str = ""
    model: str = ""


def recognise(device_map: DeviceMap, words: RegisterWords, sunspec: SunSpecIdentity | None = None) -> Certainty | None:
    """How certain it is that this device belongs to the map's family; None if no rule matches."""
    held = held_rules(device_map, words, sunspec)
    if not held:
        return None
    return "certain" if any(rule.certain for rule in held) else "likely"


def held_rules(
    device_map: DeviceMap, words: RegisterWords, sunspec: SunSpecIdentity | None = None
) -> tuple[IdentifyRule, ...]:
    """The rules of the map that this device fulfils."""
    return tuple(rule for rule in device_map.identify if _holds(rule, words, sunspec or SunSpecIdentity()))


def names_match(rule: IdentifyRule, sunspec: SunSpecIdentity) -> bool:
    """Whether the SunSpec part of a rule fits: one of its models, and how maker and model begin."""
    if rule.sunspec_models and not {model.id for model in sunspec.models} & set(rule.sunspec_models):
        return False
    named = ((rule.manufacturer, sunspec.manufacturer), (rule.model, sunspec.model))
    return not any(wanted and not found.startswith(wanted) for wanted, found in named)


def check_passes(check: IdentityCheck, words: RegisterWords) -> bool:
    """Whether the words read are what the check wants; False if they were not all read."""
    value = checked_value(check, words)
    if value is None and _words_of(check, words) is None:
        return False
    if check.prefix is not None:
        return isinstance(value, str) and value.startswith(check.prefix)
    if check.values:
        return value in check.values
    if check.minimum is not None and check.maximum is not None:
        return isinstance(value, Decimal) and check.minimum <= value <= check.maximum
    return True


def checked_value(check: IdentityCheck, words: RegisterWords) -> Value:
    """What the device shows where the check looks; None if that was not read or is no value."""
    raw = _words_of(check, words)
    return None if raw is None else decode(raw, check.type, word_order=check.word_order)


def _holds(rule: IdentifyRule, words: RegisterWords, sunspec: SunSpecIdentity) -> bool:
    return names_match(rule, sunspec) and all(check_passes(check, words) for check in rule.checks)


def _words_of(check: IdentityCheck, words: RegisterWords) -> Sequence[int] | None:
    addresses = range(check.address, check.address + check.type.words)
    found = [words.get((check.function, address)) for address in addresses]
    known = [word for word in found if word is not None]
    return known if len(known) == len(found) else None
