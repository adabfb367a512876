"""A home's new agent keys: objections, the board's decisions, and the slots that wait for them."""

from typing import Final

from hub.core.homes.measure_sources import GRID_METER, brought_spans
from hub.storage.life_records import EVENT_DAYS, REFUSED, VERDICTS, ChangeKind, NewAgentKey
from hub.storage.sql.connection import Connection, Transactions
from hub.storage.sql.people.change_log import log_change
from hub.storage.sql.people.checks import by_problem
from hub.storage.sql.people.home_agents import meter_sources
from hub.storage.sql.people.meter_notices import unproven_meters
from protocols.slots import slot_of, start_of

_NEW_SQL: Final = """SELECT a.id, a.home_id, a.enrolled_at, a.revoked_at, o.member, coalesce(o.reason, ''), o.made_at,
d.verdict, d.board_member, coalesce(d.reason, ''), a.seat
FROM agent AS a LEFT JOIN agent_objection AS o ON o.agent = a.id
LEFT JOIN agent_objection_decision AS d ON d.agent = a.id
WHERE EXISTS (SELECT 1 FROM agent AS old WHERE old.home_id = a.home_id AND old.id <> a.id
    AND old.enrolled_at <= a.enrolled_at
    AND (old.seat < a.seat OR (old.revoked_at IS NOT NULL AND old.revoked_at <= a.enrolled_at)))
ORDER BY a.enrolled_at DESC, a.id"""
_LIVES_SQL: Final = """SELECT 1 FROM home JOIN member ON member.id = home.member_id
WHERE home.id = ?1 AND (coalesce(held_by, member.id) = ?2
OR EXISTS (SELECT 1 FROM home_adult WHERE home_adult.home = ?1 AND home_adult.member = ?2))"""

_EARLIER_SQL: Final = """SELECT DISTINCT first_slot, last_slot FROM message
WHERE agent = ? AND position > ? AND first_slot >= ? AND first_slot < ?"""


async def new_keys(db: Connection) -> list[NewAgentKey]:
    """Every agent that a home got after an earlier one, the newest first."""
    return [NewAgentKey(*row) for row in await db.execute_fetchall(_NEW_SQL)]


async def held_spans(db: Connection, *, now_s: float) -> list[tuple[str, int, int | None]]:
    """(home, from, until) of the readings that are not settled, unix seconds; None: until now and beyond.

    An agent that does not bring what the grid's meter counts holds nothing back: nothing it sends is settled. A meter
    read with a bronze map holds its home back until the board releases it.
    """
    held: list[tuple[str, int, int | None]] = []
    waiting = [key for key in await new_keys(db) if not key.counts(now_s)]
    # Most of the time no agent is new: then nobody's sources are read.
    sources = [each for each in await meter_sources(db) if each.meter is GRID_METER] if waiting else []
    for key in waiting:
        of_home = [each for each in sources if each.home == key.home]
        for span in brought_spans(of_home, seat=key.seat, enrolled_at=key.enrolled_at, revoked_at=key.revoked_at):
            held.append((key.home, span.from_s, span.until_s))
            # What it signed for the time before it came: it could fill a gap of long ago, where it counts.
            place = (key.agent, span.after_position, span.first_slot, slot_of(span.from_s))
            earlier = await db.execute_fetchall(_EARLIER_SQL, place)
            held += [(key.home, start_of(first), start_of(last)) for first, last in earlier]
    for each in await unproven_meters(db):
        until_s = None if each.until is None else start_of(each.until) - 1
        held.append((each.meter.home, start_of(each.first_slot), until_s))
    return held


class SqlAgentKeys(Transactions):
    """The AgentKeyStore slice, but for the slots that wait."""

    async def new_agent_keys(self) -> tuple[NewAgentKey, ...]:
        """Every agent that a home got after an earlier one, the newest first."""
        return tuple(await self.read(new_keys))

    async def object_to_agent(self, agent: str, *, member: str, reason: str, link_by: str = "") -> str | None:
        """Hold this agent's readings back from settlement until the board decides."""

        async def work(db: Connection) -> str | None:
            at = int(self._now())
            key = await _key(db, agent)
            if key is None or not list(await db.execute_fetchall(_LIVES_SQL, (key.home, member))):
                return f"{agent[:40]!r} is no new agent of a home that {member[:40]!r} lives in"
            if key.objected_by is not None:
                return f"{key.objected_by} has objected to {agent} already"
            if at >= key.enrolled_at + EVENT_DAYS * 86_400:
                return f"{agent} was enrolled more than {EVENT_DAYS} days ago: ask the board to revoke it"
            await log_change(db, ChangeKind.AGENT_OBJECTED, member, at=at, by="", subject=agent, link_by=link_by)
            await db.execute("INSERT INTO agent_objection VALUES (?, ?, ?, ?)", (agent, member, reason, at))
            return None

        return await self.write(work)

    async def decide_agent(self, agent: str, *, verdict: str, by: str, reason: str, link_by: str = "") -> str | None:
        """The board's word on an objection; a refused agent is shut out in the same transaction."""

        async def work(db: Connection) -> str | None:
            at = int(self._now())
            key = await _key(db, agent)
            if problem := await by_problem(db, by):
                return problem
            if key is None or not key.waits or key.objected_by is None or verdict not in VERDICTS:
                return f"no objection to {agent[:40]!r} waits for a decision"
            if list(await db.execute_fetchall(_LIVES_SQL, (key.home, by))):
                return f"{by} lives in {key.home}: another board member decides"
            if by == key.objected_by:
                return f"{by} made this objection: another board member decides"
            kind = ChangeKind.AGENT_REVOKED if verdict == REFUSED else ChangeKind.AGENT_COUNTS
            await log_change(db, kind, key.objected_by, at=at, by=by, subject=agent, reason=reason, link_by=link_by)
            row = (agent, by, verdict, reason, at)
            await db.execute("INSERT INTO agent_objection_decision VALUES (?, ?, ?, ?, ?)", row)
            if verdict == REFUSED:
                await db.execute("UPDATE agent SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (at, agent))
            return None

        return await self.write(work)


async def _key(db: Connection, agent: str) -> NewAgentKey | None:
    return next((key for key in await new_keys(db) if key.agent == agent), None)
