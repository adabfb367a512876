"""The connection that the store's modules speak to: on the file's own thread, or across to it from the event loop.

Handing one statement to another thread and its answer back costs more than most statements do. So a piece of work is
run over there from beginning to end, in one crossing: it awaits nothing but its connection.
"""

import sqlite3
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from hub.storage.errors import ConstraintError
from hub.storage.sql.connection import Connection, Dialect, Row, Work
from hub.storage.sqlite.dialect import SQLITE
from protocols.slots import Slot

T = TypeVar("T")
_TAKEN: Final = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})
Step = Callable[[sqlite3.Connection], T]
"""Something to do on the file's thread, with the plain connection."""


class FileConnection(Connection):
    """An open store's file, for statements."""

    @property
    def dialect(self) -> Dialect:
        """SQLite's own words."""
        return SQLITE

    @abstractmethod
    async def run(self, step: Step[T]) -> T:
        """Do this on the file's thread."""

    async def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; how many rows it changed."""
        return await self._stated(lambda plain: plain.execute(sql, values).rowcount)

    async def execute_fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of one statement."""
        return await self._stated(lambda plain: plain.execute(sql, values).fetchall())

    async def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of these rows of values."""
        await self._stated(lambda plain: plain.executemany(sql, rows))

    async def add_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add new rows."""
        places = ", ".join("?" for _ in columns)
        await self.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)  # noqa: S608

    async def put_rows(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run the statement for each of these rows."""
        await self.executemany(sql, rows)

    async def make_room(self, slots: Iterable[Slot]) -> None:
        """A file keeps all readings in one table."""

    async def _stated(self, step: Step[T]) -> T:
        try:
            return await self.run(step)
        except sqlite3.IntegrityError as error:
            is_taken = error.sqlite_errorcode in _TAKEN
            raise ConstraintError(str(error), is_taken=is_taken) from error


FileWork = Callable[[FileConnection], Awaitable[T]]
"""A piece of work that needs the file itself."""


class _OnItsThread(FileConnection):
    """What a piece of work is given: every statement is done when it returns."""

    def __init__(self, plain: sqlite3.Connection) -> None:
        self._plain = plain

    async def run(self, step: Step[T]) -> T:
        return step(self._plain)


class Snapshot(FileConnection):
    """Reads of one moment, asked for by the event loop; `cross` does a step on the file's thread.

    The first statement begins the transaction, so a single read crosses once.
    """

    def __init__(self, cross: Callable[[Step[Any]], Awaitable[Any]]) -> None:
        self._cross = cross
        self._is_begun = False

    async def run(self, step: Step[T]) -> T:
        result: T = await self._cross(partial(self._in_transaction, step))
        return result

    def _in_transaction(self, step: Step[T], plain: sqlite3.Connection) -> T:
        if not self._is_begun:
            begin(plain)
            self._is_begun = True
        return step(plain)


def begin(plain: sqlite3.Connection) -> None:
    """A new transaction for reading."""
    if plain.in_transaction:  # an earlier one could not be ended
        plain.rollback()
    plain.execute("BEGIN")


def run_through(work: Work[T] | FileWork[T], plain: sqlite3.Connection) -> T:
    """Do a whole piece of work now. Raises: RuntimeError if it awaits anything but its connection."""
    steps = work(_OnItsThread(plain)).__await__()
    try:
        next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
    steps.close()
    raise RuntimeError("a piece of work on the store may await nothing but its connection")


def read_through(work: Work[T] | FileWork[T], plain: sqlite3.Connection) -> T:
    """The same in a transaction of its own, which is undone: it is for reading."""
    begin(plain)
    try:
        return run_through(work, plain)
    finally:
        plain.rollback()
