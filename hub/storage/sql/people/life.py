"""Changes to members, roles and agents, each with its line in the log of changes."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from hub.storage.life_records import BOARD_ROLE, NO_LINE, ROLES, ChangeKind, LoggedChange, MemberEdit
from hub.storage.notice_records import NewNotice, NoticeKind, former_address
from hub.storage.sql.connection import Connection, Transactions
from hub.storage.sql.people.change_log import log_change
from hub.storage.sql.people.checks import by_problem, no_person, unknown_member
from hub.storage.sql.people.notices import add_notice

_BOARD_SQL: Final = "SELECT id FROM member WHERE is_board = 1 ORDER BY id"
_CHANGES_SQL: Final = "SELECT id, at, made_by, kind, member, subject, reason, link_by FROM member_change ORDER BY id"
_NEWEST_SQL: Final = """SELECT id, at, made_by, kind, member, subject, reason, link_by FROM member_change
WHERE id < ? ORDER BY id DESC LIMIT ?"""
_ROLES_SQL: Final = """SELECT id, at, made_by, kind, member, subject, reason, link_by FROM member_change
WHERE kind IN (?, ?) ORDER BY id"""
# The newest line about a member and a role decides whether the member holds it.
_HOLDERS_SQL: Final = """SELECT member FROM member_change AS c WHERE kind = ? AND subject = ?
AND id = (SELECT max(id) FROM member_change WHERE member = c.member AND subject = c.subject AND kind IN (?, ?))
ORDER BY member"""

_ENDED_SQL: Final = """SELECT agent.id, member.id FROM agent JOIN home ON home.id = agent.home_id
JOIN member ON member.id = home.member_id
WHERE member.left_at < ? AND agent.revoked_at IS NULL ORDER BY agent.id"""
# Whose home follows a home of this member, and whose time there would begin before the member's ends.
_SUCCESSOR_SQL: Final = """SELECT next.id, after.id, after.joined_at, coop.tz FROM home AS own
JOIN home AS next ON next.follows = own.id JOIN member AS after ON after.id = next.member_id CROSS JOIN coop
WHERE own.member_id = ?1 AND (CAST(?2 AS BIGINT) IS NULL OR after.joined_at < ?2) ORDER BY after.joined_at LIMIT 1"""
TOLD_WITHIN_S: Final = 3 * 86_400
"""So long a mail server that puts the mail to a former address off is tried again."""

ENDED: Final = "the membership has ended"


class SqlLife(Transactions):
    """The LifeStore slice."""

    async def edit_member(self, member: str, edit: MemberEdit, *, by: str, link_by: str = "") -> str | None:
        """Change a member's name or e-mail address. The log says that it changed, and not the address.

        A new address ends the member's sessions and open sign-in links, and the former one is told.
        """

        async def work(db: Connection) -> str | None:
            held = await _member(db, member)
            problem = await by_problem(db, by)
            if problem or held is None:
                return problem or unknown_member(member)
            if held[4] is not None:
                return no_person(member, held[4])
            name, email = str(held[0]), str(held[1])
            if edit.email is not None and edit.email.casefold() != email.casefold():
                others = "SELECT id, email FROM member WHERE id <> ? AND held_by IS NULL"
                for other, address in await db.execute_fetchall(others, (member,)):
                    if str(address).casefold() == edit.email.casefold():
                        return f"member {other} has this address already: nothing was changed"
            if edit.name in (None, name) and edit.email in (None, email):
                return f"{member} has this name and address already: nothing was changed"
            at = int(self._now())
            if edit.name not in (None, name):
                await log_change(db, ChangeKind.NAMED, member, at=at, by=by, link_by=link_by)
            if edit.email not in (None, email):
                line = await log_change(db, ChangeKind.ADDRESSED, member, at=at, by=by, link_by=link_by)
                await _sign_out(db, member)
                if edit.is_mailed and email and str(edit.email).casefold() != email.casefold():
                    await _tell_former(db, member, line, former=(email, name), at=at)
            await db.execute(
                "UPDATE member SET name = ?, email = ? WHERE ? IN (id, held_by)",
                (edit.name or name, edit.email or email, member),
            )
            return None

        return await self.write(work)

    async def change_role(self, member: str, role: str, *, begins: bool, by: str, link_by: str = "") -> str | None:
        """Begin or end a role; the board is never left without a member."""

        async def work(db: Connection) -> str | None:
            if role not in ROLES:
                return f"there is no role {role[:40]!r}; roles: {', '.join(ROLES)}"
            board = [str(row[0]) for row in await db.execute_fetchall(_BOARD_SQL)]
            problem = await by_problem(db, by) if by or board else None
            if problem or (held := await _member(db, member)) is None:
                return problem or unknown_member(member)
            if held[4] is not None:
                return no_person(member, held[4])
            if begins and not await _lasts(db, member, after=int(self._now())):
                return f"{member} has moved out and can hold no role"
            holders = await _holders(db, role, board=board)
            if (member in holders) == begins:
                word = "holds the role already" if begins else "does not hold the role"
                return f"{member} {word} ({role}): nothing was changed"
            if not begins and role == BOARD_ROLE and board == [member]:
                return f"{member} is the only board member: appoint another one first"
            kind = ChangeKind.ROLE_BEGUN if begins else ChangeKind.ROLE_ENDED
            await log_change(db, kind, member, at=int(self._now()), by=by, subject=role, link_by=link_by)
            if role == BOARD_ROLE:
                await db.execute("UPDATE member SET is_board = ? WHERE id = ?", (int(begins), member))
            return None

        return await self.write(work)

    async def revoke_agent(self, agent: str, *, by: str, reason: str, link_by: str = "") -> str | None:
        """Refuse the agent's key from now on."""

        async def work(db: Connection) -> str | None:
            if problem := await by_problem(db, by):
                return problem
            sql = """SELECT agent.revoked_at, home.member_id FROM agent JOIN home ON home.id = agent.home_id
            WHERE agent.id = ?"""
            rows = list(await db.execute_fetchall(sql, (agent,)))
            if not rows:
                return f"there is no agent {agent[:40]!r}; commonwatt-hub agents lists them"
            if rows[0][0] is not None:
                return f"{agent} is shut out already: nothing was changed"
            at, member = int(self._now()), str(rows[0][1])
            await log_change(
                db, ChangeKind.AGENT_REVOKED, member, at=at, by=by, subject=agent, reason=reason, link_by=link_by
            )
            await db.execute("UPDATE agent SET revoked_at = ? WHERE id = ?", (at, agent))
            return None

        return await self.write(work)

    async def end_sessions(self, member: str, *, by: str, link_by: str = "") -> int | str:
        """End the member's sessions and open sign-in links."""

        async def work(db: Connection) -> int | str:
            problem = await by_problem(db, by)
            held = await _member(db, member)
            if problem or held is None:
                return problem or unknown_member(member)
            if held[4] is not None:
                return no_person(member, held[4])
            await log_change(db, ChangeKind.SESSIONS_ENDED, member, at=int(self._now()), by=by, link_by=link_by)
            return await _sign_out(db, member)

        return await self.write(work)

    async def set_left(
        self, member: str, left_at: int | None, *, last_day: str, by: str, link_by: str = ""
    ) -> str | None:
        """Set when the membership ends, or that it goes on; never into a successor's membership."""

        async def work(db: Connection) -> str | None:
            problem = await by_problem(db, by)
            if problem or (held := await _member(db, member)) is None:
                return problem or unknown_member(member)
            if left_at is not None and left_at <= int(held[3]):
                return f"{member} was no member yet on {last_day}: nothing was changed"
            erased = "SELECT 1 FROM erasure WHERE member = ?1 UNION ALL SELECT 1 FROM person_erasure WHERE member = ?1"
            if left_at is None and list(await db.execute_fetchall(erased, (member,))):
                return f"the data of {member} were erased: nothing was changed"
            if held[2] == left_at:
                return f"{member} {'moves out then already' if left_at else 'is not moving out'}: nothing was changed"
            if overlap := await _successor_problem(db, member, held[4] or member, left_at=left_at):
                return overlap
            if left_at is not None and (tie := await _last_tie(db, member, held[4] or member, after=left_at)):
                return tie
            kind = ChangeKind.MOVE_OUT_CANCELLED if left_at is None else ChangeKind.MOVE_OUT_PLANNED
            await log_change(db, kind, member, at=int(self._now()), by=by, subject=last_day, link_by=link_by)
            await db.execute("UPDATE member SET left_at = ? WHERE id = ?", (left_at, member))
            return None

        return await self.write(work)

    async def revoke_ended(self, *, before: int) -> tuple[str, ...]:
        """Shut out the agents of homes whose membership ended before this time."""

        async def work(db: Connection) -> tuple[str, ...]:
            rows = list(await db.execute_fetchall(_ENDED_SQL, (before,)))
            at = int(self._now())
            for agent, member in rows:
                kind = ChangeKind.AGENT_REVOKED
                await log_change(db, kind, str(member), at=at, by="", subject=str(agent), reason=ENDED)
                await db.execute("UPDATE agent SET revoked_at = ? WHERE id = ?", (at, agent))
            return tuple(str(agent) for agent, _ in rows)

        return await self.write(work)

    async def member_changes(self, *, newest: int | None = None, before: int = NO_LINE) -> tuple[LoggedChange, ...]:
        """The whole log, or the `newest` of its lines before the one with number `before`, oldest first."""
        async with self.reading() as db:
            if newest is None:
                rows = await db.execute_fetchall(_CHANGES_SQL)
            else:
                rows = list(reversed(await db.execute_fetchall(_NEWEST_SQL, (before, newest))))
        return tuple(LoggedChange(*row) for row in rows)

    async def role_changes(self) -> tuple[LoggedChange, ...]:
        """The log's lines about roles, oldest first."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_ROLES_SQL, (ChangeKind.ROLE_BEGUN.value, ChangeKind.ROLE_ENDED.value))
        return tuple(LoggedChange(*row) for row in rows)

    async def role_holders(self) -> dict[str, tuple[str, ...]]:
        """The members who hold each role now."""
        async with self.reading() as db:
            board = [str(row[0]) for row in await db.execute_fetchall(_BOARD_SQL)]
            return {role: await _holders(db, role, board=board) for role in ROLES}


async def _member(db: Connection, member: str) -> tuple[str, str, int | None, int, str | None] | None:
    sql = "SELECT name, email, left_at, joined_at, held_by FROM member WHERE id = ?"
    rows = await db.execute_fetchall(sql, (member,))
    return next(((row[0], row[1], row[2], row[3], row[4]) for row in rows), None)


async def _sign_out(db: Connection, member: str) -> int:
    """End the member's sessions and open sign-in links; how many there were."""
    sessions = await db.execute("DELETE FROM session WHERE member_id = ?", (member,))
    links = await db.execute("DELETE FROM sign_in WHERE member_id = ?", (member,))
    return sessions + links


async def _tell_former(db: Connection, member: str, line: int, *, former: tuple[str, str], at: int) -> None:
    """Queue a mail to the former address: whoever lost their account to another address sees it."""
    notice = NewNotice(
        NoticeKind.ADDRESS,
        member,
        str(line),
        last_try_at=at + TOLD_WITHIN_S,
        facts={"at": str(at)},
        secret=former_address(*former),
    )
    await add_notice(db, notice, at=at)


async def _lasts(db: Connection, person: str, *, after: int, without: str = "") -> bool:
    """Whether a membership of this person lasts beyond a time, not counting one of them."""
    sql = "SELECT 1 FROM member WHERE ? IN (id, held_by) AND id <> ? AND (left_at IS NULL OR left_at > ?) LIMIT 1"
    return bool(list(await db.execute_fetchall(sql, (person, without, after))))


async def _successor_problem(db: Connection, member: str, person: str, *, left_at: int | None) -> str | None:
    """Why a membership cannot last until `left_at`, or go on if None, beside a successor's at the same connection."""
    for home, successor, joined_at, tz in await db.execute_fetchall(_SUCCESSOR_SQL, (member, left_at)):
        since = datetime.fromtimestamp(joined_at, UTC).astimezone(ZoneInfo(str(tz))).date().isoformat()
        return (
            f"{successor} follows in home {home} from {since}, and {member} is a member until then at the longest:"
            f" nothing was changed; for a return after {successor}, enter the last day of {successor} with members"
            f" move-out, then use invite --new-home-for {person} --home NAME --follows {home} --since with a later day"
        )
    return None


async def _last_tie(db: Connection, member: str, person: str, *, after: int) -> str | None:
    """What a person must end before their last membership does; None if nothing, or another home stays theirs."""
    if await _lasts(db, person, after=after, without=member):
        return None
    if roles := await _roles_of(db, person):
        return f"{person} holds a role ({', '.join(roles)}): end it first"
    lived = "SELECT home FROM home_adult WHERE member = ? ORDER BY home"
    if homes := [str(row[0]) for row in await db.execute_fetchall(lived, (person,))]:
        return f"{person} is an adult of {homes[0]}: end that first, with members end-adult"
    return None


async def _holders(db: Connection, role: str, *, board: list[str]) -> tuple[str, ...]:
    if role == BOARD_ROLE:
        return tuple(board)
    kinds = (ChangeKind.ROLE_BEGUN.value, ChangeKind.ROLE_ENDED.value)
    rows = await db.execute_fetchall(_HOLDERS_SQL, (kinds[0], role, *kinds))
    return tuple(str(row[0]) for row in rows)


async def _roles_of(db: Connection, member: str) -> list[str]:
    board = [str(row[0]) for row in await db.execute_fetchall(_BOARD_SQL)]
    return [role for role in ROLES if member in await _holders(db, role, board=board)]
