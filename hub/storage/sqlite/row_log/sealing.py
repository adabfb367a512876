"""Writes the waiting lines into the log inside the transaction that made them, and signs the new head of the chain."""

# ruff: noqa: S608 - only names from the schema are put into SQL here; values are bound.

import logging
from collections.abc import Sequence, Set
from typing import Final

from hub.core.ledger.signed_document import Signer
from hub.storage.audit_records import FIRST_LINK, LogLine, head_bytes, next_link, row_digest
from hub.storage.sql.row_log.protection import LOGGED
from hub.storage.sqlite.row_log.triggers import Column, TableForm, form_of
from hub.storage.sqlite.threads.connection import Connection

log = logging.getLogger(__name__)

PAGE: Final = 5_000
FIRST_STEP: Final = 13
"""The step of the schema that brings the log."""
_HEAD_SQL = "SELECT position, hash FROM row_log_head"
_WAITING_SQL = """SELECT id, source, row_key, change, content, says FROM row_log_waiting
WHERE id > ? ORDER BY id LIMIT ?"""
TABLE_INFO: Final = "SELECT name, type, pk FROM pragma_table_info(?)"
_ALL_COLUMNS_SQL = """SELECT held.name, part.name, part.type, part.pk
FROM sqlite_master AS held, pragma_table_info(held.name) AS part WHERE held.type = 'table'
ORDER BY held.name, part.cid"""
_LINE_SQL = "INSERT INTO row_log VALUES (?, ?, ?, ?, ?, ?, ?)"
_SET_HEAD_SQL = """INSERT INTO row_log_head VALUES (1, ?, ?, ?) ON CONFLICT (one) DO UPDATE SET
position = excluded.position, hash = excluded.hash, signature = excluded.signature"""


async def newest_waiting(db: Connection) -> int:
    """The newest waiting line at the start of a transaction: 0, unless somebody wrote past the hub."""
    ((newest,),) = await db.execute_fetchall("SELECT coalesce(max(id), 0) FROM row_log_waiting")
    return int(newest)


async def seal_changes(db: Connection, *, after: int, at: int, signer: Signer | None) -> None:
    """Write every waiting line after `after` into the log and sign the head. Without changes it does nothing.

    It is part of the caller's transaction: a row and its line are on disk together or not at all.
    """
    head: tuple[int, bytes] | None = None
    while waiting := list(await db.execute_fetchall(_WAITING_SQL, (after, PAGE))):
        head = await _head(db) if head is None else head
        head, lines = _lines([tuple(row) for row in waiting], head=head, at=at)
        await db.executemany(_LINE_SQL, [_values(line) for line in lines])
        await db.execute("DELETE FROM row_log_waiting WHERE id > ? AND id <= ?", (after, waiting[-1][0]))
    if head is not None:
        signature = signer.sign(head_bytes(*head)) if signer is not None else b""
        await db.execute(_SET_HEAD_SQL, (*head, signature))


def _lines(
    waiting: Sequence[tuple[object, ...]], *, head: tuple[int, bytes], at: int
) -> tuple[tuple[int, bytes], list[LogLine]]:
    position, link = head
    lines: list[LogLine] = []
    for _, source, key, change, content, says in waiting:
        position += 1
        digest = row_digest(str(content).encode())
        lines.append(LogLine(position, at, str(source), str(key), str(change), digest, str(says)))
        link = next_link(link, lines[-1])
    return (position, link), lines


def _values(line: LogLine) -> tuple[object, ...]:
    return (line.position, line.at, line.source, line.row_key, line.change, line.digest, line.says)


async def _head(db: Connection) -> tuple[int, bytes]:
    """The end of the chain. If the head is gone or too old, the hub goes on behind the last line, and nothing fits."""
    ((last,),) = await db.execute_fetchall("SELECT coalesce(max(position), 0) FROM row_log")
    rows = list(await db.execute_fetchall(_HEAD_SQL))
    position, link = (int(rows[0][0]), bytes(rows[0][1])) if rows else (0, FIRST_LINK)
    return max(position, int(last)), link


async def table_forms(db: Connection) -> list[TableForm]:
    """The forms of the logged tables that this store has."""
    columns: dict[str, list[Column]] = {}
    for table, name, kind, place in await db.execute_fetchall(_ALL_COLUMNS_SQL):
        columns.setdefault(str(table), []).append((str(name), str(kind), int(place)))
    return [form_of(table, columns[table]) for table in LOGGED if table in columns]


async def install_log(db: Connection, applied: range, *, at: int, signer: Signer | None) -> None:
    """Create the missing triggers, and take over the rows of tables that are not in the log in their present form.

    It is part of the transaction that applied these steps of the schema: only then are rows taken over. A log that was
    begun by an earlier step and is gone or cut off is not begun again: `verify` names what it then lacks.
    """
    known = {(str(name), str(sql)) for name, sql in await db.execute_fetchall("SELECT name, sql FROM sqlite_master")}
    missing = [form for form in await table_forms(db) if any(each not in known for each in form.triggers().items())]
    if not missing:
        return
    is_upgrade = bool(applied) and (FIRST_STEP in applied or await _is_whole(db))
    after = await newest_waiting(db)
    names = {name for name, _ in known}
    lost = [form.table for form in missing if not await _install(db, form, replaced=names, takes_over=is_upgrade)]
    if lost:
        log.error("the log of rows was begun before and lacks %s: see commonwatt-hub verify", ", ".join(lost))
    await seal_changes(db, after=after, at=at, signer=signer)


async def _is_whole(db: Connection) -> bool:
    """Whether the log has all the lines that its head counts."""
    ((lines, last),) = await db.execute_fetchall("SELECT count(*), coalesce(max(position), 0) FROM row_log")
    heads = list(await db.execute_fetchall(_HEAD_SQL))
    return bool(lines) and [lines, last] == [last, heads[0][0] if heads else 0]


async def _install(db: Connection, form: TableForm, *, replaced: Set[str], takes_over: bool) -> bool:
    """Create the triggers of one table in place of those of these names; whether the log then holds its form."""
    for name, sql in form.triggers().items():
        if name in replaced:
            await db.execute(f"DROP TRIGGER {name}")
        await db.execute(sql)
    held = "SELECT 1 FROM row_log WHERE source = ? AND change = 'form' AND row_key = ?"
    if list(await db.execute_fetchall(held, (form.table, form.form.hex()))):
        return True  # taken over before: rows that were changed while a trigger was missing stay noticeable
    if takes_over:
        key, content, says = form.parts("")
        columns = "INSERT INTO row_log_waiting (source, row_key, change, content, says)"
        await db.execute(f"{columns} VALUES (?, ?, 'form', '', '')", (form.table, form.form.hex()))
        await db.execute(f"{columns} SELECT '{form.table}', {key}, 'taken over', {content}, {says} FROM {form.table}")
    return takes_over
