"""Whether a device belongs to the family its map describes: a map's identify rules compared with what was read.

Sends nothing; a rule whose registers were not all read does not match.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from protocols.maps.model import DeviceMap, IdentifyRule, IdentityCheck
from protocols.maps.placement import RegisterWords
from protocols.maps.registers import decode
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
    held = [rule for rule in device_map.identify if _holds(rule, words, sunspec or SunSpecIdentity())]
    if not held:
        return None
    return "certain" if any(rule.certain for rule in held) else "likely"


def _holds(rule: IdentifyRule, words: RegisterWords, sunspec: SunSpecIdentity) -> bool:
    if rule.sunspec_models and not {model.id for model in sunspec.models} & set(rule.sunspec_models):
        return False
    named = ((rule.manufacturer, sunspec.manufacturer), (rule.model, sunspec.model))
    if any(wanted and not found.startswith(wanted) for wanted, found in named):
        return False
    return all(_passes(check, words) for check in rule.checks)


def _passes(check: IdentityCheck, words: RegisterWords) -> bool:
    raw = _words_of(check, words)
    if raw is None:
        return False
    value = decode(raw, check.type, word_order=check.word_order)
    if check.prefix is not None:
        return isinstance(value, str) and value.startswith(check.prefix)
    if check.values:
        return value in check.values
    if check.minimum is not None and check.maximum is not None:
        return isinstance(value, Decimal) and check.minimum <= value <= check.maximum
    return True


def _words_of(check: IdentityCheck, words: RegisterWords) -> Sequence[int] | None:
    addresses = range(check.address, check.address + check.type.words)
    found = [words.get((check.function, address)) for address in addresses]
    known = [word for word in found if word is not None]
    return known if len(known) == len(found) else None
