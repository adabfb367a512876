"""Judges SQLite's plan of a statement: which growing tables it walks, and which indexes it uses only in part."""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Final

GROWING: Final = frozenset(
    {
        *("reading", "message", "long_interval", "period_sum"),
        *("access_log", "row_log"),
        *("forecast", "weather", "prompt"),
        *("run", "entry", "attestation", "settled_through", "run_group"),
        *("street_day", "street_total", "kept_part"),
        *("finding", "finding_closed", "finding_decision", "looked_through"),
        *("notice", "objection", "objection_decision"),
    }
)
"""Tables that gain rows as time passes. The others hold a few rows for each home, member or agent."""

_STEP: Final = re.compile(r"(SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?(?:INDEX (\w+)|.*?PRIMARY KEY))?(?: \((.*)\))?")
_NAMED: Final = re.compile(r"(?:\b(?:FROM|JOIN)|,)\s+(\w+)\s+AS\s+(\w+)")
_USED: Final = re.compile(r"(\w+)([=<>])")
_STOPS_AT_ONCE: Final = re.compile(r"LIMIT 1\)?\s*$")


def walks_of(db: sqlite3.Connection, text: str) -> tuple[str, ...]:
    """What is wrong with the plan of this statement, a line for each growing table; none if nothing is."""
    plan = plan_of(db, text)
    tables = {alias: table for table, alias in _NAMED.findall(text)}
    return tuple(dict.fromkeys(line for step in plan for line in _judged(db, text, step, tables, plan)))


def _judged(
    db: sqlite3.Connection, text: str, step: str, tables: Mapping[str, str], plan: tuple[str, ...]
) -> Iterator[str]:
    found = _STEP.match(step)
    if found is None:
        return
    kind, name, index, used = found.groups()
    table = tables.get(name, name)
    if table not in GROWING:
        return
    if kind == "SCAN":
        # The first row in the table's own order is found without the others.
        is_first_row = _STOPS_AT_ONCE.search(text) and "WHERE" not in text.replace("WHERE 1 ", "")
        if not (is_first_row and len(plan) == 1):
            yield f"walks {table}"
        return
    columns = _key_columns(db, table, index)
    taken = [column for column, _ in _USED.findall(used or "")]
    if not taken:  # the first or the last of an index
        return
    left = columns[len(set(taken)) :]
    for column in left:
        if re.search(rf"(?<!\w)(?<!\+ ){column}\s*(=|<|>|>=|<=|IN|BETWEEN)\s*[?(]", text):
            yield f"walks {table} from {taken[-1]} on: its key goes on with {column}, which the statement also names"
            return


def _key_columns(db: sqlite3.Connection, table: str, index: str | None) -> list[str]:
    if index is not None:
        return [str(row[2]) for row in db.execute(f"PRAGMA index_info({index})") if row[2] is not None]
    keys = [(int(row[5]), str(row[1])) for row in db.execute(f"PRAGMA table_info({table})") if row[5]]
    return [name for _, name in sorted(keys)]


def plan_of(db: sqlite3.Connection, text: str) -> tuple[str, ...]:
    """The steps of SQLite's plan of this statement."""
    numbers = [int(number) for number in re.findall(r"\?(\d+)", text)]
    values = [None] * (max(numbers) if numbers else text.count("?"))
    rows = db.execute(f"EXPLAIN QUERY PLAN {text}", values).fetchall()
    return tuple(str(row[3]) for row in rows)
