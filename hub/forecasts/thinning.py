"""Thins old forecasts and old weather, by one rule: what is compared, shown or recomputed later is kept.

For KEPT_WHOLE_DAYS every issue stays. Of an older local day the first forecast of each target stays, which the board's
report compares with what came, and of an older hour's weather two issues: the newest known when that local day ended,
by which the quality check goes, and the newest of all, by which forecasts learn.
"""

import logging
from datetime import timedelta
from typing import Final

from hub.storage.contract import ForecastStore
from protocols.slots import day_of, slot_of, slots_of_day, start_of

log = logging.getLogger(__name__)

KEPT_WHOLE_DAYS: Final = 35
AT_ONCE: Final = 1_000
"""How many rows are removed in one commit."""


class ThinningJob:
    """Runs every night. A second run for the same time removes nothing."""

    def __init__(self, store: ForecastStore, *, tz: str) -> None:
        self._store, self._tz = store, tz

    async def __call__(self, due_s: int) -> None:
        """Thin what is older than KEPT_WHOLE_DAYS at the due time."""
        day = day_of(slot_of(due_s), self._tz) - timedelta(days=KEPT_WHOLE_DAYS)
        first_whole = slots_of_day(day, self._tz).start
        spare = self._spare(await self._store.forecast_issues(before=first_whole))
        for begin in range(0, len(spare), AT_ONCE):
            await self._store.remove_forecasts(spare[begin : begin + AT_ONCE])
        hours = await self._store.crowded_hours(before_s=start_of(first_whole))
        ends = [(hour_s, self._day_end_s(hour_s)) for hour_s in hours]
        for begin in range(0, len(ends), AT_ONCE):
            await self._store.thin_weather(ends[begin : begin + AT_ONCE])
        if spare or hours:
            log.info("%d old forecasts and the weather of %d old hours were thinned", len(spare), len(hours))

    def _spare(self, issues: tuple[tuple[str, int], ...]) -> list[tuple[str, int]]:
        """All but the first of each target and local day. `issues` are in order."""
        kept = set()
        spare = []
        for target, slot in issues:
            place = (target, day_of(slot, self._tz))
            if place in kept:
                spare.append((target, slot))
            kept.add(place)
        return spare

    def _day_end_s(self, hour_s: int) -> int:
        return start_of(slots_of_day(day_of(slot_of(hour_s), self._tz), self._tz).stop)
