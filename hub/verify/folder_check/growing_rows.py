"""Compares a table that only grows with its lines in the log of rows while both are read side by side.

Lines and rows come in about the same order, and what has met is forgotten, so that memory stays small however many
there are. The few rows that were changed or removed later are compared at the end.
"""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Final

from hub.storage.audit_records import ADDED, FORM, REMOVED, TAKEN_OVER, LogLine, RowLogView

SIDE_BY_SIDE: Final = frozenset({"message", "access_log"})
"""The tables with a row for each message, and for each home and day. The others have few rows."""
AHEAD: Final = 4_000


class GrowingRows:
    """One table: `add` takes in its lines in order, and `differences` tells at the end what does not fit."""

    def __init__(self, table: str, view: RowLogView) -> None:
        self._table, self._view = table, view
        self._pages: AsyncIterator[Sequence[tuple[str, bytes]]] = view.rows(table)
        self._is_read = False
        self._lines: dict[str, bytes] = {}
        self._rows: dict[str, bytes] = {}
        self._later: dict[str, bytes | None] = {}
        self._forms = 0
        self.count = 0
        """How many rows were read."""

    def add(self, line: LogLine) -> None:
        """Take in the table's next line."""
        if line.change == FORM:
            self._forms += 1
            return
        if line.change == ADDED or (line.change == TAKEN_OVER and self._forms <= 1):
            self.add_new(line.row_key, line.digest)
        else:
            self._later[line.row_key] = None if line.change == REMOVED else line.digest

    def add_new(self, row_key: str, digest: bytes) -> None:
        """Take in the table's next line, of a row that came."""
        if row_key in self._later or row_key in self._lines:
            self._later[row_key] = digest
        elif self._rows.get(row_key) == digest:
            del self._rows[row_key]
        else:
            self._lines[row_key] = digest

    @property
    def kept(self) -> int:
        """How many rows and lines wait for what belongs to them."""
        return len(self._lines) + len(self._rows) + len(self._later)

    async def keep_up(self) -> None:
        """Read rows until they are about as far as the lines."""
        while not self._is_read and len(self._lines) > len(self._rows) + AHEAD:
            await self._read_page()

    async def differences(self) -> list[str]:
        """A sentence for each row that is not as its newest line says."""
        while not self._is_read:
            await self._read_page()
        found = [
            self._said(row_key, "added" if self._lines.pop(row_key, None) is None else "changed")
            for row_key in self._rows.keys() - self._later.keys()
        ]
        found += [self._said(row_key, "removed") for row_key in self._lines.keys() - self._later.keys()]
        return found + (await self._later_differences() if self._later else [])

    async def _later_differences(self) -> list[str]:
        found = []
        async for page in self._view.rows(self._table):
            for row_key, digest in page:
                if row_key in self._later:
                    said = self._later.pop(row_key)
                    if said != digest:
                        found.append(self._said(row_key, "added" if said is None else "changed"))
        return found + [self._said(row_key, "removed") for row_key, said in self._later.items() if said is not None]

    def _said(self, row_key: str, what: str) -> str:
        return f"{self._table} {shown(row_key)}: the row was {what} past the hub"

    async def _read_page(self) -> None:
        page = await anext(self._pages, None)
        if page is None:
            self._is_read = True
            return
        self.count += len(page)
        lines = self._lines
        for row_key, digest in page:
            if lines.get(row_key) == digest:
                del lines[row_key]
            else:
                self._rows[row_key] = digest


def shown(row_key: str) -> str:
    """A row's key for people: `m07`, or `h01/3` for a key of two columns."""
    try:
        parts = json.loads(row_key)
    except ValueError:
        return row_key
    return "/".join(str(part) for part in parts) if isinstance(parts, list) else row_key
