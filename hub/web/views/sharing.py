"""Which homes let their values into the neighbourhood's totals. It reads consents, never values."""

from hub.storage.contract import ReadingStore
from protocols.consent import Resolution, decode_consent
from protocols.refusals import WireError
from protocols.slots import Slot


async def homes_sharing(store: ReadingStore, purpose: str, *, slot: Slot) -> tuple[str, ...]:
    """The homes whose consent in force allows `purpose` by the quarter hour in this slot, by id.

    A consent that cannot be read counts as none.
    """
    homes = []
    for home, (_, consent_bytes) in sorted((await store.consents()).items()):
        try:
            rules = decode_consent(consent_bytes).rules
        except WireError:
            continue
        if any(
            rule.purpose == purpose and rule.resolution is Resolution.PT15M and rule.covers(slot, slot)
            for rule in rules
        ):
            homes.append(home)
    return tuple(homes)
