"""Judges PostgreSQL's plan of a statement: which growing tables it walks, and which indexes it uses only in part."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.storage.postgres.session import Session
from tests.hub.storage.plan_walks import GROWING

_PLAN_OF: Final = """CREATE FUNCTION pg_temp.plan_of(statement text) RETURNS json LANGUAGE plpgsql AS $body$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (GENERIC_PLAN, VERBOSE, FORMAT JSON) ' || statement INTO plan;
    RETURN plan;
END $body$"""
# A table that is read from end to end, where an index would do, is what the test looks for: the server may not prefer
# it because a table is small, and may not sort or hash a whole table for a join of a few rows.
_SETTINGS: Final = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off"
_PARTS: Final = """SELECT c.relname, p.relname FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid JOIN pg_class AS p ON p.oid = i.inhparent"""
_KEYS: Final = """SELECT c.relname, array_agg(a.attname ORDER BY k.place)
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (number, place)
JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
WHERE c.relnamespace = current_schema()::regnamespace GROUP BY c.relname"""
PARTED: Final = {"reading": "slot"}
"""The tables that have a part for each month, and by which column."""
_INDEX_SCANS: Final = frozenset({"Index Scan", "Index Only Scan", "Bitmap Index Scan"})
_CONDITION: Final = re.compile(r"(?:\(|\b)\"?(\w+)\"? (=|<=|>=|<|>) ('?\d)?")


@dataclass(frozen=True, slots=True)
class Planner:
    """A session that explains statements, and what it knows of indexes and parts of tables."""

    session: Session
    keys: Mapping[str, tuple[str, ...]]
    parts: Mapping[str, str]

    async def walks_of(self, sql: str) -> tuple[str, ...]:
        """What is wrong with the plan of this statement, a line for each growing table; none if nothing is."""
        plan = json.loads(await self.session.fetchval("SELECT pg_temp.plan_of($1)", sql))[0]["Plan"]
        return tuple(dict.fromkeys(self._judged(plan, None, stops_at_once=False)))

    def _judged(self, node: Mapping[str, Any], table: str | None, *, stops_at_once: bool) -> Iterator[str]:
        kind = str(node["Node Type"])
        relation = node.get("Relation Name")
        table = self.parts.get(str(relation), str(relation)) if relation else table
        if kind == "Seq Scan" and table in GROWING and not (stops_at_once and "Filter" not in node):
            yield f"walks {table}"
        elif kind in _INDEX_SCANS and table in GROWING:
            yield from self._judged_index(node, str(table), stops_at_once=stops_at_once)
        # Only a limit right above a scan ends it: a sort or a sum in between reads everything first.
        passes_on = kind in {"Limit", "Result", "Append", "Merge Append", "Subquery Scan", "LockRows", "ProjectSet"}
        stops = kind == "Limit" or (stops_at_once and passes_on)
        for child in node.get("Plans", ()):
            yield from self._judged(child, table, stops_at_once=stops)

    def _judged_index(self, node: Mapping[str, Any], table: str, *, stops_at_once: bool) -> Iterator[str]:
        condition = str(node.get("Index Cond", ""))
        if not condition:
            if not stops_at_once or "Filter" in node:
                yield f"walks an index of {table}"
            return
        used: dict[str, set[str]] = {}
        asked: set[str] = set()
        """Columns compared with more than a word of the statement itself (span = 1), as in the judgement of SQLite."""
        for column, operator, word in _CONDITION.findall(condition):
            used.setdefault(column, set()).add(operator)
            if not word:
                asked.add(column)
        for column, operators in self._row_comparisons(condition):
            used.setdefault(column, set()).update(operators)
        is_range = False
        keys = self.keys[str(node["Index Name"])]
        for number, column in enumerate(keys):
            operators = used.pop(column, set())
            if operators and is_range and column in asked and number < len(keys) - 1:
                yield f"walks {table} from a range on: its key goes on with {column}, which the statement also names"
                return
            if not operators:
                if table in PARTED and {"<", ">="} <= used.get(PARTED[table], set()):
                    return  # what lies between two times is in the parts of these months alone
                if number == 0 and not stops_at_once:
                    yield f"walks {table}: the first column of its index, {column}, is left open"
                elif used.keys() & asked:
                    named = min(used.keys() & asked)
                    yield f"walks {table}: {column} of its index is left open, and {named} behind it is named"
                return
            is_range = "=" not in operators

    @staticmethod
    def _row_comparisons(condition: str) -> Iterator[tuple[str, set[str]]]:
        """Of `ROW(a, b) > ROW($1, $2)` the first column counts as a range."""
        for columns, operator in re.findall(r"ROW\(([^)]*)\) (<=|>=|<|>)", condition):
            yield columns.split(",")[0].strip().rpartition(".")[2], {operator}


async def planner(session: Session) -> Planner:
    """A planner on this session."""
    await session.execute(_SETTINGS)
    await session.execute(_PLAN_OF)
    keys = {str(name): tuple(columns) for name, columns in await session.fetch(_KEYS)}
    parts = {str(part): str(whole) for part, whole in await session.fetch(_PARTS)}
    return Planner(session, keys, parts)
