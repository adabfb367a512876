"""What a check of the whole store reads: the log of rows and its chain, and stored rows as they are; no I/O here."""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

HEAD_TAG: Final = b"commonwatt log of rows v1\n"
FIRST_LINK: Final = bytes(32)
TAKEN_OVER: Final = "taken over"
REMOVED: Final = "removed"
FORM: Final = "form"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: a row of the table `source` was added, changed, removed or taken over at an upgrade.

    A line `form` names the form in which the rows of a table are logged from here on; its `row_key` is that form.
    """

    position: int
    at: int
    source: str
    row_key: str
    change: str
    digest: bytes
    says: str


@dataclass(frozen=True, slots=True)
class LogHead:
    """The end of the chain, with the hub's signature (empty if the store was opened without a key)."""

    position: int
    hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """A change that the hub did not write: the table's trigger reported it and no line followed."""

    source: str
    row_key: str
    change: str


@dataclass(frozen=True, slots=True)
class BoardAct:
    """A row that names the person who made it. `member` is whose matter it is, if it is one member's."""

    source: str
    row_key: str
    by: str
    member: str


class RowLogView(Protocol):
    """The log and the rows of the logged tables at one moment."""

    async def head(self) -> LogHead | None: ...
    def lines(self) -> AsyncIterator[Sequence[LogLine]]:
        """All lines by position, page by page."""
        ...

    def rows(self, table: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        """(row key, digest) of every row the table has now, page by page."""
        ...

    async def tables(self) -> tuple[str, ...]:
        """The logged tables."""
        ...

    async def waiting(self) -> tuple[WaitingLine, ...]: ...
    async def acts(self) -> tuple[BoardAct, ...]: ...
    async def differing_definitions(self) -> tuple[str, ...]:
        """One sentence for each table, index or trigger that is not as this program makes it."""
        ...

    async def loose_rows(self) -> tuple[str, ...]:
        """One sentence for each row that belongs to nothing: a posting without its run, an agent nobody invited."""
        ...

    async def damaged_pages(self) -> tuple[str, ...]:
        """What SQLite's own check of the whole file says; empty if it is sound."""
        ...


class RowLogStore(Protocol):
    """The part of the store that shows the log of rows."""

    def row_log(self) -> AbstractAsyncContextManager[RowLogView]: ...


def next_link(previous: bytes, line: LogLine) -> bytes:
    """The chain's hash after this line."""
    parts = [line.position, line.at, line.source, line.row_key, line.change, line.digest.hex(), line.says]
    return hashlib.sha256(previous + json.dumps(parts, separators=(",", ":")).encode()).digest()


def head_bytes(position: int, link: bytes) -> bytes:
    """The bytes that the hub signs for the head of the chain."""
    return HEAD_TAG + position.to_bytes(8, "big", signed=True) + link


def row_digest(content: bytes) -> bytes:
    """The digest of a row's text."""
    return hashlib.sha256(content).digest()
