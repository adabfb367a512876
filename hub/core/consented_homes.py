"""Which homes let their values be used for a purpose, by the consents they sent. It reads consents, never values."""

from collections.abc import Mapping

from protocols.consent.reduction import Resolution, decode_consent
from protocols.quantities import Measure
from protocols.slots import Slot
from protocols.wire.refusal_reasons import WireError


def homes_allowing(
    consents: Mapping[str, tuple[int, bytes]], purpose: str, *, slot: Slot, measure: Measure | None = None
) -> tuple[str, ...]:
    """The homes whose consent in force in this slot allows `purpose` by the quarter hour, by id.

    With `measure`, only those that allow it for that measure. A consent that cannot be read counts as none.
    """
    return tuple(home for home, (_, sent) in sorted(consents.items()) if _allows(sent, purpose, slot, measure))


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
