"""A database of the tests whose tables have made-up rows, so that the server has something to plan for."""

from collections.abc import Mapping
from typing import Final

from hub.storage.postgres.session import Session
from tests.hub.storage.plan_walks import GROWING

MANY: Final = 4_000
FEW: Final = 40
SLOT: Final = 1_990_000

OVERRIDES: Final[Mapping[tuple[str, str], str]] = {
    ("reading", "slot"): f"{SLOT} + g",
    ("message", "last_slot"): "g",
    ("message", "first_slot"): "g",
    ("message", "epoch"): "1",
    ("run", "day"): "'day ' || g",
    ("run", "run_key"): "'run ' || g",
    ("entry", "day"): "'day ' || g / 20",
    ("entry", "run_key"): "'run ' || g / 20",
    ("notice", "about"): "'about ' || g",
    ("access_log", "role"): "CASE WHEN g % 10 = 0 THEN 'board' ELSE 'job' END",
    ("finding", "severity"): "CASE WHEN g % 100 = 0 THEN 'hold' ELSE 'note' END",
}
"""What a column is made of where the number of the row, or that of a home, would say something else than in a store."""

_CHECKS: Final = """SELECT conrelid::regclass::text, conname FROM pg_constraint
WHERE connamespace = current_schema()::regnamespace AND contype = 'c' AND coninhcount = 0"""
_COLUMNS: Final = """SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attnotnull, a.attidentity <> ''
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname, a.attnum"""
_OF_TYPE: Final = {
    "text": "'t' || lpad((g % 40)::text, 3, '0')",
    "bytea": "decode(md5(g::text) || md5(g::text), 'hex')",
    "bigint": "g",
    "integer": "g",
    "double precision": "g",
    "boolean": "g % 2 = 0",
}


async def fill(session: Session) -> None:
    """Rows in every table, without what guards them: many in those that grow, a few in the others."""
    await session.execute("SET session_replication_role = replica")
    for table, name in await session.fetch(_CHECKS):
        await session.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    await session.execute(
        f"CREATE TABLE reading_all PARTITION OF reading FOR VALUES FROM ({SLOT}) TO ({SLOT + MANY + 1})"
    )
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind, is_required, is_own in await session.fetch(_COLUMNS):
        value = OVERRIDES.get((table, column)) or _OF_TYPE[kind]
        if not is_required and (table, column) not in OVERRIDES:
            value = f"CASE WHEN g % 20 = 0 THEN {value} END"
        if not is_own:
            tables.setdefault(table, []).append((column, value))
    for table, columns in tables.items():
        names, values = ", ".join(name for name, _ in columns), ", ".join(value for _, value in columns)
        count = MANY if table in GROWING else FEW
        rows = f"SELECT {values} FROM generate_series(1, {count}) AS g"
        await session.execute(f"INSERT INTO {table} ({names}) {rows} ON CONFLICT DO NOTHING")
    await session.execute("ANALYZE")
