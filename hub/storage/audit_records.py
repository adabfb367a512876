"""What a check of the whole store reads: the log of rows and its chain, and stored rows as they are; no I/O here."""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import msgspec

from hub.core.homes.measure_sources import MeterSource
from hub.storage.life_records import HomeErasure
from hub.storage.records import Access, Agent
from protocols.slots import Slot

HEAD_TAG: Final = b"commonwatt log of rows v1\n"
FIRST_LINK: Final = bytes(32)
ADDED: Final = "added"
TAKEN_OVER: Final = "taken over"
REMOVED: Final = "removed"
FORM: Final = "form"
_JSON: Final = json.JSONEncoder(separators=(",", ":"))


class LogLine(NamedTuple):
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


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What a quick check of the file found in its time; `is_whole` says whether it came to the end."""

    problem: str | None
    is_whole: bool


class StoredMessage(NamedTuple):
    """A row of the message table as it is, damaged or not."""

    position: int
    epoch: int
    seq: int
    kind: str
    hash: bytes
    sealed: bytes
    received_at: int
    first_slot: int | None
    last_slot: int | None
    refused: str | None
    stored: bytes = b""
    """The bytes as they lie in the store, in their short form."""


@dataclass(frozen=True, slots=True)
class StoredHead:
    """A row of the table of chain heads as it is."""

    epoch: int
    seq: int
    hash: bytes
    last_slot: int | None
    last_received_at: int
    messages: int


@dataclass(frozen=True, slots=True)
class StoredHome:
    """The rows made of one home's messages, as they are: each table's columns behind its key within the home.

    readings: (measure, slot, span) -> (energy_wh, mark, gap). long_intervals: (measure, first_slot, slots) ->
    energy_wh. devices: (seat, name) -> (state, age_s, reported_at). consents: (seat, version) -> (document,
    received_at).
    """

    readings: dict[tuple[int, int, int], tuple[int | None, int, int]] = field(default_factory=dict)
    long_intervals: dict[tuple[int, int, int], int] = field(default_factory=dict)
    devices: dict[tuple[int, str], tuple[str, int, int]] = field(default_factory=dict)
    consents: dict[tuple[int, int], tuple[bytes, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredPeople:
    """Who may have sent what a home has: its agents, what each of them brought, and whether it was erased by rule."""

    agents: tuple[Agent, ...]
    sources: tuple[MeterSource, ...]
    erasure: HomeErasure | None


MessageRow = tuple[int, bytes, int, int, bytes, bytes, bytes, int, int | None, int | None, bytes | None]
"""A row of the message table as it lies there: position, agent, epoch, seq, kind, hash, bytes in their short form,
received_at, first_slot, last_slot, refused. A year of many homes has millions, so it is no object."""


class StoredRowsView(Protocol):
    """A home's messages, and what was made of them, at one moment."""

    async def people(self, home: str) -> StoredPeople: ...
    async def head(self, agent: str) -> StoredHead | None: ...
    async def messages(self, agent: str, *, after: tuple[int, int], limit: int) -> tuple[StoredMessage, ...]:
        """In order of (epoch, seq); `sealed` is empty where the content was refused."""
        ...

    async def home(self, home: str) -> StoredHome:
        """Everything made of this home's messages."""
        ...

    async def home_from(self, home: str, *, slot: Slot) -> StoredHome:
        """The same, of the readings only those from this slot on."""
        ...

    async def reading_lines(self, home: str, *, before: Slot) -> tuple[tuple[int, str], ...]:
        """(measure, text) in order: a line `slot,span,energy,mark,gap;` for each reading of an earlier slot."""
        ...


class LoggedHomes(Protocol):
    """Homes to which an access was logged, so that their rows may be read."""

    def view(self, home: str) -> AbstractAsyncContextManager[StoredRowsView]:
        """One of these homes' rows at one moment. Raises: ValueError for a home to which no access was logged."""
        ...


class StoredRows(Protocol):
    """The part of the store that shows messages and what was made of them, as they are."""

    async def stored_messages(self, agent: str, *, after: tuple[int, int], limit: int) -> tuple[StoredMessage, ...]:
        """In order of (epoch, seq); `sealed` is empty where the content was refused."""
        ...

    async def message_rows(self, *, after: int, limit: int) -> tuple[MessageRow, ...]:
        """The messages of all agents behind this position, in order."""
        ...

    async def stored_rows(self, homes: Sequence[str], *, access: Access) -> LoggedHomes:
        """The rows of these homes; the access is logged first, in one commit (I12)."""
        ...


class RowLogView(Protocol):
    """The log and the rows of the logged tables at one moment."""

    async def head(self) -> LogHead | None: ...
    def lines(self) -> AsyncIterator[Sequence[LogLine]]:
        """All lines by position, page by page."""
        ...

    def rows(self, table: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        """(row key, digest) of every row the table has now, page by page."""
        ...

    async def forms(self) -> dict[str, str]:
        """The logged tables, each with the form in which its rows are logged."""
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


@dataclass(frozen=True, slots=True)
class RestoreRow:
    """A restore of the hub from a backup, and who on the board has looked at what may be missing. Units: unix s."""

    backup_made_at: int
    restored_at: int
    checked_by: str
    checked_at: int | None


class RestoreStore(Protocol):
    """The part of the store that remembers restores."""

    async def add_restore(self, *, backup_made_at: int, restored_at: int) -> None: ...
    async def restores(self) -> tuple[RestoreRow, ...]: ...
    async def confirm_restores(self, *, by: str, at: int) -> str | None:
        """Note that this board member has looked; returns what is wrong, or None."""
        ...


class RowLogStore(Protocol):
    """The part of the store that shows the log of rows."""

    def row_log(self) -> AbstractAsyncContextManager[RowLogView]: ...
    async def quick_check(self, *, within_s: float) -> FileCheck:
        """The first damage a quick check of the file finds within this many seconds."""
        ...


_ENCODED: Final = msgspec.json.Encoder().encode


def next_link(previous: bytes, line: LogLine) -> bytes:
    """The chain's hash after this line: over the one before it, and the line as compact JSON in ASCII."""
    position, at, source, row_key, change, digest, says = line
    parts = (position, at, source, row_key, change, digest.hex(), says)
    words = f"{source}{row_key}{change}{says}"
    # The quicker encoder names no character by its number, as the JSON of the log does beyond plain ASCII.
    is_plain = words.isascii() and "\x7f" not in words
    return hashlib.sha256(previous + (_ENCODED(parts) if is_plain else _JSON.encode(parts).encode())).digest()


def head_bytes(position: int, link: bytes) -> bytes:
    """The bytes that the hub signs for the head of the chain."""
    return HEAD_TAG + position.to_bytes(8, "big", signed=True) + link


def row_digest(content: bytes) -> bytes:
    """The digest of a row's text."""
    return hashlib.sha256(content).digest()
