"""Shows the log of rows and the logged tables, damaged or not, as they were at one moment."""

# ruff: noqa: S608 - only names from the schema are put into SQL here; values are bound.

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Final

from hub.storage.audit_records import BoardAct, FileCheck, LogHead, LogLine, RowLogView, WaitingLine, row_digest
from hub.storage.sqlite.connections import SqliteConnections
from hub.storage.sqlite.row_log.file_check import quick_check
from hub.storage.sql.row_log.protection import LOGGED
from hub.storage.sqlite.row_log.sealing import TABLE_INFO, table_forms
from hub.storage.sqlite.row_log.triggers import form_of
from hub.storage.sqlite.schema import LEDGER_SQL, known_migrations
from hub.storage.sqlite.threads.connection import Connection

PAGE: Final = 2_000
MOST_PROBLEMS: Final = 20
BEFORE_ALL: Final = -(2**63)
_LINES_SQL = """SELECT position, at, CAST(source AS BLOB), CAST(row_key AS BLOB), CAST(change AS BLOB), digest,
CAST(says AS BLOB) FROM row_log WHERE position > ? ORDER BY position LIMIT ?"""
_WAITING_SQL = """SELECT CAST(source AS BLOB), CAST(row_key AS BLOB), CAST(change AS BLOB) FROM row_log_waiting
ORDER BY id LIMIT ?"""
_ACTS_SQL = """SELECT 'finding_decision', json_array(d.id), d.board_member, coalesce(p.held_by, p.id)
    FROM finding_decision AS d LEFT JOIN finding AS f ON f.id = d.finding LEFT JOIN home AS h ON h.id = f.home
    LEFT JOIN member AS p ON p.id = h.member_id
UNION ALL SELECT 'objection_decision', json_array(d.objection), d.board_member, coalesce(p.held_by, p.id)
    FROM objection_decision AS d LEFT JOIN objection AS o ON o.id = d.objection LEFT JOIN member AS p ON p.id = o.member
UNION ALL SELECT 'agent_objection_decision', json_array(d.agent), d.board_member, o.member
    FROM agent_objection_decision AS d LEFT JOIN agent_objection AS o ON o.agent = d.agent
UNION ALL SELECT 'connection_agreement', json_array(c.id), c.board_member, coalesce(p.held_by, p.id)
    FROM connection_agreement AS c LEFT JOIN home AS h ON h.id = c.home LEFT JOIN member AS p ON p.id = h.member_id
UNION ALL SELECT 'rule_proposal', json_array(id), proposed_by, '' FROM rule_proposal
UNION ALL SELECT 'rule_withdrawal', json_array(proposal), withdrawn_by, '' FROM rule_withdrawal
UNION ALL SELECT 'rule_adoption', json_array(rule), adopted_by, '' FROM rule_adoption WHERE adopted_by <> ''
UNION ALL SELECT 'map_file', json_array(digest), added_by, '' FROM map_file
UNION ALL SELECT 'map_proposal', json_array(id), proposed_by, '' FROM map_proposal
UNION ALL SELECT 'map_withdrawal', json_array(proposal), withdrawn_by, '' FROM map_withdrawal
UNION ALL SELECT 'map_release', json_array(r.serial), r.released_by, coalesce(p.proposed_by, '') FROM map_release AS r
    LEFT JOIN map_proposal AS p ON p.id = r.proposal
UNION ALL SELECT 'member_change', json_array(id), made_by, '' FROM member_change WHERE made_by <> ''
UNION ALL SELECT 'account', json_array(c.id), c.made_by, coalesce(p.held_by, p.id)
    FROM account AS c LEFT JOIN member AS p ON p.id = c.member
UNION ALL SELECT 'mandate', json_array(m.id), m.made_by, coalesce(p.held_by, p.id) FROM mandate AS m
    LEFT JOIN account AS a ON a.id = m.account LEFT JOIN member AS p ON p.id = a.member
UNION ALL SELECT 'mandate_end', json_array(e.mandate), e.made_by, coalesce(p.held_by, p.id) FROM mandate_end AS e
    LEFT JOIN mandate AS m ON m.id = e.mandate LEFT JOIN account AS a ON a.id = m.account
    LEFT JOIN member AS p ON p.id = a.member"""
_LOOSE_SQL = """SELECT 'agent ' || id || ': no invitation in this store enrolled it for ' || home_id AS said FROM agent
    WHERE NOT EXISTS (SELECT 1 FROM invite WHERE agent_id = agent.id AND home_id = agent.home_id)
UNION ALL SELECT 'chain_head ' || agent || ': it has no message' FROM chain_head
    WHERE agent NOT IN (SELECT agent FROM message)
UNION ALL SELECT DISTINCT 'reading ' || home || ': there is no such home' FROM reading
    WHERE home NOT IN (SELECT id FROM home)
UNION ALL SELECT DISTINCT 'long_interval ' || home || ': there is no such home' FROM long_interval
    WHERE home NOT IN (SELECT id FROM home)
UNION ALL SELECT DISTINCT 'device ' || home || ': there is no such home' FROM device
    WHERE home NOT IN (SELECT id FROM home)
UNION ALL SELECT DISTINCT 'consent ' || home || ': there is no such home' FROM consent
    WHERE home NOT IN (SELECT id FROM home)"""
_SCHEMA_SQL = "SELECT type, name, CAST(sql AS BLOB) FROM sqlite_master WHERE sql IS NOT NULL"


class SqliteRowLog(SqliteConnections):
    """The RowLogStore slice."""

    @asynccontextmanager
    async def row_log(self) -> AsyncIterator[RowLogView]:
        """The log and its tables at one moment. Raises: StoreError if a page cannot be read."""
        async with self.reading() as db:
            yield _View(db)

    async def quick_check(self, *, within_s: float) -> FileCheck:
        """The first damage SQLite's quick check finds in the file within this many seconds."""
        return await self.read(partial(quick_check, within_s=within_s))


class _View:
    """Reads on one connection inside one transaction."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def head(self) -> LogHead | None:
        rows = await self._db.execute_fetchall("SELECT position, hash, signature FROM row_log_head")
        return next((LogHead(*row) for row in rows), None)

    async def lines(self) -> AsyncIterator[Sequence[LogLine]]:
        after = BEFORE_ALL
        while page := list(await self._db.execute_fetchall(_LINES_SQL, (after, PAGE))):
            after = int(page[-1][0])
            yield [
                LogLine(row[0], row[1], _text(row[2]), _text(row[3]), _text(row[4]), row[5], _text(row[6]))
                for row in page
            ]

    async def rows(self, table: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        forms = {form.table: form for form in await table_forms(self._db)}
        key, content, _ = forms[table].parts("")
        sql = f"SELECT CAST({key} AS BLOB), CAST({content} AS BLOB) FROM {table}"
        cursor = await self._db.execute(sql)
        while page := await self._db.run(lambda _: cursor.fetchmany(PAGE)):
            yield [(_text(row[0]), row_digest(bytes(row[1]))) for row in page]

    async def forms(self) -> dict[str, str]:
        return {form.table: form.form.hex() for form in await table_forms(self._db)}

    async def waiting(self) -> tuple[WaitingLine, ...]:
        rows = await self._db.execute_fetchall(_WAITING_SQL, (PAGE,))
        return tuple(WaitingLine(_text(row[0]), _text(row[1]), _text(row[2])) for row in rows)

    async def acts(self) -> tuple[BoardAct, ...]:
        rows = await self._db.execute_fetchall(_ACTS_SQL)
        return tuple(BoardAct(str(source), str(key), str(by), str(member or "")) for source, key, by, member in rows)

    async def differing_definitions(self) -> tuple[str, ...]:
        held = {(str(kind), str(name)): _text(sql) for kind, name, sql in await self._db.execute_fetchall(_SCHEMA_SQL)}
        wanted = expected_definitions()
        found = [f"{kind} {name}: this program makes it, and the store lacks it" for kind, name in wanted.keys() - held]
        found += [
            f"{kind} {name}: the store has it, and this program never made it" for kind, name in held.keys() - wanted
        ]
        found += [
            f"{kind} {name}: its definition is not the one this program makes"
            for kind, name in wanted.keys() & held.keys()
            if wanted[kind, name] != held[kind, name]
        ]
        steps = {(step.number, step.name, step.checksum) for step in known_migrations()}
        for number, name, checksum in await self._db.execute_fetchall("SELECT number, name, checksum FROM migration"):
            if (number, name, checksum) not in steps:
                found.append(f"migration {number}: it is not a step of this program")
        return tuple(sorted(found))

    async def loose_rows(self) -> tuple[str, ...]:
        found = [
            _text(row[0]) for row in await self._db.execute_fetchall(f"SELECT CAST(said AS BLOB) FROM ({_LOOSE_SQL})")
        ]
        broken = Counter((row[0], row[2]) for row in await self._db.execute_fetchall("PRAGMA foreign_key_check"))
        for (table, parent), rows in sorted(broken.items()):
            found.append(f"{table}: {rows} rows refer to a row of {parent} that is not there")
        return tuple(found)

    async def damaged_pages(self) -> tuple[str, ...]:
        rows = await self._db.execute_fetchall(f"PRAGMA integrity_check({MOST_PROBLEMS})")
        found = [str(row[0]) for row in rows]
        return () if found == ["ok"] else tuple(found)


def expected_definitions() -> dict[tuple[str, str], str]:
    """(kind, name) and SQL of every table, index and trigger in a store of this program."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(LEDGER_SQL)
        for step in known_migrations():
            db.executescript(step.sql)
        for table in LOGGED:
            columns = [(str(name), str(kind), int(place)) for name, kind, place in db.execute(TABLE_INFO, (table,))]
            for sql in form_of(table, columns).triggers().values():
                db.execute(sql)
        return {(str(kind), str(name)): _text(sql) for kind, name, sql in db.execute(_SCHEMA_SQL)}


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", errors="backslashreplace")
