"""What a slice of the store is given to work with: a connection for statements, and transactions to run them in.

Each database brings its own. Statements are written once: with `?` for each value or `?1` for one used twice, in words
that every database of ours understands; where they truly differ, the connection's dialect has them.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from hub.core.ledger.signed_document import Signer
from hub.storage.errors import StoreError
from protocols.slots import Slot

T = TypeVar("T")
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The statements that databases spell differently, each with the same values in the same order.

    `metered_sql` gives two texts of numbers, with commas: places in a table of slots and homes, and the energy there.
    `series_sql` gives two texts more, of places in a table of homes and slots and of the readings there: see
    hub.storage.series; and how many readings are about several slots, which are in neither text.
    `most_sorted` is how many rows a statement should sort at most, where it does so in the hub's own memory; 0 where it
    does not.
    `reading_lines_sql` gives each measure of a home with its readings as one text, a line for each in order.
    `overwrite_sql` says whether pages of deleted rows are overwritten; empty where the database cannot be told.
    `empty_months_sql` gives back the room of months before a slot that hold no reading; empty where there is none.
    `now_ms_sql` asks the database's clock, in unix milliseconds.
    """

    metered_sql: str
    series_sql: str
    most_sorted: int
    reading_lines_sql: str
    overwrite_sql: dict[bool, str]
    empty_months_sql: str
    now_ms_sql: str


class Connection(ABC):
    """An open store, for statements: inside the caller's transaction."""

    @property
    @abstractmethod
    def dialect(self) -> Dialect:
        """What this database spells differently."""

    @abstractmethod
    async def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; how many rows it changed. Raises: ConstraintError if the schema refuses a row."""

    @abstractmethod
    async def execute_fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of one statement. Raises: ConstraintError if the schema refuses a row."""

    @abstractmethod
    async def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of these rows of values. Raises: ConstraintError if the schema refuses a row."""

    @abstractmethod
    async def add_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add new rows, all at once. Raises: ConstraintError if the schema refuses one."""

    async def add_logged_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add new rows of a table that is in the log of rows; `columns` are all that it has, in order.

        Raises: ConstraintError if the schema refuses one.
        """
        await self.add_rows(table, columns, rows)  # a trigger tells the log of each

    def take_own_lines(self) -> list[Row]:
        """The lines for the log of rows, as they would wait there, that this connection made itself; once."""
        return []

    @abstractmethod
    async def put_rows(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run an INSERT of one row of VALUES, or of what one SELECT makes of them, for each of these rows, all at once.

        No two of them give the same key, and none needs what another one writes.

        Raises: ConstraintError if the schema refuses one.
        """

    async def overwrite_deleted(self, *, is_on: bool) -> None:
        """From now on in this transaction, let nothing of a deleted row stay readable in the database's files."""
        if sql := self.dialect.overwrite_sql.get(is_on):
            await self.execute(sql)

    async def drop_empty_months(self, *, before: Slot) -> None:
        """Give back the room of the months that ended before this slot and hold no reading, where each has its own."""
        if sql := self.dialect.empty_months_sql:
            await self.execute_fetchall(sql, (before,))

    @abstractmethod
    async def make_room(self, slots: Iterable[Slot]) -> None:
        """Prepare for readings of these slots, where the database keeps them in parts by time."""


Work = Callable[[Connection], Awaitable[T]]
"""Several statements that belong together. It awaits nothing but its connection, and may run on another thread."""


class Transactions(ABC):
    """An open store, for pieces of work. `now` returns unix seconds, for rows that record the time of a request.

    `signer` is the hub's key, which signs the log of rows; without it the log is kept and its head is not signed.
    """

    def __init__(self, place: str, *, now: Callable[[], float], signer: Signer | None) -> None:
        self.place = place
        self._now = now
        self._signer = signer

    @property
    def trouble(self) -> StoreError | None:
        """What keeps the store's server from its work, as the last tries found; None if all is well or it has none."""
        return None

    @abstractmethod
    async def size_bytes(self) -> int:
        """How much room the store takes where it is: the file and what belongs to it, or all its tables and indexes on
        the server. Raises: StoreError.
        """

    @abstractmethod
    async def write(self, work: Work[T]) -> T:
        """Run `work` inside the next commit; returns only when that commit is on disk.

        Raises: any exception from `work` (its changes are undone), or StoreError if the commit itself failed.
        """

    @abstractmethod
    async def read(self, work: Work[T]) -> T:
        """Run `work` on a consistent snapshot of committed rows. Raises: StoreError if the store cannot be read."""

    @abstractmethod
    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """A consistent snapshot of committed rows, inside the block. Raises: StoreError if it cannot be read."""
