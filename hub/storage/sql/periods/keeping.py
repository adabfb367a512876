"""Keeps the sums of hours, days and months of each home's readings, in the transaction that stores the readings.

The rule: `period_home.through_slot` says until where a home's sums are made. A period has a row from the commit that
brings a slot at or after its last one, if any reading lies in it; it is made from the readings as they are then.
Whatever comes later for a slot of such a period makes its rows again. What is not over yet stands in the readings
alone. So a quarter hour costs nothing more until it ends an hour, and no row is ever corrected by a difference.
An hour of which nothing was there before is made from the readings in hand, and not read again.

Only energy that was measured or derived counts, and with it how many slots it covers. A total of several slots counts
where it lies wholly within the hour or day and nothing finer of its measure does. A month is the sum of its days.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from hub.core.homes.periods import PeriodKind, days_in, period_of, periods_ending
from hub.storage.sql.connection import Connection
from protocols.quantities import Mark, Measure
from protocols.slots import SLOTS_PER_HOUR, Slot

MOST_AT_ONCE: Final = 40 * 96
"""How many slots a home's sums go on in one transaction. What lies further back is made by `fill`, step by step."""

MEASURES: Final = tuple(Measure)
COLUMNS: Final = tuple(column for m in MEASURES for column in (f"{m.code}_wh", f"{m.code}_slots"))
_PLACES: Final = {int(m): COLUMNS.index(f"{m.code}_wh") for m in MEASURES}
_MOST_DAYS: Final = 31
_PICKED: Final = ", ".join(
    f"CAST(max(CASE WHEN measure = {m:d} THEN {what} END) AS BIGINT)" for m in MEASURES for what in ("wh", "covered")
)
_ADDED: Final = ", ".join(f"CAST(sum({column}) AS BIGINT)" for column in COLUMNS)
_REPLACED: Final = ", ".join(f"{column} = excluded.{column}" for column in ("slots", *COLUMNS))
_MEASURES: Final = ", ".join(str(int(measure)) for measure in MEASURES)
_DAYS: Final = ", ".join(f"?{number}" for number in range(4, 4 + _MOST_DAYS))
_FROM_READINGS_SQL: Final = f"""INSERT INTO period_sum
SELECT CAST(?1 AS BIGINT), CAST(?2 AS BIGINT), CAST(?3 AS TEXT), CAST(?4 AS BIGINT), {_PICKED} FROM (
    SELECT measure, sum(CASE WHEN counts = 1 THEN energy_wh END) AS wh,
        sum(CASE WHEN counts = 1 THEN span END) AS covered
    FROM (SELECT measure, energy_wh, span, CASE WHEN mark <= 1 AND slot >= ?2 + span - 1 AND (span = 1 OR NOT EXISTS
            (SELECT 1 FROM reading AS finer WHERE finer.home = r.home AND finer.measure = r.measure
            AND finer.slot > r.slot - r.span AND finer.slot <= r.slot AND finer.span < r.span))
            THEN 1 ELSE 0 END AS counts
        FROM reading AS r WHERE home = ?3 AND measure IN ({_MEASURES}) AND slot >= ?2 AND slot < ?2 + ?4) AS own
    GROUP BY measure) AS sums
HAVING count(*) > 0
ON CONFLICT (kind, first_slot, home) DO UPDATE SET {_REPLACED}"""  # noqa: S608 - only columns and numbers of measures
_FROM_DAYS_SQL: Final = f"""INSERT INTO period_sum
SELECT 3, CAST(?1 AS BIGINT), CAST(?2 AS TEXT), CAST(?3 AS BIGINT), {_ADDED} FROM period_sum
WHERE kind = 2 AND home = ?2 AND first_slot IN ({_DAYS})
HAVING count(*) > 0
ON CONFLICT (kind, first_slot, home) DO UPDATE SET {_REPLACED}"""  # noqa: S608 - only column names are put into it
_MARKS: Final = ", ".join("?" for _ in COLUMNS)
_HOUR_SQL: Final = f"""INSERT INTO period_sum VALUES (?, ?, ?, ?, {_MARKS})
ON CONFLICT (kind, first_slot, home) DO UPDATE SET {_REPLACED}"""  # noqa: S608 - only question marks and columns
_STATES_SQL: Final = "SELECT home, through_slot FROM period_home WHERE home IN ({marks})"
_STATE_SQL: Final = """INSERT INTO period_home VALUES (?, ?) ON CONFLICT (home) DO UPDATE SET
    through_slot = excluded.through_slot"""
_HEARD_SQL: Final = """SELECT DISTINCT agent.home_id FROM agent JOIN chain_head AS h ON h.agent = agent.id
WHERE agent.home_id IN ({marks}) AND h.last_slot IS NOT NULL"""
_TZ_SQL: Final = "SELECT tz FROM coop"

Period = tuple[Slot, str, int]
Periods = dict[PeriodKind, set[Period]]
"""(first slot, home, number of slots) of the periods to be made, by kind."""

Reading = tuple[str, int, Slot, int, int | None, int, int]
"""A row of the readings: home, measure, slot, span, energy_wh, mark, gap."""


async def keep_sums(db: Connection, readings: Sequence[Reading], newest: Mapping[str, Slot]) -> None:
    """Make the sums that these stored readings end or change; their agents' heads are not moved on yet.

    `newest`: behind this slot, nothing of the home was stored before.
    """
    slots: dict[str, set[Slot]] = defaultdict(set)
    for home, _, slot, *_ in readings:
        slots[home].add(slot)
    known = await _states(db, sorted(slots))
    if new := sorted(slots.keys() - known.keys()):
        marks = ",".join("?" * len(new))
        heard = {str(row[0]) for row in await db.execute_fetchall(_HEARD_SQL.format(marks=marks), new)}
        # A home that was heard before its sums were begun waits until `fill` begins them.
        known |= {home: _hour_before(min(slots[home])) for home in new if home not in heard}
    work = {
        home: (known[home], own)
        for home, own in slots.items()
        if home in known and (min(own) <= known[home] or max(own) >= known[home] + SLOTS_PER_HOUR)
    }
    begun = {home: known[home] for home in new if home in known}
    if work or begun:
        ((tz,),) = await db.execute_fetchall(_TZ_SQL)
        wanted, moved = _periods_of(work, tz=str(tz))
        hours = _hours_in_hand(wanted[PeriodKind.HOUR], readings, newest)
        await db.put_rows(_HOUR_SQL, [(int(PeriodKind.HOUR), *hour, *sums) for hour, sums in sorted(hours.items())])
        wanted[PeriodKind.HOUR] -= hours.keys()
        await make_sums(db, wanted, tz=str(tz))
        if moved := {**begun, **moved}:
            await db.put_rows(_STATE_SQL, sorted(moved.items()))


def _hours_in_hand(
    wanted: AbstractSet[Period], readings: Sequence[Reading], newest: Mapping[str, Slot]
) -> dict[Period, list[int | None]]:
    """The sums of those of these hours that lie behind all that the home had sent and hold quarter hours alone."""
    own = {(home, first): (first, home, count) for first, home, count in wanted if first > newest[home]}
    found: dict[Period, list[int | None]] = {}
    coarse: set[Period] = set()
    for home, measure, slot, span, energy_wh, mark, _ in readings:
        hour = own.get((home, slot - slot % SLOTS_PER_HOUR))
        if hour is None:
            continue
        if (sums := found.get(hour)) is None:
            sums = found[hour] = [None] * len(COLUMNS)
        if span > 1:
            coarse.add(hour)
        elif mark <= Mark.DERIVED and energy_wh is not None:
            at = _PLACES[measure]
            sums[at] = (sums[at] or 0) + energy_wh
            sums[at + 1] = (sums[at + 1] or 0) + 1
    return {hour: sums for hour, sums in found.items() if hour not in coarse}


def _periods_of(work: Mapping[str, tuple[Slot, AbstractSet[Slot]]], *, tz: str) -> tuple[Periods, dict[str, Slot]]:
    """The periods to be made, and how far each home's sums go then."""
    wanted: Periods = {kind: set() for kind in PeriodKind}
    moved: dict[str, Slot] = {}
    for home, (through, own) in work.items():
        ended = (max(own) + 1) // SLOTS_PER_HOUR * SLOTS_PER_HOUR - 1
        until = ended if through < ended <= through + MOST_AT_ONCE else through
        changed = sorted(slot for slot in own if slot <= until)
        for kind in PeriodKind:
            periods = _periods_with(kind, changed, tz)
            periods |= set(periods_ending(kind, range(through + 1, until + 1), tz))
            wanted[kind] |= {(each.start, home, len(each)) for each in periods if each.stop - 1 <= until}
        if until > through:
            moved[home] = until
    return wanted, moved


def _periods_with(kind: PeriodKind, slots: Sequence[Slot], tz: str) -> set[range]:
    """The periods in which these slots lie, which are in order: most are in the period of the one before."""
    found: set[range] = set()
    period = range(0)
    for slot in slots:
        if slot not in period:
            period = period_of(kind, slot, tz)
            found.add(period)
    return found


async def make_sums(db: Connection, wanted: Periods, *, tz: str) -> None:
    """Make the rows of these periods from the readings, and those of months from their days."""
    rows = [(int(kind), *each) for kind in (PeriodKind.HOUR, PeriodKind.DAY) for each in sorted(wanted[kind])]
    if rows:
        await db.put_rows(_FROM_READINGS_SQL, rows)
    months = []
    for first, home, length in sorted(wanted[PeriodKind.MONTH]):
        days = [day.start for day in days_in(range(first, first + length), tz)]
        months.append((first, home, length, *days, *days[-1:] * (_MOST_DAYS - len(days))))
    if months:
        await db.put_rows(_FROM_DAYS_SQL, months)


async def set_through(db: Connection, home: str, through: Slot) -> None:
    """Note that the home's sums are made until this slot."""
    await db.execute(_STATE_SQL, (home, through))


async def _states(db: Connection, homes: Sequence[str]) -> dict[str, Slot]:
    marks = ",".join("?" * len(homes))
    rows = await db.execute_fetchall(_STATES_SQL.format(marks=marks), list(homes))
    return {str(home): int(through) for home, through in rows}


def _hour_before(slot: Slot) -> Slot:
    """The last slot before the hour of this one."""
    return slot - slot % SLOTS_PER_HOUR - 1
