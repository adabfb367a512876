"""Members, homes, agents, invitations and sign-in sessions; the store only ever sees hashes of secrets."""

# ruff: noqa: S608 - only constant column lists and question marks are put into SQL here; values are bound.

from typing import NamedTuple

from hub.storage.access_records import SignedIn
from hub.storage.errors import ConstraintError, StoreConflictError, StoreError
from hub.storage.invite_records import InviteRefusal
from hub.storage.life_records import BOARD_ROLE, ChangeKind
from hub.storage.records import Agent, Coop, Home, Member
from hub.storage.sql.connection import Connection, Transactions
from hub.storage.sql.people.change_log import log_change
from hub.storage.sql.people.rows import MEMBER_COLUMNS, insert_member, member_of

_HOME = "id, name, member_id, follows"
_PERSON_OF_HOME_SQL = """SELECT coalesce(held_by, member.id) FROM home JOIN member ON member.id = member_id
WHERE home.id = ?"""
_AGENT = "id, home_id, shard, public_key, enrolled_at, revoked_at, seat"
_INVITE = "home_id, expires_at, used_at, agent_id, void, replaces, is_further"


class _Place(NamedTuple):
    """The seat of its home that a new agent takes, and the agent that works there until then."""

    home: str
    seat: int
    held_by: str | None


class SqlMembers(Transactions):
    """The MemberStore slice."""

    async def coop(self) -> Coop:
        """The co-op of this store. Raises: StoreError if `init` never finished."""
        async with self.reading() as db:
            rows = list(await db.execute_fetchall("SELECT id, name, tz, currency FROM coop"))
        if not rows:
            raise StoreError(f"{self.place}: the store has no co-op; create one with: commonwatt-hub init")
        return Coop(*rows[0])

    async def set_coop(self, coop: Coop) -> None:
        """Set the co-op. Its id and time zone can never change, nor can its currency once something is booked."""

        async def work(db: Connection) -> None:
            rows = list(await db.execute_fetchall("SELECT id, tz, currency FROM coop"))
            if rows and tuple(rows[0])[:2] != (coop.id, coop.tz):
                raise StoreConflictError(
                    f"{self.place} belongs to co-op {rows[0][0]} in {rows[0][1]}, not to {coop.id} in {coop.tz}"
                )
            if rows and rows[0][2] != coop.currency and list(await db.execute_fetchall("SELECT 1 FROM entry LIMIT 1")):
                raise StoreConflictError(
                    f"{self.place}: its books are kept in {rows[0][2]} and cannot change to {coop.currency};"
                    f" set the currency back to {rows[0][2]}"
                )
            await db.execute(
                "INSERT INTO coop VALUES (1, ?, ?, ?, ?) ON CONFLICT (one)"
                " DO UPDATE SET name = excluded.name, currency = excluded.currency",
                (coop.id, coop.name, coop.tz, coop.currency),
            )

        await self.write(work)

    async def add_member(self, member: Member, home: Home | None, *, by: str = "", link_by: str = "") -> None:
        """Add a member, with a home if given. Raises: StoreConflictError if an id is taken."""
        at = int(self._now())

        async def work(db: Connection) -> None:
            subject = "" if home is None else home.id
            kind = ChangeKind.JOINED if member.held_by is None else ChangeKind.HOME_ADDED
            await log_change(db, kind, member.person, at=at, by=by, subject=subject, link_by=link_by)
            if member.is_board:
                await log_change(
                    db, ChangeKind.ROLE_BEGUN, member.id, at=at, by=by, subject=BOARD_ROLE, link_by=link_by
                )
            await insert_member(db, member)
            try:
                if home is not None:
                    values = (home.id, home.name, home.member_id, home.follows)
                    await db.execute(f"INSERT INTO home ({_HOME}) VALUES (?, ?, ?, ?)", values)
            except ConstraintError:
                raise StoreConflictError(f"member {member.id} or its home already exists") from None

        await self.write(work)

    async def members(self) -> tuple[Member, ...]:
        """All members by id."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(f"SELECT {MEMBER_COLUMNS} FROM member ORDER BY id")
        return tuple(member_of(tuple(row)) for row in rows)

    async def member(self, member_id: str) -> Member | None:
        """One member, or None."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(f"SELECT {MEMBER_COLUMNS} FROM member WHERE id = ?", (member_id,))
        return next((member_of(tuple(row)) for row in rows), None)

    async def set_board(self, member_id: str, *, is_board: bool, by: str = "") -> bool:
        """Appoint or remove a board member, without a check of `by`. False if that changes nothing."""

        async def work(db: Connection) -> bool:
            held = "SELECT 1 FROM member WHERE id = ? AND is_board <> ?"
            if not list(await db.execute_fetchall(held, (member_id, int(is_board)))):
                return False
            kind = ChangeKind.ROLE_BEGUN if is_board else ChangeKind.ROLE_ENDED
            await log_change(db, kind, member_id, at=int(self._now()), by=by, subject=BOARD_ROLE)
            await db.execute("UPDATE member SET is_board = ? WHERE id = ?", (int(is_board), member_id))
            return True

        return await self.write(work)

    async def homes(self) -> tuple[Home, ...]:
        """All homes by id."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(f"SELECT {_HOME} FROM home ORDER BY id")
        return tuple(Home(*row) for row in rows)

    async def home_of(self, member_id: str) -> Home | None:
        """The home whose contract this member holds, or None."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(f"SELECT {_HOME} FROM home WHERE member_id = ?", (member_id,))
        return next((Home(*row) for row in rows), None)

    async def agents(self, *, home: str | None = None) -> tuple[Agent, ...]:
        """All agents ever enrolled, by id; revoked ones too, because their messages refer to them."""
        async with self.reading() as db:
            if home is None:
                rows = await db.execute_fetchall(f"SELECT {_AGENT} FROM agent ORDER BY id")
            else:
                rows = await db.execute_fetchall(f"SELECT {_AGENT} FROM agent WHERE home_id = ? ORDER BY id", (home,))
        return tuple(Agent(*row) for row in rows)

    async def add_invite(
        self,
        token_id: bytes,
        *,
        home_id: str,
        expires_at: int,
        masked_key: bytes | None = None,
        replaces: str | None = None,
        by: str = "",
        link_by: str = "",
        is_further: bool = False,
    ) -> None:
        """Store an invitation; earlier ones of the home that are still open become void."""
        at = int(self._now())

        async def work(db: Connection) -> None:
            if by:
                for (person,) in await db.execute_fetchall(_PERSON_OF_HOME_SQL, (home_id,)):
                    await log_change(
                        db, ChangeKind.INVITED, str(person), at=at, by=by, subject=home_id, link_by=link_by
                    )
            await db.execute("UPDATE invite SET void = 1 WHERE home_id = ? AND used_at IS NULL", (home_id,))
            try:
                await db.execute(
                    "INSERT INTO invite (token_hash, home_id, expires_at, masked_key, replaces, is_further)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (token_id, home_id, expires_at, masked_key, replaces, int(is_further)),
                )
            except ConstraintError:
                raise StoreConflictError(f"cannot invite for home {home_id}: no such home") from None

        await self.write(work)

    async def invite_key(self, token_id: bytes) -> bytes | None:
        """The masked key of an invitation, used or not; None if it is unknown or from an earlier release."""
        async with self.reading() as db:
            rows = await db.execute_fetchall("SELECT masked_key FROM invite WHERE token_hash = ?", (token_id,))
        return next((bytes(row[0]) for row in rows if row[0] is not None), None)

    async def invite_refusal(self, token_id: bytes, *, now: int) -> InviteRefusal | None:
        """Why this invitation enrols nobody any more; None while it does."""
        sql = "SELECT expires_at, used_at, void FROM invite WHERE token_hash = ?"
        async with self.reading() as db:
            rows = list(await db.execute_fetchall(sql, (token_id,)))
        if not rows:
            return InviteRefusal.UNKNOWN
        expires_at, used_at, is_void = rows[0]
        if used_at is not None:
            return InviteRefusal.USED
        if is_void:
            return InviteRefusal.VOID
        return InviteRefusal.EXPIRED if now > expires_at else None

    async def redeem_invite(self, token_id: bytes, *, agent: Agent, now: int) -> InviteRefusal | None:
        """Use an invitation, once, to enrol the agent for its home.

        If the same agent asks again because the response was lost, it succeeds again until the invitation expires. The
        agent that the invitation replaces is revoked in the same transaction.
        """

        async def work(db: Connection) -> InviteRefusal | None:
            rows = list(await db.execute_fetchall(f"SELECT {_INVITE} FROM invite WHERE token_hash = ?", (token_id,)))
            if not rows:
                return InviteRefusal.UNKNOWN
            home_id, expires_at, used_at, agent_id, is_void, replaces, is_further = rows[0]
            if used_at is not None and agent_id != agent.id:
                return InviteRefusal.USED
            if now > expires_at:
                return InviteRefusal.EXPIRED
            if used_at is not None:
                return None if await _is_enrolled(db, agent, home_id) else InviteRefusal.USED
            if is_void:
                return InviteRefusal.VOID
            place = await _place(db, str(home_id), replaces=replaces, is_further=bool(is_further))
            if isinstance(place, InviteRefusal):
                return place
            return await _enrol(db, agent, place, token_id=token_id, now=now)

        return await self.write(work)

    async def add_sign_in(self, link_hash: bytes, *, member_id: str, expires_at: int, made_by: str = "") -> None:
        """Store a one-time sign-in link, by its hash, and who made it for the member."""

        async def work(db: Connection) -> None:
            try:
                await db.execute(
                    "INSERT INTO sign_in (link_hash, member_id, expires_at, made_by) VALUES (?, ?, ?, ?)",
                    (link_hash, member_id, expires_at, made_by),
                )
            except ConstraintError:
                raise StoreConflictError(f"cannot make a sign-in link for {member_id}: no such member") from None

        await self.write(work)

    async def redeem_sign_in(self, link_hash: bytes, *, session_hash: bytes, expires_at: int, now: int) -> str | None:
        """Turn a one-time link into a session; returns the member id, or None if it is unknown, used or expired."""

        async def work(db: Connection) -> str | None:
            await db.execute("DELETE FROM sign_in WHERE expires_at < ?", (now,))
            await db.execute("DELETE FROM session WHERE expires_at < ?", (now,))
            rows = list(
                await db.execute_fetchall("SELECT member_id, made_by FROM sign_in WHERE link_hash = ?", (link_hash,))
            )
            if not rows:
                return None
            await db.execute("DELETE FROM sign_in WHERE link_hash = ?", (link_hash,))
            await db.execute(
                "INSERT INTO session (session_hash, member_id, expires_at, link_by) VALUES (?, ?, ?, ?)",
                (session_hash, rows[0][0], expires_at, rows[0][1]),
            )
            return str(rows[0][0])

        return await self.write(work)

    async def session(self, session_hash: bytes, *, now: int) -> SignedIn | None:
        """The member of this session and who made its link, or None if the session is unknown or expired."""
        columns = ", ".join(f"member.{name.strip()}" for name in MEMBER_COLUMNS.split(","))
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                f"SELECT session.link_by, {columns} FROM session JOIN member ON member.id = session.member_id"
                " WHERE session_hash = ? AND expires_at >= ?",
                (session_hash, now),
            )
        return next((SignedIn(member_of(tuple(row)[1:]), str(row[0])) for row in rows), None)

    async def end_session(self, session_hash: bytes) -> None:
        """Sign out; an unknown session is not an error."""

        async def work(db: Connection) -> None:
            await db.execute("DELETE FROM session WHERE session_hash = ?", (session_hash,))

        await self.write(work)


async def _is_enrolled(db: Connection, agent: Agent, home_id: str) -> bool:
    rows = await db.execute_fetchall(
        "SELECT 1 FROM agent WHERE id = ? AND home_id = ? AND public_key = ? AND revoked_at IS NULL",
        (agent.id, home_id, agent.public_key),
    )
    return bool(list(rows))


async def _place(db: Connection, home: str, *, replaces: str | None, is_further: bool) -> _Place | InviteRefusal:
    """Where a new agent goes: to the seat of the agent it replaces, or to a new one, unless only one was ever used.

    Where several agents are gone it is a new one too: whose consent it should go on with, nobody can say.
    """
    rows = await db.execute_fetchall("SELECT id, seat, revoked_at IS NULL FROM agent WHERE home_id = ?", (home,))
    seats = {str(name): int(seat) for name, seat, _ in rows}
    live = {int(seat): str(name) for name, seat, is_live in rows if is_live}
    newest = max(seats.values(), default=0)
    if replaces in seats:
        seat = seats[replaces]
        is_free = live.get(seat, replaces) == replaces
    else:
        seat = newest + 1 if is_further or newest > 1 else 1
        is_free = is_further or not live
    return _Place(home, seat, live.get(seat)) if is_free else InviteRefusal.HAS_AGENT


async def _enrol(db: Connection, agent: Agent, place: _Place, *, token_id: bytes, now: int) -> InviteRefusal | None:
    known = await db.execute_fetchall(
        "SELECT 1 FROM agent WHERE id = ? OR public_key = ?", (agent.id, agent.public_key)
    )
    if list(known):
        return InviteRefusal.KNOWN_KEY
    ((member,),) = await db.execute_fetchall("SELECT member_id FROM home WHERE id = ?", (place.home,))
    if place.held_by is not None:
        await log_change(db, ChangeKind.AGENT_REPLACED, str(member), at=now, by="", subject=place.held_by)
        await db.execute("UPDATE agent SET revoked_at = ? WHERE id = ?", (now, place.held_by))
    await log_change(db, ChangeKind.AGENT_ENROLLED, str(member), at=now, by="", subject=agent.id)
    await db.execute(
        f"INSERT INTO agent ({_AGENT}) VALUES (?, ?, ?, ?, ?, NULL, ?)",
        (agent.id, place.home, agent.shard, agent.public_key, agent.enrolled_at, place.seat),
    )
    await db.execute("UPDATE invite SET used_at = ?, agent_id = ? WHERE token_hash = ?", (now, agent.id, token_id))
    return None
