"""Reads homes' values from SQLite. Every method that returns one first commits its lines in the access log (I12)."""

from collections.abc import Sequence
from datetime import date

import aiosqlite
import numpy as np

from hub.storage.records import (
    Access,
    HomeSeries,
    HoodSeries,
    LongIntervalRow,
    SettlementInputs,
)
from hub.storage.series import MAX_SPAN, SeriesRow, home_series, hood_series
from hub.storage.sqlite_access import SqliteAccessLog
from protocols.quantities import Measure
from protocols.slots import day_of, start_of

_ROWS_SQL = """SELECT slot, span, energy_wh, mark, gap FROM reading
WHERE home = ? AND measure = ? AND slot >= ? AND slot < ?"""
_COARSE_SQL = """SELECT DISTINCT home FROM reading
WHERE home IN ({marks}) AND measure = ? AND slot >= ? AND slot < ? AND span > 1"""
_SUMS_SQL = """SELECT slot, sum(energy_wh), count(*) FROM reading
WHERE home IN ({marks}) AND measure = ? AND slot >= ? AND slot < ? AND span = 1 AND mark <= 1 GROUP BY slot"""
_SETTLE_SQL = """SELECT slot, energy_wh FROM reading
WHERE home = ? AND measure = ? AND slot >= ? AND slot < ? AND span = 1 AND mark = 0"""


class SqliteSeries(SqliteAccessLog):
    """The reading half of the ReadingStore slice."""

    async def home_series(
        self, home: str, measures: Sequence[Measure], *, slots: range, access: Access
    ) -> dict[Measure, HomeSeries]:
        """A home's values; the access row is committed before any value is returned, or nothing is (I12)."""
        await self.log_access(access, [home], fields=_fields(measures), rows=len(slots) * len(measures))
        async with self.reading() as db:
            return {m: await _home(db, home, m, slots=slots) for m in measures}

    async def hood_series(
        self, measures: Sequence[Measure], *, slots: range, access: Access, homes: Sequence[str] | None = None
    ) -> dict[Measure, HoodSeries]:
        """Sums over homes of measured and derived values, logged for each home that stands behind them."""
        chosen = sorted(set(homes)) if homes is not None else await self._home_ids()
        await self.log_access(access, chosen, fields=_fields(measures), rows=len(slots) * len(measures))
        async with self.reading() as db:
            return {m: await _hood(db, m, slots=slots, homes=chosen) for m in measures}

    async def settlement_inputs(self, *, slots: range, access: Access) -> SettlementInputs:
        """What the meters of all members with a home measured. Only 15-minute counter values settle; all else is -1."""
        async with self.reading() as db:
            members = list(
                await db.execute_fetchall(
                    "SELECT member.id, home.id, joined_at FROM member JOIN home ON home.member_id = member.id"
                )
            )
        members.sort(key=lambda row: str(row[0]).encode("utf-8"))
        measures = (Measure.GRID_EXPORT, Measure.GRID_IMPORT)
        await self.log_access(
            access, [str(home) for _, home, _ in members], fields=_fields(measures), rows=len(slots) * len(measures)
        )
        shape = (len(slots), len(members))
        surplus_wh, demand_wh = np.full(shape, -1, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
        starts_s = np.array([start_of(slot) for slot in slots], dtype=np.int64)
        present = starts_s[:, None] >= np.array([int(joined) for _, _, joined in members], dtype=np.int64)[None, :]
        async with self.reading() as db:
            for column, (_, home, _) in enumerate(members):
                for measure, target in zip(measures, (surplus_wh, demand_wh), strict=True):
                    place = (home, int(measure), slots.start, slots.stop)
                    for slot, energy_wh in await db.execute_fetchall(_SETTLE_SQL, place):
                        target[slot - slots.start, column] = energy_wh
        ids = tuple(str(member) for member, _, _ in members)
        return SettlementInputs(ids, slots.start, surplus_wh, demand_wh, present)

    async def long_intervals(self, home: str, *, slots: range, access: Access) -> tuple[LongIntervalRow, ...]:
        """Energy of this home known only as totals that touch these slots."""
        await self.log_access(access, [home], fields="totals over several quarter hours", rows=len(slots))
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                "SELECT home, measure, first_slot, slots, energy_wh FROM long_interval"
                " WHERE home = ? AND first_slot < ? AND first_slot + slots > ? ORDER BY first_slot, measure, slots",
                (home, slots.stop, slots.start),
            )
        return tuple(LongIntervalRow(row[0], Measure(row[1]), *row[2:]) for row in rows)

    async def touched_days(self, *, since_received_at: int, tz: str) -> tuple[date, ...]:
        """Local days that got readings since then, for resettlement."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                "SELECT DISTINCT first_slot, last_slot FROM message WHERE received_at >= ? AND first_slot IS NOT NULL",
                (since_received_at,),
            )
        slots = {slot for first, last in rows for slot in range(first, last + 1)}
        return tuple(sorted({day_of(slot, tz) for slot in slots}))

    async def _home_ids(self) -> list[str]:
        async with self.reading() as db:
            return [str(row[0]) for row in await db.execute_fetchall("SELECT id FROM home ORDER BY id")]


def _fields(measures: Sequence[Measure]) -> str:
    return ", ".join(sorted(measure.code for measure in measures))


async def _home(db: aiosqlite.Connection, home: str, measure: Measure, *, slots: range) -> HomeSeries:
    found = await db.execute_fetchall(_ROWS_SQL, (home, int(measure), slots.start, slots.stop + MAX_SPAN))
    rows: list[SeriesRow] = [(row[0], row[1], row[2], row[3], row[4]) for row in found]
    return home_series(home, measure, slots=slots, rows=rows)


async def _hood(db: aiosqlite.Connection, measure: Measure, *, slots: range, homes: Sequence[str]) -> HoodSeries:
    marks = ",".join("?" * len(homes))
    place = (int(measure), slots.start, slots.stop)
    spread = await db.execute_fetchall(
        _COARSE_SQL.format(marks=marks), (*homes, int(measure), slots.start, slots.stop + MAX_SPAN)
    )
    coarse = {str(row[0]) for row in spread}
    fine = [home for home in homes if home not in coarse]
    sums = await db.execute_fetchall(_SUMS_SQL.format(marks=",".join("?" * len(fine))), (*fine, *place))
    series = [await _home(db, home, measure, slots=slots) for home in sorted(coarse)]
    return hood_series(measure, slots, sums=[(row[0], row[1], row[2]) for row in sums], coarse_homes=series)
