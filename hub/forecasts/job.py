"""Forecasts the neighbourhood each hour: reads what was known at the due time, calls the worker, stores the result."""

from collections.abc import Set
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

import numpy as np

from hub.core.forecasting.forecaster import Forecast, ForecastInputError, History
from hub.core.forecasting.weather_table import WeatherTable
from hub.core.ledger.run_calendar import RunCalendar
from hub.core.neighbourhood import MEASURES, Neighbourhood, counted_measures, estimate_neighbourhood
from hub.core.rules.group_size import GroupRule
from hub.forecasts.frames import ForecastRequest
from hub.forecasts.kept_sums import KeptSums
from hub.forecasts.sharing import shared_measures
from hub.forecasts.street_totals import GroupStores, day_group
from hub.forecasts.worker import ForecastWorkerError
from hub.storage.contract import ForecastStore, MemberStore, ReadingStore
from hub.storage.records import Access, ForecastRow
from hub.storage.street_records import StreetStore
from hub.timetable import JobError
from protocols.slots import Slot, day_of, slot_of, start_of

HISTORY_DAYS: Final = 60
HORIZON_SLOTS: Final = 192
"""Enough for today and tomorrow at any hour of the day."""

SLOTS_PER_DAY: Final = 96
USUAL_SLOTS: Final = 2 * SLOTS_PER_DAY
"""Which homes make and store power is what they sent in this time."""

EVERY_WEEKDAY: Final = RunCalendar()
ACCESS: Final = Access(actor="job:forecast", role="job", purpose="forecast.hood")


class Forecaster(Protocol):
    """The process that computes forecasts."""

    async def forecast(self, request: ForecastRequest) -> Forecast: ...


class ForecastStores(MemberStore, ReadingStore, ForecastStore, StreetStore, Protocol):
    """The parts of the store that this job needs."""


class ForecastJob:
    """Forecasts the neighbourhood's demand, solar supply and wind supply for the next 48 hours.

    Known at: readings of slots that closed by the due time, weather issued by then. `plants` are the co-op's own.
    """

    def __init__(
        self,
        store: ForecastStores,
        *,
        worker: Forecaster,
        tz: str,
        place_deg: tuple[float, float] | None = None,
        calendar: RunCalendar = EVERY_WEEKDAY,
        plants: frozenset[str] = frozenset(),
    ) -> None:
        self._plants = plants
        self._store = store
        self._worker = worker
        self._tz = tz
        self._place_deg = place_deg
        self._calendar = calendar
        self._newest: tuple[Forecast, ...] = ()
        self._kept = KeptSums(store)

    async def issued(self, due_s: int) -> tuple[Forecast, ...]:
        """The complete forecasts that were issued in the slot of `due_s`: prompting needs their error paths, which are
        not stored. Where another worker issued them, they are made once more. Empty if none were issued then.

        Raises: JobError.
        """
        now_slot = slot_of(due_s)
        if not any(made.issued_slot == now_slot for made in self._newest):
            stored = await self._store.latest_forecasts(issued_by=now_slot)
            if all(row.issued_slot != now_slot for row in stored.values()):
                return ()
            self._newest = await self._made(due_s)
        return tuple(made for made in self._newest if made.issued_slot == now_slot)

    async def __call__(self, due_s: int) -> None:
        """Idempotent: a second run for the same due time replaces the forecasts with equal ones.

        Raises: JobError when there is nothing to forecast from.
        """
        self._newest = ()
        made = await self._made(due_s)
        if made:
            await self._store.add_forecasts([_row(one) for one in made])
        self._newest = made

    async def _made(self, due_s: int) -> tuple[Forecast, ...]:
        """The forecasts as at this time; empty if they would be about so few homes that nobody may see them."""
        now_slot = slot_of(due_s)
        slots = range(now_slot - HISTORY_DAYS * SLOTS_PER_DAY, now_slot)
        # The day's group, as on Today: a consent given or withdrawn during the day does not show in the next forecast.
        group = await day_group(self._store, now_slot, tz=self._tz)
        shared = await shared_measures(self._store, ACCESS.purpose, slot=now_slot, lasting_at=start_of(now_slot))
        rule = GroupRule(shared.open_homes, self._plants, await self._store.known_together())
        if group and not rule.allows(group):
            return ()  # members may not see it, nor prompts made from it: it would be about one to four homes
        hood = await read_neighbourhood(
            self._store, slots=slots, access=ACCESS, group=group, plants=self._plants, kept=self._kept
        )
        first = _first_known(hood, slots)
        weather = await self._weather(due_s, first_slot=first)
        last = day_of(now_slot + HORIZON_SLOTS, self._tz)
        free_days = self._calendar.free_days(last - timedelta(days=HISTORY_DAYS + 3), last)
        made: list[Forecast] = []
        for target, energy_wh in (("demand", hood.demand_wh), ("pv", hood.pv_wh), ("wind", hood.wind_wh)):
            if target != "demand" and not np.nan_to_num(energy_wh).any():
                continue  # nobody produces it, or nobody shares it
            request = ForecastRequest(
                history=History(target, first, energy_wh[first - slots.start :]),
                weather=weather,
                horizon_slots=HORIZON_SLOTS,
                issued_slot=now_slot,
                tz=self._tz,
                free_days=free_days,
            )
            try:
                made.append(await self._worker.forecast(request))
            except (ForecastInputError, ForecastWorkerError) as problem:
                raise JobError(f"forecast of {target}: {problem}") from None
        return tuple(made)

    async def _weather(self, due_s: int, *, first_slot: Slot) -> WeatherTable:
        until_s = due_s + HORIZON_SLOTS * 900 + 3600
        hours = await self._store.weather_known_at(due_s, first_s=start_of(first_slot) - 3600, until_s=until_s)
        return WeatherTable.from_hours(hours, place_deg=self._place_deg) if hours else WeatherTable.empty()


async def read_neighbourhood(
    store: GroupStores,
    *,
    slots: range,
    access: Access,
    group: Set[str] | None = None,
    plants: frozenset[str] = frozenset(),
    now_slot: Slot | None = None,
    kept: KeptSums | None = None,
) -> Neighbourhood:
    """Production and use of the homes that allow this purpose, in these slots; each home's access log gets a line.

    With `group`, only of homes in it. Like the street's totals, it counts only what five homes or more make or store:
    otherwise the forecast beside the totals would be about one to four homes' batteries or turbines. What is counted is
    decided as at `now_slot`, or at the end of `slots`: a forecast is compared with the same sum as it is made from.
    `kept` are the sums from the last time.
    """
    last_slot, end_s = slots.stop - 1, start_of(slots.stop)
    shared = await shared_measures(store, access.purpose, slot=last_slot, lasting_at=end_s)
    homes = {measure: names if group is None else names & group for measure, names in shared.homes.items()}
    now_slot = slots.stop if now_slot is None else now_slot
    sent = await store.sending_homes(MEASURES, slots=range(now_slot - USUAL_SLOTS, now_slot))
    sending = {measure: sent[measure] & names for measure, names in homes.items()}
    counted = counted_measures(sending, GroupRule(shared.open_homes, plants, await store.known_together()))
    summed = {measure: tuple(sorted(homes[measure])) for measure in counted.measures if homes[measure]}
    sums = await (kept or KeptSums(store)).read(summed, slots=slots, access=access)
    hood = estimate_neighbourhood(sums, slots=len(slots), left_in_use=counted.left_in_use)
    return replace(hood, in_use=counted.in_use(sending))


def _first_known(hood: Neighbourhood, slots: range) -> Slot:
    known = np.flatnonzero(np.isfinite(hood.demand_wh) & (hood.demand_wh > 0))
    if not len(known):
        raise JobError("forecast: no readings yet; forecasts begin when homes have sent some")
    return slots.start + int(known[0])


def _row(made: Forecast) -> ForecastRow:
    return ForecastRow(
        target=made.target,
        issued_slot=made.issued_slot,
        first_slot=made.first_slot,
        quantiles=made.quantiles,
        energy_wh=made.energy_wh,
        model=made.model,
        reason=made.reason,
        drivers=made.drivers,
        weather_issued_at=None if made.weather_known_slot is None else start_of(made.weather_known_slot),
    )
