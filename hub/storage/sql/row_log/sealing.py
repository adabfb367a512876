"""Writes the waiting lines into the log inside the transaction that made them, and signs the new head of the chain."""

from collections.abc import Sequence
from typing import Final

from hub.core.ledger.signed_document import Signer
from hub.storage.audit_records import FIRST_LINK, LogLine, head_bytes, next_link, row_digest
from hub.storage.sql.connection import Connection, Row

PAGE: Final = 5_000
HEAD_SQL: Final = "SELECT position, hash FROM row_log_head"
_WAITING_SQL = """SELECT id, source, row_key, change, content, says FROM row_log_waiting
WHERE id > ? ORDER BY id LIMIT ?"""
_COLUMNS: Final = ("position", "at", "source", "row_key", "change", "digest", "says")
_SET_HEAD_SQL = """INSERT INTO row_log_head VALUES (1, ?, ?, ?) ON CONFLICT (one) DO UPDATE SET
position = excluded.position, hash = excluded.hash, signature = excluded.signature"""


async def newest_waiting(db: Connection) -> int:
    """The newest waiting line at the start of a transaction: 0, unless somebody wrote past the hub."""
    ((newest,),) = await db.execute_fetchall("SELECT coalesce(max(id), 0) FROM row_log_waiting")
    return int(newest)


async def seal_changes(db: Connection, *, after: int, at: int, signer: Signer | None) -> None:
    """Write the connection's own lines and every waiting one after `after` into the log, and sign the head.

    Without changes it does nothing.

    It is part of the caller's transaction: a row and its line are on disk together or not at all.
    """
    head: tuple[int, bytes] | None = None
    if own := db.take_own_lines():
        head, lines = _lines(own, head=await _head(db), at=at)
        await db.add_rows("row_log", _COLUMNS, lines)
    while waiting := await db.execute_fetchall(_WAITING_SQL, (after, PAGE)):
        head = await _head(db) if head is None else head
        head, lines = _lines(waiting, head=head, at=at)
        await db.add_rows("row_log", _COLUMNS, lines)
        await db.execute("DELETE FROM row_log_waiting WHERE id > ? AND id <= ?", (after, waiting[-1][0]))
    if head is not None:
        signature = signer.sign(head_bytes(*head)) if signer is not None else b""
        await db.execute(_SET_HEAD_SQL, (*head, signature))


async def is_whole(db: Connection) -> bool:
    """Whether the log has all the lines that its head counts."""
    ((lines, last),) = await db.execute_fetchall("SELECT count(*), coalesce(max(position), 0) FROM row_log")
    heads = list(await db.execute_fetchall(HEAD_SQL))
    return bool(lines) and [lines, last] == [last, heads[0][0] if heads else 0]


def _lines(waiting: Sequence[Row], *, head: tuple[int, bytes], at: int) -> tuple[tuple[int, bytes], list[LogLine]]:
    position, link = head
    lines: list[LogLine] = []
    for _, source, key, change, content, says in waiting:
        position += 1
        line = LogLine(position, at, source, key, change, row_digest(content.encode()), says)
        link = next_link(link, line)
        lines.append(line)
    return (position, link), lines


async def _head(db: Connection) -> tuple[int, bytes]:
    """The end of the chain. If the head is gone or too old, the hub goes on behind the last line, and nothing fits."""
    ((last,),) = await db.execute_fetchall("SELECT coalesce(max(position), 0) FROM row_log")
    rows = list(await db.execute_fetchall(HEAD_SQL))
    position, link = (int(rows[0][0]), bytes(rows[0][1])) if rows else (0, FIRST_LINK)
    return max(position, int(last)), link
