"""Keeps each closed slot in the home's own history. What cannot be kept is logged once; measuring and sending go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from edge_agent.home_store.contents import KeptQuarter
from edge_agent.home_store.energy_totals import EnergyTotals
from edge_agent.home_store.live_values import LiveValues
from edge_agent.home_store.store import HomeStore, HomeStoreError
from edge_agent.metering.home_meter import ClosedSlot

log = logging.getLogger("commonwatt.agent")


class HomeKeeper:
    """Writes slots and their minute means, in a thread. Without a store it only lets go of the minutes.

    `totals`: the rising totals for programs in the home, where there are any.
    """

    def __init__(self, store: HomeStore | None, live: LiveValues, totals: EnergyTotals | None = None) -> None:
        self._store = store
        self._live = live
        self._totals = totals
        self._is_stuck = False

    async def keep(self, closed: Sequence[ClosedSlot]) -> None:
        """Keep these slots. Never raises for a full or broken disk."""
        quarters = [
            KeptQuarter(each.slot, each.values, each.long_intervals, self._live.take_minutes(each.slot))
            for each in closed
        ]
        if self._totals is not None:
            self._totals.add(closed)
            await asyncio.to_thread(self._totals.save)
        if self._store is None:
            return
        try:
            await asyncio.to_thread(self._store.keep, quarters)
            self._is_stuck = False
        except HomeStoreError as error:
            if not self._is_stuck:
                log.error("the home's own history misses quarter hours: %s", error)
            self._is_stuck = True


def open_home_store(folder: Path, *, now_s: float) -> HomeStore | None:
    """The home's own history, or None with a line in the log: the agent measures and sends without it."""
    try:
        store = HomeStore(folder, now_s=now_s)
    except HomeStoreError as error:
        log.error("the home's own history is not kept: %s", error)
        return None
    if store.aside is not None:
        log.error("the home's own history was damaged and has been renamed to %s: starting a new one", store.aside.name)
    return store
