"""Published street totals and the groups they were made from,. Rows are added once and never changed."""

import asyncio
import json
from collections.abc import Sequence

from hub.storage.sql.connection import Row, Transactions
from hub.storage.street_records import RunGroup, StreetTotal
from protocols.quantities import Measure
from protocols.slots import Slot

_DAY_SQL = ("SELECT homes FROM street_day WHERE day = ?", "INSERT INTO street_day VALUES (?, ?) ON CONFLICT DO NOTHING")
_RUN_SQL = (
    "SELECT open_homes, plants, was_shown FROM run_group WHERE run_key = ?",
    "INSERT INTO run_group (run_key, open_homes, plants) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
)
_REPORTED_SQL = """SELECT slot, home FROM reading
WHERE home IN (SELECT id FROM home) AND measure = ? AND slot >= ? AND slot < ? AND span = 1 AND mark <= 1"""

# A row of each home, so that every database looks one up for each and goes through none of the others.
_SENDING_SQL = """SELECT id, (SELECT 1 FROM reading
    WHERE reading.home = home.id AND measure = ? AND slot >= ? AND slot < ? AND span = 1 AND mark <= 1 LIMIT 1)
FROM home"""


class SqlStreet(Transactions):
    """The StreetStore slice."""

    async def fix_street_day(self, day: str, *, homes: Sequence[str]) -> tuple[str, ...]:
        """The day's group; the first call of the day decides it."""
        row = await self._fix(_DAY_SQL, day, homes)
        return tuple(str(home) for home in json.loads(row[0]))

    async def fix_run_group(self, run_key: str, *, homes: Sequence[str], plants: Sequence[str]) -> RunGroup:
        """The run's group; the first call for the run decides it."""
        row = await self._fix(_RUN_SQL, run_key, homes, plants)
        return RunGroup(frozenset(json.loads(row[0])), frozenset(json.loads(row[1])), bool(row[2]))

    async def _fix(self, sql: tuple[str, str], name: str, *groups: Sequence[str]) -> Row:
        select, insert = sql
        held = await self._held(select, name)
        if held is None:
            line = (name, *(json.dumps(sorted(group)) for group in groups))
            await self.write(lambda db: db.execute(insert, line))
            held = await self._held(select, name)
        assert held is not None
        return held

    async def _held(self, select: str, name: str) -> Row | None:
        async with self.reading() as db:
            rows = list(await db.execute_fetchall(select, (name,)))
        return rows[0] if rows else None

    async def add_street_totals(self, rows: Sequence[StreetTotal]) -> None:
        """Publish totals; a slot that has one already keeps it."""
        lines = await asyncio.to_thread(_lines_of, rows)
        sql = "INSERT INTO street_total VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        await self.write(lambda db: db.executemany(sql, lines))

    async def street_totals(self, *, slots: range) -> dict[Slot, StreetTotal]:
        """The published totals of these slots."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                "SELECT slot, homes, makers, sun_wh, wind_wh, used_wh FROM street_total WHERE slot >= ? AND slot < ?",
                (slots.start, slots.stop),
            )
        # Not by the event loop, here and below: each total names all homes.
        return await asyncio.to_thread(_totals_of, rows)

    async def reporting_homes(
        self, measures: Sequence[Measure], *, slots: range
    ) -> dict[Measure, dict[Slot, frozenset[str]]]:
        """Which homes have a usable quarter-hour value of each measure, by slot. Reads no value."""
        found: dict[Measure, dict[Slot, frozenset[str]]] = {}
        async with self.reading() as db:
            for measure in measures:
                rows = await db.execute_fetchall(_REPORTED_SQL, (int(measure), slots.start, slots.stop))
                found[measure] = await asyncio.to_thread(_by_slot, rows)
        return found

    async def sending_homes(self, measures: Sequence[Measure], *, slots: range) -> dict[Measure, frozenset[str]]:
        """Which homes have a usable quarter-hour value of each measure in any of these slots. Reads no value."""
        found: dict[Measure, frozenset[str]] = {}
        async with self.reading() as db:
            for measure in measures:
                rows = await db.execute_fetchall(_SENDING_SQL, (int(measure), slots.start, slots.stop))
                found[measure] = frozenset(str(home) for home, sends in rows if sends)
        return found


def _lines_of(rows: Sequence[StreetTotal]) -> list[Row]:
    return [(row.slot, json.dumps(row.homes), row.makers, row.sun_wh, row.wind_wh, row.used_wh) for row in rows]


def _totals_of(rows: Sequence[Row]) -> dict[Slot, StreetTotal]:
    return {row[0]: StreetTotal(row[0], tuple(json.loads(row[1])), *row[2:]) for row in rows}


def _by_slot(rows: Sequence[Row]) -> dict[Slot, frozenset[str]]:
    found: dict[Slot, set[str]] = {}
    for slot, home in rows:
        found.setdefault(slot, set()).add(str(home))
    return {slot: frozenset(homes) for slot, homes in found.items()}
