"""Reads homes' values from the store. Every method that returns values first commits its lines to the access log (I12).

numpy is loaded by the first method that returns arrays, so a process that asks for none (intake) does without it.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hub.core.homes.meter_trust import meter_spans
from hub.core.rules.derived_energy import NO_DERIVED, DerivedRule
from hub.storage.life_records import SettledPeople
from hub.storage.records import (
    MAX_SPAN,
    Access,
    HomeSeries,
    HoodSeries,
    LongIntervalRow,
    SeriesRow,
    SettlementInputs,
)
from hub.storage.sql.access_log import SqlAccessLog
from hub.storage.sql.connection import Connection
from hub.storage.sql.people.agent_keys import held_spans, new_keys
from hub.storage.sql.people.meter_notices import told_meters
from protocols.quantities import Mark, Measure
from protocols.slots import Slot
from protocols.wire.readings import MAX_LONG_SLOTS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hub.storage.series import MemberRow

    _Settled = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]

MOST_CELLS: Final = 400_000
"""So many quarter hours are put into a table in one step: on a server's hub the event loop does it."""

NEVER: Final = 2**62
"""Stands in for the end of a membership that lasts."""

_ROWS_SQL = """SELECT slot, span, energy_wh, mark, gap FROM reading
WHERE home = ? AND measure = ? AND slot >= ? AND slot < ?"""
_COARSE_SQL = """SELECT DISTINCT home FROM reading
WHERE home IN ({marks}) AND measure = ? AND slot >= ? AND slot < ? AND span > 1"""
_SUMS_SQL = """SELECT slot, sum(energy_wh), count(*) FROM reading
WHERE home IN ({marks}) AND measure = ? AND slot >= ? AND slot < ? AND span = 1 AND mark <= 1 GROUP BY slot"""
_MEASURES = ", ".join(str(int(measure)) for measure in Measure)
_LONG_SQL = f"""SELECT home, measure, first_slot, slots, energy_wh FROM long_interval
WHERE home = ? AND measure IN ({_MEASURES}) AND first_slot > ? AND first_slot < ? AND first_slot + slots > ?
ORDER BY first_slot, measure, slots"""  # noqa: S608 - only the measures' numbers are put into it
# Whatever changes a member, a home or an agent writes its line of the log of changes in the same transaction.
_MARK_SQL = """SELECT (SELECT coalesce(max(id), 0) FROM member_change),
(SELECT coalesce(max(id), 0) FROM measure_source), (SELECT coalesce(max(id), 0) FROM meter_notice),
(SELECT coalesce(max(id), 0) FROM finding_decision), (SELECT coalesce(max(serial), 0) FROM map_release)"""
_CHANGED_SQL = """SELECT DISTINCT first_slot, last_slot FROM message
WHERE position > ? AND first_slot IS NOT NULL AND last_slot IS NOT NULL"""
_SINCE_SQL = """SELECT last_slot, max(position) FROM message
WHERE position > ? AND last_slot IS NOT NULL GROUP BY last_slot"""
_NEWEST_SQL = """WITH RECURSIVE asked(slot) AS (
    SELECT CAST(?1 AS BIGINT) UNION ALL SELECT slot + 1 FROM asked WHERE slot + 1 < ?2)
SELECT slot, (SELECT max(position) FROM message WHERE last_slot = slot) FROM asked"""


class SqlSeries(SqlAccessLog):
    """The reading half of the ReadingStore slice."""

    async def home_series(
        self, home: str, measures: Sequence[Measure], *, slots: range, access: Access
    ) -> dict[Measure, HomeSeries]:
        """A home's values; the access row is committed before any is returned, and if that fails, none is (I12)."""
        await self.log_access(access, [home], fields=_fields(measures), rows=len(slots) * len(measures))

        async def work(db: Connection) -> dict[Measure, HomeSeries]:
            return {m: await _home(db, home, m, slots=slots) for m in measures}

        return await self.read(work)

    async def homes_series(
        self, wanted: Mapping[str, Sequence[Measure]], *, slots: range, access: Access
    ) -> dict[str, dict[Measure, HomeSeries]]:
        """The values of several homes, of each the wanted measures; their access rows are committed first (I12).

        That takes a commit for each set of measures, however many homes want it.
        """
        alike: dict[tuple[Measure, ...], list[str]] = defaultdict(list)
        for home, measures in wanted.items():
            alike[tuple(measures)].append(home)
        for measures, homes in alike.items():
            await self.log_access(access, homes, fields=_fields(measures), rows=len(slots) * len(measures))

        async def work(db: Connection) -> dict[Measure, dict[str, HomeSeries]]:
            asked: dict[Measure, list[str]] = defaultdict(list)
            for home, measures in wanted.items():
                for measure in measures:
                    asked[measure].append(home)
            return {measure: await _homes(db, homes, measure, slots=slots) for measure, homes in asked.items()}

        found = await self.read(work)
        return {home: {measure: found[measure][home] for measure in measures} for home, measures in wanted.items()}

    async def hood_series(
        self, measures: Sequence[Measure], *, slots: range, access: Access, homes: Sequence[str] | None = None
    ) -> dict[Measure, HoodSeries]:
        """Sums of measured and derived values over homes; the access is logged for each home in them."""
        chosen = sorted(set(homes)) if homes is not None else await self._home_ids()
        await self.log_access(access, chosen, fields=_fields(measures), rows=len(slots) * len(measures))

        async def work(db: Connection) -> dict[Measure, HoodSeries]:
            return {m: await _hood(db, m, slots=slots, homes=chosen) for m in measures}

        return await self.read(work)

    async def settlement_inputs(
        self, *, slots: range, access: Access, derived: DerivedRule = NO_DERIVED
    ) -> SettlementInputs:
        """Meter readings of all members with a home; anything but a 15-minute counter value is -1.

        Energy that an agent derived is among them where its stated error is one that `derived` lets count.
        """
        from hub.storage.series import membership  # noqa: PLC0415 - loads numpy

        rows = await self.read(_member_rows)
        measures = (Measure.GRID_EXPORT, Measure.GRID_IMPORT)
        homes = [home for _, home, _, _ in rows]
        await self.log_access(access, homes, fields=_fields(measures), rows=len(slots) * len(measures))

        async def work(db: Connection) -> tuple[int, _Settled]:
            ((newest,),) = await db.execute_fetchall("SELECT coalesce(max(position), 0) FROM message")
            return int(newest), await _settled(db, slots=slots, homes=homes, now_s=self._now(), derived=derived)

        newest, (surplus_wh, demand_wh, held, used) = await self.read(work)
        ids = tuple(member for member, _, _, _ in rows)
        present = await asyncio.to_thread(membership, rows, slots)
        return SettlementInputs(ids, slots.start, surplus_wh, demand_wh, present, held, used, newest)

    async def settlement_members(self, *, slots: range) -> tuple[tuple[str, ...], npt.NDArray[np.bool_]]:
        """Members with a home, in byte order, and the slots in which they were members: (slots, members)."""
        from hub.storage.series import membership  # noqa: PLC0415 - loads numpy

        rows = await self.read(_member_rows)
        return tuple(member for member, _, _, _ in rows), membership(rows, slots)

    async def settled_people(self) -> SettledPeople:
        """What settlement_members and held_slots are made from, of all time."""

        async def work(db: Connection) -> SettledPeople:
            now_s = self._now()
            may_turn = any(key.may_turn(now_s) for key in await new_keys(db))
            return SettledPeople(tuple(await _member_rows(db)), tuple(await held_spans(db, now_s=now_s)), may_turn)

        return await self.read(work)

    async def settled_mark(self) -> tuple[int, ...]:
        """The newest numbers of all that settled_people and told_meters are made from: reads no other row."""
        async with self.reading() as db:
            (row,) = await db.execute_fetchall(_MARK_SQL)
        return tuple(int(number) for number in row)

    async def held_slots(self, *, slots: range) -> npt.NDArray[np.bool_]:
        """Where a home's readings wait for a new agent to count: (slots, members)."""
        from hub.storage.series import held_table  # noqa: PLC0415 - loads numpy

        async def work(db: Connection) -> npt.NDArray[np.bool_]:
            homes = [home for _, home, _, _ in await _member_rows(db)]
            return held_table(await held_spans(db, now_s=self._now()), slots, homes)

        return await self.read(work)

    async def stated_errors(self, *, slots: range) -> npt.NDArray[np.int64]:
        """The error that agents state of derived energy, in Wh and in percent, 0 where none: (slots, members, 2)."""

        async def work(db: Connection) -> npt.NDArray[np.int64]:
            homes = [home for _, home, _, _ in await _member_rows(db)]
            return await _errors(db, slots=slots, homes=homes)

        return await self.read(work)

    async def slots_changed(self, *, after: int | None) -> tuple[int, tuple[tuple[Slot, Slot], ...]]:
        """The newest message's position, and first and last slots of what came after `after`; none for None."""

        async def work(db: Connection) -> tuple[int, tuple[tuple[Slot, Slot], ...]]:
            ((newest,),) = await db.execute_fetchall("SELECT coalesce(max(position), 0) FROM message")
            rows = [] if after is None else await db.execute_fetchall(_CHANGED_SQL, (after,))
            return int(newest), tuple((int(first), int(last)) for first, last in rows)

        return await self.read(work)

    async def newest_since(self, after: int) -> tuple[int, dict[Slot, int]]:
        """The newest message's position, and that of each slot's newest batch among what came after `after`."""

        async def work(db: Connection) -> tuple[int, dict[Slot, int]]:
            ((newest,),) = await db.execute_fetchall("SELECT coalesce(max(position), 0) FROM message")
            rows = await db.execute_fetchall(_SINCE_SQL, (after,)) if newest > after else []
            return int(newest), {int(slot): int(position) for slot, position in rows}

        return await self.read(work)

    async def newest_slot(self) -> Slot | None:
        """The newest slot for which any home's batch has arrived."""
        async with self.reading() as db:
            ((newest,),) = await db.execute_fetchall("SELECT max(last_slot) FROM chain_head")
        return None if newest is None else int(newest)

    async def first_slot(self) -> Slot | None:
        """The earliest slot with a stored batch."""
        async with self.reading() as db:
            rows = list(await db.execute_fetchall("SELECT min(last_slot) FROM message WHERE last_slot IS NOT NULL"))
        return None if rows[0][0] is None else int(rows[0][0])

    async def newest_messages(self, *, slots: range) -> dict[Slot, int]:
        """The position of the newest batch, for each slot that has one stored."""
        if not slots:
            return {}
        async with self.reading() as db:
            rows = await db.execute_fetchall(_NEWEST_SQL, (slots.start, slots.stop))
        # Filtered here, because a database would look each row up a second time to filter it.
        return {slot: position for slot, position in rows if position is not None}

    async def long_intervals(self, home: str, *, slots: range, access: Access) -> tuple[LongIntervalRow, ...]:
        """Energy of this home, over any of these slots, that is known only as totals."""
        await self.log_access(access, [home], fields="totals over several quarter hours", rows=len(slots))
        async with self.reading() as db:
            place = (home, slots.start - MAX_LONG_SLOTS, slots.stop, slots.start)
            rows = await db.execute_fetchall(_LONG_SQL, place)
        return tuple(LongIntervalRow(row[0], Measure(row[1]), *row[2:]) for row in rows)

    async def _home_ids(self) -> list[str]:
        async with self.reading() as db:
            return [str(row[0]) for row in await db.execute_fetchall("SELECT id FROM home ORDER BY id")]


def _fields(measures: Sequence[Measure]) -> str:
    return ", ".join(sorted(measure.code for measure in measures))


async def _member_rows(db: Connection) -> list[MemberRow]:
    found = await db.execute_fetchall(
        "SELECT member.id, home.id, joined_at, left_at FROM member JOIN home ON home.member_id = member.id"
    )
    rows = [
        (str(member), str(home), int(joined), NEVER if left is None else int(left))
        for member, home, joined, left in found
    ]
    return sorted(rows, key=lambda row: row[0].encode("utf-8"))


async def _errors(db: Connection, *, slots: range, homes: Sequence[str]) -> npt.NDArray[np.int64]:
    from hub.storage.series import errors_table  # noqa: PLC0415 - loads numpy

    return errors_table(meter_spans(await told_meters(db)), slots, homes)


async def _metered(
    db: Connection, measure: Measure, *, slots: range, homes: Sequence[str], mark: Mark = Mark.MEASURED
) -> npt.NDArray[np.int64]:
    """The energy of these homes with this mark, -1 where there is none: (slots, homes)."""
    import numpy as np  # noqa: PLC0415 - intake does without it

    from hub.storage.series import metered_table  # noqa: PLC0415 - loads numpy

    energy_wh, first = np.empty((len(slots), len(homes)), dtype=np.int64), 0
    for part in _parts(homes, slots):
        place = (int(measure), slots.start, slots.stop, len(part), json.dumps(part), int(mark))
        ((cells, values),) = await db.execute_fetchall(db.dialect.metered_sql, place)
        here = slice(first, first + len(part))
        energy_wh[:, here] = metered_table(cells or "", values or "", slots=len(slots), homes=len(part))
        first = here.stop
    return energy_wh


async def _settled(
    db: Connection, *, slots: range, homes: Sequence[str], now_s: float, derived: DerivedRule
) -> _Settled:
    """Surplus, demand, where they wait, and where energy that an agent derived counts: each (slots, homes)."""
    import numpy as np  # noqa: PLC0415 - intake does without it

    from hub.storage.series import counting_derived, held_table  # noqa: PLC0415 - loads numpy

    measures = (Measure.GRID_EXPORT, Measure.GRID_IMPORT)
    surplus_wh, demand_wh = [await _metered(db, measure, slots=slots, homes=homes) for measure in measures]
    held = held_table(await held_spans(db, now_s=now_s), slots, homes)
    if held.any():
        surplus_wh[held], demand_wh[held] = -1, -1
    if derived.is_off:
        return surplus_wh, demand_wh, held, np.zeros_like(held)
    used = counting_derived(await _errors(db, slots=slots, homes=homes), derived) & ~held
    if used.any():
        found = [await _metered(db, each, slots=slots, homes=homes, mark=Mark.DERIVED) for each in measures]
        filled = np.zeros_like(used)
        for energy_wh, more_wh in zip((surplus_wh, demand_wh), found, strict=True):
            fills = used & (energy_wh < 0) & (more_wh >= 0)
            energy_wh[fills] = more_wh[fills]
            filled |= fills
        used = filled
    return surplus_wh, demand_wh, held, used


async def _homes(db: Connection, homes: Sequence[str], measure: Measure, *, slots: range) -> dict[str, HomeSeries]:
    """The values of several homes; those that send sums over several slots are read one by one."""
    from hub.storage.series import packed_series  # noqa: PLC0415 - loads numpy

    found: dict[str, HomeSeries] = {}
    for part in _parts(homes, slots):
        place = (int(measure), slots.start, slots.stop, json.dumps(part), MAX_SPAN)
        ((cells, packed, sums),) = await db.execute_fetchall(db.dialect.series_sql, place)
        found |= packed_series(measure, cells or "", packed or "", slots=slots, homes=part)
        for home in await _coarse(db, measure, slots=slots, homes=part) if sums else ():
            found[home] = await _home(db, home, measure, slots=slots)
    return found


def _parts(homes: Sequence[str], slots: range) -> list[Sequence[str]]:
    """The homes in parts that are small enough to be read and put into a table in one step; at least one part."""
    size = max(1, MOST_CELLS // max(1, len(slots)))
    return [homes[first : first + size] for first in range(0, max(1, len(homes)), size)]


async def _coarse(db: Connection, measure: Measure, *, slots: range, homes: Sequence[str]) -> set[str]:
    """Those of the homes that send sums over several of these slots."""
    marks = ",".join("?" * len(homes))
    place = (*homes, int(measure), slots.start, slots.stop + MAX_SPAN)
    return {str(row[0]) for row in await db.execute_fetchall(_COARSE_SQL.format(marks=marks), place)}


async def _home(db: Connection, home: str, measure: Measure, *, slots: range) -> HomeSeries:
    from hub.storage.series import home_series  # noqa: PLC0415 - loads numpy

    found = await db.execute_fetchall(_ROWS_SQL, (home, int(measure), slots.start, slots.stop + MAX_SPAN))
    rows: list[SeriesRow] = [(row[0], row[1], row[2], row[3], row[4]) for row in found]
    return home_series(home, measure, slots=slots, rows=rows)


async def _hood(db: Connection, measure: Measure, *, slots: range, homes: Sequence[str]) -> HoodSeries:
    from hub.storage.series import hood_series  # noqa: PLC0415 - loads numpy

    coarse = await _coarse(db, measure, slots=slots, homes=homes)
    fine = [home for home in homes if home not in coarse]
    sql = _SUMS_SQL.format(marks=",".join("?" * len(fine)))
    most = max(1, db.dialect.most_sorted // max(1, len(fine)) if db.dialect.most_sorted else len(slots))
    sums: list[tuple[int, int, int]] = []
    for first in range(slots.start, slots.stop, most):
        end = min(first + most, slots.stop)
        sums += [(row[0], row[1], row[2]) for row in await db.execute_fetchall(sql, (*fine, int(measure), first, end))]
    series = [await _home(db, home, measure, slots=slots) for home in sorted(coarse)]
    return hood_series(measure, slots, sums=sums, coarse_homes=series)
