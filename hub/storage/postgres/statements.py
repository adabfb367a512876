"""Turns a statement of the slices into PostgreSQL's spelling, once for each text. The few differences are all here."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from hub.storage.sql.connection import Dialect

# A home's place in the list counts from 0.
_METERED_SQL: Final = """SELECT string_agg(cell::text, ','), string_agg(energy_wh::text, ',') FROM (
    SELECT (slot - ?2) * ?4 + home_list.number - 1 AS cell, energy_wh
    FROM json_array_elements_text(CAST(?5 AS json)) WITH ORDINALITY AS home_list (id, number)
    JOIN reading ON reading.home = home_list.id
    WHERE measure = ?1 AND slot >= ?2 AND slot < ?3 AND span = 1 AND mark = ?6) AS cells"""

_SERIES_SQL: Final = """SELECT string_agg(cell::text, ',') FILTER (WHERE is_one),
    string_agg(packed::text, ',') FILTER (WHERE is_one), count(*) FILTER (WHERE span > 1)
FROM (SELECT (home_list.number - 1) * (CAST(?3 AS bigint) - CAST(?2 AS bigint)) + slot - CAST(?2 AS bigint) AS cell,
        span = 1 AND slot < CAST(?3 AS bigint) AS is_one, span,
        ((coalesce(energy_wh, -1) + 1) * 4 + mark) * 16 + gap AS packed
    FROM json_array_elements_text(CAST(?4 AS json)) WITH ORDINALITY AS home_list (id, number)
    JOIN reading ON reading.home = home_list.id
    WHERE measure = ?1 AND slot >= CAST(?2 AS bigint) AND slot < CAST(?3 AS bigint) + CAST(?5 AS bigint)) AS cells"""

_READING_LINES_SQL: Final = """SELECT measure, string_agg(slot || ',' || span || ',' || coalesce(energy_wh::text, '')
    || ',' || mark || ',' || gap || ';', '' ORDER BY slot, span)
FROM reading WHERE home = ?1 AND slot < ?2 GROUP BY measure ORDER BY measure"""

# What was deleted stays in a table's pages until they are vacuumed: docs/postgres.md says so.
POSTGRES: Final = Dialect(
    metered_sql=_METERED_SQL,
    series_sql=_SERIES_SQL,
    most_sorted=0,
    reading_lines_sql=_READING_LINES_SQL,
    overwrite_sql={},
    empty_months_sql="SELECT drop_empty_months(?)",
    now_ms_sql="SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
)

_SPELLINGS: Final = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r" INDEXED BY \w+", ""),  # a hint
        (r"\bx''", "''::bytea"),
        (r"\bCAST\(([\w.]+) AS BLOB\)", r"convert_to(\1, 'UTF8')"),
        (r"\bjson_array\(", "row_key("),
        (r"\bIN \(\)", "IN (NULL)"),  # an empty list
    )
)
_VALUE_GIVEN: Final = re.compile(r"\$(\d+)")
_VALUE: Final = re.compile(r"'(?:[^']|'')*'|\?(\d*)")


@cache
def spelled(sql: str) -> str:
    """The statement with `$1`, `$2` for its values, in PostgreSQL's words."""
    for pattern, instead in _SPELLINGS:
        sql = pattern.sub(instead, sql)
    count = 0

    def numbered(found: re.Match[str]) -> str:
        nonlocal count
        if found.group(1) is None:  # quoted text
            return found.group(0)
        count += 1
        return f"${found.group(1) or count}"

    return _VALUE.sub(numbered, sql)


_MADE: Final = re.compile(r"(INSERT INTO \w+)\s+(SELECT\b.*?)(\sON CONFLICT\b.*)?", re.DOTALL)


def listed(sql: str, kinds: Sequence[str]) -> str:
    """An INSERT of one row of values, or of what one SELECT makes of them, for a list of each value instead.

    `kinds` are the types of the values.
    """
    lists = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(kinds, start=1))
    values = f"VALUES ({', '.join(f'${place}' for place in range(1, len(kinds) + 1))})"
    if sql.count(values) == 1:
        return sql.replace(values, f"SELECT * FROM unnest({lists})")  # noqa: S608 - the types are the server's own words
    made = _MADE.fullmatch(sql)
    if made is None:
        raise ValueError(f"not an INSERT of one row of values, nor of a SELECT: {sql}")
    insert, select, conflict = made.groups(default="")
    names = ", ".join(f"v{place}" for place in range(1, len(kinds) + 1))
    each = _VALUE_GIVEN.sub(r"given.v\1", select)
    given = f"unnest({lists}) AS given ({names})"
    return f"{insert} SELECT made.* FROM {given} CROSS JOIN LATERAL ({each}) AS made{conflict}"  # noqa: S608 - as above
