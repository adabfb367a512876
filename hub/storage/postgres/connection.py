"""A session with the server, for statements: inside a transaction that somebody else begins and ends."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg

from hub.storage.errors import ConstraintError
from hub.storage.postgres.row_log.own_lines import OWN_LINES, SETTING, OwnLine, own_lines
from hub.storage.postgres.session import Session
from hub.storage.postgres.statements import POSTGRES, listed, spelled
from hub.storage.sql.connection import Connection, Dialect, Row
from protocols.slots import Slot, slot_of, start_of

_LISTED: Final[dict[str, str]] = {}
"""Statements for lists of values, by the slices' own text: the types of a statement's values never change."""

_KEPT_S: Final = 366 * 86_400
"""No month of this time is dropped: the co-op keeps readings longer, whoever moved out."""


class KnownMonths:
    """The months that are known to have a part of the readings. An older one may be dropped by another process."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._known: set[tuple[int, int]] = set()

    def unknown(self, slots: Iterable[Slot]) -> list[Slot]:
        """One slot of each month that may have no part; from here on these are known."""
        found: dict[tuple[int, int], Slot] = {}
        for slot in slots:
            began = datetime.fromtimestamp(start_of(slot), UTC)
            found[began.year, began.month] = slot
        asked = [slot for month, slot in found.items() if month not in self._known]
        kept = slot_of(self._now() - _KEPT_S)
        self._known |= {month for month, slot in found.items() if slot >= kept}
        return asked

    def clear(self) -> None:
        """None is known any more: what was made may have been undone."""
        self._known.clear()


class ServerConnection(Connection):
    """What a piece of work is given."""

    def __init__(self, session: Session, months: KnownMonths) -> None:
        self._session = session
        self._months = months
        self._own_lines: list[OwnLine] = []

    @property
    def session(self) -> Session:
        """The session itself."""
        return self._session

    @property
    def dialect(self) -> Dialect:
        """PostgreSQL's own words."""
        return POSTGRES

    async def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; how many rows it changed."""
        try:
            status = await self._session.execute(spelled(sql), *values)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise _refused(error) from error
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def execute_fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of one statement."""
        try:
            return [tuple(row) for row in await self._session.fetch(spelled(sql), *values)]
        except asyncpg.IntegrityConstraintViolationError as error:
            raise _refused(error) from error

    async def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of these rows of values, all sent at once."""
        try:
            await self._session.executemany(spelled(sql), rows)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise _refused(error) from error

    async def add_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add new rows with COPY."""
        if not rows:
            return
        try:
            await self._session.copy_records_to_table(table, records=rows, columns=list(columns))
        except asyncpg.IntegrityConstraintViolationError as error:
            raise _refused(error) from error

    async def add_logged_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add new rows with COPY. Where the hub writes the lines of the log itself, the trigger says nothing."""
        if table not in OWN_LINES or not rows:
            await self.add_rows(table, columns, rows)
            return
        await self._session.execute(f"SET LOCAL {SETTING} = '{table}'")
        await self.add_rows(table, columns, rows)
        await self._session.execute(f"SET LOCAL {SETTING} = ''")
        self._own_lines += own_lines(table, columns, rows)

    def take_own_lines(self) -> list[Row]:
        """The lines of the rows that were added so and not undone."""
        lines, self._own_lines = self._own_lines, []
        return list(lines)

    @property
    def own_lines_count(self) -> int:
        """How many lines wait."""
        return len(self._own_lines)

    def undo_own_lines(self, count: int) -> None:
        """Keep the first of these lines: what made the others is undone."""
        del self._own_lines[count:]

    async def put_rows(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run the statement once, for a list of values of each column."""
        if not rows:
            return
        if sql not in _LISTED:
            prepared = await self._session.prepare(spelled(sql))
            _LISTED[sql] = listed(spelled(sql), [kind.name for kind in prepared.get_parameters()])
        try:
            await self._session.execute(_LISTED[sql], *(list(column) for column in zip(*rows, strict=True)))
        except asyncpg.IntegrityConstraintViolationError as error:
            raise _refused(error) from error

    async def make_room(self, slots: Iterable[Slot]) -> None:
        """Make the parts of the readings' table for the months of these slots."""
        for slot in self._months.unknown(slots):
            await self._session.execute("SELECT make_month($1)", slot)


def _refused(error: asyncpg.IntegrityConstraintViolationError) -> ConstraintError:
    return ConstraintError(str(error), is_taken=isinstance(error, asyncpg.UniqueViolationError))
