"""Finds the homes whose consents allow a purpose to use their values. It reads consents, never values."""

from collections.abc import Mapping
from typing import Final

from protocols.consent.purposes import Resolution
from protocols.consent.rules import decode_consent
from protocols.quantities import Measure
from protocols.slots import Slot
from protocols.wire.refusal_reasons import WireError

OPEN_PURPOSE: Final = "peers.view"


def homes_allowing(
    consents: Mapping[str, tuple[int, bytes]], purpose: str, *, slot: Slot, measure: Measure | None = None
) -> tuple[str, ...]:
    """The homes, ordered by id, whose consent lets `purpose` use quarter-hour values of this slot.

    `consents` holds each home's newest consent as (version, canonical bytes). With `measure`, only homes that allow the
    use of that measure are included. Bytes that are not a consent allow nothing.

    >>> from protocols.consent.rules import default_consent, encode_consent
    >>> consents = {"h1": (1, encode_consent(default_consent("h1"))), "h2": (1, b"damaged")}
    >>> homes_allowing(consents, "settle.share", slot=100, measure=Measure.GRID_IMPORT)
    ('h1',)
    >>> homes_allowing(consents, "forecast.hood", slot=100)
    ()
    """
    return tuple(home for home, (_, sent) in sorted(consents.items()) if _allows(sent, purpose, slot, measure))


def open_homes(consents: Mapping[str, tuple[int, bytes]], *, slot: Slot) -> frozenset[str]:
    """The homes that let the other members see what they draw and feed in, quarter hour by quarter hour."""
    grid = (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
    sides = [homes_allowing(consents, OPEN_PURPOSE, slot=slot, measure=measure) for measure in grid]
    return frozenset(sides[0]) & frozenset(sides[1])


def _allows(sent: bytes, purpose: str, slot: Slot, measure: Measure | None) -> bool:
    try:
        rules = decode_consent(sent).rules
    except WireError:
        return False
    return any(
        rule.purpose == purpose
        and rule.resolution is Resolution.PT15M
        and rule.covers(slot, slot)
        and (measure is None or measure in rule.measures)
        for rule in rules
    )
