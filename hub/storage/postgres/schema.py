"""Brings a co-op's schema on a server to this program's with numbered SQL files, each applied once and checked.

A hub of the version before may run meanwhile: a step that gets no lock in a few seconds gives way, and tries again.
"""

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Final

import asyncpg

from hub.storage.errors import StoreError
from hub.storage.postgres.online import online_indexes
from hub.storage.postgres.session import Session
from hub.storage.sql.backends.numbered_steps import Migration, check_applied, steps_in

LOCK_TIMEOUT_MS: Final = 3_000
TRIES: Final = 5
pause = asyncio.sleep
_LEDGER_SQL: Final = """CREATE TABLE IF NOT EXISTS migration (
    number bigint PRIMARY KEY, name text COLLATE "C" NOT NULL, checksum text COLLATE "C" NOT NULL)"""
_APPLIED_SQL: Final = "SELECT number, name, checksum FROM migration ORDER BY number"


@cache
def known_migrations() -> tuple[Migration, ...]:
    """The steps that come with this program, in order, numbered from 1 without gaps."""
    return steps_in("hub.storage.postgres")


async def refuse_other_schema(session: Session, place: str) -> None:
    """Refuse a schema that is not exactly this program's: whoever runs a hub cannot change it.

    Raises: StoreError.
    """
    if await session.fetchval("SELECT to_regclass('migration')") is None:
        raise StoreError(
            f"{place}: no store here, or none that this role may see; make one with: commonwatt-hub db prepare"
        )
    wanted = known_migrations()
    applied = await applied_steps(session)
    check_applied(applied, wanted, place)
    if len(applied) < len(wanted):
        raise StoreError(
            f"{place}: its schema is {len(applied)}, and this program needs {len(wanted)}: stop the hub and run"
            " commonwatt-hub db prepare"
        )


async def applied_steps(session: Session) -> list[tuple[int, str, str]]:
    """(number, name, checksum) of each step that was applied."""
    return [(int(number), str(name), str(checksum)) for number, name, checksum in await session.fetch(_APPLIED_SQL)]


async def migrate(session: Session, *, place: str, steps: Sequence[Migration] | None = None) -> range:
    """Apply the missing steps, each in its own transaction; the numbers of those that were applied.

    Raises: StoreError if the schema is of a newer program, a step was changed, or no lock was to be had.
    """
    wanted = known_migrations() if steps is None else tuple(steps)
    await session.execute(_LEDGER_SQL)
    applied = await applied_steps(session)
    check_applied(applied, wanted, place)
    for step in wanted[len(applied) :]:
        await _apply(session, step, place)
    return range(len(applied) + 1, len(wanted) + 1)


async def _apply(session: Session, step: Migration, place: str) -> None:
    async def briefly(sql: str) -> None:
        await _briefly(session, sql, name=step.name, place=place)

    # Outside a transaction, and without a line in the ledger before all of them are built.
    indexes = online_indexes(step.sql, name=step.name)
    for index in indexes:
        await index.build(session, briefly=briefly)
    line = (step.number, step.name, step.checksum)
    await _briefly(session, "" if indexes else step.sql, name=step.name, place=place, line=line)


async def _briefly(
    session: Session, sql: str, *, name: str, place: str, line: tuple[int, str, str] | None = None
) -> None:
    """One transaction with this line of the ledger, if any; it gives way to whoever holds a lock that it needs."""
    for tried in range(TRIES):
        try:
            async with session.transaction():
                await session.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
                if sql:
                    await session.execute(sql)
                if line is not None:
                    await session.execute("INSERT INTO migration VALUES ($1, $2, $3)", *line)
            return
        except asyncpg.LockNotAvailableError:
            # Meanwhile those who wait behind this step go on.
            await pause(2.0**tried)
    raise StoreError(f"{place}: step {name} got no lock in {TRIES} tries: somebody holds a table; try again later")
