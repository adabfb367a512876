"""Looks each night for grid meters that began to count more, with what homes make and the outdoor temperature beside.

Grid readings of every home may be used, as the contract allows; production and batteries only where the home lets
them be used in the neighbourhood's sums. Each access is logged.
"""

import asyncio
from collections.abc import Container, Mapping, Sequence
from datetime import date, timedelta
from typing import Final, Protocol

import numpy as np

from hub.books.counted_readings import counted_inputs, rules_of_days
from hub.books.days import SettlementStores
from hub.books.runs import first_day
from hub.books.settled_readings import readings_of
from hub.core.forecasting.day_grid import Floats
from hub.core.quality.cold_days import heat_demand
from hub.core.quality.home_checks import Finding
from hub.core.quality.scale_changes import DAYS, DAYS_BEFORE, MANY_DAYS, StreetDays, find_scale_changes
from hub.core.settlement.prepared_readings import membership
from hub.storage.contract import ForecastStore
from hub.storage.records import Access, HomeSeries, SettlementInputs
from protocols.quantities import Mark, Measure
from protocols.slots import SLOT_S, SLOTS_PER_HOUR, SLOTS_PER_UTC_DAY, start_of

GRID_ACCESS: Final = Access(actor="job:quality", role="job", purpose="settle.share")
HOOD_ACCESS: Final = Access(actor="job:quality", role="job", purpose="forecast.hood")
SAID_AGAIN_DAYS: Final = 30
NIGHT_BEGINS: Final = 22 * SLOTS_PER_HOUR
NIGHT_ENDS: Final = 4 * SLOTS_PER_HOUR
HOMES_AT_ONCE: Final = 100
"""Of how many homes what they make is read together: four measures of 70 days are held at once."""

MADE: Final = {
    Measure.PV_PRODUCTION: 1,
    Measure.WIND_PRODUCTION: 1,
    Measure.BATTERY_DISCHARGE: 1,
    Measure.BATTERY_CHARGE: -1,
}
"""What each measure adds to a home's own production."""


class QualityStores(SettlementStores, ForecastStore, Protocol):
    """The parts of the store that the quality check reads and writes."""


async def scale_findings(
    store: QualityStores, day: date, slots: range, *, allowed: Mapping[str, Sequence[Measure]]
) -> list[Finding]:
    """Homes that count more since some days, each said once in a while and not again every night.

    `allowed` has the measures besides the grid's that each home lets be used.
    """
    length = await _days_known(store, day)
    if length < DAYS + DAYS_BEFORE:
        return []
    reach = range(slots.stop - length * SLOTS_PER_UTC_DAY, slots.stop)
    rules = await rules_of_days(store, reach, tz=(await store.coop()).tz)
    inputs = await counted_inputs(store, reach, rules=rules, access=GRID_ACCESS)
    home_of = {home.member_id: home.id for home in await store.homes()}
    told = {home for home in home_of.values() if set(MADE) <= set(allowed.get(home, ()))}
    homes, net = await asyncio.to_thread(_net_wh, inputs, home_of, told)
    del inputs
    made = await _made_by(store, homes, told, reach)
    street = StreetDays(_by_day(net), _by_day(made), (await _heat(store, reach)).reshape(length, SLOTS_PER_UTC_DAY))
    changes = await asyncio.to_thread(find_scale_changes, homes, street)
    if not changes:
        return []
    since = (day - timedelta(days=SAID_AGAIN_DAYS)).isoformat()
    rows = await store.findings(access=GRID_ACCESS, since=since)
    said = {row.found.home for row in rows if row.found.code == "scale_change" and row.day < day.isoformat()}
    return [
        Finding(
            "scale_change",
            each.home,
            None,
            slots.start,
            len(slots),
            (("percent_of_usual", each.percent), ("days", each.days)),
            f"For {each.days} days the grid meter has counted about {each.percent} % of what is usual for this home.",
            "check",
        )
        for each in changes
        if each.home not in said
    ]


async def _days_known(store: QualityStores, day: date) -> int:
    """How many days up to this one can be compared: since the street's first, at most what is used."""
    first = await first_day(store, (await store.coop()).tz)
    return 0 if first is None else min((day - first).days + 1, MANY_DAYS + DAYS_BEFORE)


def _net_wh(inputs: SettlementInputs, home_of: Mapping[str, str], told: Container[str]) -> tuple[list[str], Floats]:
    """The homes, and what each drew less what it gave, NaN where that is unknown. Shape: (homes, slots)."""
    readings = readings_of(inputs)
    inside, homes = membership(readings), [home_of[member] for member in readings.members]
    # A home's values lie one after the other: they are gone through home by home.
    net = np.empty((len(homes), len(readings.slots)))
    for column, home in enumerate(homes):
        demand_wh, surplus_wh = readings.demand_wh[:, column], readings.surplus_wh[:, column]
        is_known = inside[:, column] & (demand_wh >= 0) & (surplus_wh >= 0)
        net[column] = np.where(is_known, demand_wh - surplus_wh, np.nan)
        if home not in told and (surplus_wh > 0).any():
            net[column] = _nights_only(net[column])
    return homes, net


def _by_day(values: Floats) -> Floats:
    """(homes, slots) seen as (days, slots of the day, homes)."""
    return np.moveaxis(values.reshape(len(values), -1, SLOTS_PER_UTC_DAY), 0, 2)


async def _made_by(store: QualityStores, homes: Sequence[str], told: Container[str], reach: range) -> Floats:
    """What each home made itself, in Wh; 0 for those not told. Shape: (homes, slots)."""
    made = np.zeros((len(homes), len(reach)))
    rows = {home: row for row, home in enumerate(homes) if home in told}
    readable = list(rows)
    for first in range(0, len(readable), HOMES_AT_ONCE):
        part = readable[first : first + HOMES_AT_ONCE]
        series = await store.homes_series(dict.fromkeys(part, tuple(MADE)), slots=reach, access=HOOD_ACCESS)
        await asyncio.to_thread(_put_made, made, series, rows, reach)
    return made


def _put_made(
    made: Floats, series: Mapping[str, Mapping[Measure, HomeSeries]], rows: Mapping[str, int], reach: range
) -> None:
    for home, own in series.items():
        made[rows[home]] = _made(own, reach)


def _made(series: Mapping[Measure, HomeSeries], reach: range) -> Floats:
    """What the home made itself, in Wh; NaN where a value is missing. Shape: (slots,)."""
    made = np.zeros(len(reach))
    for measure, sign in MADE.items():
        if measure in series:
            made = made + sign * _known(series[measure])
    return made


def _nights_only(net_wh: Floats) -> Floats:
    """A home that gives energy and does not say from what: what it draws at night, when the sun makes nothing."""
    slot = np.arange(len(net_wh)) % SLOTS_PER_UTC_DAY
    is_night = (slot < NIGHT_ENDS) | (slot >= NIGHT_BEGINS)
    return np.where(is_night & (net_wh > 0), net_wh, np.nan)


def _known(series: HomeSeries) -> Floats:
    """Values in Wh, NaN where one is missing; 0 for a device that the home does not have."""
    is_known = (series.energy_wh >= 0) & (series.mark <= Mark.DERIVED)
    return np.where(is_known, series.energy_wh, np.nan) if is_known.any() else np.zeros(len(is_known))


async def _heat(store: QualityStores, reach: range) -> Floats:
    """The heat demand of each slot by the weather that was known at its day's end, 0 without weather."""
    first_s, until_s = start_of(reach.start), start_of(reach.stop)
    rows = await store.weather_known_at(until_s, first_s=first_s - SLOT_S, until_s=until_s)
    if not rows:
        return np.zeros(len(reach))
    hours, temperature_c = np.array([(row[0], row[2]) for row in rows], dtype=np.float64).T
    middle_s = first_s + (np.arange(len(reach)) + 0.5) * SLOT_S
    return heat_demand(np.interp(middle_s, hours + 1800.0, temperature_c))
