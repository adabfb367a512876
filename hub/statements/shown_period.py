"""Settled days as members see them, for trials and fairness reports: later corrections of one to four homes stay out.

A total over current readings would change with every late reading, and the difference would be that home's.
"""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from hub.books.days import read_day_inputs
from hub.books.period import SettledPeriod, settle_in_thread
from hub.books.stored_rules import read_rule
from hub.core.settlement.allocation_record import read_record
from hub.core.settlement.period import Settlement
from hub.core.settlement.prepared_readings import MISSING_WH, Readings, Window
from hub.statements.publication import PublicationStores, RunPublication
from hub.storage.records import Access, RunRow
from protocols.errors import RequestError
from protocols.quantities import Measure
from protocols.slots import slots_of_day

FIELDS = ", ".join(sorted(measure.code for measure in (Measure.GRID_EXPORT, Measure.GRID_IMPORT)))


class ShownPeriods:
    """Reads each day from the run that everybody sees. `plants` are the co-op's own plants."""

    def __init__(self, store: PublicationStores, *, plants: frozenset[str] = frozenset()) -> None:
        self._store = store
        self._publication = RunPublication(store, plants=plants)

    async def read(self, *, first: date, last: date, access: Access) -> SettledPeriod:
        """The days from `first` to `last` with their rules; the access is recorded in every home's log.

        Days whose rule sums hours are left out once a correction has come that members do not see: their runs have no
        quarter hours. Raises: RequestError for a damaged record.
        """
        names = [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
        newest = {run.day: run for run in await self._store.runs(days=(names[0], names[-1]), allocations=False)}
        found = {name: await self._day(name, newest[name].run_key, access) for name in names if name in newest}
        days = {name: each for name, each in found.items() if each is not None}
        return SettledPeriod(
            tuple(days),
            tuple(readings for readings, _, _ in days.values()),
            tuple(settled for _, settled, _ in days.values()),
            tuple(digest for _, _, digest in days.values()),
            tuple(name for name in names if name not in days),
            await self._publication.plants(),
            await self._publication.persons(),
        )

    async def _day(self, day: str, run_key: str, access: Access) -> tuple[Readings, Settlement, str] | None:
        tz = (await self._store.coop()).tz
        runs = await self._publication.shown(day, run_key, tz=tz)
        rows = {row.run_key: row for row in await self._store.runs(days=(day, day), allocations=False)}
        run = rows[runs.keys[runs.shown]]
        run = replace(run, allocation=await self._store.run_record(run.run_key))
        rules = {rule.hash: rule.canonical for rule in await self._store.journal_rules()}
        try:
            settled = await asyncio.to_thread(_settled, run, rules[run.rule_hash])
        except ValueError as error:
            raise RequestError(f"{day}: {error}; run `commonwatt-hub verify`") from None
        if settled.rule.aggregate == 1:
            homes = [home.id for home in await self._store.homes()]
            slots = slots_of_day(date.fromisoformat(day), tz)
            await self._store.log_access(access, homes, fields=FIELDS, rows=2 * len(slots))
            return readings_as_settled(settled), settled, run.input_digest
        inputs = await read_day_inputs(self._store, day=date.fromisoformat(day), access=access)
        if inputs.digest != run.input_digest:
            return None
        return inputs.readings, await settle_in_thread(inputs), inputs.digest


def _settled(run: RunRow, rule: bytes) -> Settlement:
    return read_record(run.allocation, read_rule(rule))


def readings_as_settled(settled: Settlement) -> Readings:
    """The readings that a run by quarter hours counted: settling them by its rule gives the run again.

    Whoever did not take part before or after some slot counts as no member there, which adds no gap.
    """
    surplus, demand = (np.where(settled.present, wh, MISSING_WH) for wh in (settled.surplus_wh, settled.demand_wh))
    windows: dict[str, Window] = {}
    for column, member in enumerate(settled.members):
        here = np.flatnonzero(settled.present[:, column]).tolist()
        slots = [settled.slots[row] for row in here]
        windows[member] = (slots[0], slots[-1] + 1) if slots else (settled.slots[0], settled.slots[0])
    return Readings(settled.members, settled.slots, surplus, demand, windows, settled.marks)
