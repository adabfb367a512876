"""The board's long lists, a page at a time: homes and members in the order in which they need somebody, and their sums.

The sums are of all homes, from the newest slots of agents and the counts of readings; no value of a reading is read.
"""

# ruff: noqa: S608 - only constant conditions and question marks are put into SQL here; values are bound.

from collections.abc import Sequence
from typing import Final

from hub.storage.fleet_records import FleetAsked, FleetPlace, FleetSums
from hub.storage.household_records import HomeAdult, MemberCardRows, MemberPlace
from hub.storage.notice_records import Bounce
from hub.storage.records import Agent, Home, RefusalCount
from hub.storage.sql.connection import Connection, Transactions
from hub.storage.sql.people.rows import MEMBER_COLUMNS, member_of
from protocols.slots import start_of

_STAYING: Final = "NOT EXISTS (SELECT 1 FROM member WHERE member.id = home.member_id AND member.left_at <= ?)"
_SUMS_SQL: Final = f"""SELECT count(*), coalesce(sum(is_silent), 0) FROM
(SELECT max(CASE WHEN h.last_slot IS NULL OR h.last_slot < ? THEN 1 ELSE 0 END) AS is_silent
FROM home LEFT JOIN agent ON agent.home_id = home.id AND agent.revoked_at IS NULL
LEFT JOIN chain_head AS h ON h.agent = agent.id WHERE {_STAYING} GROUP BY home.id) AS each_home"""
_PRESENT_SQL: Final = f"""SELECT count(*) FROM reading WHERE home IN (SELECT id FROM home WHERE {_STAYING})
AND measure = 1 AND slot >= ? AND slot < ? AND span = 1 AND mark <= 1"""
# A search is compared as it was typed and in lower case: SQLite knows the small form of plain letters only.
FOUND_HOME: Final = """AND (home.name LIKE ?12 ESCAPE '\\' OR lower(home.name) LIKE ?13 ESCAPE '\\'
    OR lower(home.id) LIKE ?13 ESCAPE '\\'
    OR EXISTS (SELECT 1 FROM agent AS a WHERE a.home_id = home.id AND lower(a.id) LIKE ?13 ESCAPE '\\'))"""
# The harms are those of the page's alerts (hub/web/views/board.py): 0 is the worst, 5 none.
_PLACES_SQL: Final = """WITH trouble(home, harm) AS (
    SELECT agent.home_id, 0 FROM agent LEFT JOIN chain_head AS h ON h.agent = agent.id
        WHERE agent.revoked_at IS NULL AND (h.last_slot IS NULL OR h.last_slot < ?2)
    UNION ALL SELECT agent.home_id, 0 FROM cut_off JOIN agent ON agent.id = cut_off.agent
        WHERE agent.revoked_at IS NULL
    UNION ALL SELECT home.id, 1 FROM home WHERE NOT EXISTS
        (SELECT 1 FROM agent WHERE agent.home_id = home.id AND agent.revoked_at IS NULL)
    UNION ALL SELECT agent.home_id, 1 FROM agent_clock AS c JOIN agent ON agent.id = c.agent
        WHERE agent.revoked_at IS NULL AND (c.state = 'held' OR c.ahead_s > ?3 OR c.ahead_s < ?4)
    UNION ALL SELECT agent.home_id, 1 FROM refusal AS r JOIN agent ON agent.id = r.agent
        WHERE r.reason = 'revoked' AND r.last_at >= agent.revoked_at AND r.last_at > ?5
    UNION ALL SELECT device.home, 2 FROM device WHERE device.state IN ('silent', 'refusing')
    UNION ALL SELECT agent.home_id, CASE WHEN r.reason = 'brought_elsewhere' THEN 3 ELSE 2 END
        FROM refusal AS r JOIN agent ON agent.id = r.agent
        WHERE agent.revoked_at IS NULL AND (r.reason <> 'brought_elsewhere' OR r.last_at > ?6)
    UNION ALL SELECT agent.home_id, 4 FROM agent WHERE agent.revoked_at > ?7),
worst(home, harm) AS (SELECT home, min(harm) FROM trouble GROUP BY home)
SELECT coalesce(w.harm, 5), home.id FROM home LEFT JOIN worst AS w ON w.home = home.id
WHERE NOT EXISTS (SELECT 1 FROM member WHERE member.id = home.member_id AND member.left_at <= ?1)
AND (coalesce(w.harm, 5) > ?8 OR (coalesce(w.harm, 5) = ?9 AND home.id > ?10)) {found_home}
ORDER BY 1, 2 LIMIT ?11"""
_REFUSED_SQL: Final = """SELECT agent, reason, count, last_at, detail FROM refusal WHERE agent IN ({marks})
ORDER BY agent, reason"""
_STRANGERS_SQL: Final = """SELECT agent, reason, count, last_at, detail FROM refusal
WHERE NOT EXISTS (SELECT 1 FROM agent WHERE agent.id = refusal.agent) ORDER BY last_at DESC, agent, reason LIMIT ?"""
FOUND_MEMBER: Final = """WHERE (member.name LIKE ?6 ESCAPE '\\' OR lower(member.name) LIKE ?7 ESCAPE '\\'
    OR lower(member.id) LIKE ?7 ESCAPE '\\' OR lower(member.email) LIKE ?7 ESCAPE '\\'
    OR EXISTS (SELECT 1 FROM home WHERE home.member_id = member.id
        AND (home.name LIKE ?6 ESCAPE '\\' OR lower(home.name) LIKE ?7 ESCAPE '\\')))"""
_MEMBERS_SQL: Final = """WITH ranked(member, place) AS (SELECT member.id, CASE
    WHEN member.left_at <= ?1 THEN 3
    WHEN EXISTS (SELECT 1 FROM mail_bounce AS b WHERE b.address = lower(member.email)) THEN 0
    WHEN EXISTS (SELECT 1 FROM home WHERE home.member_id = member.id AND NOT EXISTS
        (SELECT 1 FROM agent WHERE agent.home_id = home.id AND agent.revoked_at IS NULL)) THEN 1
    ELSE 2 END
FROM member {found_member})
SELECT place, member FROM ranked WHERE place > ?2 OR (place = ?3 AND member > ?4) ORDER BY place, member LIMIT ?5"""
_NOBODY_BEFORE: Final = -1


class SqlBoardLists(Transactions):
    """The FleetListStore and MemberListStore slices."""

    async def fleet_sums(self, *, slots: range, silent_before: int) -> FleetSums:
        """How many homes there are, how many are silent, and how many of their quarter hours have arrived."""
        begun = start_of(slots.start)

        async def work(db: Connection) -> FleetSums:
            ((homes, silent),) = await db.execute_fetchall(_SUMS_SQL, (silent_before, begun))
            ((present,),) = await db.execute_fetchall(_PRESENT_SQL, (begun, slots.start, slots.stop))
            return FleetSums(int(homes), int(silent), int(present))

        return await self.read(work)

    async def fleet_places(self, asked: FleetAsked, *, after: FleetPlace | None, most: int) -> tuple[FleetPlace, ...]:
        """The next homes after this place, those that need somebody first."""
        sql = _PLACES_SQL.format(found_home=FOUND_HOME if asked.text else "")
        place = FleetPlace(_NOBODY_BEFORE, "") if after is None else after
        values = (
            *(asked.left_by, asked.silent_before, asked.clock_off_s, -asked.clock_off_s),
            *(asked.former_since, asked.elsewhere_since, asked.former_since),
            *(place.harm, place.harm, place.home, most, *_patterns(asked.text)),
        )
        async with self.reading() as db:
            rows = await db.execute_fetchall(sql, values)
        return tuple(FleetPlace(int(harm), str(home)) for harm, home in rows)

    async def refusals_of(self, agents: Sequence[str], *, strangers: int) -> tuple[RefusalCount, ...]:
        """The counts of these agents, and the newest of senders that are nobody's agent, at most `strangers`."""

        async def work(db: Connection) -> list[tuple[object, ...]]:
            marks = ",".join("?" * len(agents))
            own = await db.execute_fetchall(_REFUSED_SQL.format(marks=marks), list(agents)) if agents else []
            return own + (await db.execute_fetchall(_STRANGERS_SQL, (strangers,)) if strangers else [])

        return tuple(RefusalCount(*row) for row in await self.read(work))  # type: ignore[arg-type]

    async def member_places(
        self, *, text: str, left_by: int, after: MemberPlace | None, most: int
    ) -> tuple[MemberPlace, ...]:
        """The next members after this place, those that need somebody first."""
        sql = _MEMBERS_SQL.format(found_member=FOUND_MEMBER if text else "")
        place = MemberPlace(_NOBODY_BEFORE, "") if after is None else after
        values = (left_by, place.rank, place.rank, place.member, most, *_patterns(text))
        async with self.reading() as db:
            rows = await db.execute_fetchall(sql, values)
        return tuple(MemberPlace(int(rank), str(member)) for rank, member in rows)

    async def member_cards(self, members: Sequence[str]) -> MemberCardRows:
        """What the board's list shows of these members, in their order: homes, agents, and refused mail."""

        async def work(db: Connection) -> MemberCardRows:
            if not members:
                return MemberCardRows()
            marks, ids = ",".join("?" * len(members)), list(members)
            people = await db.execute_fetchall(f"SELECT {MEMBER_COLUMNS} FROM member WHERE id IN ({marks})", ids)
            adults = await db.execute_fetchall(
                f"SELECT home, member, since_at FROM home_adult WHERE member IN ({marks}) ORDER BY home, member", ids
            )
            homes = await db.execute_fetchall(
                f"SELECT id, name, member_id, follows FROM home WHERE member_id IN ({marks})"
                f" OR id IN (SELECT home FROM home_adult WHERE member IN ({marks})) ORDER BY id",
                ids + ids,
            )
            agents = await db.execute_fetchall(
                "SELECT id, home_id, shard, public_key, enrolled_at, revoked_at, seat FROM agent"
                f" WHERE home_id IN (SELECT id FROM home WHERE member_id IN ({marks})) ORDER BY id",
                ids,
            )
            bounces = await db.execute_fetchall(
                "SELECT address, at, answer FROM mail_bounce"
                f" WHERE address IN (SELECT lower(email) FROM member WHERE id IN ({marks}))",
                ids,
            )
            found = {str(row[0]): member_of(tuple(row)) for row in people}
            return MemberCardRows(
                members=tuple(found[each] for each in members if each in found),
                homes=tuple(Home(*row) for row in homes),
                agents=tuple(Agent(*row) for row in agents),
                adults=tuple(HomeAdult(*row) for row in adults),
                bounces=tuple(Bounce(*row) for row in bounces),
            )

        return await self.read(work)

    async def people_and_board(self) -> tuple[int, tuple[str, ...]]:
        """How many people are members, whichever homes they hold, and who of the members is on the board."""
        async with self.reading() as db:
            ((people,),) = await db.execute_fetchall("SELECT count(*) FROM member WHERE held_by IS NULL")
            board = await db.execute_fetchall("SELECT id FROM member WHERE is_board = 1 ORDER BY id")
        return int(people), tuple(str(row[0]) for row in board)


def _patterns(text: str) -> tuple[str, ...]:
    """For LIKE, where this text stands anywhere: as typed, and in lower case; none without a text.

    >>> _patterns("5% A")
    ('%5\\\\% A%', '%5\\\\% a%')
    """
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return (f"%{escaped}%", f"%{escaped.lower()}%") if text else ()
