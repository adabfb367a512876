"""Builds the indexes of a step of the schema while the hub goes on reading and writing: no table is locked meanwhile.

A step whose first line is `-- online` holds nothing but CREATE INDEX CONCURRENTLY. Its statements run outside a
transaction. Whatever stopped it, the next try keeps what is built, drops what is half built, and goes on.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from hub.storage.errors import StoreError
from hub.storage.postgres.session import Session

MARK: Final = "-- online"
_INDEX: Final = re.compile(r"CREATE (UNIQUE )?INDEX CONCURRENTLY (\w+) ON (\w+) (.+)", re.DOTALL)
_IS_VALID_SQL: Final = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"
_PARTS_SQL: Final = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::text::regclass ORDER BY 1"
_IS_SPLIT_SQL: Final = "SELECT relkind = 'p' FROM pg_class WHERE oid = $1::text::regclass"

Briefly = Callable[[str], Awaitable[None]]
"""Runs one statement that needs a lock for a moment, and gives way to whoever holds it."""


@dataclass(frozen=True, slots=True)
class OnlineIndex:
    """One index of a step: `rest` is what follows the table's name."""

    name: str
    table: str
    rest: str
    is_unique: bool

    async def build(self, session: Session, *, briefly: Briefly) -> None:
        """Build what is missing of it. For a table in parts: on each part alone, then all of them together.

        A part that is made meanwhile has the index from its beginning.
        """
        if not await session.fetchval(_IS_SPLIT_SQL, self.table):
            await self._build_on(session, self.table, self.name)
            return
        if await session.fetchval(_IS_VALID_SQL, self.name):
            return
        await briefly(f"CREATE {self._kind} IF NOT EXISTS {self.name} ON ONLY {self.table} {self.rest}")
        for (part,) in await session.fetch(_PARTS_SQL, self.table):
            own = f"{part}_{self.name}"
            await self._build_on(session, part, own)
            await briefly(f"ALTER INDEX {self.name} ATTACH PARTITION {own}")

    async def _build_on(self, session: Session, table: str, name: str) -> None:
        is_valid = await session.fetchval(_IS_VALID_SQL, name)
        if is_valid is False:  # left by a try that was stopped: it costs every write and helps no reader
            await session.execute(f"DROP INDEX CONCURRENTLY {name}")
        if not is_valid:
            await session.execute(f"CREATE {self._kind} CONCURRENTLY {name} ON {table} {self.rest}")

    @property
    def _kind(self) -> str:
        return "UNIQUE INDEX" if self.is_unique else "INDEX"


def online_indexes(sql: str, *, name: str) -> tuple[OnlineIndex, ...]:
    """The indexes of the step `name`; none if it is an ordinary one. Raises: StoreError if it holds anything else."""
    if sql.partition("\n")[0].strip() != MARK:
        return ()
    plain = "\n".join(line for line in sql.splitlines() if not line.startswith("--"))
    found = []
    for statement in filter(None, map(str.strip, plain.split(";"))):
        if (words := _INDEX.fullmatch(statement)) is None:
            raise StoreError(f"step {name}: only CREATE INDEX CONCURRENTLY can be done online: {statement[:60]}")
        found.append(OnlineIndex(words[2], words[3], words[4], is_unique=words[1] is not None))
    return tuple(found)
