"""Finds the homes whose consents allow a purpose to use their values. It reads consents, never values.

A home may have several agents, each with a consent for what it measures. What the home allows is never more than the
consent of the agent that brings a measure, and for a purpose as a whole never more than any of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, decode_consent
from protocols.quantities import Measure
from protocols.slots import Slot
from protocols.wire.refusal_reasons import WireError

OPEN_PURPOSE: Final = "peers.view"


@dataclass(frozen=True, slots=True)
class AgentConsent:
    """The newest consent in one seat of a home: canonical bytes, empty if none was sent, and the measures it is about.

    `brings` are the measures that the seat's agent brings to the hub.
    """

    version: int
    document: bytes
    brings: frozenset[Measure] = frozenset()
    seat: int = 1


HomeConsents = Mapping[str, Sequence[AgentConsent]]
"""The consents of each home's agents, by home."""


def homes_allowing(
    consents: HomeConsents, purpose: str, *, slot: Slot, measure: Measure | None = None
) -> tuple[str, ...]:
    """The homes, ordered by id, whose consents let `purpose` use quarter-hour values of this slot.

    With `measure`, only homes that allow the use of that measure are included. Bytes that are not a consent allow
    nothing.

    >>> from protocols.consent.rules import default_consent, encode_consent
    >>> consents = {"h1": [AgentConsent(1, encode_consent(default_consent("h1")))], "h2": [AgentConsent(1, b"damaged")]}
    >>> homes_allowing(consents, "settle.share", slot=100, measure=Measure.GRID_IMPORT)
    ('h1',)
    >>> homes_allowing(consents, "forecast.hood", slot=100)
    ()
    """
    return tuple(
        home for home, held in sorted(consents.items()) if home_allows(held, purpose, slot=slot, measure=measure)
    )


def home_allows(held: Sequence[AgentConsent], purpose: str, *, slot: Slot, measure: Measure | None = None) -> bool:
    """Whether a home with these agents' consents lets `purpose` use quarter-hour values of this slot.

    A measure is allowed by the agent that brings it; one that no agent brings, by all of them. Without `measure`, each
    agent that brings anything must allow the purpose for something it brings: lowering it at one agent is enough.
    """
    if measure is not None:
        asked = [each for each in held if measure in each.brings] or held
        return bool(asked) and all(_allows(each, purpose, slot, {measure}) for each in asked)
    asked = [each for each in held if each.brings] or held
    return bool(asked) and all(_allows(each, purpose, slot, each.brings if len(asked) > 1 else set()) for each in asked)


def open_homes(consents: HomeConsents, *, slot: Slot) -> frozenset[str]:
    """The homes that let the other members see what they draw and feed in, quarter hour by quarter hour."""
    grid = (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
    sides = [homes_allowing(consents, OPEN_PURPOSE, slot=slot, measure=measure) for measure in grid]
    return frozenset(sides[0]) & frozenset(sides[1])


def _allows(consent: AgentConsent, purpose: str, slot: Slot, measures: frozenset[Measure] | set[Measure]) -> bool:
    """Whether this one consent allows the purpose for one of these measures, or for any where none are named."""
    return any(
        rule.purpose == purpose
        and rule.resolution is Resolution.PT15M
        and rule.covers(slot, slot)
        and (not measures or not measures.isdisjoint(rule.measures))
        for rule in _rules_of(consent.document)
    )


@lru_cache(maxsize=4_096)
def _rules_of(document: bytes) -> tuple[ConsentRule, ...]:
    """The rules of this consent, none where these bytes are not one. Every page asks them of every home."""
    try:
        return decode_consent(document).rules
    except WireError:
        return ()
