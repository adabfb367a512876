"""Reads the sums of homes over hours, days and months, and makes those of a time before there were any."""

# ruff: noqa: S608 - only constant column lists and question marks are put into SQL here; values are bound.

from collections.abc import AsyncIterator, Sequence
from typing import Final

from hub.core.homes.periods import PeriodKind, period_of, periods_ending
from hub.storage.records import Access
from hub.storage.sql.access_log import SqlAccessLog
from hub.storage.sql.connection import Connection, Row
from hub.storage.sql.periods.keeping import COLUMNS, MEASURES, MOST_AT_ONCE, Periods, make_sums, set_through
from hub.storage.street_records import CountedReading, PeriodSum
from protocols.quantities import Measure
from protocols.slots import SLOTS_PER_HOUR, Slot

STEP: Final = 10 * 96
"""How many slots of a home `go_on_with_sums` makes in one commit: other writers wait no longer than that."""

_COLUMNS: Final = ", ".join(COLUMNS)
_OF_HOME_SQL: Final = f"""SELECT kind, first_slot, home, slots, {_COLUMNS} FROM period_sum
WHERE kind = ? AND home = ? AND first_slot IN ({{marks}}) ORDER BY first_slot"""
_STORED_SQL: Final = f"""SELECT kind, first_slot, home, slots, {_COLUMNS} FROM period_sum
WHERE kind = ? AND first_slot >= ? AND first_slot < ? ORDER BY first_slot, home"""
_WAITING_SQL: Final = """SELECT agent.home_id, min(p.through_slot), max(h.last_slot) FROM agent
JOIN chain_head AS h ON h.agent = agent.id LEFT JOIN period_home AS p ON p.home = agent.home_id
WHERE h.last_slot IS NOT NULL AND agent.home_id NOT IN (SELECT home FROM erasure)
GROUP BY agent.home_id HAVING min(p.through_slot) IS NULL OR min(p.through_slot) < max(h.last_slot) - ?
ORDER BY agent.home_id"""
_STATE_SQL: Final = "SELECT through_slot FROM period_home WHERE home = ?"
_STATES_SQL: Final = "SELECT home, through_slot FROM period_home ORDER BY home"
_FIRST_SQL: Final = "SELECT min(slot) FROM reading WHERE home = ? AND measure = ?"
_LAST_SQL: Final = "SELECT max(slot) FROM reading WHERE home = ? AND measure = ?"
_READINGS_SQL: Final = """SELECT measure, slot, span, energy_wh, mark FROM reading
WHERE home = ? AND measure = ? AND slot >= ? AND slot < ? ORDER BY slot, span"""
_DELETE_SQL: Final = "DELETE FROM period_sum WHERE kind = ? AND first_slot = ? AND home = ?"
_FORGET_SQL: Final = "DELETE FROM period_home WHERE home = ?"
MONTH_MOST: Final = 32 * 96
"""More slots than the longest month has."""


class SqlPeriodSums(SqlAccessLog):
    """The PeriodSumStore slice."""

    async def period_sums(
        self, home: str, kind: PeriodKind, *, firsts: Sequence[Slot], access: Access
    ) -> tuple[PeriodSum, ...]:
        """The home's sums of the periods that begin with these slots; the access is logged first (I12)."""
        fields = ", ".join(sorted(measure.code for measure in Measure))
        await self.log_access(access, [home], fields=f"sums of {fields}", rows=len(firsts))
        if not firsts:
            return ()
        sql = _OF_HOME_SQL.format(marks=",".join("?" * len(firsts)))
        async with self.reading() as db:
            return tuple(_sum_of(row) for row in await db.execute_fetchall(sql, (int(kind), home, *firsts)))

    async def homes_without_sums(self) -> tuple[str, ...]:
        """Homes whose sums are not begun, or so far behind their readings that intake does not go on with them."""
        async with self.reading() as db:
            return tuple(str(row[0]) for row in await db.execute_fetchall(_WAITING_SQL, (MOST_AT_ONCE,)))

    async def go_on_with_sums(self, home: str) -> bool:
        """Make the home's sums of ten more days, in one transaction; False once they have come up to its readings."""

        async def work(db: Connection) -> bool:
            ((tz,),) = await db.execute_fetchall("SELECT tz FROM coop")
            state = await db.execute_fetchall(_STATE_SQL, (home,))
            first, last = await _ends(db, home)
            if first is None or last is None:
                return False
            through = int(state[0][0]) if state else first - first % SLOTS_PER_HOUR - 1
            until = min(through + STEP, (last + 1) // SLOTS_PER_HOUR * SLOTS_PER_HOUR - 1)
            ends = range(through + 1, until + 1)
            wanted: Periods = {
                kind: {(each.start, home, len(each)) for each in periods_ending(kind, ends, str(tz))}
                for kind in PeriodKind
            }
            # If power fails before the commit, the next run begins with the same days.
            await make_sums(db, wanted, tz=str(tz))
            await set_through(db, home, max(until, through))
            return until + SLOTS_PER_HOUR <= last

        return await self.write(work)

    async def make_sums_again(self, periods: Sequence[tuple[PeriodKind, Slot, str]]) -> None:
        """Make the sums of these (kind, first slot, home) from the readings, in one transaction.

        One of which there are no readings, or that is not over yet, is removed.
        """

        async def work(db: Connection) -> None:
            ((tz,),) = await db.execute_fetchall("SELECT tz FROM coop")
            wanted: Periods = {kind: set() for kind in PeriodKind}
            made: dict[str, range] = {}
            for kind, first, home in periods:
                if home not in made:
                    made[home] = await _made(db, home)
                if first not in made[home]:  # what a forger wrote may be the slot of no date
                    continue
                period = period_of(kind, first, str(tz))
                if period.start == first and period.stop <= made[home].stop:
                    wanted[kind].add((first, home, len(period)))
            # If power fails before the commit, the sums are as they were.
            await db.executemany(_DELETE_SQL, [(int(kind), first, home) for kind, first, home in periods])
            await make_sums(db, wanted, tz=str(tz))

        await self.write(work)

    async def correct_sums_through(self, home: str) -> None:
        """Where the home's sums are said to be made further than its readings go, say how far they can be."""

        async def work(db: Connection) -> None:
            state = await db.execute_fetchall(_STATE_SQL, (home,))
            _, last = await _ends(db, home)
            if last is None:
                await db.execute(_FORGET_SQL, (home,))
            elif state:
                most = min(int(state[0][0]), last)
                await set_through(db, home, (most + 1) // SLOTS_PER_HOUR * SLOTS_PER_HOUR - 1)

        await self.write(work)

    async def sums_through(self) -> dict[str, Slot]:
        """Until which slot each home's sums are made."""
        async with self.reading() as db:
            return {str(home): int(slot) for home, slot in await db.execute_fetchall(_STATES_SQL)}

    async def stored_sums(self, kind: PeriodKind, *, slots: range) -> tuple[PeriodSum, ...]:
        """All homes' sums of the periods that begin in these slots, for verification; by period and home."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_STORED_SQL, (int(kind), slots.start, slots.stop))
        return tuple(_sum_of(row) for row in rows)

    async def counted_readings(
        self, homes: Sequence[str], *, slots: range, access: Access
    ) -> AsyncIterator[tuple[str, list[CountedReading]]]:
        """Each home's stored readings of these slots, for verification; the access is logged first (I12)."""
        await self.log_access(access, homes, fields="all readings", rows=len(slots))
        for home in homes:
            async with self.reading() as db:
                rows: list[CountedReading] = [
                    (row[0], row[1], row[2], row[3], row[4])
                    for measure in MEASURES
                    for row in await db.execute_fetchall(_READINGS_SQL, (home, int(measure), slots.start, slots.stop))
                ]
            yield home, rows

    async def reading_ends(self, home: str) -> tuple[Slot, Slot] | None:
        """The first and the last slot with a reading of this home; None without any. Reads no value."""

        async def work(db: Connection) -> tuple[Slot, Slot] | None:
            first, last = await _ends(db, home)
            return None if first is None or last is None else (first, last)

        return await self.read(work)


async def erase_sums(db: Connection, home: str, *, tz: str) -> None:
    """Delete the home's sums, each by its key; its readings must still be there."""
    state = await db.execute_fetchall(_STATE_SQL, (home,))
    first, last = await _ends(db, home)
    if state and first is not None and last is not None:
        ends = range(first, max(last, int(state[0][0])) + 1)
        rows = [(int(k), each.start, home) for k in PeriodKind for each in periods_ending(k, ends, tz)]
        await db.executemany(_DELETE_SQL, rows)
    await db.execute(_FORGET_SQL, (home,))


async def _made(db: Connection, home: str) -> range:
    """The slots in which periods of this home can begin and end: from a month before its readings to where its sums
    are made.
    """
    state = await db.execute_fetchall(_STATE_SQL, (home,))
    first, _ = await _ends(db, home)
    return range(0) if first is None or not state else range(first - MONTH_MOST, int(state[0][0]) + 1)


async def _ends(db: Connection, home: str) -> tuple[Slot | None, Slot | None]:
    """The home's first and last slot with a reading of any measure."""
    firsts = [await db.execute_fetchall(_FIRST_SQL, (home, int(measure))) for measure in MEASURES]
    lasts = [await db.execute_fetchall(_LAST_SQL, (home, int(measure))) for measure in MEASURES]
    found = [int(rows[0][0]) for rows in firsts if rows[0][0] is not None]
    ended = [int(rows[0][0]) for rows in lasts if rows[0][0] is not None]
    return min(found, default=None), max(ended, default=None)


def _sum_of(row: Row) -> PeriodSum:
    kind, first, home, slots, *columns = row
    energy = {m: int(columns[2 * n]) for n, m in enumerate(MEASURES) if columns[2 * n] is not None}
    covered = {m: int(columns[2 * n + 1]) for n, m in enumerate(MEASURES) if columns[2 * n + 1] is not None}
    return PeriodSum(PeriodKind(kind), int(first), str(home), int(slots), energy, covered)
