"""Allowing and withdrawing one purpose: the next version of a home's consent, made from the one before.

Pure. A change begins with a whole slot and never reaches back; withdrawing leaves the purpose nothing from then on.
"""

from collections.abc import Sequence
from dataclasses import replace

from protocols.consent.purposes import CONTRACT, HEALTH, Resolution, purpose_of
from protocols.consent.rules import MAX_VERSION, ConsentRule, ConsentSet, sort_rules
from protocols.quantities import Measure
from protocols.slots import Slot


def allow_purpose(
    consent: ConsentSet,
    code: str,
    *,
    from_slot: Slot,
    measures: Sequence[Measure] | None = None,
    resolution: Resolution | None = None,
) -> ConsentSet:
    """The next version, in which the purpose may have these measures; what the catalogue says where none are named.

    A rule of the same purpose is replaced. Raises: ValueError with one line, also if nothing would change.
    """
    purpose = purpose_of(code)
    if purpose is None:
        raise ValueError(f"{code[:40]!r} is not a purpose")
    if code == CONTRACT:
        raise ValueError(f"{CONTRACT} is part of the membership contract: it is always allowed")
    if code == HEALTH:
        rule = ConsentRule(HEALTH, (), Resolution.NONE, 0, None)
    else:
        chosen = tuple(sorted(set(measures))) if measures else purpose.measures
        rule = ConsentRule(code, chosen, resolution or purpose.resolution, from_slot, None)
    kept = [each for each in consent.rules if each.purpose != code]
    held = [each for each in consent.rules if each.purpose == code]
    if len(held) == 1 and replace(held[0], valid_from=rule.valid_from) == rule and held[0].valid_from <= from_slot:
        raise ValueError(f"{code} is allowed already")
    return _next(consent, [*kept, rule])


def withdraw_purpose(consent: ConsentSet, code: str) -> ConsentSet:
    """The next version, in which the purpose has nothing. Raises: ValueError with one line."""
    if purpose_of(code) is None:
        raise ValueError(f"{code[:40]!r} is not a purpose")
    if code == CONTRACT:
        raise ValueError(
            f"{CONTRACT} is part of the membership contract and cannot be withdrawn: to stop it, leave the co-op"
        )
    kept = [each for each in consent.rules if each.purpose != code]
    if len(kept) == len(consent.rules):
        raise ValueError(f"{code} is not allowed, so there is nothing to withdraw")
    return _next(consent, kept)


def _next(consent: ConsentSet, rules: list[ConsentRule]) -> ConsentSet:
    if consent.version >= MAX_VERSION:
        raise ValueError("the consent has reached its last version: tell the co-op's board")
    return ConsentSet(consent.home, consent.version + 1, sort_rules(rules))
