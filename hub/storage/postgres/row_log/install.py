"""Begins the log of rows in a schema: makes the triggers, and takes over the rows that are there already."""

# ruff: noqa: S608 - only names from the schema are put into SQL here; values are bound.

import logging
from typing import Final

from hub.core.ledger.signed_document import Signer
from hub.storage.postgres.row_log.triggers import log_statements, spelled_row
from hub.storage.sql.connection import Connection
from hub.storage.sql.row_log.forms import WAITING, Column, TableForm, form_of
from hub.storage.sql.row_log.protection import LOGGED
from hub.storage.sql.row_log.sealing import is_whole, newest_waiting, seal_changes

log = logging.getLogger(__name__)

ROW_NUMBER: Final = "rowid"
"""The column that numbers rows where SQLite does so by itself."""
_KINDS: Final = {"bigint": "INTEGER", "text": "TEXT", "bytea": "BLOB", "double precision": "REAL"}
_COLUMNS_SQL: Final = """SELECT c.relname, a.attname, format_type(a.atttypid, NULL),
    coalesce(array_position(i.indkey::smallint[], a.attnum) + 1, 0)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname, a.attnum"""


async def table_forms(db: Connection) -> list[TableForm]:
    """The forms of the logged tables that this store has."""
    columns: dict[str, list[Column]] = {}
    for table, name, kind, place in await db.execute_fetchall(_COLUMNS_SQL):
        if name != ROW_NUMBER:
            columns.setdefault(str(table), []).append((str(name), _KINDS[str(kind)], int(place)))
    return [form_of(table, columns[table]) for table in LOGGED if table in columns]


async def install_log(db: Connection, applied: range, *, at: int, signer: Signer | None) -> None:
    """Make the triggers, and take over the rows of tables that are not in the log in their present form.

    A log that has all its lines takes over what it lacks, also where whoever applied the steps was interrupted before
    this. One that was never begun begins where the first step was applied, or nothing is stored yet. A log that was
    begun and is gone or cut off is not begun again: `verify` names what it then lacks.
    """
    is_upgrade = 1 in applied or await is_whole(db) or await _is_empty(db)
    after = await newest_waiting(db)
    lost = [form.table for form in await table_forms(db) if not await _install(db, form, takes_over=is_upgrade)]
    if lost:
        log.error("the log of rows was begun before and lacks %s: see commonwatt-hub verify", ", ".join(lost))
    await seal_changes(db, after=after, at=at, signer=signer)


async def _is_empty(db: Connection) -> bool:
    """Whether nothing is stored here, and no log of it."""
    for table in ("row_log", "row_log_head", *(form.table for form in await table_forms(db))):
        if await db.execute_fetchall(f"SELECT 1 FROM {table} LIMIT 1"):
            return False
    return True


async def _install(db: Connection, form: TableForm, *, takes_over: bool) -> bool:
    """Make the triggers of one table; whether the log then holds its form."""
    for sql in log_statements(form).values():
        await db.execute(sql)
    held = "SELECT 1 FROM row_log WHERE source = ? AND change = 'form' AND row_key = ?"
    if await db.execute_fetchall(held, (form.table, form.form.hex())):
        return True  # taken over before: rows that were changed while a trigger was missing stay noticeable
    if takes_over:
        key, content, says = spelled_row(form, form.table)
        await db.execute(f"{WAITING} VALUES (?, ?, 'form', '', '')", (form.table, form.form.hex()))
        await db.execute(f"{WAITING} SELECT '{form.table}', {key}, 'taken over', {content}, {says} FROM {form.table}")
    return takes_over
