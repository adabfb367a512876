"""Findings and the board's decisions on them; triggers forbid changing a row."""

# ruff: noqa: S608 - only constant column lists and conditions are put into SQL here; values are bound.

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.storage.finding_records import ConnectionAgreement, FindingDecision, FindingRow, NewFinding, SlotDecision
from hub.storage.records import Access
from hub.storage.sql.access_log import SqlAccessLog
from hub.storage.sql.connection import Connection, Row
from protocols.quantities import Measure
from protocols.slots import Slot

_FOUND: Final = "home, code, measure, first_slot, slots, severity, numbers, sentence"
_OPEN_SQL = f"""SELECT id, {_FOUND} FROM finding WHERE day = ?
AND NOT EXISTS (SELECT 1 FROM finding_closed WHERE finding = finding.id)"""
_INSERT_SQL = f"INSERT INTO finding (day, found_at, {_FOUND}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_LOOKED_SQL = """INSERT INTO looked_through VALUES (?, ?)
ON CONFLICT (day) DO UPDATE SET message_position = excluded.message_position"""
_IS_WAITING = """severity = 'hold' AND NOT EXISTS (SELECT 1 FROM finding_closed WHERE finding = finding.id)
AND NOT EXISTS (SELECT 1 FROM finding_decision WHERE finding = finding.id)"""
_OF_ALL = f"""SELECT id FROM finding WHERE day >= ?1
UNION SELECT id FROM finding WHERE {_IS_WAITING}"""
_OF_HOME = f"""SELECT id FROM finding WHERE home = ?2 AND day >= ?1
UNION SELECT id FROM finding WHERE home = ?2 AND {_IS_WAITING}"""
_OF_NUMBER = f"SELECT id FROM finding WHERE id = ?2 AND (day >= ?1 OR ({_IS_WAITING}))"
# A finding of these slots began no earlier than the longest finding's length before them.
_SLOTS_SQL = """SELECT d.id, f.home, f.code, f.measure, f.first_slot, f.slots, d.verdict
FROM finding AS f JOIN finding_decision AS d ON d.finding = f.id
WHERE f.first_slot < ?1 AND f.first_slot > ?2 - (SELECT max(slots) FROM finding)
AND f.first_slot + f.slots > ?2 ORDER BY d.id"""
_LAST_SQL = "SELECT coalesce(max(id), 0) FROM finding_decision WHERE finding = ?"
_DECIDE_SQL = """INSERT INTO finding_decision (finding, board_member, verdict, reason, decided_at)
VALUES (?, ?, ?, ?, ?)"""

_AGREE_SQL = """INSERT INTO connection_agreement (home, power_w, since_slot, board_member, entered_at)
VALUES (?, ?, ?, ?, ?)"""
_AGREED_SQL = """SELECT home, power_w, since_slot, board_member, entered_at FROM connection_agreement
WHERE since_slot <= ? ORDER BY since_slot, id"""


@dataclass(frozen=True, slots=True)
class _Statements:
    """What is read of some findings: how many there are of each home, the findings, and the board's decisions."""

    homes: str
    rows: str
    decisions: str


def _statements_of(ids: str, severity: str) -> _Statements:
    return _Statements(
        homes=f"SELECT home, count(*) FROM finding WHERE id IN ({ids}) AND {severity} GROUP BY home ORDER BY home",
        rows=f"""SELECT finding.id, day, found_at, reason, closed_at, {_FOUND}
            FROM finding LEFT JOIN finding_closed ON finding_closed.finding = finding.id
            WHERE finding.id IN ({ids}) AND {severity} ORDER BY finding.id""",
        decisions=f"""SELECT id, finding, board_member, verdict, reason, decided_at FROM finding_decision
            WHERE finding IN ({ids}) ORDER BY id""",
    )


_CHOSEN: Final = {
    (_OF_ALL, True): _statements_of(_OF_ALL, "TRUE"),
    (_OF_ALL, False): _statements_of(_OF_ALL, "severity <> 'note'"),
    (_OF_HOME, True): _statements_of(_OF_HOME, "TRUE"),
    (_OF_HOME, False): _statements_of(_OF_HOME, "severity <> 'note'"),
    (_OF_NUMBER, True): _statements_of(_OF_NUMBER, "TRUE"),
    (_OF_NUMBER, False): _statements_of(_OF_NUMBER, "severity <> 'note'"),
}
"""By which findings are meant, and whether notes are among them."""


class SqlFindings(SqlAccessLog):
    """The FindingStore slice."""

    async def put_findings(
        self, day: str, found: Sequence[NewFinding], *, closing: str, at: int, message_position: int
    ) -> None:
        """Replace a day's open findings: new ones are added, and those not found again are closed for this reason."""

        async def work(db: Connection) -> None:
            open_ids = {tuple(row)[1:]: int(row[0]) for row in await db.execute_fetchall(_OPEN_SQL, (day,))}
            now = {_values(each) for each in found}
            gone = [(open_ids[values], closing, at) for values in open_ids if values not in now]
            fresh = [(day, at, *values) for values in sorted(now, key=str) if values not in open_ids]
            # If power fails before the commit, the day counts as not checked, and the next check does it again.
            await db.executemany("INSERT INTO finding_closed VALUES (?, ?, ?)", gone)
            await db.executemany(_INSERT_SQL, fresh)
            await db.execute(_LOOKED_SQL, (day, message_position))

        await self.write(work)

    async def looked_through(self, *, days: tuple[str, str]) -> dict[str, int]:
        """The newest message at the time of the check, for each day checked. `days` includes both ends."""
        async with self.reading() as db:
            rows = await db.execute_fetchall("SELECT * FROM looked_through WHERE day >= ? AND day <= ?", days)
        return {str(day): int(position) for day, position in rows}

    async def findings(
        self, *, access: Access, home: str | None = None, number: int | None = None, since: str = "", notes: bool = True
    ) -> tuple[FindingRow, ...]:
        """Findings from a local day onwards and all that await the board, oldest first; the access is logged."""
        asked: dict[str, object] = {_OF_ALL: None, _OF_HOME: home, _OF_NUMBER: number}
        ids = next((each for each in (_OF_NUMBER, _OF_HOME) if asked[each] is not None), _OF_ALL)
        values = (since,) if ids == _OF_ALL else (since, asked[ids])
        chosen = _CHOSEN[ids, notes]
        async with self.reading() as db:
            counts = await db.execute_fetchall(chosen.homes, values)
        homes = {str(each): int(count) for each, count in counts if home in (None, each)}
        await self.log_lines([(access, [each], "findings", count) for each, count in homes.items()])

        async def work(db: Connection) -> tuple[list[Row], list[Row]]:
            rows = [row for row in await db.execute_fetchall(chosen.rows, values) if row[5] in homes]
            return rows, await db.execute_fetchall(chosen.decisions, values)

        rows, decided = await self.read(work)
        decisions: dict[int, list[FindingDecision]] = defaultdict(list)
        for each in decided:
            decisions[each[1]].append(FindingDecision(*each))
        return tuple(_row(row, decisions[row[0]]) for row in rows)

    async def findings_waiting(self, home: str) -> int:
        """How many findings are holding back credits for this home. Reads no values."""
        async with self.reading() as db:
            sql = f"SELECT count(*) FROM finding WHERE home = ? AND {_IS_WAITING}"
            return int(next(iter(await db.execute_fetchall(sql, (home,))))[0])

    async def decide_finding(
        self, finding: int, *, board_member: str, verdict: str, reason: str, at: int, after: int
    ) -> str | None:
        """Add a decision that follows `after`, the last one the board member saw (0: none).

        On a closed finding, a decision can be replaced but not added.
        """

        async def work(db: Connection) -> str | None:
            if not list(await db.execute_fetchall("SELECT 1 FROM finding WHERE id = ?", (finding,))):
                return "unknown"
            ((last,),) = await db.execute_fetchall(_LAST_SQL, (finding,))
            is_closed = list(await db.execute_fetchall("SELECT 1 FROM finding_closed WHERE finding = ?", (finding,)))
            if is_closed and not last:
                return "closed"
            if last != after:
                return "decided meanwhile"
            # If power fails before the commit, nothing was decided and the credits stay on hold.
            await db.execute(_DECIDE_SQL, (finding, board_member, verdict, reason, at))
            return None

        return await self.write(work)

    async def slot_decisions(self, *, slots: range) -> tuple[SlotDecision, ...]:
        """All decisions that concern these slots, in the order in which they were made."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_SLOTS_SQL, (slots.stop, slots.start))
        return tuple(SlotDecision(row[0], row[1], row[2], _measure(row[3]), *row[4:]) for row in rows)

    async def add_connection_agreement(self, new: ConnectionAgreement) -> None:
        """Enter the most power of a home's connection; an earlier figure stays on record."""
        row = (new.home, new.power_w, new.since_slot, new.board_member, new.entered_at)

        async def work(db: Connection) -> None:
            # If power fails before the commit, the figure is not in force and the command has not said that it is.
            await db.execute(_AGREE_SQL, row)

        await self.write(work)

    async def connection_agreements(self, slot: Slot) -> dict[str, ConnectionAgreement]:
        """By home, the one in force in this slot: the newest that began."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_AGREED_SQL, (slot,))
        return {str(row[0]): ConnectionAgreement(*row) for row in rows}


def _values(found: NewFinding) -> tuple[object, ...]:
    numbers = json.dumps(dict(found.numbers), separators=(",", ":"))
    place = (found.first_slot, found.slots, found.severity, numbers, found.sentence)
    return (found.home, found.code, 0 if found.measure is None else int(found.measure), *place)


def _measure(number: int) -> Measure | None:
    return Measure(number) if number else None


def _row(row: Any, decisions: Sequence[FindingDecision]) -> FindingRow:
    number, day, found_at, closed, closed_at, home, code, measure, first_slot, slots, severity, numbers, sentence = row
    named = tuple((str(name), int(value)) for name, value in json.loads(numbers).items())
    found = NewFinding(home, code, _measure(measure), first_slot, slots, severity, named, sentence)
    return FindingRow(number, day, found, found_at, closed, closed_at, tuple(decisions))
