"""Begins the sums of homes that were heard before there were any, and goes on where intake could not, step by step."""

import logging

from hub.storage.street_records import PeriodSumStore

log = logging.getLogger(__name__)


class PeriodSumsJob:
    """Runs every hour; almost always no home waits. A run that is stopped is gone on with by the next."""

    def __init__(self, store: PeriodSumStore) -> None:
        self._store = store

    async def __call__(self, due_s: int) -> None:
        """Make what is missing, home by home: some weeks of one home in each commit."""
        del due_s
        waiting = await self._store.homes_without_sums()
        for number, home in enumerate(waiting, start=1):
            while await self._store.go_on_with_sums(home):
                continue
            log.info("sums of hours, days and months are made for %d of %d homes", number, len(waiting))
