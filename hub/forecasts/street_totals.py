"""Publishes the street's totals slot by slot: each one is made once, stored with its group, and never made again.

The group of a day is fixed when the day begins. Within the day it changes only by five homes or more: if a home is
late or withdraws, the slots concerned are published without it and four others, or not at all.
"""

import asyncio
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence, Set
from typing import Final, Protocol

import numpy as np

from hub.core.neighbourhood import (
    MADE,
    MEASURES,
    CountedMeasures,
    MeasureSums,
    counted_measures,
    estimate_neighbourhood,
)
from hub.core.rules.group_size import GroupRule
from hub.core.rules.street_groups import slot_group
from hub.forecasts.sharing import shared_measures
from hub.storage.contract import BookStore, MemberStore, ReadingStore
from hub.storage.records import Access, HomeSeries, HoodSeries
from hub.storage.street_records import StreetStore, StreetTotal, StreetTotals
from protocols.quantities import Measure
from protocols.slots import SLOTS_PER_UTC_DAY, Slot, day_of, slot_of, start_of

ACCESS: Final = Access(actor="job:today-page", role="job", purpose="forecast.hood")
LATE_SLOTS: Final = 4
"""How long a slot waits for all its homes before it is published without those that are late."""

GRID: Final = (Measure.GRID_IMPORT, Measure.GRID_EXPORT)

Reported = Mapping[Measure, Mapping[Slot, frozenset[str]]]


class GroupStores(MemberStore, ReadingStore, StreetStore, Protocol):
    """The parts of the store that a day's group is made from."""


class StreetStores(MemberStore, ReadingStore, BookStore, StreetStore, Protocol):
    """The parts of the store that totals are made from."""


class StreetService:
    """Publishes what is due when somebody asks. `plants` are the co-op's own plants, which are nobody's home."""

    def __init__(self, store: StreetStores, *, tz: str, plants: frozenset[str] = frozenset()) -> None:
        self._store, self._tz, self._plants = store, tz, plants

    async def totals(self, slots: range, *, now_slot: Slot) -> StreetTotals:
        """The published totals of these slots, after publishing those that have become possible."""
        store = self._store
        shared = await shared_measures(store, ACCESS.purpose, slot=now_slot, lasting_at=start_of(now_slot))
        allowed = shared.homes
        homes = await day_group(store, now_slot, tz=self._tz) & allowed[GRID[0]] & allowed[GRID[1]]
        rule = GroupRule(shared.open_homes, self._plants, await store.known_together())
        sending = await store.sending_homes(MEASURES, slots=slots)
        everybody = sending[GRID[0]] | sending[GRID[1]]
        # Production that a home keeps to itself is in no sum, so that home hides nobody.
        usual = {m: sending[m] & homes & allowed[m] for m in MEASURES}
        makers = frozenset[str]().union(*(usual[m] for m in MADE))
        counted = counted_measures(usual, rule)
        counted_makers = frozenset[str]().union(*(usual[m] for m in counted.made))
        if not rule.allows(makers):
            counted_makers = makers  # too few homes make power for any total
        known = await store.street_totals(slots=slots)
        asked = self._unpublished(slots, known, now_slot=now_slot, settled=await store.last_settled_day() or "")
        reported = await store.reporting_homes(MEASURES, slots=asked) if asked else {}

        def group_slots() -> dict[frozenset[str], list[Slot]]:
            groups: dict[frozenset[str], list[Slot]] = {}
            for slot in asked:
                if slot in known:
                    continue
                ready = homes & reported[GRID[0]].get(slot, frozenset()) & reported[GRID[1]].get(slot, frozenset())
                if ready != homes & everybody and slot >= now_slot - LATE_SLOTS:
                    continue
                late = (homes & everybody) - ready
                group = slot_group(everybody, ready, makers=counted_makers, rule=rule, late=late)
                if group is not None:
                    groups.setdefault(group, []).append(slot)
            return groups

        fresh: list[StreetTotal] = []
        for group, chosen in (await asyncio.to_thread(group_slots)).items():
            of = _measures_in(group, counted=counted, usual=usual, rule=rule)
            within = {m: group & allowed[m] for m in of.measures}
            part = range(min(chosen), max(chosen) + 1)
            series = await self._read(part, within)
            hidden = await self._hidden(chosen, within, usual=usual, rule=rule)
            even = [slot for slot in chosen if slot not in hidden]
            fresh += await asyncio.to_thread(
                _totals, series, even, group=group, usual=usual, reported=reported, slots=part, rule=rule, of=of
            )
        if fresh:
            await store.add_street_totals(fresh)
            known = await store.street_totals(slots=slots)
        whole = slot_group(everybody or homes, homes, makers=counted_makers, rule=rule)
        sources = frozenset(m for m in MADE if rule.allows(usual[m]))
        return StreetTotals(slots, known, homes, makers, whole is not None, sources, counted.in_use(usual))

    def _unpublished(self, slots: range, known: Container[Slot], *, now_slot: Slot, settled: str) -> range:
        """The slots from the first to the last one that may still be published; what is known may lie between."""
        # What a settlement published may not be added to later: the difference could show a home.
        due = [
            slot
            for slot in range(slots.start, min(slots.stop, now_slot))
            if slot not in known and day_of(slot, self._tz).isoformat() > settled
        ]
        return range(due[0], due[-1] + 1) if due else range(0)

    async def _read(self, slots: range, homes: Mapping[Measure, Set[str]]) -> dict[Measure, HoodSeries]:
        by_homes: dict[frozenset[str], list[Measure]] = {}
        for measure, names in homes.items():
            if names:
                by_homes.setdefault(frozenset(names), []).append(measure)
        series: dict[Measure, HoodSeries] = {}
        for names, measures in by_homes.items():
            series |= await self._store.hood_series(measures, slots=slots, access=ACCESS, homes=sorted(names))
        return series

    async def _hidden(
        self,
        chosen: Sequence[Slot],
        homes: Mapping[Measure, Set[str]],
        *,
        usual: Mapping[Measure, frozenset[str]],
        rule: GroupRule,
    ) -> frozenset[Slot]:
        """The slots in which one home makes up nearly all of what is made, used or exchanged with the grid.

        Where one to four homes have each kind of production, also those in which only one to four make anything: by
        night the street's production would be its few turbines'.
        """
        slots = range(min(chosen), max(chosen) + 1)
        wanted = {home: [m for m, names in homes.items() if home in names] for home in sorted(homes[GRID[0]])}
        found = await self._store.homes_series(wanted, slots=slots, access=ACCESS)
        return await asyncio.to_thread(_hidden_slots, found, chosen, slots, usual=usual, rule=rule)


class StreetTotalsJob:
    """Publishes the totals of the last two days each hour, also while nobody looks: a settled day gets none."""

    def __init__(self, service: StreetService) -> None:
        self._service = service

    async def __call__(self, due_s: int) -> None:
        """Idempotent: a published total stays as it is."""
        now_slot = slot_of(due_s)
        await self._service.totals(range(now_slot - 2 * SLOTS_PER_UTC_DAY, now_slot), now_slot=now_slot)


async def day_group(store: GroupStores, now_slot: Slot, *, tz: str) -> frozenset[str]:
    """The homes whose values the street's totals and forecasts use on this slot's day, fixed by the first who asks."""
    shared = await shared_measures(store, ACCESS.purpose, slot=now_slot, lasting_at=start_of(now_slot))
    day = day_of(now_slot, tz).isoformat()
    sharing = shared.homes[GRID[0]] & shared.homes[GRID[1]]
    return frozenset(await store.fix_street_day(day, homes=sorted(sharing)))


def _hidden_slots(
    series: Mapping[str, Mapping[Measure, HomeSeries]],
    chosen: Sequence[Slot],
    slots: range,
    *,
    usual: Mapping[Measure, frozenset[str]],
    rule: GroupRule,
) -> frozenset[Slot]:
    has_few_of_each = all(usual[measure] and not rule.allows(usual[measure]) for measure in MADE)
    sums: dict[str, dict[Slot, dict[str, int]]] = {name: defaultdict(dict) for name in ("made", "used", "grid")}
    for home, found in series.items():
        wh = {m: np.maximum(found[m].energy_wh, 0) if m in found else np.zeros(len(slots)) for m in MEASURES}
        grid = wh[Measure.GRID_IMPORT] - wh[Measure.GRID_EXPORT]
        made = sum((wh[measure] for measure in MADE), start=np.zeros(len(slots)))
        used = grid + made + wh[Measure.BATTERY_DISCHARGE] - wh[Measure.BATTERY_CHARGE]
        for name, values in (("made", made), ("used", used), ("grid", grid)):
            for slot, value in zip(slots, values.tolist(), strict=True):
                sums[name][slot][home] = round(value)
    uneven = {slot for slot in chosen if any(rule.is_uneven(parts[slot]) for parts in sums.values())}
    making = {slot: {home for home, wh in sums["made"][slot].items() if wh} for slot in chosen}
    few = {slot for slot, names in making.items() if has_few_of_each and names and not rule.allows(names)}
    return frozenset(uneven | few)


def _measures_in(
    group: Set[str], *, counted: CountedMeasures, usual: Mapping[Measure, frozenset[str]], rule: GroupRule
) -> CountedMeasures:
    """What is added up in this group: the street's measures, less batteries of which the group has only a few."""
    within = counted_measures({measure: usual[measure] & group for measure in MEASURES}, rule)
    return CountedMeasures(tuple(m for m in counted.measures if m in within.measures or m in MADE), counted.left_in_use)


def _totals(
    series: Mapping[Measure, HoodSeries],
    chosen: Sequence[Slot],
    *,
    group: frozenset[str],
    usual: Mapping[Measure, frozenset[str]],
    reported: Reported,
    slots: range,
    rule: GroupRule,
    of: CountedMeasures,
) -> list[StreetTotal]:
    """The group's totals in the chosen slots, scaled to all homes that usually report; slots with gaps are left out.

    Use is worked out within the group, where production and export belong to the same homes, and scaled afterwards: a
    group that leaves out mostly homes without production would otherwise export more than it makes. Use, less what was
    made and the settlement's sums over the same homes, is what batteries took or gave, or made: see CountedMeasures.
    """
    sums = {m: MeasureSums(row.energy_wh, row.homes) for m, row in series.items()}
    known = {m: len(usual[m] & group) for m in of.measures}
    whole = {m: len(usual[m]) / max(1, known[m]) if m in known else 1.0 for m in MEASURES}
    if of.left_in_use is not None:
        whole[of.left_in_use] = whole[Measure.GRID_IMPORT]
    street = estimate_neighbourhood(sums, slots=len(slots), usual=known, left_in_use=of.left_in_use)
    rows = []
    for slot in chosen:
        i = slot - slots.start
        values = [
            street.pv_wh[i] * whole[Measure.PV_PRODUCTION],
            street.wind_wh[i] * whole[Measure.WIND_PRODUCTION],
            street.demand_wh[i] * whole[Measure.GRID_IMPORT],
        ]
        makers = group & frozenset[str]().union(*(usual[m] & reported[m].get(slot, frozenset()) for m in of.made))
        if np.isfinite(values).all() and rule.allows(makers):
            sun, wind, used = (round(float(value)) for value in values)
            rows.append(StreetTotal(slot, tuple(sorted(group)), len(makers), sun, wind, used))
    return rows
