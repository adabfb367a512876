"""Shows the log of rows and the logged tables, damaged or not, as they were at one moment."""

# ruff: noqa: S608 - only names from the schema are put into SQL here; values are bound.

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Final

from hub.storage.audit_records import BoardAct, LogHead, LogLine, WaitingLine
from hub.storage.sql.connection import Connection
from hub.storage.sql.row_log.forms import TableForm

PAGE: Final = 2_000
MOST_TEXTS: Final = 500
BEFORE_ALL: Final = -(2**63)
_DAMAGED: Final = ("utf-8", "backslashreplace")
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


class _KnownTexts(dict[bytes, str]):
    """The texts of columns in which few different ones stand, each decoded once."""

    def __missing__(self, raw: bytes) -> str:
        text = str(raw, *_DAMAGED)
        if len(self) < MOST_TEXTS:
            self[raw] = text
        return text


class LogView(ABC):
    """Reads on one connection inside one transaction; what a database shows in its own way is left to it."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    @abstractmethod
    async def table_forms(self) -> list[TableForm]:
        """The forms of the logged tables that this store has."""

    @abstractmethod
    def rows(self, table: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        """(row key, digest) of every row the table has now, page by page."""

    @abstractmethod
    async def differing_definitions(self) -> tuple[str, ...]:
        """One sentence for each part of the schema that is not as this program makes it."""

    @abstractmethod
    async def damaged_pages(self) -> tuple[str, ...]:
        """What the database's own check of all its pages says; empty if they are sound."""

    @abstractmethod
    async def broken_references(self) -> dict[tuple[str, str], int]:
        """How many rows of a table refer to a row of another that is not there."""

    async def head(self) -> LogHead | None:
        rows = await self._db.execute_fetchall("SELECT position, hash, signature FROM row_log_head")
        return next((LogHead(*row) for row in rows), None)

    async def lines(self) -> AsyncIterator[Sequence[LogLine]]:
        after, known = BEFORE_ALL, _KnownTexts()
        while page := list(await self._db.execute_fetchall(_LINES_SQL, (after, PAGE))):
            after = int(page[-1][0])
            yield [
                LogLine(position, at, known[source], str(key, *_DAMAGED), known[change], digest, known[says])
                for position, at, source, key, change, digest, says in page
            ]

    async def forms(self) -> dict[str, str]:
        return {form.table: form.form.hex() for form in await self.table_forms()}

    async def waiting(self) -> tuple[WaitingLine, ...]:
        rows = await self._db.execute_fetchall(_WAITING_SQL, (PAGE,))
        return tuple(WaitingLine(as_text(row[0]), as_text(row[1]), as_text(row[2])) for row in rows)

    async def acts(self) -> tuple[BoardAct, ...]:
        rows = await self._db.execute_fetchall(_ACTS_SQL)
        return tuple(BoardAct(str(source), str(key), str(by), str(member or "")) for source, key, by, member in rows)

    async def loose_rows(self) -> tuple[str, ...]:
        rows = await self._db.execute_fetchall(f"SELECT CAST(said AS BLOB) FROM ({_LOOSE_SQL}) AS loose")
        found = [as_text(row[0]) for row in rows]
        for (table, parent), count in sorted((await self.broken_references()).items()):
            found.append(f"{table}: {count} rows refer to a row of {parent} that is not there")
        return tuple(found)


def as_text(raw: bytes | None) -> str:
    """Text as it is, damaged or not."""
    return (raw or b"").decode("utf-8", errors="backslashreplace")
