"""The neighbourhood's day: the published totals of the homes that share their data, and the newest forecast.

hub.forecasts publishes the totals, each only once; this module reads no home.
"""

from dataclasses import dataclass
from typing import Final

from hub.storage.contract import Store
from hub.storage.records import ForecastRow
from hub.storage.street_records import StreetTotals
from hub.web.frame.services import StreetOperations
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

_REFRESH_S: Final = 300
_TARGETS: Final = ("demand", "pv", "wind")
_SOURCES: Final = {"pv": Measure.PV_PRODUCTION, "wind": Measure.WIND_PRODUCTION}


@dataclass(frozen=True, slots=True)
class Outlook:
    """Today's and tomorrow's slots as far as they are known.

    `homes` is the number of homes that share their values, and `makers` how many of them produce power. If either
    number is too small to hide a single home, no values are known; nor are they while one to four homes do not share
    theirs and there are too few others to leave out (`can_show`). `forecasts` are those that may be explained: the
    words about the wind of a single turbine would be about one home. `has_more_in_use` says whether the use is less
    what one to four homes make or store.
    """

    today: range
    now_slot: Slot
    moments: tuple[SlotOutlook, ...]
    homes: int
    makers: int
    can_show: bool
    has_forecast: bool
    issued_slot: Slot | None
    forecasts: tuple[ForecastRow, ...] = ()
    has_more_in_use: bool = False

    @property
    def is_enough(self) -> bool:
        return self.homes >= MIN_HOMES and (self.makers == 0 or self.makers >= MIN_HOMES) and self.can_show

    def of(self, slots: range) -> tuple[SlotOutlook, ...]:
        first = self.today.start
        return self.moments[slots.start - first : slots.stop - first]


class OutlookCache:
    """Reads the outlook and keeps it for five minutes of the hub's time, so that page views do not read it again."""

    def __init__(self, store: Store, street: StreetOperations, tz: str) -> None:
        self._store, self._street = store, street
        self._tz = tz
        self._kept: tuple[tuple[int, int], Outlook] | None = None

    async def outlook(self, now_s: float) -> Outlook:
        key = (int(now_s) // _REFRESH_S, slot_of(now_s))
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, await read_outlook(self._store, self._street, self._tz, now_s=now_s))
        return self._kept[1]


async def read_outlook(store: Store, street: StreetOperations, tz: str, *, now_s: float) -> Outlook:
    """The published totals up to now, then the newest forecast, or yesterday's values if there is no forecast."""
    now_slot = slot_of(now_s)
    today = slots_of_day(day_of(now_slot, tz), tz)
    tomorrow = slots_of_day(day_of(today.stop, tz), tz)
    before = SLOTS_PER_UTC_DAY
    totals = await street.totals(range(today.start - before, now_slot), now_slot=now_slot)
    homes, makers = len(totals.homes), len(totals.makers)
    is_enough = homes >= MIN_HOMES and (makers == 0 or makers >= MIN_HOMES) and totals.can_show
    rows = await store.latest_forecasts(issued_by=now_slot) if is_enough else {}
    forecast = _Forecast(rows)
    moments = []
    for slot in range(today.start, tomorrow.stop):
        measured = _moment(totals, slot) if slot < now_slot else None
        expected = forecast.at(slot)
        if measured is not None:
            moments.append(measured)
        elif expected is not None:
            moments.append(expected_moment(slot, expected))
        else:
            moments.append(_shape(totals, slot, before) or unknown_moment(slot))
    return Outlook(
        today=today,
        now_slot=now_slot,
        moments=tuple(moments),
        homes=homes,
        makers=makers,
        can_show=totals.can_show,
        has_forecast=forecast.at(now_slot) is not None,
        issued_slot=forecast.issued_slot,
        forecasts=tuple(row for row in forecast.rows if _SOURCES.get(row.target) in {None, *totals.sources}),
        has_more_in_use=bool(totals.in_use),
    )


def _moment(totals: StreetTotals, slot: Slot) -> SlotOutlook | None:
    total = totals.by_slot.get(slot)
    if total is None:
        return None
    return measured_moment(slot, sun_wh=total.sun_wh, wind_wh=total.wind_wh, used_wh=total.used_wh)


def _shape(totals: StreetTotals, slot: Slot, before: int) -> SlotOutlook | None:
    """The values at the same time one or two days earlier, as an expectation without a range."""
    for back in (before, 2 * before):
        past = _moment(totals, slot - back)
        if past is not None:
            return SlotOutlook(slot, False, past.made_wh, past.sun_wh, None, None, past.used_wh)
    return None


class _Forecast:
    """The newest forecasts of use, sun and wind, read slot by slot."""

    def __init__(self, rows: dict[str, ForecastRow]) -> None:
        self._rows: dict[str, ForecastRow] = {target: rows[target] for target in _TARGETS if target in rows}
        issued = [row.issued_slot for row in self._rows.values()]
        self.issued_slot = min(issued) if issued else None

    @property
    def rows(self) -> tuple[ForecastRow, ...]:
        """The forecasts themselves: use, sun, wind."""
        return tuple(self._rows.values())

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
