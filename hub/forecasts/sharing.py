"""Which homes share what with the neighbourhood's sums. It is worked out in a thread: there may be very many homes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from hub.core.homes.consents import HomeConsents, homes_allowing, open_homes
from hub.core.neighbourhood import MEASURES
from hub.storage.fleet_records import HomeAgentStore
from protocols.quantities import Measure
from protocols.slots import Slot


@dataclass(frozen=True, slots=True)
class SharedMeasures:
    """The homes that allow a purpose, by measure, and those that let the other members see them: see open_homes."""

    homes: Mapping[Measure, frozenset[str]]
    open_homes: frozenset[str]


async def shared_measures(store: HomeAgentStore, purpose: str, *, slot: Slot, lasting_at: int) -> SharedMeasures:
    """What the homes of members at `lasting_at` (unix s) allow for this slot."""
    consents = await store.consents(lasting_at=lasting_at)
    return await asyncio.to_thread(_shared, consents, purpose, slot)


def _shared(consents: HomeConsents, purpose: str, slot: Slot) -> SharedMeasures:
    homes = {m: frozenset(homes_allowing(consents, purpose, slot=slot, measure=m)) for m in MEASURES}
    return SharedMeasures(homes, open_homes(consents, slot=slot))
