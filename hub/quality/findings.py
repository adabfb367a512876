"""Checks the readings of a local day and stores findings: new ones are added, those that no longer apply are closed.

Grid readings are checked for every home, as the contract allows; panels and batteries only if the home lets their
quarter-hour values be used in the neighbourhood's sums. Each access is logged; nothing is held or booked here.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Protocol

import numpy as np

from hub.books.settled_readings import readings_of, settlement_limits
from hub.books.stored_rules import read_rule
from hub.core.homes.consents import HomeConsents, homes_allowing
from hub.core.quality.home_checks import SETTLED, Finding, HomeSlots, find_all, find_missing
from hub.core.quality.neighbour_checks import find_clock_shifts, find_odd_yields
from hub.core.quality.settlement_check import SuspectSlots, find_suspect_slots
from hub.core.settlement.prepared_readings import Readings, membership
from hub.core.settlement.slot_marks import SlotMarks, slots_in
from hub.quality.meter_findings import meter_findings
from hub.quality.scale_findings import GRID_ACCESS, HOOD_ACCESS, QualityStores, scale_findings
from hub.storage.finding_records import NewFinding
from hub.storage.records import HomeSeries
from protocols.quantities import Mark, Measure
from protocols.slots import Slot, format_slot, slots_of_day, start_of

LOOK_BACK_DAYS: Final = 13
SUNDAY: Final = 6
CLOSING: Final = "readings have arrived since, and it holds no longer"

NameplateLimits = Mapping[str, Mapping[Measure, int]]
"""The most power that each home's panels or turbine can produce, in W."""
Coordinates = tuple[float, float] | None
"""Latitude and longitude in degrees; without them, checks that need the sun are left out."""


class QualityCheck(Protocol):
    """Checks closed days and stores what it finds; returns how many days had new readings."""

    async def __call__(self, store: QualityStores, days: Sequence[date], *, at: int) -> int: ...


@dataclass(frozen=True, slots=True)
class DayCheck:
    """The findings for a local day, sorted by home, slot and code, from messages up to `message_position`."""

    day: date
    found: tuple[Finding, ...]
    message_position: int


async def check_days_quality(
    store: QualityStores, days: Sequence[date], *, place_deg: Coordinates, nameplates: NameplateLimits, at: int
) -> int:
    """Check, in order, those days that have messages newer than their last check; return how many there were.

    The readings alone determine which slots are held, so a late or lost check changes no settlement.
    """
    if not days:
        return 0
    tz, ends = (await store.coop()).tz, (days[0].isoformat(), days[-1].isoformat())
    whole = range(slots_of_day(days[0], tz).start, slots_of_day(days[-1], tz).stop)
    newest = await store.newest_messages(slots=whole)
    looked = await store.looked_through(days=ends)
    count = 0
    for day in days:
        position = max((newest.get(slot, 0) for slot in slots_of_day(day, tz)), default=0)
        if position > looked.get(day.isoformat(), -1):
            await store_day_check(
                store, await check_day_quality(store, day=day, place_deg=place_deg, nameplates=nameplates), at=at
            )
            count += 1
    return count


async def store_day_check(store: QualityStores, look: DayCheck, *, at: int) -> None:
    """Store the day's findings; earlier findings that no longer apply are closed."""
    found = [
        NewFinding(
            each.home, each.code, each.measure, each.first_slot, each.slots, each.severity, each.numbers, each.sentence
        )
        for each in look.found
    ]
    name = look.day.isoformat()
    await store.put_findings(name, found, closing=CLOSING, at=at, message_position=look.message_position)


async def check_day_quality(
    store: QualityStores, *, day: date, place_deg: Coordinates, nameplates: NameplateLimits
) -> DayCheck:
    """All findings for the local day; on Sundays, also from comparing homes with their neighbours over two weeks."""
    tz = (await store.coop()).tz
    slots = slots_of_day(day, tz)
    rule = read_rule((await store.rule_on(day.isoformat()))[1])
    inputs = await store.settlement_inputs(slots=slots, access=GRID_ACCESS, derived=rule.derived)
    readings = readings_of(inputs)
    home_of = {home.member_id: home.id for home in await store.homes()}
    limits = await settlement_limits(store, readings, rule=rule, access=GRID_ACCESS)
    doubts = find_suspect_slots(readings, connection_w=limits.connection_w, agreed_w=limits.agreed_w, past=limits.past)
    found = [_doubt_finding(doubt, home_of[doubt.member]) for doubt in doubts]
    consents = await store.consents(lasting_at=start_of(slots.start))
    allowed = _allowed(consents, slots.start)
    with_gaps = {home_of[member]: member for member in _members_with_gaps(readings)}
    grids = await store.homes_series(
        dict.fromkeys(sorted(with_gaps.keys() | allowed.keys()), SETTLED), slots=slots, access=GRID_ACCESS
    )
    for home, member in with_gaps.items():
        derived = readings.marks.get(member, SlotMarks()).derived
        found += find_missing(_home_slots(home, grids[home], {}, worst=Mark.MEASURED, derived=slots_in(derived)))
    others = await store.homes_series(allowed, slots=slots, access=HOOD_ACCESS)
    found += await asyncio.to_thread(_found_in, grids, others, nameplates, place_deg)
    found += await scale_findings(store, day, slots, allowed=allowed)
    netting_of = {home_of[member]: time for member, time in rule.netting_of.items() if member in home_of}
    found += await meter_findings(store, slots, rule=rule, netting_of=netting_of)
    if day.weekday() == SUNDAY and nameplates:
        first = slots_of_day(day - timedelta(days=LOOK_BACK_DAYS), tz).start
        found += await _among_neighbours(store, consents, range(first, slots.stop), nameplates=nameplates)
    found.sort(key=lambda each: (each.home, each.first_slot, each.code, each.measure or 0))
    return DayCheck(day, tuple(found), inputs.message_position)


def _found_in(
    grids: Mapping[str, Mapping[Measure, HomeSeries]],
    others: Mapping[str, Mapping[Measure, HomeSeries]],
    nameplates: NameplateLimits,
    place_deg: Coordinates,
) -> list[Finding]:
    """What is wrong in the values of each home that allows more than the grid's."""
    found = []
    for home, series in others.items():
        known = _home_slots(home, {**grids[home], **series}, nameplates.get(home, {}), worst=Mark.DERIVED)
        found += [each for each in find_all(known, place_deg=place_deg) if each.code != "gap"]
    return found


async def _among_neighbours(
    store: QualityStores, consents: HomeConsents, slots: range, *, nameplates: NameplateLimits
) -> list[Finding]:
    sun = Measure.PV_PRODUCTION
    allowed = _allowed(consents, slots.start)
    asked = [home for home, measures in allowed.items() if sun in measures and sun in nameplates.get(home, {})]
    held = await store.homes_series({home: [sun] for home in asked}, slots=slots, access=HOOD_ACCESS)
    homes = {home: _home_slots(home, series, nameplates[home], worst=Mark.DERIVED) for home, series in held.items()}
    homes = {home: known for home, known in homes.items() if sun in known.energy_wh}
    return [*find_odd_yields(homes), *find_clock_shifts(homes)]


def _allowed(consents: HomeConsents, slot: Slot) -> dict[str, list[Measure]]:
    """For each home, the measures other than the grid's that it allows in the neighbourhood's sums."""
    allowed: dict[str, list[Measure]] = {}
    for measure in Measure:
        if measure not in SETTLED:
            for home in homes_allowing(consents, HOOD_ACCESS.purpose, slot=slot, measure=measure):
                allowed.setdefault(home, []).append(measure)
    return dict(sorted(allowed.items()))


def _members_with_gaps(readings: Readings) -> list[str]:
    gaps = membership(readings) & ((readings.surplus_wh < 0) | (readings.demand_wh < 0))
    return [readings.members[column] for column in np.flatnonzero(gaps.any(axis=0)).tolist()]


def _home_slots(
    home: str,
    series: Mapping[Measure, HomeSeries],
    nameplates: Mapping[Measure, int],
    *,
    worst: Mark,
    derived: Sequence[Slot] = (),
) -> HomeSlots:
    """The grid always, and other measures only with a value: one without any belongs to a device the home lacks.

    In the slots `derived` what was derived counts too, as it does in their settlement.
    """
    first_slot = next(iter(series.values())).first_slot
    known = {}
    for measure, each in series.items():
        if measure in SETTLED or (each.energy_wh >= 0).any():
            counts = np.isin(first_slot + np.arange(len(each.mark)), derived) & (each.mark == Mark.DERIVED)
            known[measure] = np.where((each.mark <= worst) | counts, each.energy_wh, -1)
    gaps = {measure: series[measure].gap for measure in known}
    return HomeSlots(home, first_slot, known, gaps, {m: w for m, w in nameplates.items() if m in known})


def _doubt_finding(doubt: SuspectSlots, home: str) -> Finding:
    """The finding for suspect slots, which holds the credits of those slots."""
    numbers, label = dict(doubt.numbers), "" if doubt.measure is None else doubt.measure.label
    sentence = {
        "frozen": "The grid meter stood still in both directions all day",
        "frozen_value": f"{numbers.get('energy_wh')} Wh {label} in each of {doubt.slots} quarter hours",
        "impossible": f"{numbers.get('energy_wh')} Wh {label} in a quarter hour is more than the"
        f" {numbers.get('most_wh')} Wh a connection carries",
        "out_of_proportion": _out_of_proportion_words(numbers),
    }[doubt.code]
    words = f"{sentence} from {format_slot(doubt.first_slot)} on."
    return Finding(doubt.code, home, doubt.measure, doubt.first_slot, doubt.slots, doubt.numbers, words, "hold")


def _out_of_proportion_words(numbers: Mapping[str, int]) -> str:
    if "impossible" in numbers:
        return f"The whole day is held: {numbers['impossible']} quarter hours are more than the connection carries,"
    return f"{numbers.get('energy_wh')} Wh on one day is out of all proportion to the home's past and its neighbours,"
