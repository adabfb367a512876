"""Members' bank accounts and mandates. Append-only; every access is logged before it happens (I12)."""

from collections.abc import Sequence
from typing import Final

from hub.storage.account_records import AccountRow, BankDetails, MandateRow, NewAccount
from hub.storage.records import Access
from hub.storage.sql.access_log import SqlAccessLog
from hub.storage.sql.connection import Connection

ACCOUNT_FIELDS: Final = "bank account"
_HOMES_SQL = "SELECT id FROM home{theirs} ORDER BY id"
_ACCOUNTS_SQL = "SELECT id, member, name, iban, made_by, made_at FROM account AS a{asked} ORDER BY id"
_MANDATES_SQL = """SELECT m.id, m.account, a.member, m.signed_on, m.made_by, m.made_at, e.made_by, e.made_at
FROM mandate AS m JOIN account AS a ON a.id = m.account LEFT JOIN mandate_end AS e ON e.mandate = m.id{asked}
ORDER BY m.rowid"""
_OPEN_SQL = """SELECT m.id FROM mandate AS m JOIN account AS a ON a.id = m.account WHERE a.member = ?
AND m.id NOT IN (SELECT mandate FROM mandate_end)"""
_LAST_SQL = "SELECT id, iban FROM account WHERE member = ? ORDER BY id DESC LIMIT 1"
_END_SQL = "INSERT INTO mandate_end (mandate, made_by, made_at) VALUES (?, ?, ?)"


class SqlAccounts(SqlAccessLog):
    """The AccountStore slice."""

    async def add_account(self, new: NewAccount) -> int:
        """Make this the member's account and return its id. If the IBAN differs, the mandate in force ends."""

        async def work(db: Connection) -> int:
            last = [(int(row[0]), str(row[1])) for row in await db.execute_fetchall(_LAST_SQL, (new.member,))]
            if last and last[0][1] != new.iban:
                for (mandate,) in list(await db.execute_fetchall(_OPEN_SQL, (new.member,))):
                    await db.execute(_END_SQL, (mandate, new.made_by, new.made_at))
            # If power fails before the commit, the previous account and its mandate stay in force.
            ((number,),) = await db.execute_fetchall(
                "INSERT INTO account (member, name, iban, made_by, made_at) VALUES (?, ?, ?, ?, ?) RETURNING id",
                (new.member, new.name, new.iban, new.made_by, new.made_at),
            )
            return int(number)

        return await self.write(work)

    async def bank_details(self, members: Sequence[str] | None, *, access: Access) -> BankDetails:
        """The history of these members, or of all; a row in each member's access log is committed first."""
        asked = None if members is None else frozenset(members)
        names = sorted(asked or ())
        marks = ", ".join("?" for _ in names)
        theirs = "" if asked is None else f" WHERE member_id IN ({marks})"
        async with self.reading() as db:
            homes = await db.execute_fetchall(_HOMES_SQL.format(theirs=theirs), names)
        chosen = [str(home) for (home,) in homes]
        await self.log_access(access, chosen, fields=ACCOUNT_FIELDS, rows=1)
        of_them = "" if asked is None else f" WHERE a.member IN ({marks})"
        async with self.reading() as db:
            account_rows = await db.execute_fetchall(_ACCOUNTS_SQL.format(asked=of_them), names)
            mandate_rows = await db.execute_fetchall(_MANDATES_SQL.format(asked=of_them), names)
        accounts = [AccountRow(*row) for row in account_rows]
        mandates = [MandateRow(*row) for row in mandate_rows]
        return BankDetails(tuple(accounts), tuple(mandates))

    async def add_mandate(
        self, member: str, *, signed_on: str, made_by: str, made_at: int, mandate: str | None = None
    ) -> str | None:
        """Add a mandate for the member's account under this id or the next free one."""

        async def work(db: Connection) -> str | None:
            last = list(await db.execute_fetchall(_LAST_SQL, (member,)))
            if not last:
                return "no account"
            if list(await db.execute_fetchall(_OPEN_SQL, (member,))):
                return "already in force"
            taken = {str(row[0]) for row in await db.execute_fetchall("SELECT id FROM mandate")}
            name = mandate or next(each for n in range(1, len(taken) + 2) if (each := f"{member}-{n}") not in taken)
            if name in taken:
                return "taken"
            values = (name, last[0][0], signed_on, made_by, made_at)
            # If power fails before the commit, there is no mandate and nothing can be collected.
            await db.execute(
                "INSERT INTO mandate (id, account, signed_on, made_by, made_at) VALUES (?, ?, ?, ?, ?)", values
            )
            return None

        return await self.write(work)

    async def end_mandate(self, member: str, *, made_by: str, made_at: int) -> bool:
        """End the member's mandate; False if none is in force."""

        async def work(db: Connection) -> bool:
            in_force = list(await db.execute_fetchall(_OPEN_SQL, (member,)))
            for (mandate,) in in_force:
                await db.execute(_END_SQL, (mandate, made_by, made_at))
            return bool(in_force)

        return await self.write(work)
