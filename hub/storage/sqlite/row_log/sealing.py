"""Writes the waiting lines into the log inside the transaction that made them, and signs the new head of the chain."""

# ruff: noqa: S608 - only names from the schema are put into SQL here; values are bound.

import hashlib
import json
from collections.abc import Sequence
from typing import Final

import aiosqlite

from hub.core.ledger.signed_document import Signer
from hub.storage.sqlite.row_log.protection import LOGGED
from hub.storage.sqlite.row_log.triggers import TableForm, form_of

HEAD_TAG: Final = b"commonwatt log of rows v1\n"
EMPTY: Final = bytes(32)
PAGE: Final = 5_000
_HEAD_SQL = "SELECT position, hash FROM row_log_head"
_WAITING_SQL = """SELECT id, source, row_key, change, content, says FROM row_log_waiting
WHERE id > ? ORDER BY id LIMIT ?"""
_LINE_SQL = "INSERT INTO row_log VALUES (?, ?, ?, ?, ?, ?, ?)"
_SET_HEAD_SQL = """INSERT INTO row_log_head VALUES (1, ?, ?, ?) ON CONFLICT (one) DO UPDATE SET
position = excluded.position, hash = excluded.hash, signature = excluded.signature"""

Line = tuple[int, int, str, str, str, bytes, str]
"""(position, at, source, row key, change, digest, says): one line of the log."""


def next_hash(previous: bytes, line: Line) -> bytes:
    """The chain's head after this line."""
    position, at, source, key, change, digest, says = line
    text = json.dumps([position, at, source, key, change, digest.hex(), says], separators=(",", ":"))
    return hashlib.sha256(previous + text.encode()).digest()


def head_bytes(position: int, chain_hash: bytes) -> bytes:
    """The bytes that the hub signs for a head."""
    return HEAD_TAG + position.to_bytes(8, "big") + chain_hash


def digest_row(content: str | bytes) -> bytes:
    """The digest of a row's text."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).digest()


async def newest_waiting(db: aiosqlite.Connection) -> int:
    """The newest waiting line at the start of a transaction: 0, unless somebody wrote past the hub."""
    ((newest,),) = await db.execute_fetchall("SELECT coalesce(max(id), 0) FROM row_log_waiting")
    return int(newest)


async def seal_changes(db: aiosqlite.Connection, *, after: int, at: int, signer: Signer | None) -> None:
    """Write every waiting line after `after` into the log and sign the head. Without changes it does nothing.

    It is part of the caller's transaction: a row and its line are on disk together or not at all.
    """
    head: tuple[int, bytes] | None = None
    while waiting := list(await db.execute_fetchall(_WAITING_SQL, (after, PAGE))):
        head = await _head(db) if head is None else head
        head, lines = _lines([tuple(row) for row in waiting], head=head, at=at)
        await db.executemany(_LINE_SQL, lines)
        await db.execute("DELETE FROM row_log_waiting WHERE id > ? AND id <= ?", (after, waiting[-1][0]))
    if head is not None:
        signature = signer.sign(head_bytes(*head)) if signer is not None else b""
        await db.execute(_SET_HEAD_SQL, (*head, signature))


def _lines(
    waiting: Sequence[tuple[object, ...]], *, head: tuple[int, bytes], at: int
) -> tuple[tuple[int, bytes], list[Line]]:
    position, chain_hash = head
    lines: list[Line] = []
    for _, source, key, change, content, says in waiting:
        position += 1
        line = (position, at, str(source), str(key), str(change), digest_row(str(content)), str(says))
        chain_hash = next_hash(chain_hash, line)
        lines.append(line)
    return (position, chain_hash), lines


async def _head(db: aiosqlite.Connection) -> tuple[int, bytes]:
    rows = list(await db.execute_fetchall(_HEAD_SQL))
    return (int(rows[0][0]), bytes(rows[0][1])) if rows else (0, EMPTY)


async def table_forms(db: aiosqlite.Connection) -> list[TableForm]:
    """The forms of the logged tables that this store has."""
    forms = []
    for table in LOGGED:
        rows = await db.execute_fetchall(f"SELECT name, type, pk FROM pragma_table_info('{table}')")
        columns = [(str(name), str(kind), int(place)) for name, kind, place in rows]
        if columns:
            forms.append(form_of(table, columns))
    return forms


async def install_log(db: aiosqlite.Connection, *, at: int, signer: Signer | None) -> None:
    """Create the missing triggers, and take over the rows of each table that is not in the log in its present form.

    If power fails before the commit, the next opening does it again.
    """
    known = {(str(name), str(sql)) for name, sql in await db.execute_fetchall("SELECT name, sql FROM sqlite_master")}
    wanted = await table_forms(db)
    missing = [form for form in wanted if any(each not in known for each in form.triggers().items())]
    if not missing:
        return
    await db.execute("BEGIN IMMEDIATE")
    try:
        after = await newest_waiting(db)
        for form in missing:
            await _install(db, form)
        await seal_changes(db, after=after, at=at, signer=signer)
    except BaseException:
        await db.rollback()
        raise
    await db.commit()


async def _install(db: aiosqlite.Connection, form: TableForm) -> None:
    for name, sql in form.triggers().items():
        await db.execute(f"DROP TRIGGER IF EXISTS {name}")
        await db.execute(sql)
    held = "SELECT 1 FROM row_log WHERE source = ? AND change = 'form' AND row_key = ?"
    if list(await db.execute_fetchall(held, (form.table, form.form.hex()))):
        return  # taken over before: rows that were changed while a trigger was missing stay noticeable
    columns = "INSERT INTO row_log_waiting (source, row_key, change, content, says)"
    await db.execute(f"{columns} VALUES (?, ?, 'form', '', '')", (form.table, form.form.hex()))
    await db.execute(f"{columns} SELECT '{form.table}', {_taken_over(form)} FROM {form.table}")


def _taken_over(form: TableForm) -> str:
    key, content, says = (part.replace("{row}", "") for part in (form.key, form.content, form.says))
    return f"{key}, 'taken over', {content}, {says}"
