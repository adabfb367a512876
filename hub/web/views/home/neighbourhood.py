"""The neighbourhood's day from the store: totals of the homes that share their data, and the newest forecast.

Totals leave this module only if at least MIN_HOMES homes are part of them; it never reads a single home.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np
import numpy.typing as npt

from hub.core.consented_homes import homes_allowing
from hub.core.neighbourhood import MEASURES, MeasureSums, estimate_neighbourhood
from hub.storage.contract import Store
from hub.storage.records import Access, ForecastRow, HoodSeries
from hub.web.views.home.day_outlook import (
    MIN_HOMES,
    ExpectedSlot,
    SlotOutlook,
    expected_moment,
    measured_moment,
    unknown_moment,
)
from protocols.quantities import Measure
from protocols.slots import SLOTS_PER_UTC_DAY, Slot, day_of, slot_of, slots_of_day

TOTALS_ACCESS: Final = Access(actor="job:today-page", role="job", purpose="forecast.hood")
_REFRESH_S: Final = 300
_TARGETS: Final = ("demand", "pv", "wind")


@dataclass(frozen=True, slots=True)
class Outlook:
    """Today's and tomorrow's slots as far as they are known.

    `homes` is the number of homes that share their values, and `makers` how many of them produce power. If either
    number is too small to hide a single home, no values are known.
    """

    today: range
    now_slot: Slot
    moments: tuple[SlotOutlook, ...]
    homes: int
    makers: int
    has_forecast: bool
    issued_slot: Slot | None

    @property
    def is_enough(self) -> bool:
        return self.homes >= MIN_HOMES and (self.makers == 0 or self.makers >= MIN_HOMES)

    def of(self, slots: range) -> tuple[SlotOutlook, ...]:
        first = self.today.start
        return self.moments[slots.start - first : slots.stop - first]


class OutlookCache:
    """Reads the outlook and keeps it for five minutes of the hub's time, so that page views do not read it again."""

    def __init__(self, store: Store, tz: str) -> None:
        self._store = store
        self._tz = tz
        self._kept: tuple[tuple[int, int], Outlook] | None = None

    async def outlook(self, now_s: float) -> Outlook:
        key = (int(now_s) // _REFRESH_S, slot_of(now_s))
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, await read_outlook(self._store, self._tz, now_s=now_s))
        return self._kept[1]


async def read_outlook(store: Store, tz: str, *, now_s: float) -> Outlook:
    """Measured totals up to now, then the newest forecast, or yesterday's values if there is no forecast."""
    now_slot = slot_of(now_s)
    today = slots_of_day(day_of(now_slot, tz), tz)
    tomorrow = slots_of_day(day_of(today.stop, tz), tz)
    consents = await store.consents()
    sharing = homes_allowing(consents, TOTALS_ACCESS.purpose, slot=now_slot)
    before = SLOTS_PER_UTC_DAY
    past = range(today.start - before, now_slot)
    by_measure = {
        measure: homes_allowing(consents, TOTALS_ACCESS.purpose, slot=now_slot, measure=measure) for measure in MEASURES
    }
    totals = await _read_totals(store, past, homes=by_measure)
    makers = int(totals.makers.max(initial=0))
    is_enough = len(sharing) >= MIN_HOMES and (makers == 0 or makers >= MIN_HOMES)
    rows = await store.latest_forecasts(issued_by=now_slot) if is_enough else {}
    forecast = _Forecast(rows)
    moments = []
    for slot in range(today.start, tomorrow.stop):
        measured = totals.moment(slot) if slot < now_slot else None
        expected = forecast.at(slot)
        if measured is not None:
            moments.append(measured)
        elif expected is not None:
            moments.append(expected_moment(slot, expected))
        else:
            moments.append(totals.shape(slot, before) or unknown_moment(slot))
    return Outlook(
        today=today,
        now_slot=now_slot,
        moments=tuple(moments),
        homes=len(sharing),
        makers=makers,
        has_forecast=forecast.at(now_slot) is not None,
        issued_slot=forecast.issued_slot,
    )


@dataclass(frozen=True, slots=True)
class _Totals:
    """Sums per slot; slots with fewer than MIN_HOMES homes are not shown. Shape: every array is (slots,)."""

    slots: range
    sun_wh: npt.NDArray[np.float64]
    wind_wh: npt.NDArray[np.float64]
    used_wh: npt.NDArray[np.float64]
    homes: npt.NDArray[np.int32]
    makers: npt.NDArray[np.int32]

    def moment(self, slot: Slot) -> SlotOutlook | None:
        i = slot - self.slots.start
        if not 0 <= i < len(self.slots) or self.homes[i] < MIN_HOMES or 0 < self.makers[i] < MIN_HOMES:
            return None
        sun, wind, used = (float(values[i]) for values in (self.sun_wh, self.wind_wh, self.used_wh))
        if not isfinite(sun + wind + used):
            return None
        return measured_moment(slot, sun_wh=sun, wind_wh=wind, used_wh=max(0.0, used))

    def shape(self, slot: Slot, before: int) -> SlotOutlook | None:
        """The values at the same time one or two days earlier, as an expectation without a range."""
        for back in (before, 2 * before):
            past = self.moment(slot - back)
            if past is not None:
                return SlotOutlook(slot, False, past.made_wh, past.sun_wh, None, None, past.used_wh)
        return None


async def _read_totals(store: Store, slots: range, *, homes: Mapping[Measure, Sequence[str]]) -> _Totals:
    none = np.zeros(len(slots), dtype=np.int32)
    if len(homes[Measure.GRID_IMPORT]) < MIN_HOMES or not slots:
        gap = np.full(len(slots), np.nan)
        return _Totals(slots, gap, gap, gap, none, none)
    series: dict[Measure, HoodSeries] = {}
    for group, measures in _by_homes(homes).items():
        series |= await store.hood_series(measures, slots=slots, access=TOTALS_ACCESS, homes=group)
    street = estimate_neighbourhood(
        {m: MeasureSums(row.energy_wh, row.homes) for m, row in series.items()}, slots=len(slots)
    )
    count = {m: series[m].homes if m in series else none for m in MEASURES}
    makers = np.maximum(count[Measure.PV_PRODUCTION], count[Measure.WIND_PRODUCTION])
    return _Totals(slots, street.pv_wh, street.wind_wh, street.demand_wh, count[Measure.GRID_IMPORT], makers)


def _by_homes(homes: Mapping[Measure, Sequence[str]]) -> dict[tuple[str, ...], list[Measure]]:
    """Measures grouped by the homes that share them, so that each group is read once."""
    groups: dict[tuple[str, ...], list[Measure]] = {}
    for measure, names in homes.items():
        if names:
            groups.setdefault(tuple(names), []).append(measure)
    return groups


class _Forecast:
    """The newest forecasts of use, sun and wind, read slot by slot."""

    def __init__(self, rows: dict[str, ForecastRow]) -> None:
        self._rows: dict[str, ForecastRow] = {target: rows[target] for target in _TARGETS if target in rows}
        issued = [row.issued_slot for row in self._rows.values()]
        self.issued_slot = min(issued) if issued else None

    def at(self, slot: Slot) -> ExpectedSlot | None:
        """None if the forecast of use or any forecast of production does not cover the slot."""
        used = self._quantiles("demand", slot)
        made = [self._quantiles(target, slot) for target in ("pv", "wind") if target in self._rows]
        if used is None or not made or any(values is None for values in made):
            return None
        low, high = (sum(values[i] for values in made if values is not None) for i in (0, 2))
        sun = self._quantiles("pv", slot)
        wind = self._quantiles("wind", slot)
        return ExpectedSlot(sun[1] if sun else 0.0, wind[1] if wind else 0.0, low, high, used[1])

    def _quantiles(self, target: str, slot: Slot) -> tuple[float, float, float] | None:
        """The 0.1, 0.5 and 0.9 quantiles (the nearest the forecast has); energy is never below zero."""
        row = self._rows.get(target)
        if row is None or not 0 <= slot - row.first_slot < len(row.energy_wh):
            return None
        values = row.energy_wh[slot - row.first_slot]
        low, middle, high = (
            max(0.0, float(values[min(range(len(row.quantiles)), key=lambda i: abs(row.quantiles[i] - wanted))]))
            for wanted in (0.1, 0.5, 0.9)
        )
        return low, middle, high
