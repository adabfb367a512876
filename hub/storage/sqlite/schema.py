"""Brings a SQLite file to this program's schema with numbered SQL files, each applied once and checked by checksum."""

import hashlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from hub.storage.errors import StoreError
from hub.storage.sqlite.threads.connection import FileConnection

LEDGER_SQL = """CREATE TABLE IF NOT EXISTS migration (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the step's text in hexadecimal."""
        return hashlib.sha256(self.sql.encode("utf-8")).hexdigest()


@cache
def known_migrations() -> tuple[Migration, ...]:
    """The steps that come with this program, in order, numbered from 1 without gaps."""
    folder = resources.files("hub.storage.sqlite") / "migrations"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    steps = tuple(
        Migration(int(name.split("_", 1)[0]), name, (folder / name).read_text(encoding="utf-8")) for name in names
    )
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        raise StoreError(f"the installed migrations are incomplete: {', '.join(names)}; install the program again")
    return steps


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
        _check_applied([(int(n), str(name), str(c)) for n, name, c in applied], wanted, place)
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


def _check_applied(applied: Sequence[tuple[int, str, str]], wanted: Sequence[Migration], place: str) -> None:
    if len(applied) > len(wanted):
        raise StoreError(
            f"{place} was written by a newer version of this program (schema {len(applied)}, this one knows "
            f"{len(wanted)}): install that version or restore an older copy"
        )
    for (number, name, checksum), step in zip(applied, wanted, strict=False):
        if (number, checksum) != (step.number, step.checksum):
            raise StoreError(f"{place}: schema step {name} differs from {step.name} of this program")


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
