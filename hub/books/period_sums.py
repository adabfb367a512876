"""Begins the sums of homes that were heard before there were any, and goes on where intake could not, step by step."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from hub.storage.street_records import PeriodSumStore

log = logging.getLogger(__name__)

ENOUGH_S: Final = 50 * 60.0
"""After this long no further home is begun: the next hour's run does. The last one has until the hour is over."""

PAUSE_S: Final = 0.2


class PeriodSumsJob:
    """Runs every hour; almost always no home waits. A run that is stopped is gone on with by the next.

    `steady_s` is a clock that is never set. Units: real seconds.
    """

    def __init__(
        self, store: PeriodSumStore, *, steady_s: Callable[[], float] = time.monotonic, pause_s: float = PAUSE_S
    ) -> None:
        self._store = store
        self._steady_s = steady_s
        self._pause_s = pause_s

    async def __call__(self, due_s: int) -> None:
        """Make what is missing, home by home: some days of one home in each commit, with a pause after each.

        A home that was begun is finished, since one that lacks few days no longer counts as waiting.
        """
        del due_s
        began_s = self._steady_s()
        waiting = await self._store.homes_without_sums()
        for number, home in enumerate(waiting, start=1):
            if self._steady_s() - began_s >= ENOUGH_S:
                log.info(
                    "sums of hours, days and months: %d homes are left for the next hour", len(waiting) - number + 1
                )
                return
            has_more = True
            while has_more:
                has_more = await self._store.go_on_with_sums(home)
                await asyncio.sleep(self._pause_s)  # SQLite has no queue of writers: without a pause, others starve
            log.info("sums of hours, days and months are made for %d of %d homes", number, len(waiting))
