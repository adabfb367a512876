"""Parts of stated days, one row for each member of a day's state, so that a statement reads its member's rows alone."""

from collections.abc import Mapping, Sequence
from typing import Final

from hub.storage.sql.connection import Connection, Transactions
from hub.storage.street_records import PartPlace

_KEEP_SQL: Final = """INSERT INTO kept_part VALUES (?, ?, ?, ?)
ON CONFLICT (day, name, part) DO UPDATE SET content = excluded.content"""
_FIND_SQL: Final = "SELECT content FROM kept_part WHERE day = ? AND name = ? AND part = ?"
_DROP_SQL: Final = "DELETE FROM kept_part WHERE day < ?"
_DROP_STATES_SQL: Final = "DELETE FROM kept_part WHERE day = ? AND name >= ? AND name < ?"


class SqlKeptParts(Transactions):
    """The KeptPartStore slice."""

    async def keep_parts(self, parts: Mapping[PartPlace, bytes]) -> None:
        """Keep these parts in one transaction, in place of what was there."""
        rows = [(*place, content) for place, content in sorted(parts.items())]
        # If power fails before the commit, none of them is kept, and the next look makes them again.
        await self.write(lambda db: db.put_rows(_KEEP_SQL, rows))

    async def kept_parts(self, places: Sequence[PartPlace]) -> dict[PartPlace, bytes]:
        """Those of these parts that are kept, each found by its key."""

        async def work(db: Connection) -> dict[PartPlace, bytes]:
            found = {place: await db.execute_fetchall(_FIND_SQL, place) for place in places}
            return {place: bytes(rows[0][0]) for place, rows in found.items() if rows}

        return await self.read(work)

    async def has_run_group(self, run_key: str) -> bool:
        """Whether it is decided which homes may be seen in this run's numbers: see fix_run_group."""
        async with self.reading() as db:
            return bool(await db.execute_fetchall("SELECT 1 FROM run_group WHERE run_key = ?", (run_key,)))

    async def drop_parts(self, *, before: str, days: Sequence[str], names: tuple[str, str]) -> None:
        """Forget the parts of days before this one, and of these days the ones with a name from the first of `names` up
        to the second.
        """

        async def work(db: Connection) -> None:
            await db.execute(_DROP_SQL, (before,))
            await db.executemany(_DROP_STATES_SQL, [(day, *names) for day in days])

        await self.write(work)
