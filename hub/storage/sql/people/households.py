"""Who lives in which home,: the contract's holder, the other adults, and the homes a person sees."""

from collections.abc import Mapping
from typing import Final

from hub.storage.access_records import ADULT_FIELDS, BOARD
from hub.storage.household_records import HomeAdult, SeenHome, known_together
from hub.storage.life_records import ChangeKind
from hub.storage.records import Access, Home, Member
from hub.storage.sql.access_log import write_access
from hub.storage.sql.connection import Connection, Transactions
from hub.storage.sql.people.change_log import log_change
from hub.storage.sql.people.checks import by_problem
from hub.storage.sql.people.rows import insert_member, member_of

_SEEN_SQL: Final = """SELECT home.id, home.name, home.follows, member.* FROM home
JOIN (SELECT id AS member, name, email, language, is_board, joined_at, left_at, held_by FROM member) AS member
ON member.member = home.member_id
WHERE home.id IN (
    SELECT home.id FROM member AS own JOIN home ON home.member_id = own.id WHERE own.id = ?1 AND own.held_by IS NULL
    UNION SELECT home.id FROM member AS own JOIN home ON home.member_id = own.id WHERE own.held_by = ?1
    UNION SELECT home FROM home_adult WHERE home_adult.member = ?1)
ORDER BY coalesce(member.held_by, member.member) <> ?1, home.id"""
_RESIDENTS_SQL: Final = """SELECT home.id, coalesce(held_by, member.id) FROM home JOIN member ON member.id = member_id
UNION SELECT home, member FROM home_adult"""

_EVER_SQL: Final = """SELECT home.id, coalesce(held_by, member.id) FROM home JOIN member ON member.id = member_id
UNION SELECT subject, member FROM member_change WHERE kind = ? AND subject IN (SELECT id FROM home)"""


class SqlHouseholds(Transactions):
    """The HouseholdStore slice."""

    async def add_adult(self, home: str, member: Member, *, by: str, link_by: str = "") -> str | None:
        """Let a member see a home's pages; a new member and the home's own line are added with it."""

        async def work(db: Connection) -> str | None:
            at = int(self._now())
            held = await _holder(db, home)
            if (problem := await by_problem(db, by)) or held is None:
                return problem or f"there is no home {home[:40]!r}; commonwatt-hub members lists them"
            holder, ended_at = held
            if ended_at is not None and ended_at <= at:
                return f"the membership of {home} has ended: nobody can be added to it"
            if by == member.person:
                return f"{by} cannot let themselves into a home: another board member does"
            if holder == member.person:
                return f"{holder} holds the contract of {home} and sees its pages already: nothing was changed"
            here = "SELECT 1 FROM home_adult WHERE home = ? AND member = ?"
            if list(await db.execute_fetchall(here, (home, member.id))):
                return f"{member.id} is an adult of {home} already: nothing was changed"
            sql = "SELECT held_by, left_at, name, email FROM member WHERE id = ?"
            rows = list(await db.execute_fetchall(sql, (member.id,)))
            if not rows:
                await log_change(db, ChangeKind.JOINED, member.id, at=at, by=by, link_by=link_by)
                await insert_member(db, member)
            elif tuple(rows[0])[2:] != (member.name, member.email):
                return "somebody was added meanwhile: nothing was changed; try again"
            elif rows[0][0] is not None:
                return f"{member.id} is the membership of a further home: name {rows[0][0]}, the person"
            elif rows[0][1] is not None:
                return f"{member.id} has moved out or will: use members stay first"
            await log_change(db, ChangeKind.ADULT_BEGUN, member.id, at=at, by=by, subject=home, link_by=link_by)
            await db.execute("INSERT INTO home_adult (home, member, since_at) VALUES (?, ?, ?)", (home, member.id, at))
            opened = Access(by, BOARD, "own.view", f"let {member.id} see this home", link_by=link_by)
            await write_access(db, opened, [home], fields=ADULT_FIELDS, rows=1, at=at)
            return None

        return await self.write(work)

    async def end_adult(self, home: str, member: str, *, by: str, link_by: str = "") -> str | None:
        """End what add_adult began: from now on the member sees nothing of the home."""

        async def work(db: Connection) -> str | None:
            if problem := await by_problem(db, by):
                return problem
            if by == member:
                return f"{by} lives in {home[:40]}: another board member ends this"
            here = "SELECT 1 FROM home_adult WHERE home = ? AND member = ?"
            if not list(await db.execute_fetchall(here, (home, member))):
                return (
                    f"{member[:40]!r} is not an adult added to home {home[:40]!r};"
                    " whoever holds its contract moves out instead"
                )
            await log_change(
                db, ChangeKind.ADULT_ENDED, member, at=int(self._now()), by=by, subject=home, link_by=link_by
            )
            await db.execute("DELETE FROM home_adult WHERE home = ? AND member = ?", (home, member))
            return None

        return await self.write(work)

    async def adults(self) -> tuple[HomeAdult, ...]:
        """All adults besides the contracts' holders."""
        async with self.reading() as db:
            rows = await db.execute_fetchall("SELECT home, member, since_at FROM home_adult ORDER BY home, member")
        return tuple(HomeAdult(*row) for row in rows)

    async def seen_homes(self, person: str) -> tuple[SeenHome, ...]:
        """The homes whose pages this person sees: first those they hold."""
        async with self.reading() as db:
            rows = [tuple(row) for row in await db.execute_fetchall(_SEEN_SQL, (person,))]
        return tuple(SeenHome(Home(row[0], row[1], str(row[3]), row[2]), member_of(row[3:])) for row in rows)

    async def known_together(self) -> Mapping[str, str]:
        """For each home, one id for all homes linked by people who hold them, live there or ever did."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_EVER_SQL, (ChangeKind.ADULT_BEGUN.value,))
            return known_together((str(home), str(person)) for home, person in rows)

    async def residents(self) -> Mapping[str, frozenset[str]]:
        """For each home, the contract's holder and the other adults."""
        found: dict[str, frozenset[str]] = {}
        async with self.reading() as db:
            for home, person in await db.execute_fetchall(_RESIDENTS_SQL):
                found[str(home)] = found.get(str(home), frozenset()) | {str(person)}
        return found


async def _holder(db: Connection, home: str) -> tuple[str, int | None] | None:
    """The person who holds the home's contract, and when their membership there ends."""
    sql = """SELECT coalesce(held_by, member.id), left_at FROM home JOIN member ON member.id = member_id
    WHERE home.id = ?"""
    rows = list(await db.execute_fetchall(sql, (home,)))
    return (str(rows[0][0]), rows[0][1]) if rows else None
