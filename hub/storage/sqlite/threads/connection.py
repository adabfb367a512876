"""The connection that the store's modules speak to: on the file's own thread, or across to it from the event loop.

Handing one statement to another thread and its answer back costs more than most statements do. So a piece of work is
run over there from beginning to end, in one crossing: it awaits nothing but its connection.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]
Step = Callable[[sqlite3.Connection], T]
"""Something to do on the file's thread, with the plain connection."""


class Connection(ABC):
    """An open store's file, for statements."""

    @abstractmethod
    async def run(self, step: Step[T]) -> T:
        """Do this on the file's thread."""

    async def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement. The cursor is for its counts only: rows are fetched on the file's thread."""
        return await self.run(lambda plain: plain.execute(sql, values))

    async def execute_fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of one statement."""
        return await self.run(lambda plain: plain.execute(sql, values).fetchall())

    async def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> sqlite3.Cursor:
        """Run one statement for each of these rows of values."""
        return await self.run(lambda plain: plain.executemany(sql, rows))


Work = Callable[[Connection], Awaitable[T]]
"""Several statements that belong together. It may run on another thread than its caller's."""


class _OnItsThread(Connection):
    """What a piece of work is given: every statement is done when it returns."""

    def __init__(self, plain: sqlite3.Connection) -> None:
        self._plain = plain

    async def run(self, step: Step[T]) -> T:
        return step(self._plain)


class Snapshot(Connection):
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


def run_through(work: Work[T], plain: sqlite3.Connection) -> T:
    """Do a whole piece of work now. Raises: RuntimeError if it awaits anything but its connection."""
    steps = work(_OnItsThread(plain)).__await__()
    try:
        next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
    steps.close()
    raise RuntimeError("a piece of work on the store may await nothing but its connection")


def read_through(work: Work[T], plain: sqlite3.Connection) -> T:
    """The same in a transaction of its own, which is undone: it is for reading."""
    begin(plain)
    try:
        return run_through(work, plain)
    finally:
        plain.rollback()
