"""Quality findings of a local day from the stored readings of all homes, each look logged. It holds and books nothing.

Grid readings are looked at for every home, as the contract allows; what panels and batteries did only where the home
lets the neighbourhood's sums be made of it by the quarter hour.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final, Protocol

import numpy as np

from hub.core.quality import SETTLED, Finding, HomeSlots, find_all
from hub.core.quality_neighbours import find_clock_shifts, find_odd_yields
from hub.core.sharing import homes_allowing
from hub.storage.contract import MemberStore, ReadingStore
from hub.storage.records import Access, HomeSeries
from protocols.quantities import Mark, Measure
from protocols.slots import slots_of_day

GRID_ACCESS: Final = Access(actor="job:quality", role="job", purpose="settle.share")
HOOD_ACCESS: Final = Access(actor="job:quality", role="job", purpose="forecast.hood")
LOOK_BACK_DAYS: Final = 13

Plates = Mapping[str, Mapping[Measure, int]]
"""By home, what its connection, panels or turbine can do at most, in W."""


class QualityStores(MemberStore, ReadingStore, Protocol):
    """The slices that findings are made from."""


async def findings_of_day(
    store: QualityStores, *, day: date, place_deg: tuple[float, float] | None, plates: Plates
) -> tuple[Finding, ...]:
    """What touches the local day, from its slots and those of 13 days before, by home, slot and code."""
    tz = (await store.coop()).tz
    today = slots_of_day(day, tz)
    slots = range(slots_of_day(day - timedelta(days=LOOK_BACK_DAYS), tz).start, today.stop)
    consents = await store.consents()
    allowed = {
        measure: set(homes_allowing(consents, HOOD_ACCESS.purpose, slot=today.start, measure=measure))
        for measure in Measure
        if measure not in SETTLED
    }
    homes = {}
    for home in await store.homes():
        series = await store.home_series(home.id, SETTLED, slots=slots, access=GRID_ACCESS)
        others = [measure for measure, willing in allowed.items() if home.id in willing]
        if others:
            series |= await store.home_series(home.id, others, slots=slots, access=HOOD_ACCESS)
        homes[home.id] = _home_slots(home.id, slots.start, series, plates.get(home.id, {}))
    found = [finding for home in homes.values() for finding in find_all(home, place_deg=place_deg)]
    found += [*find_odd_yields(homes), *find_clock_shifts(homes)]
    touching = [each for each in found if each.first_slot < today.stop and each.first_slot + each.slots > today.start]
    return tuple(sorted(touching, key=lambda each: (each.home, each.first_slot, each.code, each.measure or 0)))


def _home_slots(
    home: str, first_slot: int, series: Mapping[Measure, HomeSeries], plates: Mapping[Measure, int]
) -> HomeSlots:
    """The grid always; of the others what the home has: a measure without any value is a device it has not."""
    known = {
        measure: np.where(each.mark <= Mark.DERIVED, each.energy_wh, -1)
        for measure, each in series.items()
        if measure in SETTLED or (each.energy_wh >= 0).any()
    }
    gaps = {measure: series[measure].gap for measure in known}
    return HomeSlots(home, first_slot, known, gaps, {m: w for m, w in plates.items() if m in known})
