"""Brings a SQLite file to this program's schema with numbered SQL files, each applied once and checked by checksum."""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cache

from hub.storage.errors import StoreError
from hub.storage.sql.backends.numbered_steps import Migration, check_applied, steps_in
from hub.storage.sqlite.threads.connection import FileConnection

LEDGER_SQL = """CREATE TABLE IF NOT EXISTS migration (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT"""


@cache
def known_migrations() -> tuple[Migration, ...]:
    """The steps that come with this program, in order, numbered from 1 without gaps."""
    return steps_in("hub.storage.sqlite")


async def lacks_steps(db: FileConnection) -> bool:
    """Whether `migrate` would apply a step to this file; False for one that holds nothing at all."""
    if not list(await db.execute_fetchall("SELECT 1 FROM sqlite_master LIMIT 1")):
        return False
    if not list(await db.execute_fetchall("SELECT 1 FROM sqlite_master WHERE name = 'migration'")):
        return True
    ((applied,),) = await db.execute_fetchall("SELECT count(*) FROM migration")
    return int(applied) < len(known_migrations())


async def migrate(
    db: FileConnection,
    *,
    place: str,
    steps: Sequence[Migration] | None = None,
    finish: Callable[[range], Awaitable[None]] | None = None,
) -> None:
    """Apply the missing steps and, in the same transaction, `finish` with their numbers; all or none.

    Raises: StoreError if the file was written by a newer program or a step was changed after it was applied.
    """
    wanted = known_migrations() if steps is None else tuple(steps)
    await db.execute("BEGIN IMMEDIATE")
    try:
        await db.execute(LEDGER_SQL)
        applied = await db.execute_fetchall("SELECT number, name, checksum FROM migration ORDER BY number")
        check_applied([(int(n), str(name), str(c)) for n, name, c in applied], wanted, place)
        for step in wanted[len(list(applied)) :]:
            for statement in _statements(step.sql):
                await db.execute(statement)
            await db.execute("INSERT INTO migration VALUES (?, ?, ?)", (step.number, step.name, step.checksum))
        if finish is not None:
            await finish(range(len(list(applied)) + 1, len(wanted) + 1))
    except BaseException:
        await db.run(lambda plain: plain.rollback())
        raise
    # If power fails before this commit, the file still has its previous schema.
    await db.run(lambda plain: plain.commit())


def _statements(sql: str) -> Iterator[str]:
    """Split a script into statements; semicolons inside a trigger do not end it."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        raise StoreError("a migration ends in the middle of a statement")
