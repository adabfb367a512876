"""Homes that a month bills by a meter which is not known to be certified for billing."""

from datetime import date
from typing import Protocol

from hub.core.homes.meter_trust import uncertified_homes
from hub.core.ledger.month_runs import MonthRun
from hub.storage.contract import MemberStore, ReadingStore
from hub.storage.fleet_records import MeterNoticeStore
from protocols.maps.model import Metrology
from protocols.slots import slots_of_day


class BilledMeterStores(MemberStore, ReadingStore, MeterNoticeStore, Protocol):
    """The parts of the store that say who is billed, and by which meter."""


async def uncertified_in_run(store: BilledMeterStores, run: MonthRun) -> dict[str, Metrology]:
    """The homes of the run's members whose meter in its days had no certificate, or none that is known."""
    if not run.days:
        return {}
    slots = _slots_of(run.days[0][0], run.days[-1][0], (await store.coop()).tz)
    found = uncertified_homes(await store.told_meters(), slots=slots)
    members, present = await store.settlement_members(slots=slots)
    billed = {member for column, member in enumerate(members) if present[:, column].any()}
    homes = sorted(home.id for home in await store.homes() if home.member_id in billed)
    return {home: found[home] for home in homes if home in found}


async def uncertified_meter(store: MeterNoticeStore, home: str, *, days: tuple[str, str], tz: str) -> str:
    """The class of this home's meter in these days, first and last, if it is not known to be certified; else empty."""
    return uncertified_homes(await store.told_meters(), slots=_slots_of(*days, tz)).get(home, "")


def _slots_of(first_day: str, last_day: str, tz: str) -> range:
    first, last = (date.fromisoformat(day) for day in (first_day, last_day))
    return range(slots_of_day(first, tz).start, slots_of_day(last, tz).stop)
