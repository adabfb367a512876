"""Erases what the co-op's retention rule says: each in one transaction with its line of the log."""

from typing import Final

from hub.storage.life_records import ERASED_NAME, ChangeKind, HomeErasure, PersonErasure
from hub.storage.sql.connection import Connection, Transactions
from hub.storage.sql.people.change_log import log_change
from hub.storage.sql.periods.sums import erase_sums
from hub.storage.street_records import OF_MEMBER
from protocols.slots import slot_of

_HOMES_DUE_SQL: Final = """SELECT home.id, coalesce(member.held_by, member.id), member.id, member.left_at FROM home
JOIN member ON member.id = home.member_id
WHERE member.left_at <= ? AND home.id NOT IN (SELECT home FROM erasure)
AND NOT EXISTS (SELECT 1 FROM agent WHERE agent.home_id = home.id AND agent.revoked_at IS NULL)
AND NOT EXISTS (SELECT 1 FROM objection AS o WHERE o.member = member.id
    AND o.id NOT IN (SELECT objection FROM objection_decision))
ORDER BY home.id"""
_PEOPLE_DUE_SQL: Final = """SELECT id FROM member AS p WHERE held_by IS NULL AND left_at <= ?1
AND id NOT IN (SELECT member FROM person_erasure)
AND NOT EXISTS (SELECT 1 FROM member WHERE held_by = p.id AND (left_at IS NULL OR left_at > ?1))
AND NOT EXISTS (SELECT 1 FROM home JOIN member ON member.id = home.member_id
    WHERE p.id IN (member.id, member.held_by) AND home.id NOT IN (SELECT home FROM erasure))
ORDER BY id"""
_OF_HOME: Final = ("reading", "long_interval", "device", "consent", "appliance", "prompt")
"""What was made from the home's messages, and what its household entered: deleted with them."""


class SqlErasures(Transactions):
    """The ErasureStore slice."""

    async def erase_homes(self, *, left_before: int, months: int) -> tuple[str, ...]:
        """Erase the readings of homes whose membership ended by this time and whose agents are shut out."""
        async with self.reading() as db:
            due = [tuple(row) for row in await db.execute_fetchall(_HOMES_DUE_SQL, (left_before,))]
        for home, person, member, left_at in due:
            await self._erase_home(home, person=person, member=member, left_at=left_at, months=months)
        await self.write(lambda db: db.drop_empty_months(before=slot_of(left_before)))
        return tuple(str(home) for home, _, _, _ in due)

    async def _erase_home(self, home: str, *, person: str, member: str, left_at: int, months: int) -> None:
        async def work(db: Connection) -> None:
            at, agents = int(self._now()), "agent IN (SELECT id FROM agent WHERE home_id = ?)"
            ((count,),) = await db.execute_fetchall(f"SELECT count(*) FROM message WHERE {agents}", (home,))  # noqa: S608
            await log_change(db, ChangeKind.READINGS_ERASED, person, at=at, by="", subject=home)
            row = (home, member, left_at, months, count, at)
            await db.execute("INSERT INTO erasure VALUES (?, ?, ?, ?, ?, ?)", row)
            # If power fails before the commit, nothing is erased; after it, the pages are overwritten, not only freed.
            await db.overwrite_deleted(is_on=True)
            await db.execute(f"UPDATE message SET sealed = x'' WHERE {agents} AND length(sealed) > 0", (home,))  # noqa: S608
            ((tz,),) = await db.execute_fetchall("SELECT tz FROM coop")
            await erase_sums(db, home, tz=str(tz))
            for table in _OF_HOME:
                await db.execute(f"DELETE FROM {table} WHERE home = ?", (home,))  # noqa: S608
            await db.execute("DELETE FROM kept_part WHERE part = ?", (OF_MEMBER + member,))
            await db.execute("UPDATE home SET name = id WHERE id = ?", (home,))
            await db.overwrite_deleted(is_on=False)

        await self.write(work)

    async def people_due(self, *, left_before: int) -> tuple[str, ...]:
        """Members who left every home by this time and whose homes are erased, but not they themselves yet."""
        async with self.reading() as db:
            return tuple(str(row[0]) for row in await db.execute_fetchall(_PEOPLE_DUE_SQL, (left_before,)))

    async def erase_person(self, member: str, *, months: int) -> None:
        """Erase a member's name, address, bank details and mail; the id stays in the books."""

        async def work(db: Connection) -> None:
            at, ids = int(self._now()), "(SELECT id FROM member WHERE ?1 IN (id, held_by))"
            await log_change(db, ChangeKind.PERSON_ERASED, member, at=at, by="")
            sql = f"INSERT INTO person_erasure SELECT id, ?2, ?3 FROM member WHERE id IN {ids}"  # noqa: S608
            await db.execute(sql, (member, months, at))
            await db.overwrite_deleted(is_on=True)
            await db.execute(f"UPDATE account SET name = '', iban = '' WHERE member IN {ids}", (member,))  # noqa: S608
            emails = await db.execute_fetchall(f"SELECT email FROM member WHERE id IN {ids}", (member,))  # noqa: S608
            addresses = [str(row[0]).casefold() for row in emails]
            marks = ", ".join("?" for _ in addresses)
            sql = f"UPDATE member SET name = ?2, email = '' WHERE id IN {ids}"  # noqa: S608
            await db.execute(sql, (member, ERASED_NAME))
            await db.execute(f"DELETE FROM mail_bounce WHERE address IN ({marks})", addresses)  # noqa: S608
            await db.execute(f"DELETE FROM notice WHERE member IN {ids}", (member,))  # noqa: S608
            await db.execute("DELETE FROM session WHERE member_id = ?", (member,))
            await db.execute("DELETE FROM sign_in WHERE member_id = ?", (member,))
            await db.overwrite_deleted(is_on=False)

        await self.write(work)

    async def erasures(self) -> tuple[HomeErasure, ...]:
        """What was erased of homes, by home."""
        sql = "SELECT home, member, left_at, months, messages, erased_at FROM erasure ORDER BY home"
        async with self.reading() as db:
            return tuple(HomeErasure(*row) for row in await db.execute_fetchall(sql))

    async def person_erasures(self) -> tuple[PersonErasure, ...]:
        """Which members' personal data was erased, by member."""
        async with self.reading() as db:
            rows = await db.execute_fetchall("SELECT member, months, erased_at FROM person_erasure ORDER BY member")
        return tuple(PersonErasure(*row) for row in rows)
