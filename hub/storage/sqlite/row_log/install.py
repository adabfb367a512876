"""Begins the log of rows in a SQLite file: creates the triggers, and takes over the rows that are there already."""

# ruff: noqa: S608 - only names from the schema are put into SQL here; values are bound.

import logging
from collections.abc import Set
from typing import Final

from hub.core.ledger.signed_document import Signer
from hub.storage.sql.connection import Connection
from hub.storage.sql.row_log.forms import WAITING, Column, TableForm, form_of
from hub.storage.sql.row_log.protection import LOGGED
from hub.storage.sql.row_log.sealing import is_whole, newest_waiting, seal_changes
from hub.storage.sqlite.row_log.triggers import triggers_of

log = logging.getLogger(__name__)

FIRST_STEP: Final = 13
"""The step of the schema that brings the log."""
TABLE_INFO: Final = "SELECT name, type, pk FROM pragma_table_info(?)"
_ALL_COLUMNS_SQL = """SELECT held.name, part.name, part.type, part.pk
FROM sqlite_master AS held, pragma_table_info(held.name) AS part WHERE held.type = 'table'
ORDER BY held.name, part.cid"""


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
    missing = [form for form in await table_forms(db) if any(each not in known for each in triggers_of(form).items())]
    if not missing:
        return
    is_upgrade = bool(applied) and (FIRST_STEP in applied or await is_whole(db))
    after = await newest_waiting(db)
    names = {name for name, _ in known}
    lost = [form.table for form in missing if not await _install(db, form, replaced=names, takes_over=is_upgrade)]
    if lost:
        log.error("the log of rows was begun before and lacks %s: see commonwatt-hub verify", ", ".join(lost))
    await seal_changes(db, after=after, at=at, signer=signer)


async def _install(db: Connection, form: TableForm, *, replaced: Set[str], takes_over: bool) -> bool:
    """Create the triggers of one table in place of those of these names; whether the log then holds its form."""
    for name, sql in triggers_of(form).items():
        if name in replaced:
            await db.execute(f"DROP TRIGGER {name}")
        await db.execute(sql)
    held = "SELECT 1 FROM row_log WHERE source = ? AND change = 'form' AND row_key = ?"
    if list(await db.execute_fetchall(held, (form.table, form.form.hex()))):
        return True  # taken over before: rows that were changed while a trigger was missing stay noticeable
    if takes_over:
        key, content, says = form.parts("")
        await db.execute(f"{WAITING} VALUES (?, ?, 'form', '', '')", (form.table, form.form.hex()))
        await db.execute(f"{WAITING} SELECT '{form.table}', {key}, 'taken over', {content}, {says} FROM {form.table}")
    return takes_over
