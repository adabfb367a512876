"""The queue of mail to members, their choices and the addresses that refuse mail."""

import json
from collections.abc import Sequence
from typing import Final

from hub.storage.notice_records import Bounce, NewNotice, Notice, NoticeChoice, NoticeKind, NoticeState
from hub.storage.sql.connection import Connection, Transactions

_COLUMNS: Final = """SELECT id, kind, member, about, facts, secret, made_at, last_try_at, next_try_at, tries, state,
settled_at, answer FROM notice"""
_DUE_SQL: Final = f"""{_COLUMNS} WHERE settled_at IS NULL AND next_try_at <= ?
ORDER BY kind NOT IN ('sign-in', 'invitation'), id LIMIT ?"""
_LIST_SQL: Final = f"""{_COLUMNS} WHERE settled_at IS NULL OR settled_at >= ? ORDER BY id DESC LIMIT ?"""
_ADD_SQL: Final = """INSERT INTO notice
(kind, member, about, facts, secret, made_at, last_try_at, next_try_at, state)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting') ON CONFLICT DO NOTHING"""
_RECENT_SQL: Final = "SELECT count(*) FROM notice WHERE kind = ? AND member = ? AND made_at > ?"
_SETTLE_SQL: Final = """UPDATE notice SET state = ?, answer = ?, settled_at = ?, secret = NULL
WHERE id = ? AND settled_at IS NULL"""
_DROP_SQL: Final = """UPDATE notice SET state = 'dropped', answer = ?, settled_at = ?, secret = NULL
WHERE kind = ? AND about = ? AND settled_at IS NULL"""
# A notice that was tried may have reached its member, unless the mail server refused it for good.
_TOLD_SQL: Final = """SELECT member FROM notice WHERE kind = ? AND about = ? AND tries > 0
AND state IN ('sent', 'dropped', 'given up') ORDER BY member"""
_DELAY_SQL: Final = "UPDATE notice SET answer = ? WHERE id = ? AND answer <> ? AND settled_at IS NULL"
_CHOOSE_SQL: Final = """INSERT INTO notice_choice VALUES (?, ?, ?, ?, ?) ON CONFLICT (member, kind)
DO UPDATE SET is_on = excluded.is_on, made_by = excluded.made_by, made_at = excluded.made_at"""
ANSWER_CHARS_MAX: Final = 200
HOUR_S: Final = 3600


class SqlNotices(Transactions):
    """The NoticeStore slice."""

    async def add_notices(self, found: Sequence[NewNotice]) -> int:
        """Queue those that are not known yet."""
        at = int(self._now())

        async def work(db: Connection) -> int:
            return sum([await add_notice(db, each, at=at) for each in found])

        return await self.write(work) if found else 0

    async def due_notices(self, *, now: int, most: int) -> tuple[Notice, ...]:
        """Waiting notices whose time has come."""
        async with self.reading() as db:
            return tuple(_notice(tuple(row)) for row in await db.execute_fetchall(_DUE_SQL, (now, most)))

    async def note_try(self, notice: int, *, next_try_at: int) -> None:
        """Count a try that is about to begin."""

        async def work(db: Connection) -> None:
            await db.execute("UPDATE notice SET tries = tries + 1, next_try_at = ? WHERE id = ?", (next_try_at, notice))

        await self.write(work)

    async def note_delay(self, notice: int, answer: str) -> None:
        """Keep why a notice still waits."""

        async def work(db: Connection) -> None:
            shown = answer[:ANSWER_CHARS_MAX]
            await db.execute(_DELAY_SQL, (shown, notice, shown))

        await self.write(work)

    async def settle_notice(self, notice: int, state: NoticeState, *, answer: str = "") -> None:
        """End a notice; its secret is deleted."""
        at = int(self._now())

        async def work(db: Connection) -> None:
            await db.execute(_SETTLE_SQL, (state.value, answer[:ANSWER_CHARS_MAX], at, notice))

        await self.write(work)

    async def withdraw_notices(self, kind: NoticeKind, about: str, *, answer: str) -> tuple[str, ...]:
        """Drop the waiting notices about this; the members who were told of it, or may have been."""
        at = int(self._now())

        async def work(db: Connection) -> tuple[str, ...]:
            await db.execute(_DROP_SQL, (answer[:ANSWER_CHARS_MAX], at, kind.value, about))
            return tuple(str(row[0]) for row in await db.execute_fetchall(_TOLD_SQL, (kind.value, about)))

        return await self.write(work)

    async def notices(self, *, since: int, most: int) -> tuple[Notice, ...]:
        """All that wait, and those settled since then."""
        async with self.reading() as db:
            rows = list(await db.execute_fetchall(_LIST_SQL, (since, most)))
        return tuple(_notice(tuple(row)) for row in reversed(rows))

    async def forget_notices(self, *, before: int) -> None:
        """Delete notices settled before this time."""

        async def work(db: Connection) -> None:
            await db.execute("DELETE FROM notice WHERE settled_at < ?", (before,))

        await self.write(work)

    async def note_bounce(self, address: str, answer: str | None) -> None:
        """Keep that an address refused, or that it takes mail again."""
        at, key = int(self._now()), address.casefold()

        async def work(db: Connection) -> None:
            await db.execute("DELETE FROM mail_bounce WHERE address = ?", (key,))
            if answer is not None:
                await db.execute("INSERT INTO mail_bounce VALUES (?, ?, ?)", (key, at, answer[:ANSWER_CHARS_MAX]))

        await self.write(work)

    async def bounces(self, *, address: str | None = None) -> tuple[Bounce, ...]:
        """The addresses that refused, or the one asked for if it did."""
        async with self.reading() as db:
            if address is None:
                rows = await db.execute_fetchall("SELECT address, at, answer FROM mail_bounce ORDER BY address")
            else:
                own = "SELECT address, at, answer FROM mail_bounce WHERE address = ?"
                rows = await db.execute_fetchall(own, (address,))
        return tuple(Bounce(*row) for row in rows)

    async def notice_choices(self, *, member: str | None = None) -> tuple[NoticeChoice, ...]:
        """What all members have chosen, or this one."""
        async with self.reading() as db:
            if member is None:
                sql = "SELECT member, kind, is_on, made_by, made_at FROM notice_choice ORDER BY member, kind"
                found = await db.execute_fetchall(sql)
            else:
                own = "SELECT member, kind, is_on, made_by, made_at FROM notice_choice WHERE member = ? ORDER BY kind"
                found = await db.execute_fetchall(own, (member,))
        rows = [tuple(row) for row in found]
        return tuple(NoticeChoice(who, NoticeKind(kind), bool(is_on), by, at) for who, kind, is_on, by, at in rows)

    async def choose_notice(self, member: str, kind: NoticeKind, *, is_on: bool, by: str) -> None:
        """Switch a kind on or off for a member."""
        at = int(self._now())

        async def work(db: Connection) -> None:
            await db.execute(_CHOOSE_SQL, (member, kind.value, int(is_on), by, at))

        await self.write(work)


async def add_notice(db: Connection, new: NewNotice, *, at: int) -> int:
    """Queue a notice in the caller's transaction; 1 if it is new and within its limit an hour, else 0."""
    if new.most_an_hour is not None:
        rows = await db.execute_fetchall(_RECENT_SQL, (new.kind.value, new.member, at - HOUR_S))
        if next(iter(rows))[0] >= new.most_an_hour:
            return 0
    facts = json.dumps(dict(new.facts), ensure_ascii=False, sort_keys=True)
    row = (new.kind.value, new.member, new.about, facts, new.secret, at, new.last_try_at, at)
    return await db.execute(_ADD_SQL, row)


def _notice(row: tuple[object, ...]) -> Notice:
    number, kind, member, about, facts, secret, made, last_try, next_try, tries, state, settled, answer = row
    return Notice(
        id=int(str(number)),
        kind=NoticeKind(str(kind)),
        member=str(member),
        about=str(about),
        facts={str(key): str(value) for key, value in json.loads(str(facts)).items()},
        secret=secret if isinstance(secret, bytes) else None,
        made_at=int(str(made)),
        last_try_at=int(str(last_try)),
        next_try_at=int(str(next_try)),
        tries=int(str(tries)),
        state=NoticeState(str(state)),
        settled_at=None if settled is None else int(str(settled)),
        answer=str(answer),
    )
