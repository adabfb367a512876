"""What a device that answered probably is: families in order of confidence, each with its reason. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from protocols.maps.identity_plan import IdentityKnowledge, is_named
from protocols.maps.model import DeviceMap, IdentifyRule, RoleName
from protocols.maps.recognition import SunSpecIdentity, checked_value, held_rules
from protocols.maps.roles import alike_roles

CERTAIN_PERCENT, LIKELY_PERCENT = 90, 60
NAMED_PERCENT = 8
"""What it adds that the device names itself, or that the person named its make."""

_METER_KINDS = frozenset({"grid-meter", "sub-meter", "meter"})


@dataclass(frozen=True, slots=True)
class FamilyProposal:
    """One family a device may be of. `roles` begins with the one it most often has.

    `alike`: pairs of roles that rest on the same counters, so that a device is read in one of them.
    """

    map: str
    vendor: str
    confidence_percent: int
    reason: str
    roles: tuple[RoleName, ...]
    quality: str = "bronze"
    alike: tuple[tuple[RoleName, RoleName], ...] = ()


def proposals_for(
    maps: Iterable[DeviceMap], known: IdentityKnowledge, *, makes: Sequence[str] = ()
) -> tuple[FamilyProposal, ...]:
    """The families whose rules hold for this device, the most probable first.

    Rules that many families share say little: their confidence is divided among them.
    """
    sunspec = known.sunspec or SunSpecIdentity()
    found = [
        (device_map, max(rules, key=_strength))
        for device_map in maps
        if (rules := [each for each in held_rules(device_map, known.words, sunspec) if _says_something(each, known)])
    ]
    likely = sum(1 for _, rule in found if not rule.certain)
    scored = [
        (_confidence(device_map, rule, likely=likely, makes=makes), _strength(rule), device_map, rule)
        for device_map, rule in found
    ]
    scored.sort(key=lambda each: (-each[0], *(-part for part in each[1]), each[2].id))
    return tuple(
        FamilyProposal(
            device_map.id,
            device_map.vendor,
            percent,
            reason_of(rule, known),
            usual_roles(device_map),
            device_map.quality,
            alike_roles(device_map),
        )
        for percent, _, device_map, rule in scored
    )


def usual_roles(device_map: DeviceMap) -> tuple[RoleName, ...]:
    """The roles of a family, the most usual first: a meter measures the grid, an inverter the panels."""
    first: tuple[RoleName, ...] = ("grid",) if _METER_KINDS & set(device_map.kinds) else ("pv", "wind", "battery")
    if "pv-inverter" not in device_map.kinds and "hybrid" not in device_map.kinds and "wind" in device_map.kinds:
        first = ("wind",)
    known = tuple(device_map.roles)
    return tuple(sorted(known, key=lambda role: (first.index(role) if role in first else 9, known.index(role))))


def reason_of(rule: IdentifyRule, known: IdentityKnowledge) -> str:
    """Why a rule holds, as a person reads it."""
    parts = []
    sunspec = known.sunspec
    if sunspec is not None and (rule.manufacturer or rule.model) and sunspec.manufacturer:
        parts.append(f"it calls itself {sunspec.manufacturer} {sunspec.model}".rstrip())
    if sunspec is not None and rule.sunspec_models:
        numbers = [str(each.id) for each in sunspec.models if each.id in rule.sunspec_models]
        parts.append(f"it has SunSpec model {' and '.join(dict.fromkeys(numbers))}")
    for check in rule.checks:
        value = checked_value(check, known.words)
        where = f"register {check.address}"
        if isinstance(value, str):
            parts.append(f"{where} says {value}")
        elif isinstance(value, Decimal) and check.minimum is not None:
            parts.append(f"{where} reads {_rounded(value)}, which fits ({check.minimum} to {check.maximum})")
        elif isinstance(value, Decimal) and check.values:
            parts.append(f"{where} reads {_rounded(value)}, its type number")
        else:
            parts.append(f"it answers at {where}")
    return "; ".join(parts) or "it answers as such a device does"


def own_words(known: IdentityKnowledge, proposals: Sequence[FamilyProposal]) -> str:
    """What the device says of itself, or the likeliest family's maker."""
    if known.sunspec is not None and known.sunspec.manufacturer:
        return f"{known.sunspec.manufacturer} {known.sunspec.model}".strip()
    return proposals[0].vendor if proposals else ""


def _says_something(rule: IdentifyRule, known: IdentityKnowledge) -> bool:
    """Whether more than zeros speaks for the rule: many devices answer 0 for registers that they do not have."""
    if rule.certain or not rule.checks:
        return True
    return any(
        known.words.get((check.function, check.address + at)) for check in rule.checks for at in range(check.type.words)
    )


def _strength(rule: IdentifyRule) -> tuple[int, ...]:
    names = len(rule.manufacturer or "") + len(rule.model or "") + sum(len(each.prefix or "") for each in rule.checks)
    return (int(rule.certain), names, len(rule.checks), len([each for each in rule.checks if each.values]))


def _confidence(device_map: DeviceMap, rule: IdentifyRule, *, likely: int, makes: Sequence[str]) -> int:
    percent = CERTAIN_PERCENT if rule.certain else LIKELY_PERCENT // max(1, likely)
    was_named = is_named(device_map, makes)
    if was_named and not rule.certain:
        percent = max(percent, LIKELY_PERCENT)
    percent += NAMED_PERCENT * (was_named or _strength(rule)[1] > 0)
    return min(99, percent)


def _rounded(value: Decimal) -> str:
    return f"{value:.1f}".removesuffix(".0")
