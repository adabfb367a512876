"""The board's view of all homes: liveness and completeness, never a measured value (I12)."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from hub.storage.fleet_records import AgentClock, CutOff, FleetRow, FormerAgent, TakenMessages
from hub.storage.life_records import ChangeKind
from hub.storage.records import DeviceRow
from hub.storage.sql.connection import Connection, Row, Transactions
from hub.storage.sql.people.change_log import log_change
from hub.storage.sql.people.checks import by_problem
from hub.storage.sql.short_form import sealed_bytes
from protocols.quantities import Gap, Mark
from protocols.slots import start_of

_PRESENCE: Final = {
    Mark.MEASURED: "present",
    Mark.DERIVED: "derived",
    Mark.PARTIAL: "partial",
    Mark.MISSING: "missing",
}
_WAITING: Final = "waiting"
_HOMES_SQL = """SELECT home.id, home.name, agent.id, h.last_slot, h.last_received_at, h.epoch, h.seq,
    coalesce(h.messages, 0), coalesce(agent.seat, 1)
FROM home LEFT JOIN agent ON agent.home_id = home.id AND agent.revoked_at IS NULL
LEFT JOIN chain_head AS h ON h.agent = agent.id
WHERE NOT EXISTS (SELECT 1 FROM member WHERE member.id = home.member_id AND member.left_at <= ?) {and_home}
ORDER BY home.id, agent.seat"""
_HOME_FIELDS: Final = (
    *("home", "home_name", "agent", "last_slot", "last_received_at", "epoch", "seq", "stored_messages", "seat"),
)
_MARKS_SQL = """SELECT home, slot, max(mark) FROM reading
WHERE home IN (SELECT id FROM home{with_id}) AND measure IN (1, 2) AND slot >= ? AND slot < ? AND span = 1
GROUP BY home, slot"""
# Most homes' strips are of one kind from end to end: their ends say it all, and no row is handed over for each slot.
_RUNS_SQL = """SELECT home, measure, min(slot), max(slot), count(*), min(mark), max(mark) FROM reading
WHERE home IN (SELECT id FROM home{with_id}) AND measure IN (1, 2) AND slot >= ? AND slot < ? AND span = 1
GROUP BY home, measure"""
# The measures one by one: a range of them would use the key no further, and read every slot ever stored.
_GAPS_SQL = """SELECT home, gap, count(DISTINCT slot) FROM reading
WHERE home IN (SELECT id FROM home{with_id}) AND measure IN (1, 2, 3, 4, 5, 6, 7)
AND slot >= ? AND slot < ? AND gap <> 0
GROUP BY home, gap"""
_FORMER_SQL = """SELECT agent.home_id, agent.id, agent.revoked_at, r.last_at, agent.seat FROM agent
LEFT JOIN refusal AS r ON r.agent = agent.id AND r.reason = 'revoked'
WHERE agent.revoked_at IS NOT NULL {and_agent} ORDER BY agent.revoked_at, agent.id"""
_DEVICES_SQL = "SELECT home, name, state, age_s, reported_at, seat FROM device{with_home} ORDER BY home, seat, name"

_CUT_OFF_MEMBER_SQL = """SELECT home.member_id FROM cut_off JOIN agent ON agent.id = cut_off.agent
JOIN home ON home.id = agent.home_id WHERE cut_off.agent = ?"""
# An agent's messages were stored in the order of their numbers, so that the newest are found without its whole history.
_TAKEN_SQL = """SELECT kind, seq, substr(sealed, 1, 1), length(sealed) FROM
(SELECT kind, seq, received_at, sealed FROM message WHERE agent = ? ORDER BY epoch DESC, seq DESC LIMIT ?) AS newest
WHERE received_at >= ?"""
_CLOCKS_SQL = "SELECT agent, told_at, ahead_s, state FROM agent_clock{with_agent}"
_CUT_OFFS_SQL = "SELECT agent, at, messages FROM cut_off{with_agent} ORDER BY agent"
_OF_ALL: Final = dict.fromkeys(("and_home", "with_id", "and_agent", "with_home", "with_agent"), "")


def _of_some(count: int) -> dict[str, str]:
    marks = ",".join("?" * count)
    return {
        "and_home": f"AND home.id IN ({marks})",
        "with_id": f" WHERE id IN ({marks})",
        "and_agent": f"AND agent.home_id IN ({marks})",
        "with_home": f" WHERE home IN ({marks})",
        "with_agent": f" WHERE agent IN (SELECT id FROM agent WHERE home_id IN ({marks}))",  # noqa: S608 - question marks
    }


class SqlFleet(Transactions):
    """The fleet's part of the ReadingStore slice."""

    async def fleet(self, *, slots: range, homes: Sequence[str] | None = None) -> tuple[FleetRow, ...]:
        """One row per agent of the homes whose membership lasts into these slots, and one for a home without any.

        With `homes`, only theirs; nothing of another one is read.
        Presence is the grid meter's, which is settled; it and the gaps are the home's, whichever agent brings them.
        """
        if homes is not None and not homes:
            return ()
        gaps: dict[str, list[tuple[str, int]]] = defaultdict(list)
        place = (slots.start, slots.stop)

        some = () if homes is None else tuple(homes)
        told = _OF_ALL if homes is None else _of_some(len(homes))

        async def rows(db: Connection, sql: str, *values: object) -> list[Row]:
            return await db.execute_fetchall(sql.format(**told), values)

        async def work(db: Connection) -> tuple[dict[str, tuple[str, ...]], tuple[list[Row], ...]]:
            runs = await rows(db, _RUNS_SQL, *some, *place) if slots else []
            return await _presence(db, runs, slots), (
                await rows(db, _HOMES_SQL, start_of(slots.start), *some),
                await rows(db, _GAPS_SQL, *some, *place) if slots else [],
                await rows(db, _CLOCKS_SQL, *some),
                await rows(db, _CUT_OFFS_SQL, *some),
                await rows(db, _FORMER_SQL, *some),
                await rows(db, _DEVICES_SQL, *some),
            )

        presence, found = await self.read(work)
        home_rows, gap_rows, clock_rows, cut_rows, former_rows, device_rows = found
        nothing = (_WAITING,) * len(slots)
        for at, gap, count in gap_rows:
            gaps[at].append((Gap(gap).label, int(count)))
        clocks = {str(row[0]): AgentClock(*row) for row in clock_rows}
        cuts = {str(row[0]): CutOff(*row) for row in cut_rows}
        former: dict[str, list[FormerAgent]] = defaultdict(list)
        for at, *agent in former_rows:
            former[at].append(FormerAgent(*agent))
        devices: dict[tuple[str, int], list[DeviceRow]] = defaultdict(list)
        for device in device_rows:
            devices[device[0], device[5]].append(DeviceRow(*device))
        seats: dict[str, list[int]] = defaultdict(list)
        for row in home_rows:
            seats[row[0]].append(row[8])
        return tuple(
            FleetRow(
                **dict(zip(_HOME_FIELDS, row, strict=True)),
                is_first=row[8] == seats[row[0]][0],
                devices=tuple(devices[row[0], row[8]]),
                presence=presence.get(row[0], nothing),
                gaps=tuple(gaps[row[0]]) if row[8] == seats[row[0]][0] else (),
                clock=clocks.get(row[2]),
                former=_former_with(row[8], seats[row[0]], former[row[0]]),
                cut_off=cuts.get(row[2]),
            )
            for row in home_rows
        )

    async def cut_off_agents(self, found: Sequence[CutOff]) -> None:
        """Cut these agents off; one that is cut off already keeps its line."""
        lines = [(each.agent, each.at, each.messages) for each in found]

        async def work(db: Connection) -> None:
            await db.executemany("INSERT INTO cut_off VALUES (?, ?, ?) ON CONFLICT DO NOTHING", lines)

        await self.write(work)

    async def cut_offs(self) -> tuple[CutOff, ...]:
        """Those in force, by agent."""
        async with self.reading() as db:
            return tuple(CutOff(*row) for row in await db.execute_fetchall(_CUT_OFFS_SQL.format(**_OF_ALL)))

    async def let_in(self, agent: str, *, by: str) -> str | None:
        """End a cut-off, with a line in the log of changes."""

        async def work(db: Connection) -> str | None:
            if problem := await by_problem(db, by):
                return problem
            rows = list(await db.execute_fetchall(_CUT_OFF_MEMBER_SQL, (agent,)))
            if not rows:
                held = ", ".join(str(row[0]) for row in await db.execute_fetchall(_CUT_OFFS_SQL.format(**_OF_ALL)))
                return f"agent {agent[:40]!r} is not cut off; agents cut off: {held or 'none'}"
            at, member = int(self._now()), str(rows[0][0])
            await log_change(db, ChangeKind.AGENT_LET_IN, member, at=at, by=by, subject=agent)
            await db.execute("DELETE FROM cut_off WHERE agent = ?", (agent,))
            return None

        return await self.write(work)

    async def taken_since(self, since: int, *, newest: int) -> dict[str, TakenMessages]:
        """What was stored of each agent since this time, of its `newest` latest messages; agents without any are left
        out.
        """
        async with self.reading() as db:
            agents = [str(row[0]) for row in await db.execute_fetchall("SELECT agent FROM chain_head")]
            found = {}
            for agent in agents:
                rows = await db.execute_fetchall(_TAKEN_SQL, (agent, newest, since))
                if rows:
                    found[agent] = TakenMessages(
                        messages=len(rows),
                        bytes=sum(sealed_bytes(first, stored_bytes) for _, _, first, stored_bytes in rows),
                        consents=sum(kind == "consent" for kind, *_ in rows),
                        epochs=sum(seq == 1 for _, seq, *_ in rows),
                    )
        return found


async def _presence(db: Connection, runs: Sequence[Row], slots: range) -> dict[str, tuple[str, ...]]:
    """What became of each slot, for each home with a reading in them."""
    of_home: dict[str, list[Row]] = defaultdict(list)
    for home, _, *run in runs:
        of_home[str(home)].append(tuple(run))
    found: dict[str, list[str]] = {}
    mixed: list[str] = []
    for home, both in of_home.items():
        (first, last, count, best, worst), *others = both
        found[home] = states = [_WAITING] * len(slots)
        if count == last - first + 1 and best == worst and all(each == both[0] for each in others):
            states[first - slots.start : last + 1 - slots.start] = [_PRESENCE[Mark(worst)]] * count
        else:
            mixed.append(home)
    if mixed:
        sql = _MARKS_SQL.format(**_of_some(len(mixed)))
        for home, slot, mark in await db.execute_fetchall(sql, (*mixed, slots.start, slots.stop)):
            found[str(home)][slot - slots.start] = _PRESENCE[Mark(mark)]
    return {home: tuple(states) for home, states in found.items()}


def _former_with(seat: int, seats: Sequence[int], former: Sequence[FormerAgent]) -> tuple[FormerAgent, ...]:
    """Those who had this seat before; with the home's first agent also those whose seat nobody took over."""
    is_first = seat == seats[0]
    return tuple(each for each in former if each.seat == seat or (is_first and each.seat not in seats))
